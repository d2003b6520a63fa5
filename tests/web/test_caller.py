"""``current_user``, ``current_session``, ``get_jwt``, ``get_jwt_identity``: what a view learns about its caller."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth import (
    current_session,
    current_user,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)
from flask_secureauth.testing import frozen_clock
from tests.conftest import bearer, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_name
from tests.web.views import add_views, app_on


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app()
    add_views(app)
    return app


def test_current_user_is_an_object_of_the_apps_session(app: Flask, client: FlaskClient) -> None:
    @app.get("/kind")
    @jwt_required
    def kind() -> dict[str, Any]:
        state = app.extensions["secureauth"]
        user = current_user._get_current_object()
        return {"is_model": type(user) is state.user_model, "is_attached": user in state.sqlalchemy.session}

    sign_up(client)

    assert client.get("/kind", headers=bearer(sign_in(client))).json == {"is_model": True, "is_attached": True}


@pytest.mark.every_database
@pytest.mark.parametrize("staleness", [0, 60, None])
def test_change_of_current_user_is_stored_by_the_apps_commit(
    make_app: Callable[..., Flask], staleness: int | None
) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_name(db), SECUREAUTH_SESSION_STALENESS=staleness)

    @app.post("/name")
    @jwt_required
    def rename() -> dict[str, Any]:
        current_user.name = "Kim"
        db.session.commit()
        return {}

    @app.get("/name")
    @jwt_required
    def name() -> dict[str, Any]:
        return {"name": current_user.name}

    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    assert client.post("/name", headers=headers).status_code == 200
    assert client.get("/name", headers=headers).json == {"name": "Kim"}


def test_current_user_does_not_load_the_password_hash(app: Flask, client: FlaskClient) -> None:
    @app.get("/loaded")
    @jwt_required
    def loaded() -> dict[str, Any]:
        return {"loaded": sorted(vars(current_user._get_current_object()))}

    sign_up(client)

    assert "password_hash" not in client.get("/loaded", headers=bearer(sign_in(client))).json["loaded"]


def test_current_session_tells_when_and_how_the_user_signed_in(app: Flask, client: FlaskClient) -> None:
    @app.get("/session")
    @jwt_required
    def session() -> dict[str, Any]:
        return {
            "id": current_session.id == get_jwt()["sid"],
            "at": current_session.authenticated_at.isoformat(),
            "methods": current_session.methods,
        }

    sign_up(client)
    with frozen_clock(app, datetime(2026, 1, 21, 10, 30, tzinfo=UTC)):
        response = client.get("/session", headers=bearer(sign_in(client)))

    assert response.json == {"id": True, "at": "2026-01-21T10:30:00+00:00", "methods": ["pwd"]}


def test_current_session_is_nobody_without_a_token_under_optional(app: Flask, client: FlaskClient) -> None:
    @app.get("/session")
    @jwt_required(optional=True)
    def session() -> dict[str, Any]:
        return {"is_somebody": bool(current_session)}

    assert client.get("/session").json == {"is_somebody": False}


def test_get_jwt_identity_is_a_string(client: FlaskClient, token: str) -> None:
    assert client.get("/guarded", headers=bearer(token)).json == {"id": "1"}


def test_get_jwt_returns_a_copy(app: Flask, client: FlaskClient) -> None:
    @app.get("/promote")
    @jwt_required
    def promote() -> dict[str, Any]:
        claims = get_jwt()
        claims["sub"] = "2"
        claims["is_admin"] = True
        return {"id": get_jwt_identity()}

    sign_up(client)
    headers = bearer(sign_in(client))

    assert client.get("/promote", headers=headers).json == {"id": "1"}
    claims = client.get("/claims", headers=headers).json
    assert (claims["sub"], "is_admin" in claims) == ("1", False)


def test_changed_list_inside_get_jwt_changes_no_other_request(app: Flask, client: FlaskClient) -> None:
    """The claims of a verified token are kept for the next request; nobody may write a method into them."""

    @app.get("/promote")
    @jwt_required
    def promote() -> dict[str, Any]:
        get_jwt()["amr"].append("otp")
        return {}

    sign_up(client)
    headers = bearer(sign_in(client))
    client.get("/promote", headers=headers)

    assert client.get("/claims", headers=headers).json["amr"] == ["pwd"]


ASK: list[Callable[[], Any]] = [
    get_jwt,
    get_jwt_identity,
    lambda: current_user.email,
    lambda: current_session.id,
]


@pytest.mark.parametrize("ask", ASK)
def test_caller_of_a_request_that_nobody_checked_is_a_clear_error(app: Flask, token: str, ask: Any) -> None:
    with (
        app.test_request_context(headers=bearer(token)),
        pytest.raises(RuntimeError, match="put @jwt_required on the view, or call verify_jwt_in_request"),
    ):
        ask()


@pytest.mark.parametrize("ask", ASK)
def test_caller_outside_a_request_is_an_error_that_flask_explains(app: Flask, ask: Any) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="Working outside of request context"):
        ask()


def test_nothing_leaks_to_the_next_request_in_one_app_context(app: Flask) -> None:
    client = app.test_client()
    sign_up(client)
    sign_up(client, "kai@example.com")
    kim, kai = bearer(sign_in(client)), bearer(sign_in(client, "kai@example.com"))

    with app.app_context():
        answers = [client.get("/optional", headers=headers).json["email"] for headers in (kim, {}, kai, {}, kim)]

    assert answers == ["kim@example.com", None, "kai@example.com", None, "kim@example.com"]


def test_refused_token_leaves_no_caller_behind(app: Flask) -> None:
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    with app.app_context():
        assert client.get("/guarded", headers=headers).status_code == 200
        assert client.get("/guarded", headers=bearer("a.b.c")).status_code == 401
        assert client.get("/guarded").status_code == 401


def test_end_of_a_session_is_noticed_in_one_app_context(app: Flask) -> None:
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    with app.app_context():
        assert client.get("/email", headers=headers).status_code == 200
        assert client.post("/auth/logout", headers=headers).status_code == 200
        assert client.get("/email", headers=headers).status_code == 401


def test_request_inside_a_request_has_its_own_caller(app: Flask) -> None:
    client = app.test_client()

    @app.get("/outer")
    @jwt_required
    def outer() -> dict[str, Any]:
        inner = app.test_client().get("/optional").json
        return {"inner": inner["id"], "outer": get_jwt_identity()}

    sign_up(client)

    assert client.get("/outer", headers=bearer(sign_in(client))).json == {"inner": None, "outer": "1"}


def test_caller_of_one_app_is_nobody_to_an_app_that_the_request_is_handed_to(make_app: Callable[..., Flask]) -> None:
    """Confused deputy: a view may return a WSGI app, and Flask runs it with the same environ."""
    inner = make_app(SECRET_KEY="the inner app")
    add_views(inner)
    outer = make_app(SECRET_KEY="the outer app")

    @outer.get("/guarded")
    @jwt_required
    def hand_over() -> Any:
        return inner

    client = outer.test_client()
    sign_up(client)

    response = client.get("/guarded", headers=bearer(sign_in(client)))

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")
