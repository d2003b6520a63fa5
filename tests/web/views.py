"""Views of an app that uses the package, for the tests of several floors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_secureauth import current_user, get_jwt, get_jwt_identity, jwt_required
from tests.visitor import Visitor


def add_views(app: Flask) -> None:
    """A bare view and one for each way of guarding."""
    _add_plain_views(app)
    _add_views_with_arguments(app)


def _add_plain_views(app: Flask) -> None:
    @app.get("/bare")
    def bare() -> dict[str, str]:
        return {"view": "bare"}

    @app.get("/guarded")
    @jwt_required
    def guarded() -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    @app.get("/async")
    @jwt_required
    async def asynchronous() -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    @app.get("/email")
    @jwt_required
    def email() -> dict[str, Any]:
        return {"email": current_user.email}

    @app.get("/claims")
    @jwt_required
    def claims() -> dict[str, Any]:
        return get_jwt()


def _add_views_with_arguments(app: Flask) -> None:
    @app.get("/called")
    @jwt_required()
    def called() -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    @app.get("/optional")
    @jwt_required(optional=True)
    def optional() -> dict[str, Any]:
        return {"id": get_jwt_identity(), "email": current_user.email if current_user else None, "claims": get_jwt()}

    @app.get("/fresh")
    @jwt_required(fresh=True)
    def fresh() -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    @app.get("/fresh-for-a-minute")
    @jwt_required(fresh=timedelta(minutes=1))
    def fresh_for_a_minute() -> dict[str, Any]:
        return {"id": get_jwt_identity()}


def app_on(make_app: Any, db: SQLAlchemy, user_model: type[Any], **options: Any) -> Flask:
    """An app with its own SQLAlchemy and user model, its tables created, and the views above."""
    secure_auth = {"db": db, "user_model": user_model, **options.pop("secure_auth", {})}
    app: Flask = make_app(before=db.init_app, secure_auth=secure_auth, **options)
    with app.app_context():
        db.create_all()
    add_views(app)
    return app


def page() -> Callable[[], dict[str, Any]]:
    """A view of its own each time: marks are on functions."""

    def view() -> dict[str, Any]:
        return {}

    return view


def answers(app: Flask, path: str, method: str = "GET") -> tuple[int, int]:
    """Without a token, and with one."""
    visitor = Visitor(app).sign_up()
    without = app.test_client().open(path, method=method, buffered=True)
    if without.status_code == 401:
        assert without.json["code"] == "token_missing"
    return without.status_code, visitor.open(method, path, buffered=True).status_code
