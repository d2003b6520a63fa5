"""Guarded requests that are refused, ours and those of peers, as ratios to a bare view."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from flask_secureauth.core.keys import encode_segment

from . import goals, ours
from .contenders import BARE, EXTENDED, LOGIN, SECURITY, SEEN, Headers, bearer, security_headers
from .effort import Effort
from .peers import jwt_extended, security
from .report import Section
from .requests import ratio_rows
from .runner import Case, get, measure, repeated
from .workbench import Workbench

_AGE = 100 * 86400
_GOALS = {
    "no token": goals.REFUSED_NONE,
    "garbage": goals.REFUSED_GARBAGE,
    "bad signature": goals.REFUSED_SIGNATURE,
    "expired": goals.REFUSED_EXPIRED,
}
_NOTES = (
    "Flask-Login's answer is Flask's page for 401, ours and those of the others are JSON.",
    "None of these reads the database.",
)


def refusals(bench: Workbench, effort: Effort) -> Section:
    """Measure requests that are refused."""
    cases = [bench.case(BARE), *_ours(bench), *_extended(bench), *_login(bench), *_security(bench)]
    times = measure(cases, rounds=effort.rounds, calls=effort.calls)
    return Section(title="Refusals (HS256)", rows=ratio_rows(cases, times, _GOALS), notes=_NOTES)


def _ours(bench: Workbench) -> list[Case]:
    app = bench.app(SEEN)
    good, old = ours.minter(app)(), ours.minter(app, age=_AGE)()
    kinds = {"no token": {}, "garbage": bearer("garbage"), "bad signature": bearer(_forged(good))}
    return _refused(app, {**kinds, "expired": bearer(old)})


def _extended(bench: Workbench) -> list[Case]:
    app = bench.app(EXTENDED)
    good, old = jwt_extended.token(app), jwt_extended.token(app, expires_delta=timedelta(seconds=-_AGE))
    return [
        *_refused(app, {"Flask-JWT-Extended, no token": {}}),
        *_refused(app, {"Flask-JWT-Extended, garbage": bearer("garbage")}, status=422),
        *_refused(app, {"Flask-JWT-Extended, bad signature": bearer(_forged(good))}, status=422),
        *_refused(app, {"Flask-JWT-Extended, expired": bearer(old)}),
    ]


def _login(bench: Workbench) -> list[Case]:
    app = bench.app(LOGIN)
    good = bench.headers(LOGIN)["Cookie"]
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    with _long_ago():
        old = serializer.dumps({"_user_id": "1", "_fresh": True})
    cookies = {"no cookie": "", "garbage": "session=garbage", "bad signature": _spoiled(good)}
    cookies["expired"] = f"session={old}"
    return _refused(app, {f"Flask-Login, {name}": {"Cookie": value} for name, value in cookies.items()})


def _security(bench: Workbench) -> list[Case]:
    app = bench.app(SECURITY)
    good = bench.headers(SECURITY)["Authentication-Token"]
    with _long_ago():
        old = bench.headers(SECURITY)["Authentication-Token"]
    tokens = {"garbage": "garbage", "bad signature": _spoiled(good), "expired": old}
    kinds: dict[str, Headers] = {"no token": security.ACCEPT}
    kinds |= {name: security_headers(token) for name, token in tokens.items()}
    return _refused(app, {f"Flask-Security, {name}": headers for name, headers in kinds.items()})


def _refused(app: Flask, kinds: Mapping[str, Headers], *, status: int = 401) -> list[Case]:
    return [
        Case(name=name, app=app, environs=repeated(get("/", headers)), status=status) for name, headers in kinds.items()
    ]


@contextmanager
def _long_ago() -> Iterator[None]:
    """What is signed inside has expired since: itsdangerous signs the time of day."""
    with patch("time.time", return_value=time.time() - _AGE):
        yield


def _forged(token: str) -> str:
    """The same JWT, signed well-formed with somebody else's secret."""
    message, _, _ = token.rpartition(".")
    return f"{message}.{encode_segment(hmac.digest(secrets.token_bytes(32), message.encode(), hashlib.sha256))}"


def _spoiled(signed: str) -> str:
    """The same text of itsdangerous, with the signature of another."""
    message, _, signature = signed.rpartition(".")
    return f"{message}.{encode_segment(secrets.token_bytes(20))[: len(signature)]}"
