"""Where the routes are: prefix, moved and removed rules, features left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth import BUILTIN, ConfigurationError
from tests.conftest import PASSWORD, bearer, sign_in, sign_up

ROUTES = {
    "health.show": ("GET", "/health"),
    "audit.list": ("GET", "/auth/audit"),
    "registration.register": ("POST", "/users"),
    "sessions.refresh": ("POST", "/auth/refresh"),
    "sessions.logout": ("POST", "/auth/logout"),
    "sessions.list": ("GET", "/auth/sessions"),
    "sessions.end": ("DELETE", "/auth/sessions/<session_id>"),
    "keys.show": ("GET", "/.well-known/jwks.json"),
    "login.login": ("POST", "/auth/login"),
    "email_verification.request": ("POST", "/auth/email-verification"),
    "email_verification.confirm": ("POST", "/auth/email-verification/confirm"),
    "reauthentication.reauthenticate": ("POST", "/auth/reauthenticate"),
    "password_change.change": ("POST", "/users/me/password"),
    "password_reset.request": ("POST", "/auth/password-reset"),
    "password_reset.confirm": ("POST", "/auth/password-reset/confirm"),
    "email_change.request": ("POST", "/users/me/email"),
    "email_change.confirm": ("POST", "/auth/email-change/confirm"),
    "email_change.undo": ("POST", "/auth/email-change/undo"),
    "account_deletion.delete": ("DELETE", "/users/me"),
    "profile.show": ("GET", "/users/me"),
    "account_export.show": ("GET", "/users/me/export"),
}


def rules_of(app: Flask) -> dict[str, str]:
    return {rule.endpoint: rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("secureauth.")}


def test_routes_are_where_the_contract_puts_them(app: Flask) -> None:
    assert rules_of(app) == {f"secureauth.{name}": path for name, (_, path) in ROUTES.items()}


def test_prefix_moves_every_route(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_URL_PREFIX="/api/v1")

    assert rules_of(app) == {f"secureauth.{name}": f"/api/v1{path}" for name, (_, path) in ROUTES.items()}


def test_routes_work_below_a_prefix(make_app: Callable[..., Flask]) -> None:
    client = make_app(SECUREAUTH_URL_PREFIX="/api").test_client()
    body = {"email": "kim@example.com", "password": PASSWORD}

    assert client.post("/api/users", json=body).status_code == 201
    token = client.post("/api/auth/login", json=body).json["access_token"]
    assert client.get("/api/users/me", headers=bearer(token)).status_code == 200
    assert client.post("/users", json=body).status_code == 404


@pytest.mark.parametrize(("name", "place"), ROUTES.items())
def test_rule_moves_one_route(make_app: Callable[..., Flask], name: str, place: tuple[str, str]) -> None:
    method, path = place

    moved = f"/moved/here{path[path.index('<') - 1 :]}" if "<" in path else "/moved/here"

    app = make_app(SECUREAUTH_RULES={name: moved})

    expected = {f"secureauth.{other}": path for other, (_, path) in ROUTES.items()}
    assert rules_of(app) == expected | {f"secureauth.{name}": moved}
    assert app.test_client().open(moved, method=method).status_code != 404
    assert app.test_client().open(path, method=method).status_code in (404, 405)


def test_rule_is_below_the_prefix(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_URL_PREFIX="/api", SECUREAUTH_RULES={"login.login": "/sign-in"})

    assert rules_of(app)["secureauth.login.login"] == "/api/sign-in"


@pytest.mark.parametrize(("name", "place"), ROUTES.items())
def test_rule_none_removes_one_route(make_app: Callable[..., Flask], name: str, place: tuple[str, str]) -> None:
    method, path = place

    app = make_app(SECUREAUTH_RULES={name: None})

    assert f"secureauth.{name}" not in rules_of(app)
    assert len(rules_of(app)) == len(ROUTES) - 1
    assert app.test_client().open(path, method=method).status_code in (404, 405)


def test_all_routes_can_be_removed_and_the_guard_remains(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_RULES=dict.fromkeys(ROUTES))

    assert rules_of(app) == {}
    assert app.test_client().get("/users/me").content_type.startswith("text/html")


@pytest.mark.parametrize("left_out", ["health", "registration", "profile", "login"])
def test_feature_can_be_left_out_with_those_that_need_it(make_app: Callable[..., Flask], left_out: str) -> None:
    features = tuple(feature for feature in BUILTIN if feature.name != left_out and left_out not in feature.requires)

    app = make_app(secure_auth={"features": features})

    assert {name.split(".")[1] for name in rules_of(app)} == {feature.name for feature in features if feature.routes}


def test_command_of_a_feature_left_out_is_gone(make_app: Callable[..., Flask]) -> None:
    features = tuple(feature for feature in BUILTIN if feature.name != "registration")
    app = make_app(secure_auth={"features": features})

    result = app.test_cli_runner().invoke(args=["secureauth", "create-user", "kim@example.com"])

    assert result.exit_code == 2
    assert "No such command 'create-user'" in result.output


def test_rule_of_a_feature_left_out_is_a_problem(make_app: Callable[..., Flask]) -> None:
    features = tuple(feature for feature in BUILTIN if feature.name != "registration")

    with pytest.raises(ConfigurationError, match=r"'registration\.register' is not a route"):
        make_app(secure_auth={"features": features}, SECUREAUTH_RULES={"registration.register": None})


@pytest.mark.parametrize("path", ["/health", "/users/me"], ids=["no guard", "guard"])
def test_head_and_options_are_answered_as_flask_does(client: FlaskClient, path: str) -> None:
    assert client.head(path).data == b""
    assert "GET" in client.options(path).headers["Allow"]


def test_url_for_finds_routes_by_feature_and_name(app: Flask) -> None:
    with app.test_request_context():
        assert app.url_for("secureauth.profile.show") == "/users/me"


def test_app_below_a_script_name_answers_the_same(app: Flask, client: FlaskClient) -> None:
    options: dict[str, Any] = {"base_url": "http://localhost/mounted"}

    assert client.get("/health", **options).status_code == 200
    assert client.get("/auth/unknown", **options).json["code"] == "not_found"


def test_app_keeps_its_own_blueprints(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    client = app.test_client()
    sign_up(client)

    assert set(app.blueprints) == {
        "secureauth",
        *(f"secureauth.{feature.name}" for feature in BUILTIN if feature.routes),
    }
    assert sign_in(client)


def test_two_routes_on_one_path_and_method_are_a_problem(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_app(SECUREAUTH_RULES={"login.login": "/users"})

    assert raised.value.problems == ("SECUREAUTH_RULES: registration.register and login.login are both POST /users.",)
