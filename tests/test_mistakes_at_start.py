"""Mistakes of a newcomer: each is one ConfigurationError that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import ConfigurationError, RegistrationSchema, SecureAuth, create_access_token
from tests.conftest import new_sqlalchemy


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SECUREAUTH_ACCESS_TOKEN_LIFETIME": float("nan")}, "SECUREAUTH_ACCESS_TOKEN_LIFETIME must be a timedelta"),
        ({"SECUREAUTH_RULES": {"health.show": "/h/<int:x>"}}, "health.show must keep the parameters of /health"),
        ({"secure_auth": {"schemas": {RegistrationSchema: RegistrationSchema()}}}, "must be a subclass"),
    ],
)
def test_mistake_is_named(make_app: Callable[..., Flask], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        make_app(**settings)


def test_database_in_the_place_of_the_app_is_named() -> None:
    db: Any = new_sqlalchemy()

    with pytest.raises(ConfigurationError, match="pass a database by name"):
        SecureAuth(db)


def test_token_that_never_expires_is_refused(app: Flask, user: Any) -> None:
    """Flask-JWT-Extended takes expires_delta=False for that."""
    never: Any = False

    with app.app_context(), pytest.raises(ValueError, match="never expires"):
        create_access_token(user, expires_delta=never)
