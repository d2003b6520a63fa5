"""Refresh tokens that were stolen, forged, or are something else. The races are in tests/db/test_refresh_races.py."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from flask_secureauth import refresh_token_reuse_detected, sessions_ended
from flask_secureauth.core.refresh_tokens import PURPOSE
from flask_secureauth.core.secrets import derive_key
from flask_secureauth.features.sessions.tables import SessionMixin
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.attacks import forge
from tests.visitor import COOKIES, REFRESH, REFRESH_COOKIE, Visitor, session_rows
from tests.web.views import add_views

KEYS = [{"key": forge.SECRET, "kid": "key-1"}, {"key": forge.SECRET[::-1], "kid": "key-2"}]
INVALID = {"error": "Invalid refresh token", "code": "refresh_token_invalid"}
Answer = tuple[int, str]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(SECUREAUTH_KEYS=KEYS)
    add_views(app)
    return app


@pytest.fixture
def clock(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as frozen:
        yield frozen


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


def refusal(response: Any) -> Answer:
    return response.status_code, response.json["code"]


@pytest.mark.every_database
def test_spent_token_ends_the_session_for_the_thief_and_for_the_owner(
    app: Flask, owner: Visitor, clock: FrozenClock
) -> None:
    """F6, RFC 9700 section 4.14.2: two parties hold the session, and nobody can tell which is which."""
    thief = owner.copy()
    owner.refresh()
    clock.advance(10)

    assert refusal(thief.refresh()) == (401, "refresh_token_reused")

    (row,) = session_rows(app)  # On another connection: the 401 has not undone it.
    assert row.revoke_reason == "reuse"
    assert row.revoked_at == clock.moment.replace(tzinfo=None)
    for _ in range(2):
        assert refusal(owner.copy().get("/guarded")) == (401, "session_revoked")
        assert refusal(owner.copy().refresh()) == (401, "session_revoked")
        assert refusal(thief.copy().refresh()) == (401, "session_revoked")
        clock.advance(5)


@pytest.mark.every_database
def test_thief_who_is_quicker_is_found_out_by_the_owner(app: Flask, owner: Visitor, clock: FrozenClock) -> None:
    """F6: the owner comes with the token that the thief has spent, and all that the thief got is dead."""
    thief = owner.copy()
    assert thief.refresh().status_code == 200
    assert thief.refresh().status_code == 200

    assert refusal(owner.refresh()) == (401, "refresh_token_reused")
    assert refusal(thief.get("/guarded")) == (401, "session_revoked")
    assert refusal(thief.refresh()) == (401, "session_revoked")


def test_grace_is_for_living_sessions(app: Flask, owner: Visitor, clock: FrozenClock) -> None:
    """F6: never any grace on a session that was revoked, also within the seconds."""
    tab = owner.copy()
    owner.refresh()
    owner.post("/auth/logout")

    assert refusal(tab.refresh()) == (401, "session_revoked")


@pytest.mark.every_database
def test_reuse_is_told_once(app: Flask, owner: Visitor, clock: FrozenClock, caplog: pytest.LogCaptureFixture) -> None:
    """F6, ASVS 16.3.3: the owner can be warned; the log has a line, and no token."""
    told: list[dict[str, Any]] = []
    ended: list[str] = []

    def detected(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    def note(sender: Flask, reason: str, **facts: Any) -> None:
        ended.append(reason)

    caplog.set_level(logging.INFO, "flask_secureauth")
    thief = owner.copy()
    owner.refresh()
    clock.advance(10)
    (row,) = session_rows(app)
    with refresh_token_reuse_detected.connected_to(detected, app), sessions_ended.connected_to(note, app):
        for _ in range(3):
            thief.copy().refresh(headers={"User-Agent": "thief/1"}, environ_base={"REMOTE_ADDR": "203.0.113.9"})

    assert [(fact["user_id"], fact["session_id"], fact["client"].ip) for fact in told] == [(1, row.id, "203.0.113.9")]
    assert ended == ["reuse"]
    (line,) = [message for message in caplog.messages if "authn_token_reuse" in message]
    assert "thief/1" in line
    assert thief.tokens["refresh_token"].rpartition(".")[2] not in caplog.text


def test_other_sessions_of_the_user_go_on(app: Flask, owner: Visitor, clock: FrozenClock) -> None:
    other = Visitor(app).sign_in()
    thief = owner.copy()
    owner.refresh()
    owner.refresh()
    thief.refresh()

    assert other.get("/guarded").status_code == 200
    assert other.refresh().status_code == 200


def _segment(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def _mac(secret: bytes, session_id: str, generation: int, nonce: str) -> str:
    return _segment(hmac.digest(secret, f"{session_id}|{generation}|{nonce}".encode(), hashlib.sha256))


def _parts(token: str) -> list[str]:
    return token.split(".")


def _with(position: int, value: str) -> Callable[[str, Any, Any], str]:
    def forge_it(token: str, row: Any, other: str) -> str:
        parts = _parts(token)
        parts[position] = value
        return ".".join(parts)

    return forge_it


def _of_other(*positions: int) -> Callable[[str, Any, Any], str]:
    def forge_it(token: str, row: Any, other: str) -> str:
        parts = _parts(token)
        for position in positions:
            parts[position] = _parts(other)[position]
        return ".".join(parts)

    return forge_it


def _last_sign(token: str, row: Any, other: str) -> str:
    """The two spare bits of the last sign: the same bytes for a lax decoder."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _made_with(secret: bytes, nonce: str | None = None) -> Callable[[str, Any, Any], str]:
    def forge_it(token: str, row: Any, other: str) -> str:
        return f"{row.id}.1.key-1.{_mac(secret, row.id, 1, row.nonce if nonce is None else nonce)}"

    return forge_it


