"""Somebody who uses an app from a page of it: keeps what a sign-in hands out, and sends it as the app wants it."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import Row, select
from werkzeug.test import TestResponse

from flask_secureauth.features.sessions.tables import SessionMixin
from tests.conftest import PASSWORD

ACCESS, REFRESH, CSRF, DEVICE = (f"__Host-secureauth_{kind}" for kind in ("access", "refresh", "csrf", "device"))
COOKIES = {"SECUREAUTH_ACCESS_TRANSPORT": "cookie", "SECUREAUTH_REFRESH_TRANSPORT": "cookie"}
REFRESH_COOKIE = {"SECUREAUTH_REFRESH_TRANSPORT": "cookie"}
ACCESS_COOKIE = {"SECUREAUTH_ACCESS_TRANSPORT": "cookie"}
TRANSPORTS: dict[str, dict[str, str]] = {
    "bodies": {},
    "cookies": COOKIES,
    "refresh cookie": REFRESH_COOKIE,
    "access cookie": ACCESS_COOKIE,
}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Visitor:
    """A browser with a page of ``app`` open. ``tokens`` are those that came in bodies."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        self.tokens: dict[str, str] = {}

    def cookie(self, name: str) -> str | None:
        """The value that the browser holds."""
        found = self.client.get_cookie(name)
        return found.value if found else None

    def plant(self, name: str, value: str) -> None:
        """Put a cookie into the browser."""
        self.client.set_cookie(name, value, domain="localhost", origin_only=True)

    def copy(self) -> Visitor:
        """A thief with all that this browser holds now."""
        thief = Visitor(self.app)
        thief.tokens = dict(self.tokens)
        for name in (ACCESS, REFRESH, CSRF):
            if value := self.cookie(name):
                thief.plant(name, value)
        return thief

    def open(
        self, method: str, path: str, *, headers: dict[str, str | None] | None = None, **rest: Any
    ) -> TestResponse:
        """Send a request with what a page would send along; ``None`` leaves one of these headers out."""
        sent: dict[str, str | None] = {**SAME_ORIGIN, "X-CSRF-Token": self.cookie(CSRF)}
        if "access_token" in self.tokens:
            sent["Authorization"] = f"Bearer {self.tokens['access_token']}"
        sent |= headers or {}
        return self.client.open(
            path, method=method, headers={name: value for name, value in sent.items() if value is not None}, **rest
        )

    def get(self, path: str, **rest: Any) -> TestResponse:
        """GET."""
        return self.open("GET", path, **rest)

    def post(self, path: str, json: Any = None, **rest: Any) -> TestResponse:
        """POST JSON; keep the tokens of the answer."""
        response = self.open("POST", path, json=json, **rest)
        if response.status_code == 200:
            self.tokens |= {name: response.json[name] for name in response.json if name.endswith("_token")}
        return response

    def sign_up(self, email: str = "kim@example.com") -> Visitor:
        """Register and sign in."""
        assert self.post("/users", {"email": email, "password": PASSWORD}).status_code == 201
        return self.sign_in(email)

    def sign_in(self, email: str = "kim@example.com", password: str = PASSWORD, **members: Any) -> Visitor:
        """Sign in."""
        response = self.post("/auth/login", {"email": email, "password": password, **members})
        assert response.status_code == 200, response.text
        return self

    def refresh(self, **rest: Any) -> TestResponse:
        """Trade the refresh token, wherever it is."""
        held = self.tokens.get("refresh_token")
        return self.post("/auth/refresh", {"refresh_token": held} if held else {}, **rest)


def send_cookies(app: Flask, cookies: str, path: str, **rest: Any) -> TestResponse:
    """Send a ``Cookie`` header by the letter, as no well-behaved browser would."""
    environ = {"HTTP_COOKIE": cookies, **rest.pop("environ_overrides", {})}
    return app.test_client(use_cookies=False).open(path, environ_overrides=environ, **rest)


def session_rows(app: Flask) -> list[Row[Any]]:
    """What is committed, the first session first: read on another connection than the app's own."""
    state = app.extensions["secureauth"]
    table = state.models[SessionMixin].__table__
    with app.app_context(), state.sqlalchemy.engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.created_at)))


def set_cookies(response: Any) -> dict[str, tuple[str, dict[str, str]]]:
    """Name -> value and attributes, which are in small letters."""
    found = {}
    for line in response.headers.getlist("Set-Cookie"):
        pair, _, rest = line.partition(";")
        name, _, value = pair.partition("=")
        attributes = dict(part.strip().partition("=")[::2] for part in rest.split(";"))
        assert name not in found, "set twice in one answer"
        found[name] = (value, {key.lower(): item for key, item in attributes.items()})
    return found
