"""Signing in with a password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.security import generate_password_hash

from flask_secureauth.core.passwords import DEFAULT_METHOD
from flask_secureauth.testing import FrozenClock
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_switch
from tests.web.views import app_on


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def store_hash(app: Flask, password_hash: str) -> None:
    """Give every user this hash."""
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.execute(update(state.user_model).values(password_hash=password_hash))
        state.sqlalchemy.session.commit()


def stored_hash(app: Flask) -> str:
    state = app.extensions["secureauth"]
    with app.app_context():
        return str(state.sqlalchemy.session.scalar(select(state.user_model.password_hash)))


@pytest.mark.every_database
def test_login_returns_a_bearer_token(client: FlaskClient) -> None:
    sign_up(client)

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD})

    assert response.status_code == 200
    assert response.json["access_token"].count(".") == 2
    assert response.json["token_type"] == "Bearer"
    assert response.json["expires_in"] == 3600


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "kim@example.com"},
        {"password": "x"},
        {"email": "", "password": ""},
        {"email": "kim@example.com", "password": None},
        {"email": 1, "password": "x"},
    ],
)
def test_login_without_email_or_password_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    response = client.post("/auth/login", json=body)

    assert response.status_code == 400
    assert response.json["error"] == "Email and password required"


def test_login_without_a_body_is_refused(client: FlaskClient) -> None:
    response = client.post("/auth/login")

    assert response.status_code == 400
    assert response.json["error"] == "Email and password required"


@pytest.mark.every_database
@pytest.mark.parametrize(
    ("email", "password"),
    [("kim@example.com", "kraken-vulcan-43"), ("nobody@example.com", PASSWORD), ("not an address", PASSWORD)],
    ids=["wrong password", "unknown address", "no address"],
)
def test_login_with_wrong_credentials_answers_401(client: FlaskClient, email: str, password: str) -> None:
    sign_up(client)

    response = client.post("/auth/login", json={"email": email, "password": password})

    assert response.status_code == 401
    assert response.json == {"error": "Invalid credentials", "code": "login.invalid_credentials"}
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.every_database
def test_login_of_a_disabled_user_answers_as_for_a_wrong_password(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    client = app.test_client()
    sign_up(client)
    with app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD})

    assert response.status_code == 401
    assert response.json == {"error": "Invalid credentials", "code": "login.invalid_credentials"}


@pytest.mark.every_database
@pytest.mark.parametrize("email", ["KIM@example.com", "kim@Example.COM"])
def test_login_with_another_spelling_of_the_address_succeeds(client: FlaskClient, email: str) -> None:
    sign_up(client)

    assert sign_in(client, email)


def test_user_without_a_password_cannot_sign_in(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    store_hash(app, "")

    assert client.post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD}).status_code == 401


def test_token_names_user_session_and_method(client: FlaskClient, clock: FrozenClock) -> None:
    sign_up(client)
    claims = claims_of(sign_in(client))

    now = int(clock.moment.timestamp())
    assert claims.keys() == {"iss", "sub", "exp", "iat", "jti", "sid", "auth_time", "amr"}
    assert claims["sub"] == "1"
    assert claims["amr"] == ["pwd"]
    assert (claims["iat"], claims["auth_time"], claims["exp"]) == (now, now, now + 3600)


def test_two_sign_ins_are_two_sessions(client: FlaskClient) -> None:
    sign_up(client)

    assert claims_of(sign_in(client))["sid"] != claims_of(sign_in(client))["sid"]


def test_lifetime_of_access_tokens_can_be_set(make_app: Callable[..., Flask]) -> None:
    client = make_app(SECUREAUTH_ACCESS_TOKEN_LIFETIME=timedelta(minutes=10)).test_client()
    sign_up(client)

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD})

    claims = claims_of(response.json["access_token"])
    assert response.json["expires_in"] == claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize("method", ["scrypt:32768:8:1", "pbkdf2:sha256"])
def test_hash_of_the_original_application_signs_in_and_is_replaced(
    app: Flask, client: FlaskClient, method: str
) -> None:
    sign_up(client)
    store_hash(app, generate_password_hash(PASSWORD, method))

    sign_in(client)

    assert stored_hash(app).startswith("scrypt:128:1:1$")
    assert sign_in(client)


def test_default_hash_method_is_the_equivalent_setting_of_owasp(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_PASSWORD_HASH_METHOD=DEFAULT_METHOD)

    sign_up(app.test_client())

    assert stored_hash(app).startswith("scrypt:32768:8:3$")


def test_current_hash_is_kept(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    before = stored_hash(app)

    sign_in(client)

    assert stored_hash(app) == before


def test_wrong_password_replaces_no_hash(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    old = generate_password_hash(PASSWORD, "scrypt:256:1:1")
    store_hash(app, old)

    client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-43"})

    assert stored_hash(app) == old


@pytest.mark.every_database
def test_argon2id_is_used_when_it_is_set(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_PASSWORD_HASH_METHOD="argon2id:m=64,t=1,p=1")
    client = app.test_client()
    sign_up(client)

    assert stored_hash(app).startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert sign_in(client)


def test_hash_with_other_argon2id_parameters_is_replaced(make_app: Callable[..., Flask]) -> None:
    old = make_app(SECUREAUTH_PASSWORD_HASH_METHOD="argon2id:m=32,t=1,p=1")
    sign_up(old.test_client())
    new = make_app(SECUREAUTH_PASSWORD_HASH_METHOD="argon2id:m=64,t=1,p=1")

    sign_in(new.test_client())

    assert stored_hash(new).startswith("$argon2id$v=19$m=64,t=1,p=1$")
