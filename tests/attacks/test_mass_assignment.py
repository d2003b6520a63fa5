"""Members that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import RegistrationSchema, UserMixin
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in, sign_up


class NamedRegistrationSchema(RegistrationSchema):
    """Registration with a field of the app's own."""

    name = fields.String()


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of an app whose users have a name, which they choose, and rights, which they do not."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        name: Mapped[str | None] = mapped_column(String(80))
        is_admin: Mapped[bool] = mapped_column(default=False)
        is_active: Mapped[bool] = mapped_column(default=True)

    schemas = {RegistrationSchema: NamedRegistrationSchema}
    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": User, "schemas": schemas})
    with app.app_context():
        db.create_all()
    return app.test_client()


def _users(client: FlaskClient) -> list[dict[str, Any]]:
    state = client.application.extensions["secureauth"]
    with client.application.app_context():
        rows = state.database.session.execute(select(state.user_model.__table__)).mappings()
        return [dict(row) for row in rows]


MEMBERS: dict[str, Any] = {
    "is_admin": True, "is_active": True, "role": "admin", "roles": ["admin"], "permissions": ["*"], "id": 1,
    "password_hash": "!", "_password_hash": "!", "email_verified": True, "mfa_enabled": False, "metadata": {},
    "created_at": "2020-01-01", "_created_at": "2020-01-01", "updated_at": None, "__class__": "x", "__dict__": {},
    "_sa_instance_state": None, "query": 1, "Email": "x", "email ": "x", "passwordConfirm": PASSWORD, "": 1,
    "\u0000x": 1,
}  # fmt: skip


@pytest.mark.parametrize("member", MEMBERS, ids=ascii)
@pytest.mark.parametrize("path", ["/users", "/auth/login", "/auth/logout"])
def test_member_of_the_attackers_choice_is_refused(client: FlaskClient, path: str, member: str) -> None:
    """F13, ASVS 15.3.3, CWE-915: 400, and nothing is written by it."""
    sign_up(client, "first@example.com")
    headers = bearer(sign_in(client, "first@example.com"))
    before = _users(client)
    body = {} if path == "/auth/logout" else {"email": "kim@example.com", "password": PASSWORD}

    response = client.post(path, json={**body, member: MEMBERS[member]}, headers=headers)

    assert response.status_code == 400
    assert response.json["code"] in ("invalid_input", "malformed_body")
    assert _users(client) == before
    assert client.get("/users/me", headers=headers).status_code == 200


def test_query_string_assigns_nothing(client: FlaskClient) -> None:
    """F13, CWE-235: members come from the body and from nowhere else."""
    query = {"is_admin": "1", "id": "77", "email": "eve@example.com", "name": "Eve"}

    response = client.post(
        "/users", query_string=query, json={"email": "kim@example.com", "password": PASSWORD, "name": "Kim"}
    )

    assert response.status_code == 201
    (row,) = _users(client)
    assert (row["email"], row["name"], bool(row["is_admin"])) == ("kim@example.com", "Kim", False)
    assert row["id"] != 77
    assert isinstance(row["created_at"], datetime)
    assert row["password_hash"].startswith("scrypt:")
