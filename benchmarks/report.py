"""Figures, the goals they are held against, and the tables that show both."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from os import cpu_count
from statistics import median, quantiles
from typing import Any

MEASURED = (
    "Flask",
    "Werkzeug",
    "SQLAlchemy",
    "PyJWT",
    "Flask-JWT-Extended",
    "Flask-Login",
    "Flask-Security",
    "gunicorn",
    "waitress",
)
TIMES = "\N{MULTIPLICATION SIGN}"
_HEADINGS = ("case", "figure", "ratio", "middle half", "goal", "met")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a figure is held against: from ``low`` to ``high``."""

    low: float | None = None
    high: float | None = None
    unit: str = ""

    @property
    def text(self) -> str:
        """What is printed."""
        if self.low is None:
            return f"at most {self.high:g}{self.unit}"
        if self.high is None:
            return f"at least {self.low:g}{self.unit}"
        return f"{self.low:g} to {self.high:g}{self.unit}"

    def holds(self, value: float) -> bool:
        """Whether ``value`` meets the goal."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table. ``value`` is the number behind it, as rounded as it is printed."""

    case: str
    figure: str
    ratio: str = ""
    spread: str = ""
    goal: Goal | None = None
    value: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty without a goal."""
        if self.goal is None or self.value is None:
            return ""
        return "yes" if self.goal.holds(self.value) else "NO"

    def cells(self) -> tuple[str, ...]:
        """What is printed."""
        return (self.case, self.figure, self.ratio, self.spread, self.goal.text if self.goal else "", self.verdict)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that were measured together, and what one has to know to compare them."""

    title: str
    rows: Sequence[Row] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """What was measured on one database, by the names of the sections."""

    database: str
    sections: dict[str, Section] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole run."""

    machine: str
    parts: Sequence[Part]

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def load(text: str) -> Report:
        """Read what :meth:`dump` wrote."""
        found = json.loads(text)
        return Report(machine=found["machine"], parts=[_part(part) for part in found["parts"]])

    def render(self) -> str:
        """As Markdown that lines up in a terminal too."""
        rows = [row for part in self.parts for section in part.sections.values() for row in section.rows]
        widths = [max(map(len, column)) for column in zip(_HEADINGS, *(row.cells() for row in rows), strict=True)]
        lines = ["# Results of `python -m benchmarks`", "", self.machine]
        for part in self.parts:
            lines += ["", f"## {part.database}"]
            for section in part.sections.values():
                lines += ["", *_table(section, widths)]
        return "\n".join([*lines, *_summary(self.parts)])


def _part(found: dict[str, Any]) -> Part:
    sections = {name: _section(section) for name, section in found["sections"].items()}
    return Part(database=found["database"], sections=sections)


def _section(found: dict[str, Any]) -> Section:
    rows = [Row(**{**row, "goal": Goal(**row["goal"]) if row["goal"] else None}) for row in found["rows"]]
    return Section(title=found["title"], rows=rows, notes=found["notes"])


def machine() -> str:
    """What the figures depend on."""
    return f"Python {platform.python_version()}, {cpu_count()} cores; {', '.join(_versions())}."


def _versions() -> Iterable[str]:
    for name in MEASURED:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"no {name}"


def ratio_row(
    case: str, figure: str, ratios: Sequence[float], *, of: str, goal: Goal | None = None, digits: int = 2
) -> Row:
    """A row for the median of the ratios of many rounds, each to the same round's ``of``."""
    value = round(median(ratios), digits)
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    return Row(
        case=case,
        figure=figure,
        ratio=f"{value:.{digits}f} {TIMES} {of}",
        spread=f"{low:.{digits}f} to {high:.{digits}f}",
        goal=goal,
        value=value,
    )


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.01 else f"{seconds * 1e3:.1f} ms"


def _table(section: Section, widths: Sequence[int]) -> list[str]:
    lines = [f"### {section.title}"]
    if section.rows:
        lines += ["", _line(_HEADINGS, widths), _line(["-" * width for width in widths], widths)]
        lines += [_line(row.cells(), widths) for row in section.rows]
    if section.notes:
        lines += ["", *(f"- {note}" for note in section.notes)]
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _summary(parts: Iterable[Part]) -> list[str]:
    judged = [
        (part.database, row)
        for part in parts
        for section in part.sections.values()
        for row in section.rows
        if row.verdict
    ]
    missed = [(database, row) for database, row in judged if row.verdict == "NO"]
    if not judged:
        return []
    return [
        "",
        "## Goals",
        "",
        f"{len(judged) - len(missed)} of {len(judged)} met. Missed:" if missed else f"All {len(judged)} met.",
        *([""] if missed else []),
        *(f"- {database}: {_miss(row)}." for database, row in missed),
    ]


def _miss(row: Row) -> str:
    return f"{row.case}: {row.ratio or row.figure}, {row.goal.text if row.goal else ''} wanted"
