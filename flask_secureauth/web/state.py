"""What one app's ``SecureAuth`` is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Row

from ..core.clock import Clock
from ..core.jwt import Claims, TokenIssuer, TokenVerifier
from ..db.database import Database
from ..db.parts import find_service
from ..db.users import UserStore
from ..feature import Feature
from ..settings import GeneralSettings

EXTENSION = "secureauth"
T = TypeVar("T")


class UnknownUser(Exception):
    """The user that a genuine token names is gone."""


class SessionChecker(Protocol):
    """Knows whether the session behind a token is alive."""

    def check(self, claims: Claims) -> Row[Any] | None:
        """Return the user's row when it was read along, ``None`` when nothing was read.

        Raises :exc:`~flask_secureauth.errors.SessionRevoked`, :exc:`UnknownUser`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class AuthState:
    """One app's authentication, built by ``init_app`` and never changed."""

    settings: GeneralSettings
    groups: Mapping[str, type]
    features: Sequence[Feature]
    services: Mapping[str, Any]
    clock: Clock
    issuer: TokenIssuer
    verifier: TokenVerifier
    sessions: SessionChecker
    database: Database
    users: UserStore
    user_model: type[Any]
    sqlalchemy: SQLAlchemy

    def service(self, kind: type[T]) -> T:
        """Return the service of a feature by its class."""
        return find_service(self.services, kind)


def current_auth() -> AuthState:
    """Return the :class:`AuthState` of the current app. Raises RuntimeError when it has none."""
    try:
        state: AuthState = current_app.extensions[EXTENSION]
    except KeyError:
        raise RuntimeError("This app has no SecureAuth: call SecureAuth(app), or init_app(app), first.") from None
    return state
