"""Registration through HTTP: what the contract promises, and what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import func, select

from flask_secureauth import RegistrationSchema
from flask_secureauth.features.registration import RegistrationService
from flask_secureauth.testing import FrozenClock
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_name
from tests.web.views import app_on

GOOD = {"email": "kim@example.com", "password": PASSWORD}


def stored(app: Flask) -> list[Any]:
    """All users: address, hash and time of creation."""
    state = app.extensions["secureauth"]
    model = state.user_model
    with app.app_context():
        rows = state.sqlalchemy.session.execute(select(model.email, model.password_hash, model.created_at))
        return list(rows.all())


def count_users(app: Flask) -> int:
    state = app.extensions["secureauth"]
    with app.app_context():
        return int(state.sqlalchemy.session.scalar(select(func.count()).select_from(state.user_model)))


@pytest.mark.every_database
def test_registration_answers_201_and_a_message(client: FlaskClient) -> None:
    response = client.post("/users", json=GOOD)

    assert (response.status_code, response.json) == (201, {"message": "User created"})


@pytest.mark.every_database
def test_registered_user_can_sign_in(client: FlaskClient) -> None:
    sign_up(client)

    assert sign_in(client).count(".") == 2


def test_registration_stores_a_hash_made_by_the_configured_method(app: Flask, client: FlaskClient) -> None:
    sign_up(client)

    ((_, password_hash, _),) = stored(app)
    assert password_hash.startswith("scrypt:128:1:1$")
    assert PASSWORD not in password_hash


def test_registration_stores_the_canonical_address(app: Flask, client: FlaskClient) -> None:
    sign_up(client, "Kim@Bücher.Example")

    ((email, _, _),) = stored(app)
    assert email == "kim@xn--bcher-kva.example"


@pytest.mark.every_database
def test_registration_stores_the_time_of_the_app_clock(app: Flask, client: FlaskClient, clock: FrozenClock) -> None:
    clock.advance(timedelta(days=400))
    sign_up(client)

    ((_, _, created_at),) = stored(app)
    assert created_at == clock.moment.replace(tzinfo=None)


@pytest.mark.every_database
@pytest.mark.parametrize("email", ["kim@example.com", "KIM@example.com", "kim@EXAMPLE.com"])
def test_registration_of_a_known_address_answers_409(client: FlaskClient, email: str) -> None:
    sign_up(client)

    response = client.post("/users", json={"email": email, "password": "another-vulcan-9"})

    assert response.status_code == 409
    assert response.json == {"error": "User already exists", "code": "registration.user_exists"}


def test_registration_of_a_known_address_keeps_the_first_password(client: FlaskClient) -> None:
    sign_up(client)
    client.post("/users", json={"email": "kim@example.com", "password": "another-vulcan-9"})

    assert sign_in(client)


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({}, {"email": ["Email is required."], "password": ["Password is required."]}),
        (GOOD | {"email": ""}, {"email": ["Email is required."]}),
        (GOOD | {"email": None}, {"email": ["Email is required."]}),
        (GOOD | {"email": 5}, {"email": ["Email must be a string."]}),
        (GOOD | {"email": "kim"}, {"email": ["Not a valid email address."]}),
        (GOOD | {"email": "kim@localhost"}, {"email": ["Not a valid email address."]}),
        ({"email": "kim@example.com"}, {"password": ["Password is required."]}),
        (GOOD | {"password": "x-vul42"}, {"password": ["Password must be at least 8 characters long."]}),
        (GOOD | {"password": "x" * 257}, {"password": ["Password must be at most 256 characters long."]}),
        (GOOD | {"password": ["kraken-vulcan-42"]}, {"password": ["Password must be a string."]}),
        (GOOD | {"is_admin": True}, {"is_admin": ["This member is not known."]}),
    ],
)
def test_registration_with_invalid_input_answers_400_and_names_the_fields(
    client: FlaskClient, body: dict[str, Any], invalid: dict[str, list[str]]
) -> None:
    response = client.post("/users", json=body)

    assert response.status_code == 400
    assert response.json["code"] == "invalid_input"
    assert response.json["fields"] == invalid


def test_registration_tells_a_single_problem_as_the_error(client: FlaskClient) -> None:
    response = client.post("/users", json=GOOD | {"password": "x-vul42"})

    assert response.json["error"] == "Password must be at least 8 characters long."


def test_registration_tells_all_problems_of_address_and_password_at_once(client: FlaskClient) -> None:
    response = client.post("/users", json={"email": "kim", "password": "x-vul42"})

    assert response.json["fields"].keys() == {"email", "password"}
    assert response.json["error"] == "The request is not valid."


def test_refused_registration_stores_nobody(app: Flask, client: FlaskClient) -> None:
    client.post("/users", json=GOOD | {"password": "short"})

    assert count_users(app) == 0


def test_password_of_8_characters_is_accepted(client: FlaskClient) -> None:
    assert client.post("/users", json=GOOD | {"password": "x-vul-42"}).status_code == 201


def test_minimum_length_can_be_raised(make_app: Callable[..., Flask]) -> None:
    client = make_app(SECUREAUTH_PASSWORD_MIN_LENGTH=15).test_client()

    response = client.post("/users", json=GOOD | {"password": "kraken-vulcan4"})

    assert response.json["fields"] == {"password": ["Password must be at least 15 characters long."]}


@pytest.mark.parametrize(
    ("refuse", "status"), [(True, 400), (False, 201)], ids=["refused by default", "accepted when switched off"]
)
def test_common_password(make_app: Callable[..., Flask], refuse: bool, status: int) -> None:
    client = make_app(SECUREAUTH_PASSWORD_REFUSE_COMMON=refuse).test_client()

    assert client.post("/users", json=GOOD | {"password": "password123"}).status_code == status


@pytest.mark.parametrize("password", ["Testapp-2026", "kim-example-1", "Harbour2026!"])
@pytest.mark.parametrize(("refuse", "status"), [(True, 400), (False, 201)])
def test_password_made_of_the_context(make_app: Callable[..., Flask], password: str, refuse: bool, status: int) -> None:
    app = make_app(SECUREAUTH_PASSWORD_REFUSE_CONTEXT=refuse, SECUREAUTH_PASSWORD_CONTEXT_WORDS=["harbour"])

    response = app.test_client().post("/users", json=GOOD | {"password": password})

    assert response.status_code == status


class NamedRegistration(RegistrationSchema):
    name = fields.String()


@pytest.fixture
def named_client(make_app: Callable[..., Flask]) -> FlaskClient:
    """An app whose users have a name of their own."""
    db = new_sqlalchemy()
    schemas = {RegistrationSchema: NamedRegistration}
    return app_on(make_app, db, model_with_name(db), secure_auth={"schemas": schemas}).test_client()


@pytest.mark.every_database
def test_value_of_another_unique_column_that_is_taken_answers_409(named_client: FlaskClient) -> None:
    assert named_client.post("/users", json=GOOD | {"name": "Kim"}).status_code == 201

    response = named_client.post("/users", json=GOOD | {"email": "kai@example.com", "name": "Kim"})

    assert response.status_code == 409
    assert response.json["code"] == "registration.value_taken"


@pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)
def test_value_that_its_column_cannot_hold_answers_400(named_client: FlaskClient) -> None:
    response = named_client.post("/users", json=GOOD | {"name": "x" * 21})

    assert response.status_code == 400
    assert response.json["error"] == "A value is too long or of the wrong kind."


def test_user_created_by_a_script_signs_in(app: Flask, client: FlaskClient) -> None:
    auth = app.extensions["secureauth"]
    with app.app_context(), auth.database.transaction():
        auth.service(RegistrationService).register(email="kim@example.com", password=PASSWORD)

    assert sign_in(client)
