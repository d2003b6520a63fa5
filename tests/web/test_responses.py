"""Answers that no view gives: refusals, crashes, unknown paths; and when an app's own handlers come first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, jsonify
from flask.testing import FlaskClient
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed, NotFound, SecurityError

from flask_secureauth import (
    AuthError,
    InvalidInput,
    NotAuthenticated,
    TokenExpired,
    user_registered,
)
from flask_secureauth.features.profile import ProfileSchema
from flask_secureauth.testing import frozen_clock, mails
from tests.conftest import PASSWORD, bearer, sign_in, sign_up
from tests.web.views import add_views

UNKNOWN = {"error": "Not found", "code": "not_found"}
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Authorization, Cookie",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/users/me", 401),
        ("POST", "/auth/login", 400),
        ("POST", "/users", 400),
        ("GET", "/auth/unknown", 404),
        ("GET", "/auth/login", 405),
    ],
)
def test_every_answer_of_ours_carries_our_headers(client: FlaskClient, method: str, path: str, status: int) -> None:
    response = client.open(path, method=method)

    assert response.status_code == status
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html", "application/*", "x"])
def test_refusal_is_plain_json_by_default(client: FlaskClient, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}

    response = client.get("/users/me", headers=headers)

    assert response.headers["Content-Type"] == "application/json"
    assert response.json == {"error": "Missing access token", "code": "token_missing"}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/problem+json", "application/problem+json"),
        ("Application/Problem+JSON", "application/problem+json"),
        ("text/html, application/problem+json;q=0.9", "application/problem+json"),
        ("application/json;q=0.5, application/problem+json", "application/problem+json"),
        ("application/json, application/problem+json;q=0.5", "application/json"),
        ("application/problem+json;q=0", "application/json"),
    ],
)
def test_format_of_a_refusal_follows_the_accept_header(client: FlaskClient, accept: str, content_type: str) -> None:
    assert client.get("/users/me", headers={"Accept": accept}).headers["Content-Type"] == content_type


def test_problem_details_carry_status_title_detail_and_the_same_code(client: FlaskClient) -> None:
    response = client.get("/users/me", headers={"Accept": "application/problem+json"})

    assert response.json == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Missing access token",
        "error": "Missing access token",
        "code": "token_missing",
    }
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_problem_details_of_invalid_input_name_the_fields(client: FlaskClient) -> None:
    response = client.post("/users", json={}, headers={"Accept": "application/problem+json"})

    assert response.json["status"] == 400
    assert response.json["fields"].keys() == {"email", "password"}


@pytest.mark.parametrize("path", ["/auth/unknown", "/auth", "/auth/", "/users/me/", "/users/7/posts", "/health/x"])
def test_unknown_path_among_ours_is_json(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response.json) == (404, UNKNOWN)


def test_unknown_method_among_ours_is_json_and_names_the_known_ones(client: FlaskClient) -> None:
    response = client.delete("/auth/login")

    assert response.status_code == 405
    assert response.json == {"error": "Method not allowed", "code": "method_not_allowed"}
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("path", ["/", "/unknown", "/usersx", "/authors/auth", "/Users/me", "/static/x.css"])
def test_unknown_path_elsewhere_is_the_apps_own(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.content_type.startswith("text/html")


def test_unknown_method_elsewhere_is_the_apps_own(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    add_views(app)

    response = app.test_client().post("/bare")

    assert response.status_code == 405
    assert response.content_type.startswith("text/html")


@pytest.mark.parametrize(
    ("path", "is_json"),
    [("/api/unknown", True), ("/api/auth/unknown", True), ("/auth/unknown", False), ("/apix", False)],
)
def test_unknown_path_is_json_below_the_prefix_only(make_app: Callable[..., Flask], path: str, is_json: bool) -> None:
    response = make_app(SECUREAUTH_URL_PREFIX="/api").test_client().get(path)

    assert response.status_code == 404
    assert response.is_json is is_json


def test_unknown_path_that_is_exactly_the_prefix_is_json(make_app: Callable[..., Flask]) -> None:
    client = make_app(SECUREAUTH_URL_PREFIX="/api/v1").test_client()

    assert client.get("/api/v1").json == {"error": "Not found", "code": "not_found"}


def test_abort_404_of_an_app_view_below_our_paths_stays_the_apps(app: Flask, client: FlaskClient) -> None:
    @app.get("/users/<int:number>/posts")
    def posts(number: int) -> None:
        abort(404, "No such posts")

    response = client.get("/users/7/posts")

    assert response.status_code == 404
    assert "No such posts" in response.text


def test_handler_of_a_blueprint_of_the_apps_wins_for_its_views(app: Flask, client: FlaskClient) -> None:
    blueprint = Blueprint("shop", __name__)
    blueprint.register_error_handler(HTTPException, lambda error: ("shop page", 404))
    blueprint.add_url_rule("/shop", view_func=lambda: abort(404))
    app.register_blueprint(blueprint)

    assert client.get("/shop").text == "shop page"


@pytest.fixture
def hosted(make_app: Callable[..., Flask]) -> Flask:
    """An app that Flask serves under one name only, with a user."""
    app = make_app(TRUSTED_HOSTS=["localhost"])
    sign_up(app.test_client())
    return app


@pytest.mark.parametrize("hosts", [("evil.example",), ("localhost", "evil.example"), ("evil.example", "localhost")])
def test_host_that_is_not_trusted_is_refused_in_json_and_nothing_happens(hosted: Flask, hosts: tuple[str, ...]) -> None:
    client, email = hosted.test_client(), {"email": "kim@example.com"}

    response = client.post("/auth/password-reset", json=email, headers=[("Host", host) for host in hosts])

    assert (response.status_code, response.json["code"]) == (400, "untrusted_host")
    assert response.json["error"] == "This site is not served under that host name."
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert mails(hosted) == []
    assert client.post("/auth/password-reset", json=email).status_code == 202
    assert len(mails(hosted)) == 1


def test_name_that_no_host_can_have_is_refused_in_json(client: FlaskClient) -> None:
    response = client.get("/health", headers={"Host": "a..b"})

    assert (response.status_code, response.json["code"]) == (400, "untrusted_host")


def test_untrusted_host_elsewhere_is_the_apps_own(hosted: Flask) -> None:
    response = hosted.test_client().get("/shop", headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert response.content_type.startswith("text/html")


@pytest.mark.parametrize("handled", [400, BadRequest, SecurityError, HTTPException, Exception])
@pytest.mark.parametrize("early", [True, False])
def test_apps_own_handler_of_400_wins_for_untrusted_hosts(
    make_app: Callable[..., Flask], handled: Any, early: bool
) -> None:
    def handle(app: Flask) -> None:
        app.register_error_handler(handled, lambda error: ("my page", 400))

    app = make_app(before=handle if early else None, TRUSTED_HOSTS=["localhost"])
    if not early:
        handle(app)

    assert app.test_client().get("/health", headers={"Host": "evil.example"}).text == "my page"


@pytest.mark.parametrize("handled", [404, NotFound, HTTPException, Exception])
def test_apps_own_handler_of_404_wins_for_unknown_paths(app: Flask, client: FlaskClient, handled: Any) -> None:
    app.register_error_handler(handled, lambda error: ("my page", 404))

    assert client.get("/auth/unknown").text == "my page"


@pytest.mark.parametrize("handled", [405, MethodNotAllowed, HTTPException, Exception])
def test_apps_own_handler_of_405_wins_for_unknown_methods(app: Flask, client: FlaskClient, handled: Any) -> None:
    app.register_error_handler(handled, lambda error: ("my page", 405))

    assert client.get("/auth/login").text == "my page"


def test_handler_of_404_leaves_405_to_us(app: Flask, client: FlaskClient) -> None:
    app.register_error_handler(404, lambda error: ("my page", 404))

    assert client.get("/auth/login").json["code"] == "method_not_allowed"


@pytest.mark.parametrize("handled", [TokenExpired, NotAuthenticated])
def test_apps_own_handler_of_a_refusal_wins(make_app: Callable[..., Flask], handled: type[AuthError]) -> None:
    app = make_app()
    add_views(app)

    @app.errorhandler(handled)
    def handle(error: AuthError) -> Any:
        return jsonify(mine=error.error_code), 401

    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    with frozen_clock(app) as clock:
        clock.advance(3606)

        assert client.get("/guarded", headers=bearer(token)).json == {"mine": "token_expired"}
        assert client.get("/users/me", headers=bearer(token)).json == {"mine": "token_expired"}


@pytest.mark.parametrize(("path", "code"), [("/users/me", "token_missing"), ("/auth/login", "invalid_input")])
def test_apps_own_handler_of_all_refusals_gets_every_status(
    app: Flask, client: FlaskClient, path: str, code: str
) -> None:
    app.register_error_handler(AuthError, lambda error: ({"mine": error.error_code}, 418))

    method = "POST" if path == "/auth/login" else "GET"

    assert client.open(path, method=method).json == {"mine": code}


@pytest.mark.parametrize("general", [HTTPException, Exception, 401, 400])
@pytest.mark.parametrize(("path", "status"), [("/users/me", 401), ("/auth/login", 400)])
def test_refusal_stays_ours_beside_a_general_handler_of_the_app(
    make_app: Callable[..., Flask], general: Any, path: str, status: int
) -> None:
    app = make_app(before=lambda app: app.register_error_handler(general, lambda error: ("my page", 500)))

    response = app.test_client().open(path, method="POST" if path == "/auth/login" else "GET")

    assert response.status_code == status
    assert response.json["code"] in {"token_missing", "invalid_input"}


def test_app_that_traps_http_exceptions_still_answers_a_refusal(make_app: Callable[..., Flask]) -> None:
    response = make_app(TRAP_HTTP_EXCEPTIONS=True).test_client().get("/users/me")

    assert (response.status_code, response.json["code"]) == (401, "token_missing")


class BrokenProfile(ProfileSchema):
    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        raise RuntimeError("sqlite:///secret/path")


@pytest.fixture
def broken(make_app: Callable[..., Flask]) -> FlaskClient:
    """An app whose profile crashes."""
    return make_app(secure_auth={"schemas": {ProfileSchema: BrokenProfile}}).test_client()


def test_crash_in_a_route_of_ours_is_json_without_a_trace(broken: FlaskClient) -> None:
    sign_up(broken)

    response = broken.get("/users/me", headers=bearer(sign_in(broken)))

    assert response.status_code == 500
    assert response.json == {"error": "Internal Server Error", "code": "internal_error"}
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_crash_in_a_route_of_ours_is_logged_with_its_trace(broken: FlaskClient, caplog: Any) -> None:
    sign_up(broken)
    broken.get("/users/me", headers=bearer(sign_in(broken)))

    (record,) = [record for record in caplog.records if record.exc_info]
    assert str(record.exc_info[1]) == "sqlite:///secret/path"


def test_crash_in_a_view_of_the_app_is_the_apps_own(app: Flask, client: FlaskClient) -> None:
    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("a bug of the app")

    response = client.get("/crash")

    assert response.status_code == 500
    assert response.content_type.startswith("text/html")


def test_failing_receiver_of_a_signal_does_not_change_the_answer(app: Flask, client: FlaskClient) -> None:
    def fail(sender: Flask, **facts: Any) -> None:
        raise RuntimeError("the receiver failed")

    with user_registered.connected_to(fail, app):
        response = client.post("/users", json={"email": "kim@example.com", "password": PASSWORD})

    assert response.status_code == 201


def test_invalid_input_raised_by_the_app_is_answered_like_ours(app: Flask, client: FlaskClient) -> None:
    @app.get("/strict")
    def strict() -> None:
        raise InvalidInput({"name": ["Name is required."]})

    response = client.get("/strict")

    assert response.status_code == 400
    assert response.json == {
        "error": "Name is required.",
        "code": "invalid_input",
        "fields": {"name": ["Name is required."]},
    }
