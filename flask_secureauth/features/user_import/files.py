"""Files of users, CSV with a header or a JSON object a line: read once from front to back, a record at a time.

A record that cannot be read is one with a problem, and the next one is read: dumps of years hold everything.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from ...core import strict_json

MAX_LINE = 64 * 1024
"""Bytes."""
_BOM = b"\xef\xbb\xbf"


class UnusableFile(ValueError):
    """Nothing of the file can be imported; the message quotes nothing but names of columns."""


class _LineTooLong(ValueError):
    def __init__(self) -> None:
        super().__init__(f"longer than {MAX_LINE} bytes")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What stands from one ``line`` on: ``members`` by name, or a ``problem``, a sentence without its full stop."""

    line: int
    members: dict[str, Any] = field(default_factory=dict, repr=False)
    problem: str = ""


class Lines:
    """The lines of a file. ``number`` is that of the last one, ``position`` where it ended."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.number = 0
        self.position = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self._part()
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = self._part()
            raise _LineTooLong
        return line.removeprefix(_BOM) if self.number == 1 else line

    def _part(self) -> bytes:
        part = self._stream.readline(MAX_LINE + 1)
        self.position += len(part)
        return part


class JsonLinesFile:
    """A JSON object on each line that is not blank, in UTF-8. Raises :exc:`UnusableFile` when there is no line."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[Record]:
        while True:
            try:
                line = next(self._lines)
                members = strict_json.loads(line) if line.strip() else None
            except StopIteration:
                break
            except ValueError as error:
                yield Record(line=self._lines.number, problem=f"Not JSON: {error}")
                continue
            if isinstance(members, dict):
                yield Record(line=self._lines.number, members=members)
            elif line.strip():
                yield Record(line=self._lines.number, problem="Not a JSON object")
        if not self._lines.number:
            raise UnusableFile("it is empty")


class CsvFile:
    """Comma-separated values in UTF-8, quoted as RFC 4180 has it. ``names`` are those of the first line.

    Raises :exc:`UnusableFile`.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        # What is no UTF-8 becomes lone surrogates, which no UTF-8 does: only its own row is refused.
        self._rows = csv.reader(_Decoded(lines), strict=True)
        _, names, problem = next(self._records(), (0, [], "there is none"))
        problem = problem or _unreadable(names)
        if problem:
            raise UnusableFile(f"its first line, which names the columns, cannot be read ({problem})")
        self.names = tuple(name.strip() for name in names)
        if len(set(self.names)) < len(self.names):
            raise UnusableFile("its first line names a column twice")

    def __iter__(self) -> Iterator[Record]:
        for line, fields, problem in self._records():
            problem = problem or _unreadable(fields)
            if not problem and len(fields) != len(self.names):
                problem = f"The number of fields is {len(fields)}, and the first line names {len(self.names)}"
            if problem:
                yield Record(line=line, problem=problem)
            else:
                yield Record(line=line, members=dict(zip(self.names, fields, strict=True)))

    def _records(self) -> Iterator[tuple[int, list[str], str]]:
        while True:
            line = self._lines.number + 1
            try:
                fields = next(self._rows)
            except StopIteration:
                return
            except (csv.Error, _LineTooLong) as error:
                # A quotation mark that does not end has the lines after it in its field.
                last = f", up to line {self._lines.number}" if self._lines.number > line else ""
                yield line, [], f"Not CSV: {error}{last}"
                continue
            if fields:
                yield line, fields, ""


class _Decoded:
    """An iterator that goes on after an exception, as a generator would not."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._lines).decode("utf-8", "surrogateescape")


def _unreadable(fields: list[str]) -> str:
    if any("\0" in text for text in fields):
        return "A field holds a NUL character"
    if any("\ud800" <= character <= "\udfff" for text in fields if not text.isascii() for character in text):
        return "Not UTF-8"
    return ""
