"""What the database tests share."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, inspect, make_url
from sqlalchemy.pool import NullPool

from flask_secureauth import BUILTIN, current_user, jwt_required
from flask_secureauth.web.state import AuthState
from tests.conftest import new_sqlalchemy
from tests.db.models import MakeModel

T = TypeVar("T")
TABLES = [table.__tablename__ for feature in BUILTIN for table in feature.tables]


def state_of(app: Flask) -> AuthState:
    """What ``SecureAuth`` made of the app."""
    state: AuthState = app.extensions["secureauth"]
    return state


def engine_of(app: Flask) -> Engine:
    """The engine that holds the users."""
    state = state_of(app)
    with app.app_context():
        engine: Engine = state.sqlalchemy.session.get_bind(state.user_model.__mapper__)
    return engine


def kind_of(url: str) -> str:
    """``sqlite``, ``mysql`` or ``postgresql``."""
    return make_url(url).get_backend_name()


def elsewhere(work: Callable[[], T]) -> T:
    """Do ``work`` as another request would: in a thread of its own, which knows no context of this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.Context().run, work).result(60)


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that the database is sent meanwhile."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *args: Any) -> None:
        statements.append(statement)

    engine = engine_of(app)
    event.listen(engine, "after_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "after_cursor_execute", note)


@pytest.fixture
def raw(database_url: str) -> Iterator[Engine]:
    """The database, past the package."""
    engine = create_engine(database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def build(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Return a function that makes an app with a model, and a view that shows its user."""

    def make(model: MakeModel, **settings: Any) -> Flask:
        db = new_sqlalchemy()

        def prepare(app: Flask) -> None:
            db.init_app(app)

            @app.get("/who")
            @jwt_required
            def who() -> dict[str, Any]:
                user = current_user._get_current_object()
                same = db.session.get(type(user), inspect(user).identity) is user
                return {"email": user.email, "same": same, "woken": getattr(user, "woken", None)}

        app = make_app(before=prepare, secure_auth={"db": db, "user_model": model(db)}, **settings)
        with app.app_context():
            db.create_all()
        return app

    return make
