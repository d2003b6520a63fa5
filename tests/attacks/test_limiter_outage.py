"""The store of the throttles is gone: closed, never open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.features.throttling.rows import DatabaseStorage
from tests.attacks.conftest import add_guarded_view
from tests.conftest import PASSWORD, THROTTLED, bearer, sign_in, sign_up

KIM = {"email": "kim@example.com", "password": PASSWORD}


@pytest.fixture(params=["database", "redis"])
def broken(request: pytest.FixtureRequest, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An app whose store does not answer; its accounts are there."""
    settings = {}
    if request.param == "redis":
        pytest.importorskip("redis")
        settings["SECUREAUTH_THROTTLING_STORAGE"] = "redis://127.0.0.1:1/0"
    else:

        def fail(*arguments: object, **named: object) -> None:
            raise OperationalError("INSERT", {}, Exception("gone"))

        monkeypatch.setattr(DatabaseStorage, "_write", fail)
    return make_app(before=add_guarded_view, **THROTTLED, **settings)


@pytest.fixture
def token(broken: Flask, make_app: Callable[..., Flask]) -> str:
    """The access token of an account, from a worker that counts nothing."""
    client = make_app().test_client()
    sign_up(client)
    return sign_in(client)


@pytest.mark.parametrize("path", ["/auth/login", "/users", "/auth/reauthenticate", "/users/me/password"])
def test_what_is_limited_is_503_and_reaches_no_password(
    broken: Flask, token: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """F30, ASVS 16.5.3: without a count there is no guess, right or wrong."""
    monkeypatch.setattr(PasswordHasher, "verify", None)
    body = {**KIM, "current_password": PASSWORD, "new_password": "amber-tundra-77"}
    wanted = {"/auth/login": KIM, "/users": KIM, "/auth/reauthenticate": {"password": PASSWORD}}.get(path, body)

    response = broken.test_client().post(path, json=wanted, headers=bearer(token))

    assert (response.status_code, response.json["code"]) == (503, "database_unavailable")
    assert response.headers["Retry-After"].isdecimal()
    for secret in ("127.0.0.1", "redis", "Error"):
        assert secret not in response.text


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
