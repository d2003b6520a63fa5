"""Reauthentication: a session becomes fresh when its user proves it again, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text, update

from flask_secureauth import create_access_token, login_failed, sessions_ended, user_logged_in
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.features.models import model_with_switch
from tests.visitor import Visitor, session_rows
from tests.web.views import add_views, app_on

PATH = "/auth/reauthenticate"


@pytest.fixture
def stopped(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as clock:
        clock.moment = clock.moment.replace(microsecond=0)
        yield clock


@pytest.fixture
def visitor(app: Flask, stopped: FrozenClock) -> Visitor:
    """Kim, who signed in 301 seconds ago."""
    add_views(app)
    visitor = Visitor(app).sign_up()
    stopped.advance(301)
    return visitor


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json["code"]


@pytest.mark.every_database
def test_right_password_makes_the_session_fresh(app: Flask, visitor: Visitor, stopped: FrozenClock) -> None:
    """ASVS 7.5.1, RFC 9470: refused before, let in after; the session goes on under another name, to the same end."""
    assert refusal(visitor.get("/fresh")) == (403, "fresh_login_required")
    (before,) = session_rows(app)

    response = visitor.post(PATH, {"password": PASSWORD})

    assert response.status_code == 200
    assert response.json.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert visitor.get("/fresh").status_code == 200
    (after,) = session_rows(app)
    assert after.id != before.id
    assert after.nonce != before.nonce
    assert (after.created_at, after.expires_at, after.revoked_at) == (before.created_at, before.expires_at, None)
    assert after.authenticated_at == stopped.moment.replace(tzinfo=None)
    assert (after.generation, after.rotated_at) == (0, None)


@pytest.mark.every_database
def test_refresh_afterwards_keeps_the_proof_and_adds_nothing_to_it(visitor: Visitor, stopped: FrozenClock) -> None:
    visitor.post(PATH, {"password": PASSWORD})
    stopped.advance(300)
    visitor.refresh()
    assert visitor.get("/fresh").status_code == 200
    stopped.advance(1)
    visitor.refresh()

    assert refusal(visitor.get("/fresh")) == (403, "fresh_login_required")


@pytest.mark.every_database
def test_tokens_of_before_are_dead_at_once(visitor: Visitor) -> None:
    """ASVS 7.2.4: whoever stole them does not become fresh along with the user, and no grace lets them in."""
    visitor.refresh()
    thief = visitor.copy()
    visitor.post(PATH, {"password": PASSWORD})

    assert refusal(thief.get("/guarded")) == (401, "session_revoked")
    assert refusal(thief.refresh()) == (401, "refresh_token_invalid")
    assert visitor.refresh().status_code == 200
    assert visitor.get("/fresh").status_code == 200


@pytest.mark.every_database
@pytest.mark.parametrize("password", ["kraken-vulcan-43", "KRAKEN-VULCAN-42", f"{PASSWORD} ", "x" * 256])
def test_wrong_password_counts_for_nothing(app: Flask, visitor: Visitor, password: str) -> None:
    visitor.get("/guarded")
    before = session_rows(app)
    told: list[str] = []

    def failed(sender: Flask, email: str, reason: str, **facts: Any) -> None:
        told.append(reason)

    with login_failed.connected_to(failed, app):
        response = visitor.post(PATH, {"password": password})

    assert refusal(response) == (403, "wrong_password")
    assert session_rows(app) == before
    assert told == ["wrong password"]
    assert refusal(visitor.get("/fresh")) == (403, "fresh_login_required")
    assert visitor.get("/guarded").status_code == 200
    assert visitor.refresh().status_code == 200


@pytest.mark.every_database
def test_password_of_another_user_is_a_wrong_one(app: Flask, visitor: Visitor) -> None:
    """Security.md section 3: a proof counts only for the user of the session that asks."""
    body = {"email": "lee@example.com", "password": "walrus-quartz-17"}
    assert app.test_client().post("/users", json=body).status_code == 201

    assert refusal(visitor.post(PATH, {"password": "walrus-quartz-17"})) == (403, "wrong_password")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "password"),
        ({"password": ""}, "password"),
        ({"password": None}, "password"),
        ({"password": 0}, "password"),
        ({"password": PASSWORD, "email": "lee@example.com"}, "email"),
        ({"password": PASSWORD, "remember": True}, "remember"),
    ],
)
def test_body_is_a_password_and_nothing_else(visitor: Visitor, body: dict[str, Any], field: str) -> None:
    response = visitor.post(PATH, body)

    assert (response.status_code, list(response.json["fields"])) == (400, [field])


def test_request_without_a_token_is_refused(app: Flask, visitor: Visitor) -> None:
    assert refusal(app.test_client().post(PATH, json={"password": PASSWORD})) == (401, "token_missing")


@pytest.mark.parametrize("staleness", [0, 3600, None])
def test_ended_session_is_not_made_fresh(make_app: Callable[..., Flask], staleness: int | None) -> None:
    """What changes credentials reads the row, whatever the staleness."""
    app = make_app(SECUREAUTH_SESSION_STALENESS=staleness)
    visitor = Visitor(app).sign_up()
    visitor.get("/users/me")
    thief = visitor.copy()
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        db.session.execute(text("UPDATE secureauth_sessions SET revoked_at = created_at"))
        db.session.commit()

    assert refusal(thief.post(PATH, {"password": PASSWORD})) == (401, "session_revoked")


@pytest.mark.every_database
def test_session_that_ends_while_the_password_is_hashed_is_not_made_fresh(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M9: one conditional update decides, after the hash."""
    verify = PasswordHasher.verify

    def overtaken(self: PasswordHasher, stored: str | None, password: str) -> bool:
        verdict = verify(self, stored, password)
        with app.extensions["sqlalchemy"].engine.begin() as connection:
            connection.execute(text("UPDATE secureauth_sessions SET revoked_at = created_at"))
        return verdict

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)

    assert refusal(visitor.post(PATH, {"password": PASSWORD})) == (401, "session_revoked")
    (row,) = session_rows(app)
    assert (row.authenticated_at, row.generation) == (row.created_at, 0)


