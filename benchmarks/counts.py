"""Function calls and SQL statements of one request: exact, free of noise."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from . import goals, progress
from .apps import ALIVE, Workbench, db
from .cases import first_seen
from .report import Goal, Row, Section
from .runner import Environ, answer, get
from .signin import sign_in


def calls(bench: Workbench) -> Section:
    """Count calls of Python and C functions, as a profiler does, beyond those of a bare view."""
    progress.note("function calls")
    bare = _calls(bench.bare, [get("/") for _ in range(4)])
    ours, peer = bench.checked, bench.extended_database
    seen, checked = bench.token(bench.unchecked["HS256"]), bench.token(ours)
    found = [
        _count("token seen, staleness None", bench.unchecked["HS256"], get("/", seen), goals.CALLS_TOKEN_SEEN),
        _count("staleness 0", ours, get("/", checked)),
        _count("staleness 0, with current_user", ours, get("/user", checked)),
        _count("hand-written PyJWT, HS256", bench.pyjwt["HS256"], get("/", bench.pyjwt_token("HS256"))),
        _count(
            "Flask-JWT-Extended, HS256, token alone",
            bench.extended["HS256"],
            get("/", bench.extended_token(bench.extended["HS256"])),
        ),
        _count("Flask-JWT-Extended, user look-up and block list", peer, get("/", bench.extended_token(peer))),
    ]
    first = first_seen(bench, "HS256")
    found.insert(1, ("first seen, HS256, staleness None", _calls(first.app, first.environs(4)), None))
    rows = [_row(name, total - bare, goal) for name, total, goal in found]
    return Section(title=f"Function calls over a bare view, which makes {bare}", rows=rows)


def statements(bench: Workbench) -> Section:
    """Count SQL statements."""
    progress.note("SQL statements")
    unchecked, checked, peer = bench.unchecked["HS256"], bench.checked, bench.extended_database
    token, peer_token = bench.token(checked), bench.extended_token(peer)
    rows = [
        _row("staleness None", _statements(unchecked, get("/", bench.token(unchecked))), goals.STATEMENTS_NONE),
        _row("staleness 0", _statements(checked, get("/", token)), goals.STATEMENTS_STALENESS_0),
        _row(
            "staleness 0, with current_user",
            _statements(checked, get("/user", token)),
            goals.STATEMENTS_STALENESS_0,
        ),
        _row("sign-in", _statements(checked, sign_in(ALIVE)), goals.STATEMENTS_SIGN_IN),
        _row("Flask-JWT-Extended, user look-up and block list", _statements(peer, get("/", peer_token))),
    ]
    return Section(title="SQL statements of one request", rows=rows)


def _row(case: str, found: int, goal: Goal | None = None) -> Row:
    return Row(case=case, figure=str(found), goal=goal, value=found)


def _count(name: str, app: Flask, environ: Environ, goal: Goal | None = None) -> tuple[str, int, Goal | None]:
    return name, _calls(app, [dict(environ) for _ in range(4)]), goal


def _calls(app: Flask, environs: list[Environ]) -> int:
    """The calls that answer the last of ``environs``; those before it warm the caches."""
    *before, last = environs
    for environ in before:
        answer(app, environ)
    found = 0

    def profile(frame: Any, what: str, argument: Any) -> None:
        nonlocal found
        found += what in ("call", "c_call")

    gc.disable()
    sys.setprofile(profile)
    try:
        answer(app, last)
    finally:
        sys.setprofile(None)
        gc.enable()
    return found


def _statements(app: Flask, environ: Environ) -> int:
    with app.app_context():
        engine = db.engine
    answer(app, dict(environ))
    with _listening(engine) as seen:
        answer(app, sign_in(ALIVE) if environ["REQUEST_METHOD"] == "POST" else dict(environ))
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
