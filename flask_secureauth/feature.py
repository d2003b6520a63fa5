"""What a feature is made of. A feature is a value; adding one edits no file but the list it stands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from click import Command
from marshmallow import Schema

from .errors import AuthError, TokenInvalid
from .events import Event


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a route asks of the access token.

    ``fresh`` is the longest time since the user proved who they are. ``unknown_user`` is raised for
    a genuine token whose user is gone.
    """

    optional: bool = False
    fresh: timedelta | None = None
    unknown_user: type[AuthError] = TokenInvalid


@dataclass(frozen=True)
class Route:
    """One request that a feature answers.

    ``view`` takes a :class:`~flask_secureauth.web.dispatch.Call`. ``body`` loads what was sent,
    ``answer`` dumps what the view returns; without it the view returns the answer's members.
    ``errors`` are the refusals of its own, for the docs.
    """

    name: str
    method: str
    path: str
    view: Callable[[Any], Any]
    _: KW_ONLY
    body: type[Schema] | None = None
    answer: type[Schema] | None = None
    status: int = 200
    guard: Guard | None = None
    errors: tuple[type[AuthError], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature, whole.

    ``service`` builds the rules from :class:`~flask_secureauth.db.parts.Parts`. ``gates``,
    ``claims`` and ``handlers`` get that service as their first argument: a gate ``(service, user,
    method)`` may refuse a sign-in, claims ``(service, user)`` are added to access tokens, a handler
    ``(service, event)`` acts in the transaction that announced the event.
    """

    name: str
    requires: tuple[str, ...] = ()
    settings: type | None = None
    tables: tuple[type, ...] = ()
    service: Callable[[Any], Any] | None = None
    routes: tuple[Route, ...] = ()
    gates: tuple[Callable[[Any, Any, str], None], ...] = ()
    claims: tuple[Callable[[Any, Any], Mapping[str, Any]], ...] = ()
    handlers: Mapping[type[Event], Callable[[Any, Any], None]] = field(default_factory=lambda: MappingProxyType({}))
    cli: tuple[Command, ...] = ()
