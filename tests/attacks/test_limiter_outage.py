"""The store of the throttles is gone: closed, never open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.features.throttling.rows import DatabaseStorage
from flask_secureauth.testing import mails
from tests.attacks.conftest import add_guarded_view
from tests.conftest import PASSWORD, THROTTLED, bearer, sign_up
from tests.visitor import Visitor

EMAIL, NEW = "kim@example.com", "amber-tundra-77"
KIM = {"email": EMAIL, "password": PASSWORD}
LINK = {"token": "x" * 43}
LIMITED: dict[str, dict[str, str]] = {
    "/auth/login": KIM,
    "/users": KIM,
    "/auth/reauthenticate": {"password": PASSWORD},
    "/users/me/password": {"current_password": PASSWORD, "new_password": NEW},
    "/users/me/email": {"email": "kim@new.example"},
    "/auth/password-reset": {"email": EMAIL},
    "/auth/password-reset/confirm": {**LINK, "new_password": NEW},
    "/auth/email-verification": {"email": EMAIL},
    "/auth/email-verification/confirm": LINK,
    "/auth/email-change/confirm": LINK,
    "/auth/email-change/undo": LINK,
    "/auth/refresh": {},
}


@pytest.fixture(params=["database", "redis"])
def broken(request: pytest.FixtureRequest, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An app whose store does not answer; its accounts are there."""
    settings = {"SECUREAUTH_EMAIL_VERIFICATION_MODE": "required"}
    if request.param == "redis":
        pytest.importorskip("redis")
        settings["SECUREAUTH_THROTTLING_STORAGE"] = "redis://127.0.0.1:1/0"
    else:

        def fail(*arguments: object, **named: object) -> None:
            raise OperationalError("INSERT", {}, Exception("gone"))

        monkeypatch.setattr(DatabaseStorage, "_write", fail)
    return make_app(before=add_guarded_view, **THROTTLED, **settings)


@pytest.fixture
def tokens(broken: Flask, make_app: Callable[..., Flask]) -> dict[str, str]:
    """The tokens of an account, from a worker that counts nothing."""
    return Visitor(make_app()).sign_up(EMAIL).tokens


@pytest.fixture
def token(tokens: dict[str, str]) -> str:
    """The access token."""
    return tokens["access_token"]


@pytest.mark.parametrize("path", LIMITED)
def test_what_is_limited_is_503_and_reaches_no_password(
    broken: Flask, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """F30, ASVS 16.5.3: without a count there is no guess, right or wrong."""
    monkeypatch.setattr(PasswordHasher, "verify", None)
    monkeypatch.setattr(PasswordHasher, "hash", None)
    body = LIMITED[path] or {"refresh_token": tokens["refresh_token"]}

    response = broken.test_client().post(path, json=body, headers=bearer(tokens["access_token"]))

    assert (response.status_code, response.json["code"]) == (503, "database_unavailable")
    assert response.headers["Retry-After"].isdecimal()
    for secret in ("127.0.0.1", "redis", "Error"):
        assert secret not in response.text
    assert mails(broken) == []


def test_what_is_not_limited_works_on(broken: Flask, token: str) -> None:
    client = broken.test_client()
    assert client.get("/guarded", headers=bearer(token)).status_code == 200
    assert client.get("/users/me", headers=bearer(token)).status_code == 200
    assert client.get("/health").status_code == 200


@pytest.mark.every_database
def test_missing_table_opens_nothing(make_app: Callable[..., Flask]) -> None:
    """An app that has not run its migration yet: an error, and no sign-in without a count."""
    app = make_app(**THROTTLED)
    client = app.test_client()
    sign_up(client)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.session.execute(text("DROP TABLE secureauth_throttling"))
        db.session.commit()

    assert client.post("/auth/login", json=KIM).status_code == 500
