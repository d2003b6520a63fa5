"""``jwt_required`` on every kind of view, and ``verify_jwt_in_request``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Response
from flask.testing import FlaskClient
from flask.views import MethodView, View

from flask_secureauth import NotAuthenticated, get_jwt_identity, jwt_required, verify_jwt_in_request
from flask_secureauth.testing import frozen_clock
from tests.conftest import bearer, sign_in, sign_up
from tests.web.views import add_views

GUARDED = ["/guarded", "/called", "/async", "/email", "/claims", "/fresh", "/fresh-for-a-minute"]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app()
    add_views(app)
    return app


@pytest.mark.parametrize("path", [*GUARDED, "/optional"])
def test_guarded_view_lets_a_good_token_in(client: FlaskClient, token: str, path: str) -> None:
    assert client.get(path, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
def test_guarded_view_refuses_a_request_without_a_token(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response.json) == (401, {"error": "Missing access token", "code": "token_missing"})
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [*GUARDED, "/optional"])
def test_guarded_view_refuses_a_bad_token(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers=bearer("a.b.c"))

    assert (response.status_code, response.json) == (401, {"error": "Invalid access token", "code": "token_invalid"})
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("path", [*GUARDED, "/optional"])
def test_guarded_view_says_that_a_token_has_expired(app: Flask, client: FlaskClient, path: str) -> None:
    sign_up(client)
    token = sign_in(client)
    with frozen_clock(app) as clock:
        clock.advance(3605)
        response = client.get(path, headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "token_expired")


def test_leeway_forgives_clocks_that_differ(app: Flask, client: FlaskClient) -> None:
    with frozen_clock(app) as clock:
        sign_up(client)
        token = sign_in(client)
        clock.advance(3604)

        assert client.get("/guarded", headers=bearer(token)).status_code == 200


def test_optional_view_answers_without_a_token(client: FlaskClient) -> None:
    response = client.get("/optional")

    assert response.json == {"id": None, "email": None, "claims": {}}


@pytest.mark.parametrize("header", ["Basic a2ltOmtpbQ==", "Digest x", ""])
def test_another_scheme_counts_as_no_token(client: FlaskClient, header: str) -> None:
    assert client.get("/guarded", headers={"Authorization": header}).json["code"] == "token_missing"


@pytest.mark.parametrize(("path", "seconds"), [("/fresh", 300), ("/fresh-for-a-minute", 60)])
def test_fresh_view_wants_a_recent_sign_in(app: Flask, client: FlaskClient, path: str, seconds: int) -> None:
    sign_up(client)
    with frozen_clock(app) as clock:
        clock.moment = clock.moment.replace(microsecond=0)
        headers = bearer(sign_in(client))
        clock.advance(seconds)
        at_the_limit = client.get(path, headers=headers)
        clock.advance(1)
        after_it = client.get(path, headers=headers)

    assert at_the_limit.status_code == 200
    assert after_it.status_code == 403
    assert after_it.json == {"error": "Please sign in again to do this", "code": "fresh_login_required"}
    assert after_it.headers["WWW-Authenticate"] == 'Bearer error="insufficient_user_authentication"'


def test_decorator_keeps_name_docstring_and_arguments_of_a_view(app: Flask, client: FlaskClient) -> None:
    @app.get("/items/<int:number>")
    @jwt_required
    def item(number: int, detail: str = "short") -> dict[str, Any]:
        """Show an item."""
        return {"number": number, "detail": detail}

    sign_up(client)
    response = client.get("/items/7", headers=bearer(sign_in(client)))

    assert response.json == {"number": 7, "detail": "short"}
    assert (item.__name__, item.__doc__) == ("item", "Show an item.")


def test_decorator_passes_what_a_view_returns_untouched(app: Flask, client: FlaskClient) -> None:
    @app.get("/teapot")
    @jwt_required
    def teapot() -> tuple[str, int, dict[str, str]]:
        return "tea", 418, {"X-Kind": "green"}

    sign_up(client)
    response = client.get("/teapot", headers=bearer(sign_in(client)))

    assert (response.status_code, response.text, response.headers["X-Kind"]) == (418, "tea", "green")


def test_arguments_of_the_decorator_are_named() -> None:
    with pytest.raises(TypeError):
        jwt_required(None, True)  # type: ignore[call-overload]


class Listing(View):
    decorators = [jwt_required]

    def dispatch_request(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}


class Called(View):
    decorators = [jwt_required()]

    def dispatch_request(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}


class OneMethod(MethodView):
    @jwt_required
    def get(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    def post(self) -> dict[str, Any]:
        return {"id": None}


class AsyncMethod(MethodView):
    @jwt_required
    async def get(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}


@pytest.mark.parametrize("view", [Listing, Called, OneMethod, AsyncMethod])
def test_class_based_view_can_be_guarded(app: Flask, client: FlaskClient, view: type[View]) -> None:
    app.add_url_rule("/class", view_func=view.as_view("class"))
    sign_up(client)

    assert client.get("/class").status_code == 401
    assert client.get("/class", headers=bearer(sign_in(client))).json == {"id": "1"}


def test_method_without_a_guard_stays_open(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/class", view_func=OneMethod.as_view("class"))

    assert client.post("/class").status_code == 200


def test_before_request_of_a_blueprint_can_guard_all_its_views(app: Flask, client: FlaskClient) -> None:
    area = Blueprint("area", __name__, url_prefix="/area")
    area.before_request(verify_jwt_in_request)
    area.add_url_rule("/page", view_func=lambda: {"id": get_jwt_identity()})
    app.register_blueprint(area)
    sign_up(client)

    assert client.get("/area/page").status_code == 401
    assert client.get("/area/page", headers=bearer(sign_in(client))).json == {"id": "1"}


def test_stricter_guard_after_an_optional_one_decides(app: Flask, client: FlaskClient) -> None:
    @app.before_request
    def look() -> None:
        verify_jwt_in_request(optional=True)

    assert client.get("/bare").status_code == 200
    assert client.get("/guarded").json["code"] == "token_missing"


def test_fresh_guard_after_a_plain_one_decides(app: Flask, client: FlaskClient) -> None:
    app.before_request(lambda: verify_jwt_in_request(optional=True))
    sign_up(client)
    headers = bearer(sign_in(client))
    with frozen_clock(app) as clock:
        clock.advance(400)

        assert client.get("/guarded", headers=headers).status_code == 200
        assert client.get("/fresh", headers=headers).status_code == 403


def test_refusal_can_be_caught_by_the_app(app: Flask, client: FlaskClient) -> None:
    @app.get("/soft")
    def soft() -> Response | dict[str, str]:
        try:
            verify_jwt_in_request()
        except NotAuthenticated as refusal:
            return {"caught": refusal.error_code}
        return {"caught": ""}

    assert client.get("/soft", headers=bearer("a.b.c")).json == {"caught": "token_invalid"}


def test_guard_in_an_app_without_secure_auth_says_what_is_missing() -> None:
    app = Flask("bare")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    add_views(app)

    with pytest.raises(RuntimeError, match=r"call SecureAuth\(app\), or init_app\(app\), first"):
        app.test_client().get("/guarded", headers=bearer("a.b.c"))


def test_refused_token_is_logged_with_its_reason_and_never_itself(
    client: FlaskClient, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 16.2.5 and 16.3.3: the log says why; the client is told no reason, the log no token."""
    caplog.set_level("INFO", logger="flask_secureauth")
    forged = f"{token.rpartition('.')[0]}.{'A' * 43}"
    client.get("/guarded", headers=bearer(forged) | {"User-Agent": "test/1"})

    (line,) = [message for message in caplog.messages if message.startswith("token_refused")]
    assert line == "token_refused reason='bad signature' ip='127.0.0.1' agent='test/1'"


@pytest.mark.parametrize("fresh", [None, 60, "yes"])
def test_fresh_of_another_type_is_refused_where_it_is_written(fresh: Any) -> None:
    with pytest.raises(TypeError, match="fresh is True, False or a timedelta"):
        jwt_required(fresh=fresh)
