"""A check that fails itself denies: CWE-636."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import BUILTIN, Feature
from flask_secureauth.core.password_policy import PasswordPolicy
from flask_secureauth.features.throttling.rows import DatabaseStorage
from flask_secureauth.testing import mails
from tests.conftest import PASSWORD, THROTTLED
from tests.letters import KIM, LEE, NEW, RESET_CONFIRM, reset_token, send, users
from tests.visitor import Visitor, session_rows

LOGIN = {"email": KIM, "password": PASSWORD}


def fail(*arguments: Any, **named: Any) -> Any:
    raise RuntimeError("the check failed")


def assert_denied(app: Flask, path: str, body: dict[str, str], by: Visitor | None = None) -> None:
    """An error without a token, after which sessions, accounts and mails are as before."""
    visitor = by or Visitor(app)
    mails(app)
    before = session_rows(app), users(app)

    response = visitor.post(path, body)

    assert response.status_code == 500
    assert "token" not in response.text
    assert "Set-Cookie" not in response.headers
    assert (session_rows(app), users(app), mails(app)) == (*before, [])


def test_gate_that_fails_opens_no_session(make_app: Callable[..., Flask]) -> None:
    """F30, ASVS 16.5.3."""
    app = make_app(secure_auth={"features": (*BUILTIN, Feature(name="closed", gates=(fail,)))})
    assert send(app, "/users", **LOGIN).status_code == 201

    assert_denied(app, "/auth/login", LOGIN)


def test_limiter_that_fails_opens_nothing(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    """F30, ASVS 16.5.3: an error that is not the one of a store that is gone."""
    app = make_app(**THROTTLED)
    visitor = Visitor(app).sign_up()
    monkeypatch.setattr(DatabaseStorage, "_write", fail)

    assert_denied(app, "/auth/login", LOGIN)
    assert_denied(app, "/auth/refresh", {"refresh_token": visitor.tokens["refresh_token"]}, visitor)
    assert_denied(app, "/users", {"email": LEE, "password": PASSWORD})


def test_policy_that_fails_takes_no_password(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    """F30, ASVS 16.5.3: where a password is chosen, changed and reset."""
    app = make_app()
    visitor = Visitor(app).sign_up()
    token = reset_token(app)
    monkeypatch.setattr(PasswordPolicy, "problems", fail)

    assert_denied(app, "/users", {"email": LEE, "password": PASSWORD})
    assert_denied(app, "/users/me/password", {"current_password": PASSWORD, "new_password": NEW}, visitor)
    assert_denied(app, RESET_CONFIRM, {"token": token, "new_password": NEW})
