"""Guarded requests and refusals, ours and those of peers, as ratios to a bare view."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import median

from flask import Flask

from flask_secureauth.core.keys import encode_segment

from . import goals, progress
from .apps import Workbench
from .report import Goal, Row, Section, duration, ratio_row
from .runner import Case, Effort, Environ, get, measure, ratios, repeated

BARE = "bare Flask view"
BARE_OURS = "bare view, app with Flask-SQLAlchemy and SecureAuth"
CHECKED = "staleness 0"
CHECKED_USER = "staleness 0, with current_user"
PEER_CHECKED = "Flask-JWT-Extended, user look-up and block list"
SEEN = "token seen, {}, staleness None"
ALGORITHMS = ("HS256", "ES256", "EdDSA")


def requests(bench: Workbench, effort: Effort) -> Section:
    """Measure requests that are let in."""
    progress.note("guarded requests")
    cases = request_cases(bench)
    times = measure(cases, effort)
    rows = _rows(cases, times, _request_goals(bench.dialect))
    factors = ratios(times[PEER_CHECKED], times[CHECKED])
    guard = ratios(times[SEEN.format("HS256")], times[BARE_OURS])
    rows.append(ratio_row("the guard alone: token seen, over a bare view of the same app", "", guard, of="that"))
    rows.append(
        ratio_row("Flask-JWT-Extended at the same guarantee", "", factors, of=CHECKED, goal=goals.CHEAPER_THAN_PEER)
    )
    return Section(title=f"Guarded requests ({bench.dialect})", rows=rows)


def request_cases(bench: Workbench) -> list[Case]:
    """Requests that are let in, ours and those of peers."""
    return [_bare(bench), *_unchecked(bench), *_checked(bench), *_hand_written(bench), *_extended(bench)]


def refusals(bench: Workbench, effort: Effort) -> Section:
    """Measure requests that are refused."""
    progress.note("refusals")
    cases = [_bare(bench), *_our_refusals(bench), *_peer_refusals(bench)]
    return Section(title="Refusals (HS256)", rows=_rows(cases, measure(cases, effort), _REFUSAL_GOALS))


def _rows(cases: Sequence[Case], times: Mapping[str, list[float]], known: Mapping[str, Goal]) -> list[Row]:
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


def _request_goals(dialect: str) -> dict[str, Goal]:
    known = {SEEN.format(algorithm): goals.TOKEN_SEEN for algorithm in ALGORITHMS}
    known["first seen, HS256, staleness None"] = goals.FIRST_SEEN_HS256
    if dialect in goals.STALENESS_0:
        known[CHECKED] = goals.STALENESS_0[dialect]
    if dialect in goals.CURRENT_USER:
        known[CHECKED_USER] = goals.CURRENT_USER[dialect]
    return known


_REFUSAL_GOALS = {
    "no token": goals.REFUSED_NONE,
    "garbage": goals.REFUSED_GARBAGE,
    "bad signature": goals.REFUSED_SIGNATURE,
    "expired": goals.REFUSED_EXPIRED,
}


def _bare(bench: Workbench) -> Case:
    return Case(name=BARE, app=bench.bare, environs=repeated(get("/")))


def _unchecked(bench: Workbench) -> list[Case]:
    with_database = Case(
        name="bare view, app with Flask-SQLAlchemy", app=bench.bare_database, environs=repeated(get("/"))
    )
    ours = Case(name=BARE_OURS, app=bench.unchecked["HS256"], environs=repeated(get("/bare")))
    apps = bench.unchecked
    seen = [
        Case(name=SEEN.format(name), app=app, environs=repeated(get("/", bench.token(app))))
        for name, app in apps.items()
    ]
    return [with_database, ours, *seen, *(_first_seen(bench, name) for name in apps)]


def _first_seen(bench: Workbench, algorithm: str) -> Case:
    """Requests with a token that the app has never seen."""
    app = bench.unchecked[algorithm]
    mint = bench.minter(app)

    def environs(calls: int) -> list[Environ]:
        return [get("/", mint()) for _ in range(calls)]

    return Case(name=f"first seen, {algorithm}, staleness None", app=app, environs=environs)


def _checked(bench: Workbench) -> list[Case]:
    token = bench.token(bench.checked)
    return [
        Case(name=CHECKED, app=bench.checked, environs=repeated(get("/", token))),
        Case(name=CHECKED_USER, app=bench.checked, environs=repeated(get("/user", token))),
    ]


def _hand_written(bench: Workbench) -> list[Case]:
    return [
        Case(name=f"hand-written PyJWT, {name}", app=app, environs=repeated(get("/", bench.pyjwt_token(name))))
        for name, app in bench.pyjwt.items()
    ]


def _extended(bench: Workbench) -> list[Case]:
    alone = [
        Case(
            name=f"Flask-JWT-Extended, {name}, token alone",
            app=app,
            environs=repeated(get("/", bench.extended_token(app))),
        )
        for name, app in bench.extended.items()
    ]
    app = bench.extended_database
    return [*alone, Case(name=PEER_CHECKED, app=app, environs=repeated(get("/", bench.extended_token(app))))]


def _our_refusals(bench: Workbench) -> list[Case]:
    app = bench.unchecked["HS256"]
    good, old = bench.minter(app)(), bench.minter(app, age=9000)()
    return _refused(app, {"no token": None, "garbage": "garbage", "bad signature": _forged(good), "expired": old})


def _peer_refusals(bench: Workbench) -> list[Case]:
    app = bench.extended["HS256"]
    good, old = bench.extended_token(app), bench.extended_token(app, expires_delta=timedelta(seconds=-9000))
    return [
        *_refused(app, {"Flask-JWT-Extended, no token": None}),
        *_refused(app, {"Flask-JWT-Extended, garbage": "garbage"}, status=422),
        *_refused(app, {"Flask-JWT-Extended, bad signature": _forged(good)}, status=422),
        *_refused(app, {"Flask-JWT-Extended, expired": old}),
    ]


def _refused(app: Flask, tokens: Mapping[str, str | None], *, status: int = 401) -> list[Case]:
    return [
        Case(name=name, app=app, environs=repeated(get("/", token)), status=status) for name, token in tokens.items()
    ]


def _forged(token: str) -> str:
    """The same token, signed well-formed with somebody else's secret."""
    message, _, _ = token.rpartition(".")
    return f"{message}.{encode_segment(hmac.digest(secrets.token_bytes(32), message.encode(), hashlib.sha256))}"
