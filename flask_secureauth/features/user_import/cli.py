"""``flask secureauth import-users``."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from flask.cli import with_appcontext

from ...errors import AuthError
from ...web.state import current_auth
from .files import CsvFile, JsonLinesFile, Lines, Record, UnusableFile
from .rows import UserRows
from .service import Outcome, UserImportService

_SHOWN = 20
_JSON_SUFFIXES = (".jsonl", ".ndjson")


@click.command("import-users")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    help="The default is jsonl for names that end in .jsonl or .ndjson, and csv for others.",
)
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="NAME=COLUMN",
    help="NAME of the file is COLUMN of the user model; without COLUMN it is left out. Repeatable.",
)
@click.option("--without-password", is_flag=True, help="Import users without a hash, too; they have to reset it.")
@click.option("--flask-security", is_flag=True, help="Flask-Security made the hashes, with a secret mixed in.")
@click.option("--verified", is_flag=True, help="The addresses have been verified.")
@click.option("--dry-run", is_flag=True, help="Check everything and write nothing.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write the lines that were not imported to this file.")
@with_appcontext
def import_users(path: str, *, report: str | None, **options: Any) -> None:
    """Import the users in FILE; - is the standard input. Run again, it goes on where it was stopped.

    Exits with 0 when all users are there, with 1 when some were refused or it was stopped, with 2 when FILE or an
    option cannot be used.
    """
    try:
        with click.open_file(path, "rb") as file, _report(report, source=path) as rejected:
            tally = _import(file, path, rejected, **options)
    except UnusableFile as error:
        raise click.UsageError(f"{path} cannot be imported: {error}.") from None
    except AuthError as error:
        raise click.ClickException(f"{error.description}. Run the same command again to go on.") from None
    if tally.refused:
        raise click.exceptions.Exit(1)


def _import(
    file: IO[bytes], path: str, report: Any, *, form: str | None, mapped: tuple[str, ...], **how: bool
) -> Tally:
    auth = current_auth()
    service, lines = auth.service(UserImportService), Lines(file)
    rows = UserRows(
        auth,
        renamed=_renamed(mapped),
        without_password=how["without_password"],
        flask_security=how["flask_security"],
    )
    is_json = form == "jsonl" or (form is None and path.endswith(_JSON_SUFFIXES))
    records = _records(lines, rows, is_json=is_json)
    rehearsed = service.rehearse(records, rows) if how["dry_run"] else None
    outcomes = rehearsed or service.load(records, rows, verified=how["verified"])
    tally = Tally(report, is_rehearsal=how["dry_run"])
    try:
        for outcome in _shown(outcomes, lines, file):
            tally.add(outcome)
    finally:
        tally.show()
    return tally


def _renamed(mapped: tuple[str, ...]) -> dict[str, str]:
    renamed = {}
    for item in mapped:
        name, sign, column = item.partition("=")
        if not sign or name in renamed:
            raise UnusableFile(f"--map {item} must be NAME=COLUMN, once for each NAME")
        renamed[name] = column
    return renamed


def _records(lines: Lines, rows: UserRows, *, is_json: bool) -> Iterable[Record]:
    if is_json:
        return JsonLinesFile(lines)
    table = CsvFile(lines)
    rows.plan(table.names)
    return table


def _shown(outcomes: Iterable[Outcome], lines: Lines, file: IO[bytes]) -> Iterator[Outcome]:
    """Pass ``outcomes`` on, and show how much of the file was read, if its size is known."""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        size = 0
    if not size:
        yield from outcomes
        return
    with click.progressbar(length=size, label="Users", file=sys.stderr) as bar:
        for outcome in outcomes:
            bar.update(lines.position - bar.pos)
            yield outcome
        bar.update(size - bar.pos)


@contextmanager
def _report(path: str | None, *, source: str) -> Iterator[Any]:
    if path is None:
        yield None
        return
    target = Path(path)
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise UnusableFile("--report would overwrite it")
    try:
        opened = target.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise click.FileError(path, str(error.strerror)) from None
    with opened as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "outcome", "reason"))
        yield writer


class Tally:
    """Counts what became of the records, and writes those down that were not imported."""

    def __init__(self, report: Any, *, is_rehearsal: bool) -> None:
        self._report = report
        self._verb = "Would import" if is_rehearsal else "Imported"
        self._first: list[str] = []
        self.imported = self.present = self.refused = 0

    def add(self, outcome: Outcome) -> None:
        """Count a batch."""
        self.imported += outcome.imported
        self.present += len(outcome.present)
        self.refused += len(outcome.refused)
        left_out = [(line, "present", "An account has this address") for line in outcome.present]
        left_out += [(item.line, "refused", item.reason) for item in outcome.refused]
        if self._report:
            self._report.writerows(sorted(left_out))
        self._first += [f"Line {item.line}: {item.reason}." for item in outcome.refused]
        del self._first[_SHOWN:]

    def show(self) -> None:
        """Print the first refusals, unless there is a report, and the counts."""
        if not self._report:
            for sentence in self._first:
                click.echo(sentence, err=True)
            if self.refused > _SHOWN:
                click.echo(f"{self.refused - _SHOWN} more are refused; --report FILE lists all.", err=True)
        click.echo(f"{self._verb} {self.imported}, present {self.present}, refused {self.refused}.")
