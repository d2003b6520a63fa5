"""The signed-in user's own account."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from flask_secureauth import verify_jwt_in_request
from flask_secureauth.testing import FrozenClock
from tests.conftest import bearer, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_uuid
from tests.web.views import app_on


def delete_users(app: Flask) -> None:
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.execute(delete(state.user_model))
        state.sqlalchemy.session.commit()


@pytest.mark.every_database
def test_profile_shows_id_address_and_time(client: FlaskClient, clock: FrozenClock) -> None:
    sign_up(client)

    response = client.get("/users/me", headers=bearer(sign_in(client)))

    assert response.status_code == 200
    assert response.json == {"id": 1, "email": "kim@example.com", "created_at": clock.moment.isoformat()}


def test_created_at_carries_its_offset(client: FlaskClient, token: str) -> None:
    response = client.get("/users/me", headers=bearer(token))

    assert datetime.fromisoformat(response.json["created_at"]).utcoffset() == timedelta(0)


def test_profile_of_the_second_user_is_the_second_user(client: FlaskClient, token: str) -> None:
    sign_up(client, "kai@example.com")

    response = client.get("/users/me", headers=bearer(sign_in(client, "kai@example.com")))

    assert response.json["email"] == "kai@example.com"


def test_profile_is_never_kept_by_a_cache(client: FlaskClient, token: str) -> None:
    headers = client.get("/users/me", headers=bearer(token)).headers

    assert headers["Cache-Control"] == "no-store"
    assert {"Authorization", "Cookie"} <= set(headers["Vary"].split(", "))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Type"] == "application/json"


def test_profile_without_a_token_answers_401(client: FlaskClient) -> None:
    response = client.get("/users/me")

    assert response.status_code == 401
    assert response.json == {"error": "Missing access token", "code": "token_missing"}
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Cache-Control"] == "no-store"


def test_profile_with_an_invalid_token_answers_401(client: FlaskClient) -> None:
    response = client.get("/users/me", headers=bearer("a.b.c"))

    assert response.status_code == 401
    assert response.json == {"error": "Invalid access token", "code": "token_invalid"}
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_profile_with_an_expired_token_answers_401_and_says_so(client: FlaskClient, clock: FrozenClock) -> None:
    sign_up(client)
    token = sign_in(client)
    clock.advance(timedelta(hours=1, seconds=5))

    response = client.get("/users/me", headers=bearer(token))

    assert response.status_code == 401
    assert response.json == {"error": "Access token has expired", "code": "token_expired"}


@pytest.mark.every_database
@pytest.mark.parametrize("staleness", [0, None])
def test_profile_of_a_user_who_is_gone_answers_404(make_app: Callable[..., Flask], staleness: int | None) -> None:
    app = make_app(SECUREAUTH_SESSION_STALENESS=staleness)
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    delete_users(app)

    response = client.get("/users/me", headers=bearer(token))

    assert response.status_code == 404
    assert response.json == {"error": "User not found", "code": "profile.user_not_found"}


@pytest.mark.every_database
def test_key_that_is_a_uuid_is_shown_as_text(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_uuid(db))
    client = app.test_client()
    sign_up(client)

    response = client.get("/users/me", headers=bearer(sign_in(client)))

    assert str(uuid.UUID(response.json["id"])) == response.json["id"]


def test_profile_of_a_user_who_is_gone_answers_404_behind_a_guard_of_the_app(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_STALENESS=None)
    app.before_request(lambda: verify_jwt_in_request(optional=True))
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    delete_users(app)

    response = client.get("/users/me", headers=bearer(token))

    assert (response.status_code, response.json["error"]) == (404, "User not found")
