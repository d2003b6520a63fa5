"""Function calls and SQL statements of one request: exact, free of noise."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from flask import Flask
from sqlalchemy import event

from . import goals, ours
from .contenders import BARE, CHECKED, CHECKED_USER, SEEN
from .effort import Effort
from .filling import addresses
from .refresh import refresh_cases
from .report import Goal, Row, Section
from .requests import request_cases
from .runner import Case, Environ, answer, expect
from .signin import LIMITED, cheap_sign_ins, crowd
from .signin import OURS as SIGN_IN
from .workbench import Workbench

_WARM_UP = 3
_CALL_GOALS = {SEEN: goals.CALLS_TOKEN_SEEN}
_STATEMENT_GOALS = {
    SEEN: goals.STATEMENTS_NONE,
    CHECKED: goals.STATEMENTS_STALENESS_0,
    CHECKED_USER: goals.STATEMENTS_STALENESS_0,
    SIGN_IN: goals.STATEMENTS_SIGN_IN,
}


def calls(bench: Workbench, effort: Effort) -> Section:
    """Count calls of Python and C functions, as a profiler does, beyond those of a bare view."""
    counted = {case.name: _calls(case) for case in request_cases(bench)}
    bare = counted.pop(BARE)
    rows = [_row(name, found - bare, _CALL_GOALS.get(name)) for name, found in counted.items()]
    return Section(title=f"Function calls over a bare view, which makes {bare}", rows=rows)


def statements(bench: Workbench, effort: Effort) -> Section:
    """Count SQL statements, beside those that open and end a transaction."""
    cases = [case for case in request_cases(bench) if not case.name.startswith("bare")]
    cases += [*_sign_ins(bench), *refresh_cases(bench, _WARM_UP)]
    rows = [_row(case.name, _statements(case), _STATEMENT_GOALS.get(case.name)) for case in cases]
    return Section(title="SQL statements of one request", rows=rows)


def _sign_ins(bench: Workbench) -> Iterator[Case]:
    for name, (app, environ) in cheap_sign_ins(bench).items():
        full_name = name if name == SIGN_IN else f"{name}, sign-in"
        yield Case(name=full_name, app=app, environs=partial(_of_others, environ))
    visits = crowd(addresses())
    yield Case(
        name=LIMITED, app=bench.built(ours.cheap_limited_app), environs=lambda calls: list(islice(visits, calls))
    )


def _of_others(environ: Callable[[str], Environ], calls: int) -> list[Environ]:
    return [environ(email) for email in addresses()[-calls:]]


def _row(case: str, found: int, goal: Goal | None = None) -> Row:
    return Row(case=case, figure=str(found), goal=goal, value=found)


def _calls(case: Case) -> int:
    """The calls of one request, after some that warm the caches."""
    *before, last = case.environs(_WARM_UP + 1)
    for environ in before:
        answer(case.app, environ)
    found = 0

    def profile(frame: Any, what: str, argument: Any) -> None:
        nonlocal found
        found += what in ("call", "c_call")

    gc.disable()
    sys.setprofile(profile)
    try:
        answer(case.app, last)
    finally:
        sys.setprofile(None)
        gc.enable()
    return found


def _statements(case: Case) -> int:
    """The statements of one request, after one that fills the caches."""
    first, second = case.environs(2)
    expect(case.app, first)
    with _listening(case.app) as seen:
        expect(case.app, second)
    return len(seen)


@contextmanager
def _listening(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    if "sqlalchemy" not in app.extensions:
        yield seen
        return
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
