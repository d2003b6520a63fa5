"""Sessions, put together."""

from __future__ import annotations

from typing import Any

from ...errors import CsrfFailed, RefreshTokenInvalid, RefreshTokenMissing, RefreshTokenReused
from ...events import CredentialsChanged, UserDeleted
from ...feature import Feature, Guard, Route
from ...web.dispatch import Answer, Call
from ...web.schemas import TokensSchema
from ...web.state import current_auth
from ...web.throttles import REFRESHING
from ...web.transport import Tokens
from .cli import sessions
from .errors import SessionNotFound
from .schemas import LogoutSchema, RefreshSchema, SessionsSchema
from .service import SessionService
from .tables import SessionMixin


def refresh(call: Call) -> Tokens:
    """Trade a refresh token for the next one."""
    token = call.auth.transport.refresh_token(call.body)
    tokens: Tokens = call.service.tokens.refresh(token, client=call.client)
    return tokens


def logout(call: Call) -> Answer:
    """End sessions of the token's user."""
    scope, transport = call.body["scope"], call.auth.transport
    call.service.logout(call.claims, scope=scope, held=transport.refresh_cookie())
    if scope == "others":
        return Answer(members={"message": "Signed out elsewhere"})
    return Answer(members={"message": "Signed out"}, headers=transport.deletion())


def show(call: Call) -> dict[str, Any]:
    """List the living sessions of the token's user."""
    found = call.service.of_user(call.user_id)
    for session in found:
        session.current = session.id == call.claims["sid"]
    return {"sessions": found}


def end(call: Call, session_id: str) -> Answer:
    """End one session of the token's user."""
    call.service.end_one(call.user_id, session_id, reason="ended")
    is_own = session_id == call.claims["sid"]
    return Answer(members={"message": "Session ended"}, headers=call.auth.transport.deletion() if is_own else ())


def revoke_sessions(user: Any, *, reason: str = "admin") -> int:
    """End every session of ``user`` (the object or its key), and return how many were alive.

    Commits the app's SQLAlchemy session, so that disabling a user and this are one transaction.
    ``reason``, at most 32 characters, is kept in the rows and sent with the signal ``sessions_ended``.
    Raises ValueError for what is no user and no key.
    """
    auth = current_auth()
    user_id = auth.users.identify(user)
    if user_id is None:
        raise ValueError(f"no user has the key {user!r}")
    with auth.database.transaction():
        return auth.service(SessionService).end_all(user_id, reason=reason)


FEATURE = Feature(
    name="sessions",
    tables=(SessionMixin,),
    service=SessionService,
    routes=(
        Route(
            "refresh",
            "POST",
            "/auth/refresh",
            refresh,
            body=RefreshSchema,
            answer=TokensSchema,
            errors=(RefreshTokenMissing, RefreshTokenInvalid, RefreshTokenReused, CsrfFailed),
        ),
        Route("logout", "POST", "/auth/logout", logout, body=LogoutSchema, guard=Guard(live=True)),
        Route("list", "GET", "/auth/sessions", show, answer=SessionsSchema, guard=Guard(live=True)),
        Route(
            "end",
            "DELETE",
            "/auth/sessions/<session_id>",
            end,
            guard=Guard(live=True),
            errors=(SessionNotFound,),
        ),
    ),
    handlers={CredentialsChanged: SessionService.credentials_changed, UserDeleted: SessionService.user_deleted},
    cli=(sessions,),
    purge=lambda service: {SessionMixin: service.purgeable()},
    throttles=(REFRESHING,),
    export=SessionService.export,
)
