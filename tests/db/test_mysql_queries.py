"""What databases do to comparisons: M6 and M7 of mysql.md."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

import flask_secureauth
from flask_secureauth import UserMixin
from tests.conftest import bearer, new_sqlalchemy, sign_in, sign_up
from tests.db.conftest import state_of


@pytest.mark.every_database
@pytest.mark.parametrize("subject", ["0", "1", "abc1", " abc", "a%", "___", "true"])
def test_string_key_is_compared_as_a_string(make_app: Callable[..., Flask], subject: str) -> None:
    """M6: ``WHERE key = 0`` finds every text in MySQL; a key is bound as what it is."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        id: Mapped[str] = mapped_column(String(36), primary_key=True, default="abc")

    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": User})
    with app.app_context():
        db.create_all()
        sign_up(app.test_client())
        state = state_of(app)
        sign_in(app.test_client())
        sid = state.database.session.scalar(select(state.sessions._model.id))
        now = int(state.clock.timestamp())
        token = state.issuer.issue(subject=subject, session_id=sid, auth_time=now, methods=["pwd"], now=now)
        state.database.session.rollback()

    response = app.test_client().get("/users/me", headers=bearer(token))

    assert response.status_code in (401, 404)


@pytest.mark.every_database
@pytest.mark.parametrize("sid", ["0" * 32, "f" * 32])
def test_session_id_is_compared_as_a_string(app: Flask, client: FlaskClient, sid: str) -> None:
    """M6: an id that reads as a number finds no other session."""
    sign_up(client)
    sign_in(client)
    issuer = state_of(app).issuer
    now = int(state_of(app).clock.timestamp())
    token = issuer.issue(subject="1", session_id=sid, auth_time=now, methods=["pwd"], now=now)

    response = client.get("/users/me", headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")


def _called_names(source: str) -> set[str]:
    return {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
    }


PATTERNS = {
    "like", "ilike", "not_like", "notlike", "contains", "icontains", "startswith_", "match", "regexp_match", "op",
    "istartswith", "iendswith",
}  # fmt: skip


def test_no_query_uses_a_pattern() -> None:
    """M7: no LIKE, no REGEXP: nothing to escape, whatever the mode of the server."""
    package = Path(flask_secureauth.__file__).parent
    for file in [*package.glob("db/*.py"), *package.glob("features/**/*.py")]:
        source = file.read_text()
        assert not PATTERNS & _called_names(source), file.name
        assert " LIKE " not in source.upper().replace("\n", " ") or "sqlalchemy" not in source, file.name
