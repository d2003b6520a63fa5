"""One picture of a report: what a guarded request costs, ours and peers', by what each guarantees."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import Any

from .contenders import CHECKED, CHECKED_USER, EXTENDED, EXTENDED_BLOCKED, EXTENDED_USER, LOGIN, PYJWT, SECURITY, SEEN
from .report import TIMES, Report

# The picture brings its own light paper, so that it reads on a dark page too.
_PAPER, _INK, _FAINT = "#fafaf8", "#24292f", "#6a737d"
_MARGIN, _LEFT = 0.03, 0.37
_OURS, _PEERS = "#2a7f78", "#b9bec5"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9.5,
    "text.color": _INK,
    # Text stays text, and its names do not change from run to run.
    "svg.fonttype": "none",
    "svg.hashsalt": "flask_secureauth",
}
_GUARANTEES = {
    "The token alone decides": {
        SEEN: "flask_secureauth, staleness None",
        PYJWT: "PyJWT by hand",
        EXTENDED: "Flask-JWT-Extended",
    },
    "The user is looked up, the sign-in is not": {
        EXTENDED_USER: "Flask-JWT-Extended, user look-up",
        LOGIN: "Flask-Login, session cookie",
        SECURITY: "Flask-Security, token",
    },
    "User and sign-in are looked up": {
        CHECKED: "flask_secureauth, staleness 0",
        CHECKED_USER: "the same, with current_user",
        EXTENDED_BLOCKED: "Flask-JWT-Extended, with block list",
    },
}
_OWN = (SEEN, CHECKED, CHECKED_USER)


class NothingToDraw(Exception):
    """The report has no guarded requests."""


@dataclass(frozen=True, kw_only=True)
class _Bar:
    label: str
    value: float
    is_ours: bool


def draw(report: Report) -> str:
    """Return the picture as SVG; the same report gives the same text. Raises :exc:`NothingToDraw`."""
    part = next((part for part in report.parts if "requests" in part.sections), None)
    if part is None:
        raise NothingToDraw("a picture needs the section requests")
    values = {row.case: row.value or 0.0 for row in part.sections["requests"].rows}
    groups = {
        title: [_Bar(label=label, value=values[case], is_ours=case in _OWN) for case, label in members.items()]
        for title, members in _GUARANTEES.items()
    }
    return _drawn(groups, f"A guarded request, {TIMES} a bare Flask view ({part.database}; shorter is better)")


def _drawn(groups: dict[str, list[_Bar]], title: str) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 4.6), facecolor=_PAPER)
        axes = figure.add_axes((_LEFT, 0.03, 0.96 - _LEFT, 0.85))
        _fill(axes, groups)
        figure.text(_MARGIN, 0.93, title, fontsize=11, fontweight="bold")
        written = StringIO()
        figure.savefig(written, format="svg", facecolor=_PAPER, metadata={"Date": None, "Creator": None})
        # The renderer ends some lines with a space.
        return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _fill(axes: Any, groups: dict[str, list[_Bar]]) -> None:
    """Rows from top to bottom: each group's title, its bars with the bare view as a line, and a little air."""
    place = 0.0
    beside = axes.get_yaxis_transform()
    longest = max(bar.value for bars in groups.values() for bar in bars)
    for title, bars in groups.items():
        axes.text((_MARGIN - _LEFT) / (0.96 - _LEFT), place, title, transform=beside, color=_FAINT, va="center")
        axes.vlines(1, place + 0.55, place + len(bars) + 0.45, color=_FAINT, linewidth=0.9, linestyle=(0, (2, 2)))
        place += 1
        for bar in bars:
            axes.barh(place, bar.value, height=0.62, color=_OURS if bar.is_ours else _PEERS)
            axes.text(-0.02, place, bar.label, transform=beside, ha="right", va="center")
            axes.text(bar.value + longest * 0.012, place, f"{bar.value:.1f}", va="center")
            place += 1
        place += 0.4
    axes.set(xlim=(0, longest * 1.08), ylim=(place - 0.5, -0.6), facecolor=_PAPER)
    axes.set_axis_off()
