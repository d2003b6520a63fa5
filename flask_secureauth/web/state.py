"""What one app's ``SecureAuth`` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn, Protocol, TypeVar, cast

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema
from sqlalchemy import Row

from ..core.clock import Clock
from ..core.jwks import NoKeys
from ..core.jwt import Claims, TokenIssuer, TokenVerifier
from ..core.key_ring import KeySource, VerifyingSource
from ..core.password_policy import PasswordPolicy
from ..core.passwords import PasswordHasher
from ..db.database import Database
from ..db.doctor import examine
from ..db.user_store import UserStore
from ..errors import SessionRevoked
from ..feature import Feature
from ..settings import EXTENSION, GeneralSettings, VerificationSettings
from .logs import RefusalLog
from .throttles import NoThrottles, Throttles
from .transport import Transport

T = TypeVar("T")


class UnknownUser(Exception):
    """The user that a genuine token names is gone."""


class UnknownSession(SessionRevoked):
    """A genuine token names a session that is not there: it was purged, or goes on under another name."""


class SessionChecker(Protocol):
    """Knows whether the session behind a token is alive."""

    def check(self, claims: Claims) -> Row[Any] | None:
        """Return the user's row when it was read along, ``None`` when nothing was read.

        Raises :exc:`~flask_secureauth.errors.SessionRevoked`, :exc:`UnknownUser`.
        """
        ...

    def check_now(self, claims: Claims) -> Row[Any]:
        """Read the row in any case, and raise the same."""
        ...


class Mailboxes(Protocol):
    """Knows of which accounts the mailbox was proven to be its user's."""

    required: bool
    """Whether only they can sign in. Then a visitor is not told which addresses are taken."""

    def registered(self, user: Any) -> None:
        """Be told of a visitor's new account."""
        ...

    def registered_again(self, email: str, *, password_hash: str, fields: Mapping[str, Any]) -> None:
        """Be told that a visitor registered a taken address, where only its owner may learn that."""
        ...

    def is_pending(self, user_id: Any) -> bool:
        """Whether a visitor registered the account and nobody has proven its address; locked until the commit."""
        ...

    def find_verified(self, user: Any) -> bool | None:
        """Whether the address of ``user`` was proven; ``None`` when nobody asks."""
        ...


class UnprovenMailboxes:
    """Nobody is asked to prove an address."""

    required = False

    def registered(self, user: Any) -> None:
        """Nothing to do."""

    def registered_again(self, email: str, *, password_hash: str, fields: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def is_pending(self, user_id: Any) -> bool:
        """Nobody is waited for."""
        return False

    def find_verified(self, user: Any) -> None:
        """Nobody knows."""


class NoAccounts(RuntimeError):
    """Something wants an account, and this app only verifies the tokens of another service."""

    def __init__(self) -> None:
        super().__init__(
            "This app verifies the tokens of another service (SECUREAUTH_JWKS_URL) and has no accounts of its own. "
            "get_jwt_identity() tells whose token it is, get_jwt() what else the token says."
        )


class _TokensAlone:
    """The sessions of another service: unknown here, so a token is good until it ends."""

    def check(self, claims: Claims) -> None:
        return None

    def check_now(self, claims: Claims) -> NoReturn:
        raise NoAccounts


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What guarding views takes. All that an app has that only verifies the tokens of another service.

    ``settings`` holds a frozen dataclass for each group of settings; ``""`` is the general one.
    """

    testing: bool
    settings: Mapping[str, Any]
    features: Sequence[Feature]
    clock: Clock
    keys: VerifyingSource
    verifier: TokenVerifier

    @property
    def general(self) -> VerificationSettings:
        """The settings that belong to no feature."""
        return cast("VerificationSettings", self.settings[""])

    @property
    def access_in_cookie(self) -> bool:
        """Whether access tokens travel in a cookie of this app."""
        return False

    @cached_property
    def refusals(self) -> RefusalLog:
        """Where the guard notes why it refused a token."""
        return RefusalLog(self.clock)

    @cached_property
    def sessions(self) -> SessionChecker:
        """Whom the guard asks on every request whether a session is alive."""
        return _TokensAlone()

    def user_of(self, claims: Claims, row: Row[Any] | None) -> Any:
        """Return the user that a checked token names, from ``row`` when it was read along; ``None`` if gone."""
        raise NoAccounts

    def examine(self) -> list[str]:
        """Return a sentence for each problem outside of the settings."""
        try:
            self.keys.ring(self.clock.timestamp())
        except NoKeys as error:
            return [f"SECUREAUTH_JWKS_URL: there is no key set: {error}."]
        return []


@dataclass(frozen=True, kw_only=True)
class AuthState(Verification):
    """One app's authentication: what features build their services from, and what requests use.

    ``settings`` holds a frozen dataclass for each group of settings: ``""``, ``"password"`` and
    ``"session"`` are the package's, the others bear the name of their feature. ``models`` maps the
    mixin of a table to its model. ``services``, ``gates``, ``claims`` and ``remarks``, what an
    operator should know though nothing is wrong, are filled while the features are built, in order, and complete
    when requests come.
    """

    app: Flask
    keys: KeySource
    schemas: Mapping[type[Schema], type[Schema]]
    hasher: PasswordHasher
    policy: PasswordPolicy
    issuer: TokenIssuer
    transport: Transport
    sqlalchemy: SQLAlchemy
    database: Database
    users: UserStore
    user_model: type[Any]
    models: Mapping[type, type[Any]]
    services: dict[str, Any] = field(default_factory=dict)
    gates: list[Callable[[Any, Sequence[str]], None]] = field(default_factory=list)
    claims: list[Callable[[Any], Mapping[str, Any]]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def general(self) -> GeneralSettings:
        """The settings that belong to no feature."""
        return cast("GeneralSettings", self.settings[""])

    @cached_property
    def sessions(self) -> SessionChecker:
        """The service of the feature ``sessions``."""
        return cast("SessionChecker", self.services["sessions"])

    @cached_property
    def throttles(self) -> Throttles:
        """The service of the feature ``throttling``; without that feature nothing is counted."""
        return cast("Throttles", self.services.get("throttling") or NoThrottles())

    @cached_property
    def mailboxes(self) -> Mailboxes:
        """The service of the feature ``email_verification``; without that feature no address is ever proven."""
        return cast("Mailboxes", self.services.get("email_verification") or UnprovenMailboxes())

    @property
    def access_in_cookie(self) -> bool:
        return self.transport.access_in_cookie

    def user_of(self, claims: Claims, row: Row[Any] | None) -> Any:
        if row is not None:
            return self.users.attach(row)
        key = self.users.key(claims["sub"])
        return None if key is None else self.users.find(key)

    def examine(self) -> list[str]:
        return examine(self.user_model, self.sqlalchemy)

    def service(self, kind: type[T]) -> T:
        """Return the service of a feature by its class. Raises LookupError when no feature brings it."""
        for service in self.services.values():
            if isinstance(service, kind):
                return service
        raise LookupError(f"No feature of this app brings a {kind.__name__}.")


def current_verification() -> Verification:
    """Return what the current app guards its views with. Raises RuntimeError when it has nothing."""
    try:
        state: Verification = current_app.extensions[EXTENSION]
    except KeyError:
        raise RuntimeError("This app has no SecureAuth: call SecureAuth(app), or init_app(app), first.") from None
    return state


def current_auth() -> AuthState:
    """Return the :class:`AuthState` of the current app. Raises RuntimeError when it has none."""
    state = current_verification()
    if not isinstance(state, AuthState):
        raise NoAccounts
    return state
