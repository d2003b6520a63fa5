"""What a browser could be made to do with our answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import ProfileSchema, RegistrationSchema, UserMixin
from tests.attacks.conftest import add_guarded_view
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in, sign_up

POLYGLOTS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//",
    "</title></style></textarea></script><svg/onload=alert()>",
    "{{7*7}}${7*7}#{7*7}<%= 7*7 %>{%raw%}",
    "\u2028alert(1)\u2029",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
]  # fmt: skip


class NamedRegistrationSchema(RegistrationSchema):
    """Registration with a name."""

    name = fields.String()


class NamedProfileSchema(ProfileSchema):
    """A profile with a name."""

    name = fields.String()


def _broken() -> None:
    raise RuntimeError("<script>")


ANSWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "health": (200, {"path": "/health"}),
    "registered": (201, {"path": "/users", "json": {"email": "lee@example.com", "password": PASSWORD}}),
    "taken": (409, {"path": "/users", "json": {"email": "kim@example.com", "password": PASSWORD}}),
    "invalid": (400, {"path": "/users", "json": {"email": "<script>"}}),
    "malformed": (400, {"path": "/users", "data": b"<script>", "content_type": "application/json"}),
    "content type": (415, {"path": "/users", "data": b"<script>", "content_type": "text/html"}),
    "too large": (413, {"path": "/users", "data": b"<" * 70_000, "content_type": "application/json"}),
    "signed in": (200, {"path": "/auth/login", "json": {"email": "kim@example.com", "password": PASSWORD}}),
    "refused sign-in": (401, {"path": "/auth/login", "json": {"email": "<script>", "password": "<script>"}}),
    "missing token": (401, {"path": "/users/me"}),
    "invalid token": (401, {"path": "/users/me", "headers": bearer("<script>")}),
    "guarded view": (401, {"path": "/guarded", "headers": bearer("<script>")}),
    "unknown path": (404, {"path": "/users/<script>alert(1)</script>"}),
    "traversal": (404, {"path": "/auth/../../etc/hostname"}),
    "other method": (405, {"path": "/users/me", "method": "PUT"}),
    "invented method": (405, {"path": "/users", "method": "<SCRIPT>"}),
    "trace": (405, {"path": "/auth/login", "method": "TRACE"}),
}


def _assert_inert(response: Any) -> None:
    headers = response.headers
    assert response.mimetype in ("application/json", "application/problem+json")
    assert headers.getlist("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert {"Authorization", "Cookie"} <= set(headers["Vary"].replace(" ", "").split(","))
    assert "Access-Control-Allow-Origin" not in headers
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("accept", ["text/html", "application/problem+json", "*/*"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_is_inert_and_cannot_be_framed(make_app: Callable[..., Flask], answer: str, accept: str) -> None:
    """F19, F29 and F31, ASVS 3.2.1, 3.4.6 and 14.3.2: JSON, never sniffed, framed, cached or shared across origins."""
    client = make_app(before=add_guarded_view).test_client()
    sign_up(client)
    status, request = ANSWERS[answer]
    method = request.get("method", "POST" if {"json", "data"} & request.keys() else "GET")
    headers = {"Accept": accept, "Origin": "https://evil.example", **request.get("headers", {})}

    response = client.open(**{**request, "method": method, "headers": headers})

    assert response.status_code == status
    _assert_inert(response)
    assert "<script>" not in response.text
    assert "alert(1)" not in response.text


def test_crash_says_nothing(make_app: Callable[..., Flask]) -> None:
    """F19 and F30, ASVS 16.5.1: a bug in a listener is a sentence for the client, and never a traceback."""

    class BrokenSchema(RegistrationSchema):
        def handle_error(self, *args: Any, **kwargs: Any) -> None:
            _broken()

    client = make_app(secure_auth={"schemas": {RegistrationSchema: BrokenSchema}}).test_client()

    response = client.post("/users", json={})

    assert (response.status_code, response.json["error"]) == (500, "Internal Server Error")
    _assert_inert(response)
    assert "script" not in response.text


@pytest.mark.parametrize("text", POLYGLOTS)
def test_polyglot_stays_a_text(make_app: Callable[..., Flask], text: str) -> None:
    """F19, ASVS 1.2.1, CWE-79: what a user stores comes back as it was, in JSON that no browser runs."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        name: Mapped[str | None] = mapped_column(String(255))

    schemas = {RegistrationSchema: NamedRegistrationSchema, ProfileSchema: NamedProfileSchema}
    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": User, "schemas": schemas})
    with app.app_context():
        db.create_all()
    client = app.test_client()
    body = {"email": "kim@example.com", "password": PASSWORD, "name": text}
    assert client.post("/users", json=body).status_code == 201

    response = client.get("/users/me", headers=bearer(sign_in(client)))

    assert response.json["name"] == text
    _assert_inert(response)


@pytest.mark.parametrize("text", POLYGLOTS)
def test_polyglot_is_no_address_and_is_not_repeated(client: FlaskClient, text: str) -> None:
    """F19: an answer repeats nothing of what it refuses."""
    for path in ("/users", "/auth/login"):
        response = client.post(path, json={"email": f"{text}@example.com", "password": text, text: text})
        assert response.status_code == 400
        _assert_inert(response)
        assert "alert" not in response.json["error"]
