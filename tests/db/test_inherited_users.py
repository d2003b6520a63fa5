"""A user model with descendants in the same table."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, update
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import UserMixin
from tests.conftest import bearer, sign_in, sign_up
from tests.db.conftest import counted, state_of
from tests.db.models import Model

pytestmark = pytest.mark.every_database


def inherited(db: SQLAlchemy) -> Model:
    """A model with descendants in the same table."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        kind: Mapped[str] = mapped_column(String(20))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "user"}

    class Admin(User):
        __mapper_args__ = {"polymorphic_identity": "admin"}

    return User


def test_user_of_an_inherited_class_is_an_object_of_that_class(build: Callable[..., Flask]) -> None:
    """Single-table inheritance: SQLAlchemy decides which class a row becomes."""
    app = build(inherited)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))
    state = state_of(app)
    with app.app_context():
        state.database.session.execute(update(state.user_model).values(kind="admin"))
        state.database.session.commit()

    with counted(app) as statements:
        assert client.get("/who", headers=headers).json["same"]

    assert len(statements) == 2
    with app.app_context():
        row = state.users.find_credentials("kim@example.com").row
        assert type(state.users.attach(row)).__name__ == "Admin"
