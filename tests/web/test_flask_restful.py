"""An app whose error handling another extension has taken over: refusals stay 401 with our JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_restful import Api, Resource

from flask_secureauth import current_user, get_jwt_identity, jwt_required, verify_jwt_in_request
from flask_secureauth.testing import frozen_clock
from tests.conftest import bearer, sign_in, sign_up


class OnMethod(Resource):  # type: ignore[misc]
    @jwt_required
    def get(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}


class OnResource(Resource):  # type: ignore[misc]
    method_decorators = [jwt_required(fresh=True)]

    def get(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}


class Inside(Resource):  # type: ignore[misc]
    def get(self) -> dict[str, Any]:
        verify_jwt_in_request()
        return {"id": get_jwt_identity()}


class Lazy(Resource):  # type: ignore[misc]
    @jwt_required
    def get(self) -> dict[str, Any]:
        return {"email": current_user.email}


PATHS = {"/on-method": OnMethod, "/on-resource": OnResource, "/inside": Inside, "/lazy": Lazy}


@pytest.fixture(params=[False, None], ids=["exceptions handled", "exceptions propagate"])
def client(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> FlaskClient:
    app = make_app(PROPAGATE_EXCEPTIONS=request.param)
    api = Api(app)
    for path, resource in PATHS.items():
        api.add_resource(resource, path)
    return app.test_client()


@pytest.mark.parametrize("path", PATHS)
def test_resource_lets_a_good_token_in(client: FlaskClient, token: str, path: str) -> None:
    assert client.get(path, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("headers", "answer", "challenge"),
    [
        ({}, {"error": "Missing access token", "code": "token_missing"}, "Bearer"),
        (
            bearer("a.b.c"),
            {"error": "Invalid access token", "code": "token_invalid"},
            'Bearer error="invalid_token"',
        ),
    ],
)
def test_refusal_is_401_with_our_json(
    client: FlaskClient, path: str, headers: dict[str, str], answer: dict[str, str], challenge: str
) -> None:
    response = client.get(path, headers=headers)

    assert (response.status_code, response.json) == (401, answer)
    assert response.headers.getlist("WWW-Authenticate") == [challenge]
    assert response.headers["Cache-Control"] == "no-store"


def test_expired_token_is_401(client: FlaskClient, token: str) -> None:
    with frozen_clock(client.application) as clock:
        clock.advance(3606)
        response = client.get("/on-method", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "token_expired")


def test_sign_in_that_is_too_old_is_403(client: FlaskClient, token: str) -> None:
    with frozen_clock(client.application) as clock:
        clock.advance(400)
        response = client.get("/on-resource", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (403, "fresh_login_required")


def test_our_own_routes_refuse_as_before(client: FlaskClient, token: str) -> None:
    response = client.post("/users", json={"email": "kim@example.com", "password": "kraken-vulcan-42"})

    assert (response.status_code, response.json["error"]) == (409, "User already exists")


def test_before_request_that_verifies_refuses_with_our_json(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    Api(app).add_resource(Inside, "/inside")
    app.before_request(lambda: verify_jwt_in_request(optional=False))

    response = app.test_client().get("/inside")

    assert (response.status_code, response.json) == (401, {"error": "Missing access token", "code": "token_missing"})


def test_before_request_that_verifies_lets_a_good_token_in(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    Api(app).add_resource(Inside, "/inside")

    @app.before_request
    def verify() -> None:
        verify_jwt_in_request(optional=True)

    client = app.test_client()
    sign_up(client)

    assert client.get("/inside", headers=bearer(sign_in(client))).json == {"id": "1"}
