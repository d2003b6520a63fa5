"""``python -m benchmarks``: measure, print tables. Not a test: it exits with 0 whatever it found."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from . import (
    counts,
    growth,
    memory,
    plot,
    progress,
    refresh,
    refusals,
    requests,
    server,
    signin,
    startup,
    storm,
    tokens,
)
from .databases import MARIADB, SQLITE, UnusableDatabase, can_start_mariadb, databases
from .effort import FULL, QUICK, Effort
from .report import Part, Report, Section, machine
from .workbench import Workbench, workbench


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One section. What does not depend on the database is measured on the first one alone."""

    measure: Callable[[Workbench, Effort], Section]
    on_each: bool = True


TOPICS = {
    "requests": Topic(measure=requests.requests),
    "tokens": Topic(measure=tokens.tokens, on_each=False),
    "refusals": Topic(measure=refusals.refusals, on_each=False),
    "sign-in": Topic(measure=signin.cost),
    "refresh": Topic(measure=refresh.refresh),
    "statements": Topic(measure=counts.statements, on_each=False),
    "calls": Topic(measure=counts.calls, on_each=False),
    "import": Topic(measure=startup.imports, on_each=False),
    "memory": Topic(measure=memory.memory, on_each=False),
    "storm": Topic(measure=storm.storms),
    "server": Topic(measure=server.servers),
    "growth": Topic(measure=growth.growth),
}


_CAUTION = " A quick look with few rounds, not a result."


def main() -> None:
    """Do what the command line asks for."""
    parser = _parser()
    arguments = parser.parse_args()
    # Who is told to end takes the servers that it started along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        report = Report.load(arguments.read.read_text()) if arguments.read else _measured(arguments)
    except (UnusableDatabase, SQLAlchemyError) as error:
        parser.exit(2, f"The database cannot be used: {error}\n")
    print(report.render())
    if arguments.json:
        arguments.json.write_text(report.dump())
    if arguments.plot:
        try:
            arguments.plot.write_text(plot.draw(report))
        except plot.NothingToDraw as error:
            parser.exit(2, f"Nothing is drawn: {error}.\n")


def _measured(arguments: argparse.Namespace) -> Report:
    effort = QUICK if arguments.quick else FULL
    return run(arguments.only or list(TOPICS), effort, arguments.database or _default_databases())


def run(names: Sequence[str], effort: Effort, places: Sequence[str]) -> Report:
    """Measure the sections called ``names`` on each of the databases."""
    parts: list[Part] = []
    for place in places:
        chosen = {name: topic for name, topic in TOPICS.items() if name in names and (topic.on_each or not parts)}
        if chosen:
            parts.append(_part(chosen, effort, place))
    return Report(machine=f"{machine()}{_CAUTION if effort is QUICK else ''}", parts=parts)


def _part(chosen: dict[str, Topic], effort: Effort, place: str) -> Part:
    sections = {}
    with databases(place) as create, workbench(create) as bench:
        for name, topic in chosen.items():
            with progress.timed(f"{bench.database}: {name}"):
                sections[name] = topic.measure(bench, effort)
        return Part(database=bench.database, sections=sections)


def _default_databases() -> list[str]:
    if can_start_mariadb():
        return [SQLITE, MARIADB]
    progress.note("MariaDB is not here (apt-get install mariadb-server): SQLite alone.")
    return [SQLITE]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure flask_secureauth and its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and rows: a look, not a result")
    parser.add_argument("--only", action="append", choices=TOPICS, metavar="NAME", help=", ".join(TOPICS))
    parser.add_argument(
        "--database",
        action="append",
        metavar="WHERE",
        help="sqlite, in temporary files; mariadb, a private server; or the URL of a server such as"
        " mysql+pymysql://root@127.0.0.1:3306/test, where databases of its own are created and dropped."
        " May be given several times. Without it sqlite, and mariadb where its program is",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the guarded requests as SVG as well")
    parser.add_argument("--from", dest="read", type=Path, metavar="FILE", help="measure nothing: read that file")
    return parser


if __name__ == "__main__":
    main()
