"""User models of all shapes, each through a whole visit on every database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event, inspect, update
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import ConfigurationError, SecureAuth, UserMixin, current_user, jwt_required
from flask_secureauth.testing import signed_in_client
from tests.conftest import bearer, new_sqlalchemy, sign_in, sign_up
from tests.db.conftest import TABLES, counted, state_of
from tests.db.models import (
    MODELS,
    MakeModel,
    Model,
    joined_relationship,
    lazy_relationship,
    listening,
    named_columns,
    named_key,
    own_columns,
    plain,
    string_key,
    switched_by_column,
    switched_by_property,
    uuid_key,
    versioned,
)  # fmt: skip

pytestmark = pytest.mark.every_database
Build = Callable[..., Flask]


@pytest.mark.parametrize("staleness", [0, None])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_model_carries_a_whole_visit(build: Build, model: MakeModel, staleness: int | None) -> None:
    """Sign-up, sign-in, profile, a guarded view, logout; current_user is an object of the app's session."""
    app = build(model, SECUREAUTH_SESSION_STALENESS=staleness)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    profile = client.get("/users/me", headers=headers)
    assert (profile.status_code, profile.json["email"]) == (200, "kim@example.com")
    assert profile.json["id"]
    assert profile.json["created_at"].endswith("+00:00")
    who = client.get("/who", headers=headers).json
    assert (who["email"], who["same"]) == ("kim@example.com", True)
    assert client.post("/auth/logout", headers=headers).status_code == 200
    if staleness == 0:
        assert client.get("/who", headers=headers).json["code"] == "session_revoked"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_key_of_the_session_table_follows_the_model(build: Build, model: MakeModel, raw: Engine) -> None:
    """The foreign key points to the user's key, whatever its type and name, and goes with the user."""
    app = build(model)
    table = state_of(app).user_model.__table__

    (foreign,) = inspect(raw).get_foreign_keys("secureauth_sessions")

    assert foreign["referred_table"] == table.name
    assert foreign["referred_columns"] == [column.name for column in table.primary_key]
    assert foreign["options"]["ondelete"] == "CASCADE"


@pytest.mark.parametrize(
    "model", [plain, uuid_key, string_key, named_key, named_columns, own_columns, lazy_relationship]
)
def test_plain_model_needs_one_statement(build: Build, model: MakeModel) -> None:
    """The object is made from the row that the check has read."""
    app = build(model)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    with counted(app) as statements:
        assert client.get("/who", headers=headers).json["same"]

    assert len(statements) == 1


@pytest.mark.parametrize("model", [joined_relationship, listening, versioned], ids=lambda model: model.__name__)
def test_model_that_loads_more_is_loaded_by_sqlalchemy(build: Build, model: MakeModel) -> None:
    """What a row cannot give is read as the model wants it: one statement more, and no half-made object."""
    app = build(model)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    with counted(app) as statements:
        who = client.get("/who", headers=headers).json

    assert len(statements) == 2
    assert who["woken"] is (True if model is listening else None)


def test_load_listener_of_an_app_is_called(build: Build) -> None:
    """A listener that was added from outside counts as well."""
    woken: list[str] = []

    def model(db: SQLAlchemy) -> Model:
        user = plain(db)
        event.listen(user, "load", lambda target, context: woken.append(target.email))
        return user

    app = build(model)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))
    woken.clear()

    client.get("/who", headers=headers)

    assert woken == ["kim@example.com"]


@pytest.mark.parametrize(
    ("model", "change"),
    [(switched_by_column, {"is_active": False}), (switched_by_property, {"blocked_because": "spam"})],
    ids=["column", "property"],
)
def test_disabled_user_is_refused_at_once(build: Build, model: MakeModel, change: dict[str, Any]) -> None:
    """F27, ASVS 7.4.2: from the next request on, and at the next sign-in."""
    app = build(model)
    client = app.test_client()
    sign_up(client)
    sign_up(client, "lee@example.com")
    headers, other = bearer(sign_in(client)), bearer(sign_in(client, "lee@example.com"))
    state = state_of(app)
    with app.app_context():
        state.database.session.execute(
            update(state.user_model).where(state.user_model.email == "kim@example.com").values(**change)
        )
        state.database.session.commit()

    refused = client.get("/who", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (401, "session_revoked")
    login = client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-42"})
    assert login.json == {"error": "Invalid credentials", "code": "login.invalid_credentials"}
    assert client.get("/who", headers=other).json["email"] == "lee@example.com"


def test_current_user_can_be_changed_and_saved(build: Build) -> None:
    """An object that was made from a row is an ordinary object: changes are saved, deferred columns load."""
    app = build(own_columns)
    client = app.test_client()
    state = state_of(app)

    @app.post("/rename")
    @jwt_required
    def rename() -> dict[str, Any]:
        current_user.name = "Kim"
        assert current_user.notes is None
        state.database.session.commit()
        return {"name": current_user.name, "score": current_user.score}

    sign_up(client)
    headers = bearer(sign_in(client))

    assert client.post("/rename", headers=headers).json == {"name": "Kim", "score": 7}
    with app.app_context():
        assert state.users.attach(state.users.find_credentials("kim@example.com").row).name == "Kim"


def test_users_of_another_bind_live_in_their_own_database(
    make_app: Callable[..., Flask], database_url: str, tmp_path: Any
) -> None:
    """The sessions go where the users are; the default database stays empty."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __bind_key__ = "people"
        __tablename__ = "users"

    default = f"sqlite:///{tmp_path / 'default.sqlite3'}"
    app = make_app(
        before=db.init_app,
        secure_auth={"db": db, "user_model": User},
        SQLALCHEMY_DATABASE_URI=default,
        SQLALCHEMY_BINDS={"people": database_url},
    )
    with app.app_context():
        db.create_all()
        assert inspect(db.engine).get_table_names() == []
        assert set(inspect(db.engines["people"]).get_table_names()) == {"users", *TABLES}
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    assert client.get("/users/me", headers=headers).json["email"] == "kim@example.com"
    assert client.post("/auth/logout", headers=headers).status_code == 200
    assert client.get("/users/me", headers=headers).json["code"] == "session_revoked"


@pytest.mark.parametrize("model", [uuid_key, string_key, named_key], ids=lambda model: model.__name__)
def test_token_carries_the_key_as_a_string(build: Build, model: MakeModel) -> None:
    """A helper for tests takes the key as well as the object, and profile and token agree."""
    app = build(model)
    sign_up(app.test_client())
    state = state_of(app)
    with app.app_context():
        key = state.users.find_credentials("kim@example.com").key

    client = signed_in_client(app, key)

    assert str(client.get("/users/me").json["id"]) == str(key)
    assert client.get("/who").json["email"] == "kim@example.com"


def test_model_without_the_mixin_is_refused(database_url: str) -> None:
    """The error says what to write."""
    db = new_sqlalchemy()

    class Thing(db.Model):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"Thing.*UserMixin"):
        SecureAuth(db=db, user_model=Thing)


def test_model_with_a_key_of_two_columns_is_refused(database_url: str) -> None:
    """A token names one value."""
    db = new_sqlalchemy()

    class Pair(UserMixin, db.Model):
        __tablename__ = "pairs"
        half: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ConfigurationError, match="primary key of 2 columns"):
        SecureAuth(db=db, user_model=Pair)
