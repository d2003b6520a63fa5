"""Ids that SQLite would give away again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import ConfigurationError, SecureAuth, UserMixin
from flask_secureauth.db.doctor import examine
from flask_secureauth.testing import CONFIG
from tests.conftest import dispose, new_sqlalchemy


def test_model_without_autoincrement_is_refused_on_sqlite(make_app: Callable[..., Flask]) -> None:
    """J11: a deleted user's token would be the next user's."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __table_args__ = {"comment": "its own arguments"}
        name: Mapped[str | None] = mapped_column()

    with pytest.raises(ConfigurationError, match=r'add "sqlite_autoincrement": True to User\.__table_args__'):
        make_app(before=db.init_app, secure_auth={"db": db, "user_model": User})


def test_table_made_without_autoincrement_is_found_by_the_doctor(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.drop_all()
        columns = "id INTEGER PRIMARY KEY, email TEXT, password_hash TEXT, created_at TEXT, updated_at TEXT"
        state.sqlalchemy.session.execute(text(f"CREATE TABLE users ({columns})"))
        state.sqlalchemy.session.commit()
        state.sqlalchemy.create_all()

        (problem,) = examine(state.user_model, state.sqlalchemy)

    assert "SQLite gives the id of a deleted user to the next one" in problem


def test_method_is_active_is_refused() -> None:
    """A method is true whatever it would return: nobody could be disabled."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        def is_active(self) -> bool:
            return False

    with pytest.raises(ConfigurationError, match="is_active is a method"):
        SecureAuth(db=db, user_model=User)


def test_embedded_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    app = Flask("embedded", instance_path=str(tmp_path / "instance"))
    app.config.update(CONFIG)

    SecureAuth(app)

    assert (tmp_path / "instance" / "secureauth.sqlite3").stat().st_mode & 0o777 == 0o600
    dispose(app)
