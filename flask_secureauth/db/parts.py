"""What a feature's service is built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

from ..core.clock import Clock
from ..core.jwt import TokenIssuer
from ..core.password_policy import PasswordPolicy
from ..core.passwords import PasswordHasher
from ..settings import SessionSettings, TokenSettings
from .database import Database
from .users import UserStore

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What features contribute. Filled while they are built, in order; complete when requests come."""

    services: dict[str, Any] = field(default_factory=dict)
    gates: list[Callable[[Any, str], None]] = field(default_factory=list)
    claims: list[Callable[[Any], Mapping[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The floors below the features, ready to use, and the services of features that came before."""

    testing: bool
    settings: Any
    token_settings: TokenSettings
    session_settings: SessionSettings
    clock: Clock
    hasher: PasswordHasher
    policy: PasswordPolicy
    issuer: TokenIssuer
    database: Database
    users: UserStore
    user_model: type[Any]
    models: Mapping[type, type[Any]]
    schemas: Mapping[type[Schema], type[Schema]]
    hooks: Hooks

    def service(self, kind: type[T]) -> T:
        """Return the service of a feature that this one requires."""
        return find_service(self.hooks.services, kind)


def find_service(services: Mapping[str, Any], kind: type[T]) -> T:
    """Return the one service that is a ``kind``. Raises LookupError when no feature brings it."""
    for service in services.values():
        if isinstance(service, kind):
            return service
    raise LookupError(f"No feature of this app brings a {kind.__name__}.")