def test_disabled_user_is_refused(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    visitor = Visitor(app).sign_up()
    with app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()

    assert refusal(visitor.post(PATH, {"password": PASSWORD})) == (401, "session_revoked")


def test_reauthentication_is_no_sign_in(app: Flask, visitor: Visitor) -> None:
    """No session is opened and none ends, so nobody is told of one."""
    told: list[Any] = []

    def note(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    with user_logged_in.connected_to(note, app), sessions_ended.connected_to(note, app):
        visitor.post(PATH, {"password": PASSWORD})

    assert told == []
    assert len(session_rows(app)) == 1


def test_other_sessions_do_not_become_fresh(app: Flask, stopped: FrozenClock, visitor: Visitor) -> None:
    other = Visitor(app).sign_in()
    stopped.advance(301)
    visitor.post(PATH, {"password": PASSWORD})

    assert visitor.get("/fresh").status_code == 200
    assert refusal(other.get("/fresh")) == (403, "fresh_login_required")
    other.refresh()
    assert refusal(other.get("/fresh")) == (403, "fresh_login_required")


@pytest.mark.every_database
def test_session_of_the_app_can_be_made_fresh(app: Flask, visitor: Visitor) -> None:
    """``create_access_token`` opens a session as old as time."""
    with app.app_context():
        visitor.tokens = {"access_token": create_access_token(1)}
    assert refusal(visitor.get("/fresh")) == (403, "fresh_login_required")

    visitor.post(PATH, {"password": PASSWORD})

    assert visitor.get("/fresh").status_code == 200
    assert visitor.refresh().status_code == 200
