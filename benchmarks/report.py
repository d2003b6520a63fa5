"""Figures, the goals they are held against, and the table that shows both."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from os import cpu_count
from statistics import median, quantiles

PEERS = ("Flask", "Werkzeug", "SQLAlchemy", "PyJWT", "Flask-JWT-Extended", "waitress")
TIMES = "\N{MULTIPLICATION SIGN}"
_HEADINGS = ("case", "figure", "ratio", "middle half", "goal", "met")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a figure is held against."""

    text: str
    holds: Callable[[float], bool]


def at_most(limit: float, unit: str = "") -> Goal:
    """A figure of ``limit`` or less."""
    return Goal(text=f"at most {limit:g}{unit}", holds=lambda value: value <= limit)


def at_least(limit: float, unit: str = "") -> Goal:
    """A figure of ``limit`` or more."""
    return Goal(text=f"at least {limit:g}{unit}", holds=lambda value: value >= limit)


def between(low: float, high: float) -> Goal:
    """A figure from ``low`` to ``high``."""
    return Goal(text=f"{low:g} to {high:g}", holds=lambda value: low <= value <= high)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table. ``value`` is what ``goal`` is asked about, as rounded as it is printed."""

    case: str
    figure: str
    ratio: str = ""
    spread: str = ""
    goal: Goal | None = None
    value: float = 0.0

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty without a goal."""
        if self.goal is None:
            return ""
        return "yes" if self.goal.holds(self.value) else "NO"

    def cells(self) -> tuple[str, ...]:
        """What is printed."""
        return (self.case, self.figure, self.ratio, self.spread, self.goal.text if self.goal else "", self.verdict)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that were measured together."""

    title: str
    rows: Sequence[Row]


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


def render(sections: Iterable[Section], *, database: str) -> str:
    """The whole report as Markdown that lines up in a terminal too."""
    sections = list(sections)
    cells = [row.cells() for section in sections for row in section.rows]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *cells, strict=True)]
    lines = [_machine(database)]
    for section in sections:
        lines += ["", f"### {section.title}", "", _line(_HEADINGS, widths), _line(["-" * width for width in widths])]
        lines += [_line(row.cells(), widths) for row in section.rows]
    return "\n".join([*lines, "", *_summary(row for section in sections for row in section.rows)])


def _line(cells: Sequence[str], widths: Sequence[int] | None = None) -> str:
    padded = cells if widths is None else [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |"


def _machine(database: str) -> str:
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    return f"Python {platform.python_version()}, {cpu_count()} cores, {database}; {peers}."


def _summary(rows: Iterable[Row]) -> list[str]:
    judged = [row for row in rows if row.goal]
    missed = [row for row in judged if row.verdict == "NO"]
    lines = [f"{len(judged) - len(missed)} of {len(judged)} goals met."]
    return lines + [
        f"- Missed: {row.case}: {row.ratio or row.figure}; the goal is {_goal_text(row)}." for row in missed
    ]


def _goal_text(row: Row) -> str:
    return row.goal.text if row.goal else ""
