"""What a feature is made of. A feature is a value; adding one edits no file but the list it stands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from click import Command
from marshmallow import Schema

from .errors import AuthError, ConfigurationError, TokenInvalid
from .events import Event
from .settings import BASE_GROUPS


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

    ``service`` builds the rules from the :class:`~flask_secureauth.web.state.AuthState`. ``gates``,
    ``claims`` and ``handlers`` get that service as their first argument: a gate ``(service, user,
    methods)`` may refuse a sign-in, claims ``(service, user)`` are added to access tokens, a handler
    ``(service, event)`` acts in the transaction that announced the event.
    """

    name: str
    requires: tuple[str, ...] = ()
    settings: type | None = None
    tables: tuple[type, ...] = ()
    service: Callable[[Any], Any] | None = None
    routes: tuple[Route, ...] = ()
    gates: tuple[Callable[[Any, Any, Sequence[str]], None], ...] = ()
    claims: tuple[Callable[[Any, Any], Mapping[str, Any]], ...] = ()
    handlers: Mapping[type[Event], Callable[[Any, Any], None]] = field(default_factory=lambda: MappingProxyType({}))
    cli: tuple[Command, ...] = ()


def check_features(features: Sequence[Feature]) -> None:
    """Raise :exc:`~flask_secureauth.errors.ConfigurationError` for features that do not fit together."""
    seen: set[str] = set()
    problems = []
    for feature in features:
        missing = [name for name in feature.requires if name not in seen]
        if missing:
            problems.append(f"The feature {feature.name} needs {', '.join(missing)}, before it in features=.")
        if feature.name in BASE_GROUPS:
            problems.append(f"The feature {feature.name} has the name of a group of settings; choose another one.")
        if feature.name in seen:
            problems.append(f"The feature {feature.name} is there twice; leave the other one out.")
        seen.add(feature.name)
    if "sessions" not in seen:
        problems.append("The feature sessions is missing: jwt_required asks it whether a session is alive.")
    if problems:
        raise ConfigurationError(problems)


def check_schemas(schemas: Mapping[type[Schema], type[Schema]], features: Sequence[Feature]) -> None:
    """Raise :exc:`~flask_secureauth.errors.ConfigurationError` for a replacement that replaces nothing."""
    used = {schema for feature in features for route in feature.routes for schema in (route.body, route.answer)}
    problems = []
    for old, new in schemas.items():
        if old not in used:
            problems.append(f"schemas: {old.__name__} belongs to no route; it must be a schema of a feature.")
        if not (isinstance(new, type) and issubclass(new, old)):
            problems.append(f"schemas: {getattr(new, '__name__', repr(new))} must be a subclass of {old.__name__}.")
    if problems:
        raise ConfigurationError(problems)
