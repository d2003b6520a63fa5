"""Sessions: how soon their end, and the end of their user, is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from flask_secureauth import BUILTIN, UserMixin
from flask_secureauth.events import UserLoggedOut
from flask_secureauth.features.sessions import rows
from flask_secureauth.features.sessions.tables import SessionMixin
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import PASSWORD, bearer, issuer_of, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_switch
from tests.web.views import add_views, app_on


def session_model(app: Flask) -> Any:
    return app.extensions["secureauth"].user_model.metadata.info["flask_secureauth"][SessionMixin]


def sessions(app: Flask) -> list[Any]:
    model = session_model(app)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        columns = (model.methods, model.created_at, model.expires_at, model.revoked_at, model.revoke_reason)
        return list(db.session.execute(select(*columns).order_by(model.created_at)).all())


def revoke_elsewhere(app: Flask) -> None:
    """End every session as another process would, in the database alone."""
    model = session_model(app)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.session.execute(update(model).values(revoked_at=model.created_at))
        db.session.commit()


@pytest.fixture
def app_with(make_app: Callable[..., Flask]) -> Iterator[Callable[..., tuple[FlaskClient, str]]]:
    """Return a client and a token of a user of an app with the views and the given settings; its clock stands still."""
    with ExitStack() as stack:

        def build(**settings: Any) -> tuple[FlaskClient, str]:
            app = make_app(**settings)
            add_views(app)
            stack.enter_context(frozen_clock(app))
            client = app.test_client()
            sign_up(client)
            return client, sign_in(client)

        yield build


def clock_of(client: FlaskClient) -> FrozenClock:
    clock = client.application.extensions["secureauth"].clock.source
    assert isinstance(clock, FrozenClock)
    return clock


def status(client: FlaskClient, token: str, path: str = "/guarded") -> int:
    return client.get(path, headers=bearer(token)).status_code


@pytest.mark.every_database
def test_sign_in_opens_one_session(app: Flask, client: FlaskClient) -> None:
    with frozen_clock(app) as clock:
        sign_up(client)
        sign_in(client)

    (session,) = sessions(app)
    assert session.methods == "pwd"
    assert session.created_at == clock.moment.replace(tzinfo=None)
    assert (session.expires_at - session.created_at).days == 1
    assert session.revoked_at is None


def test_refused_sign_in_opens_no_session(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-43"})

    assert sessions(app) == []


@pytest.mark.every_database
def test_logout_answers_200_and_ends_the_session(app: Flask, client: FlaskClient, token: str) -> None:
    response = client.post("/auth/logout", headers=bearer(token))

    assert (response.status_code, response.json) == (200, {"message": "Signed out"})
    (session,) = sessions(app)
    assert session.revoked_at is not None
    assert session.revoke_reason == "logout"


@pytest.mark.every_database
def test_token_of_an_ended_session_answers_401_session_revoked(client: FlaskClient, token: str) -> None:
    client.post("/auth/logout", headers=bearer(token))

    response = client.get("/users/me", headers=bearer(token))

    assert response.status_code == 401
    assert response.json == {"error": "Session has ended", "code": "session_revoked"}
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("staleness", [0, 60, None])
def test_second_logout_is_refused(app_with: Callable[..., tuple[FlaskClient, str]], staleness: int | None) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=staleness)
    client.post("/auth/logout", headers=bearer(token))

    response = client.post("/auth/logout", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")


def test_logout_leaves_other_sessions_alone(client: FlaskClient, token: str) -> None:
    other = sign_in(client)
    client.post("/auth/logout", headers=bearer(token))

    assert status(client, other, "/users/me") == 200


def test_sign_in_after_logout_opens_a_new_session(client: FlaskClient, token: str) -> None:
    client.post("/auth/logout", headers=bearer(token))

    assert status(client, sign_in(client), "/users/me") == 200


def test_logout_without_a_token_answers_401(client: FlaskClient) -> None:
    response = client.post("/auth/logout")

    assert (response.status_code, response.json["code"]) == (401, "token_missing")


def test_logout_refuses_unknown_members_and_keeps_the_session(client: FlaskClient, token: str) -> None:
    response = client.post("/auth/logout", headers=bearer(token), json={"session": "all"})

    assert response.status_code == 400
    assert status(client, token, "/users/me") == 200


def test_session_ends_with_its_lifetime(app_with: Callable[..., tuple[FlaskClient, str]]) -> None:
    client, token = app_with(SECUREAUTH_SESSION_LIFETIME=60)
    clock = clock_of(client)
    clock.advance(59)
    assert status(client, token) == 200
    clock.advance(2)
    response = client.get("/guarded", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")


def test_staleness_0_notices_an_end_elsewhere_at_once(app_with: Callable[..., tuple[FlaskClient, str]]) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=0)
    assert status(client, token) == 200

    revoke_elsewhere(client.application)

    assert status(client, token) == 401


def test_staleness_of_seconds_notices_an_end_elsewhere_after_them(
    app_with: Callable[..., tuple[FlaskClient, str]],
) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=60)
    clock = clock_of(client)
    assert status(client, token) == 200
    revoke_elsewhere(client.application)
    clock.advance(59)
    assert status(client, token) == 200
    clock.advance(1)
    assert status(client, token) == 401


def test_staleness_of_seconds_reads_again_when_the_clock_was_set_back(
    app_with: Callable[..., tuple[FlaskClient, str]],
) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=60)
    clock = clock_of(client)
    assert status(client, token) == 200
    revoke_elsewhere(client.application)
    clock.advance(-3)

    assert status(client, token) == 401


def test_staleness_of_seconds_does_not_delay_the_first_look(
    app_with: Callable[..., tuple[FlaskClient, str]],
) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=60)
    revoke_elsewhere(client.application)

    assert status(client, token) == 401


def test_own_process_forgets_a_session_at_once_on_logout(app_with: Callable[..., tuple[FlaskClient, str]]) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=3600)
    assert status(client, token) == 200

    client.post("/auth/logout", headers=bearer(token))

    assert status(client, token) == 401


def test_staleness_none_trusts_a_token_until_it_expires(app_with: Callable[..., tuple[FlaskClient, str]]) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=None)
    revoke_elsewhere(client.application)
    clock = clock_of(client)
    assert status(client, token) == 200
    clock.advance(3606)
    response = client.get("/guarded", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "token_expired")


@pytest.mark.every_database
def test_disabled_user_is_refused_on_the_next_request(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    with app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()

    response = client.get("/guarded", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")


def test_disabled_user_is_recognised_by_a_property_too(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        is_active = property(lambda self: not self.email.startswith("former-"))

    client = app_on(make_app, db, User).test_client()
    sign_up(client)
    sign_up(client, "former-kim@example.com")
    former = {"email": "former-kim@example.com", "password": PASSWORD}

    assert sign_in(client)
    assert client.post("/auth/login", json=former).status_code == 401


@pytest.mark.every_database
@pytest.mark.parametrize(("path", "code"), [("/guarded", "token_invalid"), ("/email", "token_invalid")])
def test_token_of_a_deleted_user_answers_401_on_views_of_the_app(
    make_app: Callable[..., Flask], path: str, code: str
) -> None:
    app = make_app()
    add_views(app)
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.execute(delete(state.user_model))
        state.sqlalchemy.session.commit()

    response = client.get(path, headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, code)


def test_deleted_user_is_noticed_at_staleness_none_when_the_view_asks_who_it_is(
    app_with: Callable[..., tuple[FlaskClient, str]],
) -> None:
    client, token = app_with(SECUREAUTH_SESSION_STALENESS=None)
    state = client.application.extensions["secureauth"]
    with client.application.app_context():
        state.sqlalchemy.session.execute(delete(state.user_model))
        state.sqlalchemy.session.commit()

    response = client.get("/email", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")


def test_only_so_many_looks_are_remembered(
    app_with: Callable[..., tuple[FlaskClient, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_CACHE_SIZE", 2)
    client, first = app_with(SECUREAUTH_SESSION_STALENESS=600)
    second, third = sign_in(client), sign_in(client)
    assert [status(client, token) for token in (first, second, third)] == [200, 200, 200]

    revoke_elsewhere(client.application)

    assert [status(client, token) for token in (first, second, third)] == [401, 200, 200]


@pytest.mark.parametrize("staleness", [0, None])
def test_subject_that_cannot_be_a_key_ends_no_session(make_app: Callable[..., Flask], staleness: int | None) -> None:
    """A genuine token, of the time before the type of the users' keys changed."""
    app = make_app(SECUREAUTH_SESSION_STALENESS=staleness)
    now = int(time.time())
    token = issuer_of(app).issue(subject="kim", session_id="0" * 32, auth_time=now, methods=["pwd"], now=now)

    response = app.test_client().post("/auth/logout", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")


def test_look_between_revocation_and_commit_does_not_keep_the_session_alive(make_app: Callable[..., Flask]) -> None:
    """Until the commit others still see the session alive; that look must not count afterwards."""
    seen: list[int] = []

    def look(service: Any, event: UserLoggedOut) -> None:
        other = Thread(target=lambda: seen.append(status(app.test_client(), token)))
        other.start()
        other.join()

    health, *others = BUILTIN
    features = (replace(health, handlers={UserLoggedOut: look}), *others)
    app = make_app(SECUREAUTH_SESSION_STALENESS=600, secure_auth={"features": features})
    add_views(app)
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)

    client.post("/auth/logout", headers=bearer(token))

    assert seen == [200]
    assert status(client, token) == 401
