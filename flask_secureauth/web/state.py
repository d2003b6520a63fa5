"""What one app's ``SecureAuth`` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast

from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema
from sqlalchemy import Row

from ..core.clock import Clock
from ..core.jwt import Claims, TokenIssuer, TokenVerifier
from ..core.password_policy import PasswordPolicy
from ..core.passwords import PasswordHasher
from ..db.database import Database
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
    """One app's authentication: what features build their services from, and what requests use.

    ``settings`` holds a frozen dataclass for each group of settings: ``""``, ``"password"`` and
    ``"session"`` are the package's, the others bear the name of their feature. ``models`` maps the
    mixin of a table to its model. ``services``, ``gates`` and ``claims`` are filled while the
    features are built, in order, and complete when requests come.
    """

    testing: bool
    settings: Mapping[str, Any]
    features: Sequence[Feature]
    schemas: Mapping[type[Schema], type[Schema]]
    clock: Clock
    hasher: PasswordHasher
    policy: PasswordPolicy
    issuer: TokenIssuer
    verifier: TokenVerifier
    sqlalchemy: SQLAlchemy
    database: Database
    users: UserStore
    user_model: type[Any]
    models: Mapping[type, type[Any]]
    services: dict[str, Any] = field(default_factory=dict)
    gates: list[Callable[[Any, Sequence[str]], None]] = field(default_factory=list)
    claims: list[Callable[[Any], Mapping[str, Any]]] = field(default_factory=list)

    @property
    def general(self) -> GeneralSettings:
        """The settings that belong to no feature."""
        return cast("GeneralSettings", self.settings[""])

    @cached_property
    def sessions(self) -> SessionChecker:
        """The service of the feature ``sessions``, which the guard asks on every request."""
        return cast("SessionChecker", self.services["sessions"])

    def service(self, kind: type[T]) -> T:
        """Return the service of a feature by its class. Raises LookupError when no feature brings it."""
        for service in self.services.values():
            if isinstance(service, kind):
                return service
        raise LookupError(f"No feature of this app brings a {kind.__name__}.")


def current_auth() -> AuthState:
    """Return the :class:`AuthState` of the current app. Raises RuntimeError when it has none."""
    try:
        state: AuthState = current_app.extensions[EXTENSION]
    except KeyError:
        raise RuntimeError("This app has no SecureAuth: call SecureAuth(app), or init_app(app), first.") from None
    return state
