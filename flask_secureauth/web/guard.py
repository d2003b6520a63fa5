"""``jwt_required`` and what a guarded view can ask about its caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast, overload

from flask import request
from sqlalchemy import Row
from werkzeug.local import LocalProxy

from ..core.jwt import Claims, ExpiredToken, InvalidToken
from ..errors import AuthError, FreshLoginRequired, SessionRevoked, TokenExpired, TokenInvalid, TokenMissing
from ..feature import Guard
from .logs import log_refused_token
from .state import AuthState, UnknownUser, current_auth
from .transport import bearer_token

P = ParamSpec("P")
R = TypeVar("R")
# Kept on the request object, not in its environ: an environ may be handed on to another app.
_PRINCIPAL = "_secureauth_principal"


class Session:
    """The sign-in behind the current request, as its token tells it."""

    __slots__ = ("_claims",)

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    @property
    def id(self) -> str:
        """32 hex digits."""
        return str(self._claims["sid"])

    @property
    def authenticated_at(self) -> datetime:
        """When the user last proved who they are: an aware UTC time."""
        return datetime.fromtimestamp(self._claims["auth_time"], UTC)

    @property
    def methods(self) -> tuple[str, ...]:
        """How: ``amr`` values, such as ``("pwd",)``. Source: RFC 8176."""
        return tuple(self._claims["amr"])


class _Principal:
    """Whoever sent the request. The user is made when somebody asks for it."""

    __slots__ = ("_row", "_state", "_user", "claims", "unknown_user")

    def __init__(self, state: AuthState, claims: Claims, row: Row[Any] | None) -> None:
        self.claims = claims
        self.unknown_user: type[AuthError] = TokenInvalid
        self._state = state
        self._row = row
        self._user: Any = None

    def user(self) -> Any:
        if self._user is None:
            users = self._state.users
            if self._row is not None:
                self._user = users.attach(self._row)
            else:
                key = users.key(self.claims["sub"])
                self._user = None if key is None else users.find(key)
            if self._user is None:
                raise self.unknown_user
        return self._user


_ANONYMOUS = object()


def authenticate(guard: Guard) -> None:
    """Check the request's access token once; raise an :exc:`~flask_secureauth.errors.AuthError` to refuse it."""
    known = request.__dict__
    principal = known.get(_PRINCIPAL)
    if principal is None:
        principal = known[_PRINCIPAL] = _identify(guard)
    if principal is _ANONYMOUS:
        if not guard.optional:
            raise TokenMissing
        return
    principal.unknown_user = guard.unknown_user
    if guard.fresh is not None:
        _require_fresh(principal.claims, guard.fresh)


def _identify(guard: Guard) -> Any:
    token = bearer_token(request.environ)
    if token is None:
        return _ANONYMOUS
    state = current_auth()
    try:
        claims = state.verifier.verify(token, state.clock.timestamp())
        row = state.sessions.check(claims)
    except ExpiredToken:
        raise TokenExpired from None
    except InvalidToken as error:
        log_refused_token(error.reason)
        raise TokenInvalid from None
    except UnknownUser:
        log_refused_token("unknown user")
        raise guard.unknown_user from None
    except SessionRevoked:
        log_refused_token("session ended")
        raise
    return _Principal(state, claims, row)


def _require_fresh(claims: Claims, fresh: timedelta) -> None:
    if current_auth().clock.timestamp() - claims["auth_time"] > fresh.total_seconds():
        raise FreshLoginRequired


@overload
def jwt_required(view: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def jwt_required(
    view: None = None, /, *, optional: bool = False, fresh: bool | timedelta = False
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def jwt_required(view: Any = None, /, *, optional: bool = False, fresh: bool | timedelta = False) -> Any:
    """Let only requests with a good access token into a view, plain or ``async``.

    ``optional`` also lets requests without a token in; a bad token is refused all the same.
    ``fresh`` wants a sign-in of the last 300 seconds, or of the given time (NIST SP 800-63B-4
    section 2.1.3). Write ``@jwt_required`` or ``@jwt_required(...)``, below the route.

    A refusal is raised as an :exc:`~flask_secureauth.errors.AuthError`.
    """
    guard = _guard(optional=optional, fresh=fresh)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(*args: Any, **kwargs: Any) -> Any:
                authenticate(guard)
                return await cast("Awaitable[Any]", view(*args, **kwargs))

            return guarded_async

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            authenticate(guard)
            return view(*args, **kwargs)

        return guarded

    return decorate if view is None else decorate(view)


def verify_jwt_in_request(*, optional: bool = False, fresh: bool | timedelta = False) -> None:
    """Do what :func:`jwt_required` does, for a decorator or a ``before_request`` of your own."""
    authenticate(_guard(optional=optional, fresh=fresh))


_FRESH = timedelta(seconds=300)


def _guard(*, optional: bool, fresh: bool | timedelta) -> Guard:
    if not isinstance(fresh, (bool, timedelta)):
        raise TypeError(f"fresh is True, False or a timedelta, not {fresh!r}")
    if isinstance(fresh, bool):
        return Guard(optional=optional, fresh=_FRESH if fresh else None)
    return Guard(optional=optional, fresh=fresh)


def _principal() -> _Principal | None:
    principal = request.__dict__.get(_PRINCIPAL)
    if principal is None:
        raise RuntimeError(
            "Nobody has checked this request's token: "
            "put @jwt_required on the view, or call verify_jwt_in_request() first."
        )
    return None if principal is _ANONYMOUS else principal


def get_jwt() -> dict[str, Any]:
    """Return the claims of the request's access token; empty without one under ``optional``."""
    principal = _principal()
    return {} if principal is None else deepcopy(dict(principal.claims))


def get_jwt_identity() -> str | None:
    """Return ``sub``, the user's id as a string; ``None`` without a token under ``optional``."""
    principal = _principal()
    return None if principal is None else str(principal.claims["sub"])


def _current_user() -> Any:
    principal = _principal()
    return None if principal is None else principal.user()


def _current_session() -> Session | None:
    principal = _principal()
    return None if principal is None else Session(principal.claims)


current_user: Any = LocalProxy(_current_user)
"""The user of a guarded request; ``None`` without a token under ``optional``."""
current_session: Any = LocalProxy(_current_session)
"""The :class:`Session` of a guarded request; ``None`` without a token under ``optional``."""