SIGNING = derive_key(forge.SECRET, PURPOSE)
FORGERIES: dict[str, Callable[[str, Any, Any], str]] = {
    "mac of zeros": _with(3, "A" * 43),
    "random mac": _with(3, "q7Zr0-8fXo_1hVtG7cLw2yKpNe6sUaQm4tZr0-8fXo_"),
    "mac of another session": _of_other(3),
    "id of another session": _of_other(0),
    "generation up": _with(1, "2"),
    "generation far up": _with(1, "999999999"),
    "generation down": _with(1, "0"),
    "generation beyond": _with(1, "4294967297"),
    "negative generation": _with(1, "-1"),
    "generation with zeros": _with(1, "01"),
    "another key of the ring": _with(2, "key-2"),
    "unknown key": _with(2, "key-9"),
    "no key": _with(2, ""),
    "path as key": _with(2, "../../etc/hostname"),
    "unknown session": _with(0, "0" * 32),
    "session in capitals": lambda token, row, other: token.replace(row.id, row.id.upper()),
    "session that is SQL": _with(0, "' OR 1=1 --"),
    "last sign": _last_sign,
    "truncated": lambda token, row, other: token[:-1],
    "extended": lambda token, row, other: f"{token}A",
    "padded": lambda token, row, other: f"{token}=",
    "other alphabet": lambda token, row, other: token.replace("-", "+").replace("_", "/") + "+/",
    "no mac": lambda token, row, other: token.rpartition(".")[0],
    "empty mac": lambda token, row, other: token.rpartition(".")[0] + ".",
    "fields swapped": lambda token, row, other: ".".join(_parts(token)[place] for place in (0, 2, 1, 3)),
    "fields reversed": lambda token, row, other: ".".join(reversed(_parts(token))),
    "twice": lambda token, row, other: f"{token}.{token}",
    "newline": lambda token, row, other: f"{token}\n",
    "space": lambda token, row, other: f" {token}",
    "NUL": lambda token, row, other: f"{token[:-1]}\x7f",
    "huge": lambda token, row, other: token + "A" * 50_000,
    "nonce of the database and no key": _made_with(b""),
    "nonce of the database and the signing key itself": _made_with(forge.SECRET),
    "nonce of the database and the key of another purpose": _made_with(
        derive_key(forge.SECRET, "flask-secureauth csrf v1")
    ),
    "key and no nonce": _made_with(SIGNING, ""),
    "key and the nonce of another session": _made_with(SIGNING, "0" * 64),
    "session id alone": lambda token, row, other: row.id,
    "nonce alone": lambda token, row, other: row.nonce,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_token_is_refused_and_harms_nobody(app: Flask, owner: Visitor, forgery: str) -> None:
    """F6: whoever has seen an access token knows the session's id, and must not be able to end it with that."""
    other = Visitor(app).sign_in()
    owner.refresh()
    other.refresh()
    rows = session_rows(app)
    forged = FORGERIES[forgery](owner.tokens["refresh_token"], rows[0], other.tokens["refresh_token"])
    assert forged != owner.tokens["refresh_token"]

    for _ in range(2):
        response = app.test_client().post("/auth/refresh", json={"refresh_token": forged})
        assert (response.status_code, response.json) == (401, INVALID)
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    assert session_rows(app) == rows
    assert owner.refresh().status_code == 200
    assert other.refresh().status_code == 200


def test_forger_of_the_test_can_make_a_genuine_token(app: Flask, owner: Visitor) -> None:
    """What the forgeries are refused for is what was changed, and nothing else."""
    owner.refresh()
    (row,) = session_rows(app)

    forged = _made_with(SIGNING)("", row, "")

    assert forged == owner.tokens["refresh_token"]


@pytest.mark.parametrize("forgery", ["random mac", "unknown session", "generation up", "truncated", "unknown key"])
@pytest.mark.parametrize("transport", [COOKIES, REFRESH_COOKIE])
def test_forged_cookie_is_refused_and_harms_nobody(
    make_app: Callable[..., Flask], transport: dict[str, str], forgery: str
) -> None:
    """F6, F18: whatever the browser was made to hold."""
    app = make_app(SECUREAUTH_KEYS=KEYS, **transport)
    owner = Visitor(app).sign_up()
    owner.refresh()
    (row,) = session_rows(app)
    thief = owner.copy()
    thief.plant(REFRESH, FORGERIES[forgery](owner.cookie(REFRESH) or "", row, None))

    response = thief.refresh()

    # The proof against CSRF is of the session that the cookie names.
    is_of_another = forgery == "unknown session"
    assert refusal(response) == ((403, "csrf_failed") if is_of_another else (401, "refresh_token_invalid"))
    assert session_rows(app) == [row]
    assert owner.refresh().status_code == 200


def test_token_of_another_app_is_refused(app: Flask, owner: Visitor, make_app: Callable[..., Flask]) -> None:
    """J13: the same database, another key."""
    other = make_app(SECUREAUTH_KEYS=[{"key": forge.SECRET[::-1], "kid": "key-1"}])
    stranger = Visitor(other)
    stranger.tokens = dict(owner.tokens)

    assert refusal(stranger.refresh()) == (401, "refresh_token_invalid")
    assert owner.refresh().status_code == 200


def test_token_of_a_retired_key_is_refused_and_ends_nothing(
    app: Flask, owner: Visitor, make_app: Callable[..., Flask]
) -> None:
    """J20."""
    later = make_app(SECUREAUTH_KEYS=KEYS[1:])
    stranger = Visitor(later)
    stranger.tokens = dict(owner.tokens)

    assert refusal(stranger.refresh()) == (401, "refresh_token_invalid")
    assert session_rows(app)[0].revoked_at is None


def test_new_key_takes_over_with_the_next_trade(app: Flask, owner: Visitor, make_app: Callable[..., Flask]) -> None:
    """J20: the old key may be retired once every session was refreshed, and nobody is signed out."""
    both = Visitor(make_app(SECUREAUTH_KEYS=KEYS[::-1]))
    both.tokens = dict(owner.tokens)
    tab = both.copy()
    assert both.refresh().status_code == 200
    assert tab.refresh().json["refresh_token"] == both.tokens["refresh_token"]
    later = Visitor(make_app(SECUREAUTH_KEYS=KEYS[1:]))
    later.tokens = dict(both.tokens)

    assert later.refresh().status_code == 200


def test_row_out_of_a_backup_refuses_newer_tokens_and_ends_nothing(app: Flask, owner: Visitor) -> None:
    """F6: the row is older than the token, so nobody has replayed anything."""
    owner.refresh()
    owner.refresh()
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.execute(update(state.models[SessionMixin]).values(generation=0, rotated_at=None))
        state.sqlalchemy.session.commit()

    assert refusal(owner.refresh()) == (401, "refresh_token_invalid")
    assert session_rows(app)[0].revoked_at is None
