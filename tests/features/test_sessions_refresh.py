"""Refresh: one token is traded for the next, for as long as the session lives and its user is let in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, update

from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import new_sqlalchemy
from tests.features.models import model_with_switch
from tests.visitor import Visitor, session_rows
from tests.web.views import add_views, app_on

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    add_views(app)
    return Visitor(app).sign_up()


@pytest.fixture
def stopped(app: Flask) -> Iterator[FrozenClock]:
    """The clock, stopped at a whole second."""
    with frozen_clock(app) as clock:
        clock.moment = clock.moment.replace(microsecond=0)
        yield clock


def claims_of(visitor: Visitor) -> dict[str, Any]:
    claims: dict[str, Any] = visitor.get("/claims").json
    return claims


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json["code"]


@pytest.mark.every_database
def test_refresh_answers_the_next_tokens(app: Flask, visitor: Visitor) -> None:
    before, first = session_rows(app)[0], dict(visitor.tokens)

    response = visitor.refresh()

    assert response.status_code == 200
    assert response.json.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (response.json["token_type"], response.json["expires_in"]) == ("Bearer", 3600)
    assert response.json["access_token"] != first["access_token"]
    assert response.json["refresh_token"] != first["refresh_token"]
    assert "Set-Cookie" not in response.headers
    (after,) = session_rows(app)
    assert (after.id, after.nonce, after.created_at) == (before.id, before.nonce, before.created_at)
    assert (before.generation, after.generation) == (0, 1)
    assert visitor.get("/guarded").status_code == 200


@pytest.mark.every_database
def test_each_token_is_followed_by_another(app: Flask, visitor: Visitor) -> None:
    seen = {visitor.tokens["refresh_token"]}
    for _ in range(5):
        assert visitor.refresh().status_code == 200
        seen.add(visitor.tokens["refresh_token"])

    assert len(seen) == 6
    (row,) = session_rows(app)
    assert row.generation == 5


def test_access_token_of_before_works_until_it_expires(visitor: Visitor) -> None:
    """Two tabs share a session; the refresh of one does not interrupt the other."""
    before = visitor.copy()
    visitor.refresh()

    assert before.get("/guarded").status_code == 200


@pytest.mark.every_database
def test_token_of_before_converges_on_the_same_one(app: Flask, visitor: Visitor, stopped: FrozenClock) -> None:
    """F6: a lost answer, a retry and two tabs all end with one token."""
    tab = visitor.copy()
    visitor.refresh()
    stopped.advance(9.999)

    assert [tab.copy().refresh().json["refresh_token"] for _ in range(3)] == [visitor.tokens["refresh_token"]] * 3
    (row,) = session_rows(app)
    assert (row.generation, row.revoked_at) == (1, None)


def test_token_of_before_brings_an_access_token_that_works(visitor: Visitor) -> None:
    tab = visitor.copy()
    visitor.refresh()
    tab.refresh()

    assert tab.tokens["access_token"] != visitor.tokens["access_token"]
    assert tab.get("/guarded").status_code == 200


def test_grace_counts_from_the_trade_and_not_from_the_last_use(visitor: Visitor, stopped: FrozenClock) -> None:
    tab = visitor.copy()
    visitor.refresh()
    stopped.advance(9)
    assert tab.copy().refresh().status_code == 200
    stopped.advance(1)

    assert refusal(tab.copy().refresh()) == (401, "refresh_token_reused")


def test_grace_is_for_the_token_of_before_and_no_older_one(visitor: Visitor, stopped: FrozenClock) -> None:
    oldest = visitor.copy()
    visitor.refresh()
    visitor.refresh()

    assert refusal(oldest.refresh()) == (401, "refresh_token_reused")


@pytest.mark.parametrize(("grace", "at_once"), [(0, 401), (timedelta(seconds=30), 200)])
def test_grace_is_a_setting(make_app: Callable[..., Flask], grace: Any, at_once: int) -> None:
    app = make_app(SECUREAUTH_SESSION_REFRESH_GRACE=grace)
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        tab = visitor.copy()
        visitor.refresh()

        assert tab.copy().refresh().status_code == at_once
        clock.advance(30)
        assert tab.copy().refresh().status_code == 401


@pytest.mark.parametrize(("remember", "days"), [(False, 1), (True, 30)])
@pytest.mark.every_database
def test_session_ends_for_good_at_its_lifetime(app: Flask, stopped: FrozenClock, remember: bool, days: int) -> None:
    """ASVS 7.3.2: however often it is refreshed."""
    visitor = Visitor(app).sign_up().sign_in(remember=remember)
    end = stopped.moment + days * DAY
    while stopped.moment + DAY / 2 < end:
        stopped.advance(DAY / 2)
        assert visitor.refresh().status_code == 200

    stopped.moment = end - SECOND
    assert visitor.refresh().status_code == 200
    stopped.moment = end
    assert refusal(visitor.refresh()) == (401, "session_revoked")


def test_lifetimes_are_settings(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_LIFETIME=7200, SECUREAUTH_SESSION_UNREMEMBERED_LIFETIME=3600)
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        remembered = visitor.copy().sign_in(remember=True)
        clock.advance(3600)

        assert (visitor.refresh().status_code, remembered.refresh().status_code) == (401, 200)
        clock.advance(3600)
        assert remembered.refresh().status_code == 401


def test_session_that_is_not_remembered_never_outlives_one_that_is(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_LIFETIME=3600)
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        clock.advance(3600)

        assert refusal(visitor.refresh()) == (401, "session_revoked")


@pytest.mark.every_database
def test_session_that_rests_too_long_is_over(app: Flask, stopped: FrozenClock) -> None:
    """ASVS 7.3.1."""
    visitor = Visitor(app).sign_up().sign_in(remember=True)
    stopped.advance(14 * DAY - SECOND)
    assert visitor.refresh().status_code == 200
    stopped.advance(14 * DAY)

    assert refusal(visitor.refresh()) == (401, "session_revoked")


def test_guarded_request_keeps_a_session_from_resting(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_IDLE_LIFETIME=1000)
    add_views(app)
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        clock.advance(900)
        assert visitor.get("/guarded").status_code == 200
        clock.advance(900)
        assert visitor.get("/guarded").status_code == 200
        clock.advance(1000)
        assert refusal(visitor.get("/guarded")) == (401, "session_revoked")
        assert refusal(visitor.refresh()) == (401, "session_revoked")


def test_last_use_is_noted_once_a_minute(app: Flask, visitor: Visitor, stopped: FrozenClock) -> None:
    visitor.refresh()
    (before,) = session_rows(app)
    stopped.advance(59)
    visitor.get("/guarded")
    assert session_rows(app)[0].last_used_at == before.last_used_at
    stopped.advance(1)
    visitor.get("/guarded")

    assert session_rows(app)[0].last_used_at == before.last_used_at + 60 * SECOND


def test_remembered_session_stays_remembered(app: Flask) -> None:
    visitor = Visitor(app).sign_up().sign_in(remember=True)
    before = session_rows(app)[-1]
    visitor.refresh()

    after = session_rows(app)[-1]
    assert (after.remembered, after.expires_at) == (True, before.expires_at)


@pytest.mark.parametrize("value", [1, "true", "yes", None, []])
def test_remember_is_true_or_false(app: Flask, value: Any) -> None:
    """F17."""
    visitor = Visitor(app).sign_up()
    body = {"email": "kim@example.com", "password": "kraken-vulcan-42", "remember": value}

    response = visitor.post("/auth/login", body)

    assert (response.status_code, list(response.json["fields"])) == (400, ["remember"])


@pytest.mark.every_database
def test_refresh_keeps_the_time_of_the_sign_in(visitor: Visitor, stopped: FrozenClock) -> None:
    """A refreshed token is not a fresh one: whoever holds a session has not proved to be its user."""
    visitor.sign_in()
    first = claims_of(visitor)
    stopped.advance(301)
    visitor.refresh()
    second = claims_of(visitor)

    assert second["iat"] == first["iat"] + 301
    assert {name: second[name] for name in ("sub", "sid", "auth_time", "amr")} == {
        name: first[name] for name in ("sub", "sid", "auth_time", "amr")
    }
    assert refusal(visitor.get("/fresh")) == (403, "fresh_login_required")


@pytest.mark.every_database
def test_disabled_user_cannot_refresh(make_app: Callable[..., Flask]) -> None:
    """F27; comes back to life with the account, and then only if it is still in time."""
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    visitor = Visitor(app).sign_up()

    def switch(state: bool) -> None:
        with app.app_context():
            db.session.execute(update(User).values(is_active=state))
            db.session.commit()

    switch(False)
    assert refusal(visitor.copy().refresh()) == (401, "session_revoked")
    assert session_rows(app)[0].generation == 0
    switch(True)
    assert visitor.refresh().status_code == 200


@pytest.mark.every_database
def test_deleted_user_cannot_refresh(app: Flask, visitor: Visitor) -> None:
    """F27."""
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.execute(delete(state.user_model))
        state.sqlalchemy.session.commit()

    assert refusal(visitor.refresh()) == (401, "refresh_token_invalid")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, (401, "refresh_token_missing")),
        ({"refresh_token": None}, (401, "refresh_token_missing")),
        ({"refresh_token": ""}, (401, "refresh_token_missing")),
        ({"refresh_token": "no"}, (401, "refresh_token_invalid")),
        ({"refresh_token": 0}, (400, "invalid_input")),
        ({"refresh_token": True}, (400, "invalid_input")),
        ({"refresh_token": ["x"]}, (400, "invalid_input")),
        ({"refresh_token": "no", "scope": "x"}, (400, "invalid_input")),
    ],
)
def test_request_without_a_refresh_token_is_refused(app: Flask, body: Any, answer: tuple[int, str]) -> None:
    response = app.test_client().post("/auth/refresh", json=body)

    assert refusal(response) == answer
    if answer == (401, "refresh_token_missing"):
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_refresh_needs_no_access_token_and_looks_at_none(app: Flask, visitor: Visitor) -> None:
    visitor.tokens["access_token"] = "expired"

    assert visitor.refresh().status_code == 200


def test_refresh_notes_where_the_client_is_now(app: Flask, visitor: Visitor) -> None:
    visitor.refresh(headers={"User-Agent": "curl/8"}, environ_base={"REMOTE_ADDR": "203.0.113.77"})

    (row,) = session_rows(app)
    assert (row.address, row.user_agent) == ("203.0.113.0/24", "curl/8")
