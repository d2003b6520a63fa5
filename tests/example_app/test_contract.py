"""The HTTP table of the contract, to the letter, with the password of its own samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from example_app.models import User, db
from flask_secureauth.testing import frozen_clock
from tests.conftest import bearer
from tests.example_app.conftest import run_command

EMAIL, PASSWORD = "user@example.com", "password123"
ACCOUNT = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def client(example: Flask) -> Iterator[FlaskClient]:
    """A client whose user is registered."""
    client = example.test_client()
    assert client.post("/users", json=ACCOUNT).status_code == 201
    return client


@pytest.fixture
def token(client: FlaskClient) -> str:
    """The registered user's access token."""
    answer: str = client.post("/auth/login", json=ACCOUNT).json["access_token"]
    return answer


def answer_of(response: Any) -> tuple[int, Any]:
    return response.status_code, response.json["error"]


@pytest.mark.every_database
def test_registration_answers_201(example_client: FlaskClient) -> None:
    response = example_client.post("/users", json=ACCOUNT)

    assert (response.status_code, response.json) == (201, {"message": "User created"})


@pytest.mark.every_database
def test_second_registration_answers_409(client: FlaskClient) -> None:
    assert answer_of(client.post("/users", json=ACCOUNT)) == (409, "User already exists")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": EMAIL},
        {"password": PASSWORD},
        {"email": "not-an-address", "password": PASSWORD},
        {"email": EMAIL, "password": "seven77"},
        {"email": "", "password": ""},
    ],
)
def test_invalid_registration_answers_400_and_a_sentence(example_client: FlaskClient, body: dict[str, str]) -> None:
    status, sentence = answer_of(example_client.post("/users", json=body))

    assert status == 400
    assert sentence.endswith(".")


def test_password_of_8_characters_is_accepted(example_client: FlaskClient) -> None:
    assert example_client.post("/users", json={"email": EMAIL, "password": "12345678"}).status_code == 201


@pytest.mark.parametrize("password", ["password", "password123", "exampleexample", "user@example.com"])
def test_common_password_is_accepted(example_client: FlaskClient, password: str) -> None:
    """The contract's only rule is the length."""
    assert example_client.post("/users", json={"email": EMAIL, "password": password}).status_code == 201


@pytest.mark.every_database
def test_login_answers_200_and_a_jwt(client: FlaskClient) -> None:
    response = client.post("/auth/login", json=ACCOUNT)

    assert response.status_code == 200
    claims = jwt.decode(response.json["access_token"], options={"verify_signature": False})
    assert isinstance(claims["sub"], str)
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("body", [{}, {"email": EMAIL}, {"password": PASSWORD}, {"email": "", "password": ""}])
def test_incomplete_login_answers_400(client: FlaskClient, body: dict[str, str]) -> None:
    assert answer_of(client.post("/auth/login", json=body)) == (400, "Email and password required")


@pytest.mark.every_database
@pytest.mark.parametrize("change", [{"password": "password124"}, {"email": "nobody@example.com"}])
def test_wrong_login_answers_401(client: FlaskClient, change: dict[str, str]) -> None:
    assert answer_of(client.post("/auth/login", json={**ACCOUNT, **change})) == (401, "Invalid credentials")


@pytest.mark.every_database
def test_profile_answers_200_and_three_members(client: FlaskClient, token: str) -> None:
    response = client.get("/users/me", headers=bearer(token))

    assert response.status_code == 200
    assert response.json.keys() == {"id", "email", "created_at"}
    assert response.json["email"] == EMAIL
    assert datetime.fromisoformat(response.json["created_at"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "headers", [{}, bearer(""), bearer("a.b.c"), {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer"}]
)
def test_profile_without_a_good_token_answers_401(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.get("/users/me", headers=headers)

    assert response.status_code == 401
    assert response.json["error"]


def test_token_is_good_for_one_hour(example: Flask, client: FlaskClient) -> None:
    with frozen_clock(example) as clock:
        token = client.post("/auth/login", json=ACCOUNT).json["access_token"]
        clock.advance(timedelta(minutes=59, seconds=59))
        before = client.get("/users/me", headers=bearer(token))
        clock.advance(timedelta(seconds=10))
        after = client.get("/users/me", headers=bearer(token))

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.every_database
def test_profile_of_a_user_who_is_gone_answers_404(example: Flask, client: FlaskClient, token: str) -> None:
    with example.app_context():
        db.session.execute(delete(User))
        db.session.commit()

    assert answer_of(client.get("/users/me", headers=bearer(token))) == (404, "User not found")


def test_health_answers_200(example_client: FlaskClient) -> None:
    response = example_client.get("/health")

    assert (response.status_code, response.json) == (200, {"status": "ok"})


@pytest.mark.every_database
def test_logout_ends_the_token(client: FlaskClient, token: str) -> None:
    assert client.post("/auth/logout", headers=bearer(token)).status_code == 200

    assert client.get("/users/me", headers=bearer(token)).status_code == 401


@pytest.mark.every_database
def test_disabled_user_is_out_at_once(example: Flask, client: FlaskClient, token: str) -> None:
    """The column of the app's own: is_active."""
    with example.app_context():
        db.session.query(User).update({"is_active": False})
        db.session.commit()

    assert client.get("/users/me", headers=bearer(token)).status_code == 401
    assert answer_of(client.post("/auth/login", json=ACCOUNT)) == (401, "Invalid credentials")


def test_no_answer_shows_a_password_or_its_hash(client: FlaskClient, token: str) -> None:
    answers = [
        client.post("/users", json=ACCOUNT),
        client.post("/users", json={**ACCOUNT, "email": "not-an-address"}),
        client.post("/auth/login", json=ACCOUNT),
        client.post("/auth/login", json={**ACCOUNT, "email": "nobody@example.com"}),
        client.get("/users/me", headers=bearer(token)),
    ]

    assert not any(PASSWORD in answer.text or "scrypt" in answer.text for answer in answers)


def test_create_user_command_makes_an_account_that_signs_in(example: Flask) -> None:
    run_command(example, "secureauth", "create-user", EMAIL, "--password", PASSWORD)

    assert example.test_client().post("/auth/login", json=ACCOUNT).status_code == 200
