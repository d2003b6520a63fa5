"""What a feature is made of. A feature is a value; adding one edits no file but the list it stands in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal, get_args

from click import Command
from marshmallow import Schema

from .errors import AuthError, ConfigurationError, TokenInvalid
from .events import Event
from .settings import BASE_GROUPS


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a route asks of the access token.

    ``fresh`` is the longest time since the user proved who they are. ``live`` has the session's row
    read whatever ``SECUREAUTH_SESSION_STALENESS`` says: for what changes credentials. ``locations``
    are where the token may be, ``None`` where the app's tokens travel. ``unknown_user`` is raised
    for a genuine token whose user is gone.
    """

    optional: bool = False
    fresh: timedelta | None = None
    live: bool = False
    locations: tuple[str, ...] | None = None
    unknown_user: type[AuthError] = TokenInvalid


FRESH = timedelta(minutes=5)
"""How long a sign-in counts as fresh. Source: ASVS 7.5.1."""
SENSITIVE = Guard(live=True, fresh=FRESH)
"""For what gives an account away, or ends it."""
_COUNTED = Literal["client", "session", "address"]


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """How often something may happen.

    ``name`` is unique in the app and says what is limited, such as ``registration.client``. ``limits`` are
    written as the library ``limits`` writes them: ``("1 per minute", "3 per hour")``. ``by`` is what is counted:
    ``client`` (the network address, an IPv6 one by its /64), ``session``, ``address`` (an e-mail address, whether it
    has an account or not). A ``silent`` one is not told: what is too much gets the usual answer and has no effect.
    """

    name: str
    limits: tuple[str, ...]
    by: _COUNTED
    silent: bool = False


@dataclass(frozen=True)
class Route:
    """One request that a feature answers.

    ``view`` takes a :class:`~flask_secureauth.web.dispatch.Call` and the parameters of ``path``.
    ``body`` loads what was sent, ``answer`` dumps what the view returns; without it the view
    returns the answer's members. ``errors`` are the refusals of its own, for the docs. ``throttles`` by ``client`` or
    ``session`` are asked before the view.
    """

    name: str
    method: str
    path: str
    view: Callable[..., Any]
    _: KW_ONLY
    body: type[Schema] | None = None
    answer: type[Schema] | None = None
    status: int = 200
    guard: Guard | None = None
    errors: tuple[type[AuthError], ...] = ()
    throttles: tuple[Throttle, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature, whole.

    ``service`` builds the rules from the :class:`~flask_secureauth.web.state.AuthState`. ``gates``,
    ``claims`` and ``handlers`` get that service as their first argument: a gate ``(service, user,
    methods)`` may refuse a sign-in, claims ``(service, user)`` are added to access tokens, a handler
    ``(service, event)`` acts in the transaction that announced the event. ``purge`` ``(service)`` returns
    the condition of each table's rows that nobody needs any more. ``export`` ``(service, user_id)`` returns
    what the feature holds of a user, ready for JSON. ``throttles`` are the limits that the service asks itself.
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
    purge: Callable[[Any], Mapping[type, Any]] | None = None
    export: Callable[[Any, Any], Any] | None = None
    throttles: tuple[Throttle, ...] = ()


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
    problems += _throttle_problems(features)
    if problems:
        raise ConfigurationError(problems)


def throttles_of(features: Iterable[Feature]) -> Iterator[tuple[Throttle, Feature, Route | None]]:
    """Every throttle with where it stands; one that several routes share comes once for each."""
    for feature in features:
        for route in feature.routes:
            yield from ((throttle, feature, route) for throttle in route.throttles)
        yield from ((throttle, feature, None) for throttle in feature.throttles)


def _throttle_problems(features: Sequence[Feature]) -> Iterator[str]:
    known: dict[str, Throttle] = {}
    for throttle, feature, route in throttles_of(features):
        if known.setdefault(throttle.name, throttle) != throttle:
            yield f"Two throttles are called {throttle.name}, and share what they count; give one another name."
        if throttle.by not in get_args(_COUNTED):
            yield f"The throttle {throttle.name} is by {throttle.by!r}; choose one of {', '.join(get_args(_COUNTED))}."
        is_session = throttle.by == "session" and route is not None and route.guard and not route.guard.optional
        if route and (throttle.silent or not (throttle.by == "client" or is_session)):
            yield (
                f"{feature.name}.{route.name} has the throttle {throttle.name}: a route is throttled by client, or by "
                "session if it has a guard, and says so. A service asks for others: Feature(throttles=...)."
            )


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
