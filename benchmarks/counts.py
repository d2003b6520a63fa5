"""Function calls and SQL statements of one request: exact, free of noise."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from . import cases, goals, progress
from .apps import ALIVE, Workbench, db
from .report import Goal, Row, Section
from .runner import Case, Environ, answer, get
from .signin import sign_in

_WARM_UP = 3
_CALL_GOALS = {cases.SEEN.format("HS256"): goals.CALLS_TOKEN_SEEN}


def calls(bench: Workbench) -> Section:
    """Count calls of Python and C functions, as a profiler does, beyond those of a bare view."""
    progress.note("function calls")
    counted = {case.name: _calls(case) for case in cases.request_cases(bench)}
    bare = counted.pop(cases.BARE)
    rows = [_row(name, found - bare, _CALL_GOALS.get(name)) for name, found in counted.items()]
    return Section(title=f"Function calls over a bare view, which makes {bare}", rows=rows)


def statements(bench: Workbench) -> Section:
    """Count SQL statements."""
    progress.note("SQL statements")
    unchecked, checked, peer = bench.unchecked["HS256"], bench.checked, bench.extended_database
    token, peer_token = bench.token(checked), bench.extended_token(peer)
    kinds: list[tuple[str, Flask, Callable[[], Environ], Goal | None]] = [
        ("staleness None", unchecked, lambda: get("/", token), goals.STATEMENTS_NONE),
        (cases.CHECKED, checked, lambda: get("/", token), goals.STATEMENTS_STALENESS_0),
        (cases.CHECKED_USER, checked, lambda: get("/user", token), goals.STATEMENTS_STALENESS_0),
        ("sign-in", checked, lambda: sign_in(ALIVE), goals.STATEMENTS_SIGN_IN),
        (cases.PEER_CHECKED, peer, lambda: get("/", peer_token), None),
    ]
    rows = [_row(name, _statements(app, environ), goal) for name, app, environ, goal in kinds]
    return Section(title="SQL statements of one request", rows=rows)


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


def _statements(app: Flask, environ: Callable[[], Environ]) -> int:
    answer(app, environ())
    with app.app_context():
        engine = db.engine
    with _listening(engine) as seen:
        answer(app, environ())
    return len(seen)


@contextmanager
def _listening(engine: Any) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
