"""Guarded requests that are let in, ours and those of peers, as ratios to a bare view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from . import goals, ours
from .contenders import (
    BARE,
    BARE_OURS,
    CHECKED,
    CHECKED_USER,
    CONTENDERS,
    EXTENDED_BLOCKED,
    LOGIN,
    SECURITY,
    SEEN,
    bearer,
)
from .effort import Effort
from .report import Goal, Row, Section, duration, ratio_row
from .runner import Case, Environ, get, measure, ratios
from .workbench import Workbench

FIRST = f"{SEEN}, token first seen"
_NOTES = (
    "At staleness 0 a session that was ended and a user who was disabled are refused at once. Flask-JWT-Extended"
    " guarantees that with a look-up of the user and a block list.",
    "Flask-Login and Flask-Security look up the user, not the sign-in: what one of several sign-ins was given cannot be"
    " taken back alone. Compare them with staleness 0 with current_user, which guarantees more.",
    "Both need a SECRET_KEY, and with one Flask looks for its session cookie on every request; the others go without.",
)


def requests(bench: Workbench, effort: Effort) -> Section:
    """Measure requests that are let in."""
    cases = request_cases(bench)
    times = measure(cases, rounds=effort.rounds, calls=effort.calls)
    rows = [*ratio_rows(cases, times, _goals(bench.dialect)), *_comparisons(times)]
    return Section(title=f"Guarded requests on {bench.database.split()[0]}", rows=rows, notes=_NOTES)


def request_cases(bench: Workbench) -> list[Case]:
    """Requests that are let in, HS256."""
    cases = [bench.case(name) for name in CONTENDERS]
    cases.insert(list(CONTENDERS).index(SEEN) + 1, _first_seen(bench))
    return cases


def ratio_rows(cases: Sequence[Case], times: Mapping[str, list[float]], known: Mapping[str, Goal]) -> list[Row]:
    """A row for each case: its time over that of the bare view."""
    return [
        ratio_row(
            case.name,
            duration(median(times[case.name])),
            ratios(times[case.name], times[BARE]),
            of="bare",
            goal=known.get(case.name),
        )
        for case in cases
    ]


def _first_seen(bench: Workbench) -> Case:
    """Requests with a token that the app has never seen."""
    app = bench.app(SEEN)
    mint = ours.minter(app)

    def environs(calls: int) -> list[Environ]:
        return [get("/", bearer(mint())) for _ in range(calls)]

    return Case(name=FIRST, app=app, environs=environs)


def _goals(dialect: str) -> dict[str, Goal]:
    known = {SEEN: goals.TOKEN_SEEN, FIRST: goals.FIRST_SEEN_HS256}
    if dialect in goals.STALENESS_0:
        known[CHECKED] = goals.STALENESS_0[dialect]
    if dialect in goals.CURRENT_USER:
        known[CHECKED_USER] = goals.CURRENT_USER[dialect]
    return known


def _comparisons(times: Mapping[str, list[float]]) -> list[Row]:
    """What divides by something else than the bare view."""

    def over(name: str, base: str, case: str, of: str, goal: Goal | None = None) -> Row:
        return ratio_row(case, "", ratios(times[name], times[base]), of=of, goal=goal)

    return [
        over(SEEN, BARE_OURS, "the guard alone: staleness None over a bare view of the same app", "that"),
        over(EXTENDED_BLOCKED, CHECKED, "Flask-JWT-Extended at the same guarantee", CHECKED, goals.CHEAPER_THAN_PEER),
        over(LOGIN, CHECKED_USER, "Flask-Login over ours with the user", "ours"),
        over(SECURITY, CHECKED_USER, "Flask-Security over ours with the user", "ours"),
    ]
