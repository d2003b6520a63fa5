"""``jwt_required`` and what a guarded view can ask about its caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from inspect import iscoroutinefunction, ismethod
from typing import Any, ParamSpec, TypeVar, cast, overload

from flask import request
from sqlalchemy import Row
from werkzeug.local import LocalProxy

from ..core.jwks import NoKeys
from ..core.jwt import Claims, ExpiredToken, InvalidToken
from ..errors import (
    AuthError,
    FreshLoginRequired,
    KeysUnavailable,
    NotAuthenticated,
    SessionRevoked,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from ..feature import FRESH, Guard
from .state import AuthState, UnknownSession, UnknownUser, Verification, current_auth, current_verification
from .transport import bearer_token

P = ParamSpec("P")
R = TypeVar("R")
# Kept on the request object, not in its environ: an environ may be handed on to another app.
_PRINCIPAL = "_secureauth_principal"
HEADER, COOKIE = "header", "cookie"
GUARD = "_secureauth_guard"
"""The attribute of a view that says how it is guarded; decorators that use ``functools.wraps`` hand it on."""
PUBLIC = "public"


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

    __slots__ = ("_state", "_user", "claims", "location", "row", "unknown_user")

    def __init__(self, state: Verification, claims: Claims, row: Row[Any] | None, location: str) -> None:
        self.claims = claims
        self.row = row
        self.location = location
        self.unknown_user: type[AuthError] = TokenInvalid
        self._state = state
        self._user: Any = None

    def user(self) -> Any:
        if self._user is None:
            self._user = self._state.user_of(self.claims, self.row)
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
    if guard.locations is not None and principal.location not in guard.locations:
        raise TokenMissing
    principal.unknown_user = guard.unknown_user
    if guard.live and principal.row is None:
        principal.row = _check(current_auth(), principal.claims, guard)
    if guard.fresh is not None:
        _require_fresh(principal.claims, guard.fresh)


def _identify(guard: Guard) -> Any:
    state = current_verification()
    token = bearer_token(request.environ)
    if token is not None:
        claims = _verify(state, token)
        return _Principal(state, claims, _check(state, claims, guard), HEADER)
    return _identify_by_cookie(current_auth(), guard) if state.access_in_cookie else _ANONYMOUS


def _identify_by_cookie(state: AuthState, guard: Guard) -> Any:
    token = state.transport.access_cookie()
    if token is None:
        return _ANONYMOUS
    try:
        claims = _verify(state, token)
        state.transport.csrf.require(claims["sid"])
        return _Principal(state, claims, _check(state, claims, guard), COOKIE)
    except NotAuthenticated as refusal:
        # The refresh token next to a dead access token may be alive; that of an ended session is not.
        is_over = isinstance(refusal, SessionRevoked) and not isinstance(refusal, UnknownSession)
        state.transport.delete_with_refusal(access_only=not is_over)
        raise


def _verify(state: Verification, token: str) -> Claims:
    try:
        return state.verifier.verify(token, state.clock.timestamp())
    except ExpiredToken:
        raise TokenExpired from None
    except NoKeys:
        raise KeysUnavailable from None
    except InvalidToken as error:
        state.refusals.add(error.reason)
        raise TokenInvalid from None


def _check(state: Verification, claims: Claims, guard: Guard) -> Row[Any] | None:
    try:
        return state.sessions.check_now(claims) if guard.live else state.sessions.check(claims)
    except UnknownUser:
        state.refusals.add("unknown user")
        raise guard.unknown_user from None
    except SessionRevoked:
        state.refusals.add("session ended")
        raise


def _require_fresh(claims: Claims, fresh: timedelta) -> None:
    if current_verification().clock.timestamp() - claims["auth_time"] > fresh.total_seconds():
        raise FreshLoginRequired


@overload
def jwt_required(view: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def jwt_required(
    view: None = None,
    /,
    *,
    optional: bool = False,
    fresh: bool | timedelta = False,
    locations: str | Sequence[str] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def jwt_required(
    view: Any = None,
    /,
    *,
    optional: bool = False,
    fresh: bool | timedelta = False,
    locations: str | Sequence[str] | None = None,
) -> Any:
    """Let only requests with a good access token into a view, plain or ``async``.

    ``optional`` also lets requests without a token in; a bad token is refused all the same.
    ``fresh`` wants a sign-in of the last 300 seconds, or of the given time (NIST SP 800-63B-4
    section 2.1.3). ``locations`` admits tokens of ``"header"`` or ``"cookie"`` only, where the app's
    access tokens travel in cookies. Write ``@jwt_required`` or ``@jwt_required(...)``, below the route.

    A refusal is raised as an :exc:`~flask_secureauth.errors.AuthError`.
    """
    guard = _guard(optional=optional, fresh=fresh, locations=locations)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if getattr(view, GUARD, None) is PUBLIC:
            raise TypeError("a view is @public or @jwt_required, not both")
        guarded = _guarded(view, guard)
        setattr(guarded, GUARD, guard)
        return guarded

    return decorate if view is None else decorate(view)


def _guarded(view: Callable[..., Any], guard: Guard) -> Callable[..., Any]:
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


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Open a view to everybody under ``SECUREAUTH_DEFAULT_DENY``. Write ``@public`` below the route."""
    if isinstance(getattr(view, GUARD, None), Guard):
        raise TypeError("a view is @public or @jwt_required, not both")
    if ismethod(view):  # Its attributes are those of a function that others share, as a blueprint's static files do.
        view = wraps(view)(partial(view))
    setattr(view, GUARD, PUBLIC)
    return view


def verify_jwt_in_request(
    *, optional: bool = False, fresh: bool | timedelta = False, locations: str | Sequence[str] | None = None
) -> None:
    """Do what :func:`jwt_required` does, for a decorator or a ``before_request`` of your own."""
    authenticate(_guard(optional=optional, fresh=fresh, locations=locations))


def _guard(*, optional: bool, fresh: bool | timedelta, locations: str | Sequence[str] | None) -> Guard:
    if not isinstance(fresh, (bool, timedelta)):
        raise TypeError(f"fresh is True, False or a timedelta, not {fresh!r}")
    wanted = (locations,) if isinstance(locations, str) else None if locations is None else tuple(locations)
    if wanted is not None and (not wanted or not set(wanted) <= {HEADER, COOKIE}):
        raise TypeError(f"locations are {HEADER!r} and {COOKIE!r}, not {locations!r}")
    longest = (FRESH if fresh else None) if isinstance(fresh, bool) else fresh
    return Guard(optional=optional, fresh=longest, locations=wanted)


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


def current_row() -> Row[Any]:
    """Return the row of a request whose guard is live: the user's columns and the session's."""
    principal = _principal()
    if principal is None or principal.row is None:
        raise RuntimeError("Nobody has read the session of this request: its route needs Guard(live=True).")
    return principal.row


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
