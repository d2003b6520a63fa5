"""``python -m benchmarks``: measure, print a table. Not a test: it exits with 0 whatever it found."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from . import cases, counts, signin, startup, storm
from .apps import UnusableDatabase, Workbench, database
from .report import Section, render
from .runner import FULL, QUICK, Effort

SECTIONS: dict[str, Callable[[Workbench, Effort], Section]] = {
    "requests": cases.requests,
    "refusals": cases.refusals,
    "sign-in": signin.cost,
    "storm": storm.storms,
    "import": lambda bench, effort: startup.imports(effort),
    "calls": lambda bench, effort: counts.calls(bench),
    "statements": lambda bench, effort: counts.statements(bench),
}


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    try:
        print(run(arguments.only or list(SECTIONS), effort, arguments.database))
    except (UnusableDatabase, SQLAlchemyError) as error:
        parser.exit(2, f"The database cannot be used: {error}\n")


def run(names: Sequence[str], effort: Effort, url: str | None) -> str:
    """Measure the sections called ``names`` and return the report."""
    with database(url) as own_url:
        bench = Workbench(own_url)
        try:
            sections = [SECTIONS[name](bench, effort) for name in SECTIONS if name in names]
        finally:
            bench.close()
    return render(sections, database=bench.dialect)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure flask_secureauth and its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a result")
    parser.add_argument("--only", action="append", choices=SECTIONS, metavar="NAME", help=", ".join(SECTIONS))
    parser.add_argument(
        "--database",
        metavar="URL",
        help="a server, such as mysql+pymysql://root@127.0.0.1:3306/test; a database of its own is created there"
        " and dropped at the end. Without it SQLite in a temporary file",
    )
    return parser


if __name__ == "__main__":
    main()
