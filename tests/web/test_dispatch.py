"""What is accepted as a body, schemas that an app replaces, and a server that is busy hashing."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from flask_secureauth import ConfigurationError, LoginSchema, ProfileSchema, RegistrationSchema
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_name
from tests.web.views import app_on

GOOD = {"email": "kim@example.com", "password": PASSWORD}


def padded(size: int) -> bytes:
    """A good registration as JSON of exactly ``size`` bytes."""
    text = json.dumps(GOOD).encode()
    return text + b" " * (size - len(text))


def post(client: FlaskClient, body: bytes, content_type: str = "application/json") -> Any:
    return client.post("/users", data=body, content_type=content_type)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8", "application/ld+json"])
def test_body_declared_as_json_is_accepted(client: FlaskClient, content_type: str) -> None:
    assert post(client, json.dumps(GOOD).encode(), content_type).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
def test_body_declared_as_something_else_is_415(client: FlaskClient, content_type: str) -> None:
    response = post(client, json.dumps(GOOD).encode(), content_type)

    assert response.status_code == 415
    assert response.json == {
        "error": "Send JSON with Content-Type: application/json.",
        "code": "unsupported_content_type",
    }


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"text"', b"true"])
def test_body_that_is_no_object_is_400(client: FlaskClient, body: bytes) -> None:
    response = post(client, body)

    assert (response.status_code, response.json["code"]) == (400, "malformed_body")
    assert response.json["error"] == "The body must be a JSON object."


@pytest.mark.parametrize("body", [b"{", b"{}{}", b"\xff", b"{'email': 1}", b'{"email": NaN}'])
def test_body_that_is_no_json_is_400_and_says_why(client: FlaskClient, body: bytes) -> None:
    response = post(client, body)

    assert (response.status_code, response.json["code"]) == (400, "malformed_body")
    assert response.json["error"].startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, 64 * 1024),
        ({"SECUREAUTH_MAX_CONTENT_LENGTH": 2048}, 2048),
        ({"MAX_CONTENT_LENGTH": 512}, 512),
        ({"MAX_CONTENT_LENGTH": 10**6}, 64 * 1024),
        ({"MAX_CONTENT_LENGTH": 1024, "SECUREAUTH_MAX_CONTENT_LENGTH": 4096}, 1024),
        ({"MAX_CONTENT_LENGTH": 10**6, "SECUREAUTH_MAX_CONTENT_LENGTH": 100_000}, 100_000),
    ],
)
def test_body_above_the_smaller_limit_is_413(
    make_app: Callable[..., Flask], settings: dict[str, int], limit: int
) -> None:
    client = make_app(**settings).test_client()

    too_large = post(client, padded(limit + 1))

    assert too_large.status_code == 413
    assert too_large.json == {"error": "The body is too large.", "code": "body_too_large"}
    assert post(client, padded(limit)).status_code == 201


def test_limit_of_ours_does_not_touch_views_of_the_app(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_MAX_CONTENT_LENGTH=1024)

    @app.post("/upload")
    def upload() -> dict[str, int]:
        return {"size": len(request.get_data())}

    assert app.test_client().post("/upload", data=b"x" * 5000).json == {"size": 5000}


def test_body_that_the_app_has_read_before_is_still_ours(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    seen = []

    @app.before_request
    def read() -> None:
        seen.append(request.get_json(silent=True))

    assert app.test_client().post("/users", json=GOOD).status_code == 201
    assert seen == [GOOD]


def test_body_that_ends_too_early_is_answered_in_json(client: FlaskClient) -> None:
    """F16: the sender hangs up in the middle of the body."""
    response = client.post(
        "/users",
        input_stream=BytesIO(b"{"),
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": "99"},
    )

    assert (response.status_code, response.json["code"]) == (400, "malformed_body")


class NamedRegistration(RegistrationSchema):
    name = fields.String(required=True, validate=validate.Length(max=20))


class NamedProfile(ProfileSchema):
    name = fields.String()


@pytest.fixture
def named_client(make_app: Callable[..., Flask]) -> FlaskClient:
    """An app that adds a name to registration and profile."""
    db = new_sqlalchemy()
    schemas = {RegistrationSchema: NamedRegistration, ProfileSchema: NamedProfile}
    return app_on(make_app, db, model_with_name(db), secure_auth={"schemas": schemas}).test_client()


@pytest.mark.every_database
def test_field_that_an_app_adds_is_stored_and_shown(named_client: FlaskClient) -> None:
    assert named_client.post("/users", json=GOOD | {"name": "Kim 🌊"}).status_code == 201

    profile = named_client.get("/users/me", headers=bearer(sign_in(named_client))).json

    assert profile["name"] == "Kim 🌊"
    assert profile.keys() == {"id", "email", "created_at", "name"}


@pytest.mark.parametrize(
    ("extra", "invalid"),
    [
        ({}, {"name": ["Missing data for required field."]}),
        ({"name": "x" * 21}, {"name": ["Longer than maximum length 20."]}),
        ({"name": "Kim", "is_admin": True}, {"is_admin": ["This member is not known."]}),
    ],
)
def test_field_that_an_app_adds_is_checked_by_its_schema(
    named_client: FlaskClient, extra: dict[str, Any], invalid: dict[str, list[str]]
) -> None:
    response = named_client.post("/users", json=GOOD | extra)

    assert (response.status_code, response.json["fields"]) == (400, invalid)


def test_rule_over_several_fields_is_told_under_schema(make_app: Callable[..., Flask]) -> None:
    class Cautious(RegistrationSchema):
        @validates_schema
        def check(self, body: dict[str, Any], **options: Any) -> None:
            if body["email"] in body["password"]:
                raise ValidationError("The password holds the address.")

    client = make_app(secure_auth={"schemas": {RegistrationSchema: Cautious}}).test_client()

    response = client.post("/users", json={"email": "kim@example.com", "password": "kim@example.com-42"})

    assert response.json["fields"] == {"_schema": ["The password holds the address."]}


def test_messages_of_nested_fields_are_flat(make_app: Callable[..., Flask]) -> None:
    class Tagged(LoginSchema):
        tags = fields.List(fields.String())

    client = make_app(secure_auth={"schemas": {LoginSchema: Tagged}}).test_client()

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": "x", "tags": ["a", 5]})

    assert response.json["fields"] == {"tags": ["Not a valid string."]}


def test_field_without_a_column_is_a_problem_at_start(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_app(secure_auth={"schemas": {RegistrationSchema: NamedRegistration}})

    assert raised.value.problems == ("NamedRegistration has the field name, and User has no such column.",)


class Unrelated(Schema):
    pass


@pytest.mark.parametrize(
    ("schemas", "problem"),
    [
        ({Unrelated: Unrelated}, "schemas: Unrelated belongs to no route; it must be a schema of a feature."),
        ({ProfileSchema: Unrelated}, "schemas: Unrelated must be a subclass of ProfileSchema."),
    ],
)
def test_schema_that_replaces_nothing_of_ours_is_a_problem(
    make_app: Callable[..., Flask], schemas: dict[type[Schema], type[Schema]], problem: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_app(secure_auth={"schemas": schemas})

    assert problem in raised.value.problems


@pytest.mark.parametrize("path", ["/users", "/auth/login"])
def test_server_that_is_busy_hashing_answers_503(make_app: Callable[..., Flask], path: str) -> None:
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=1, SECUREAUTH_PASSWORD_MAX_WAIT=0)
    client = app.test_client()
    hasher = app.extensions["secureauth"].hasher

    with hasher._slot():
        busy = client.post(path, json=GOOD)

    assert busy.status_code == 503
    assert busy.json == {
        "error": "Too many requests with a password at once. Try again in a moment.",
        "code": "service_busy",
    }
    assert int(busy.headers["Retry-After"]) > 0


def test_server_answers_again_when_hashing_is_done(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=1, SECUREAUTH_PASSWORD_MAX_WAIT=0)
    client = app.test_client()
    with app.extensions["secureauth"].hasher._slot():
        client.post("/users", json=GOOD)

    sign_up(client)

    assert sign_in(client)
