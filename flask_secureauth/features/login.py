"""Login: the one door. Every way of signing in ends in :meth:`LoginService.complete_login`.

Only that creates sessions, and it asks every gate first: a second factor that hooks paths instead
is bypassed by the next path. Source: ASVS 6.3.4 and 6.3.8, RFC 8176 for the method names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, NoReturn

from sqlalchemy import inspect

from ..core.jwt import Claims
from ..core.passwords import HashingBusy
from ..errors import AuthError
from ..events import Client, LoginFailed, UserLoggedIn
from ..feature import Feature, Route
from ..web.dispatch import Call
from ..web.logs import log_failed_login
from ..web.schemas import BodySchema, TokensSchema, required_text
from ..web.state import AuthState, current_auth
from .sessions.service import OpenSession, SessionService, Tokens


class InvalidCredentials(AuthError):
    """The address is unknown, the password is wrong or the account is disabled: one answer for all."""

    code = HTTPStatus.UNAUTHORIZED
    error_code = "login.invalid_credentials"
    sentence = "Invalid credentials"
    headers = (("WWW-Authenticate", "Bearer"),)


class LoginSchema(BodySchema):
    """What a visitor sends to sign in."""

    sentence = "Email and password required"
    email = required_text("Email")
    password = required_text("Password", load_only=True)


class LoginService:
    """Signs users in."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._sessions = auth.service(SessionService)

    def login(self, email: str, password: str, *, client: Client) -> Tokens:
        """Sign in with a password. Raises :exc:`InvalidCredentials`, or what a gate raises."""
        auth = self._auth
        credentials = auth.users.find_credentials(email)
        stored = credentials.password_hash if credentials else None
        if not auth.hasher.verify(stored, password) or not credentials or not stored:
            self._refuse(email, "wrong password" if credentials else "unknown address", client)
        user = auth.users.attach(credentials.row)
        if not _is_active(user):
            self._refuse(email, "disabled", client)
        # Hashing took a while. The row is locked and looked at again, so that a password that was changed
        # meanwhile opens no session that the change did not see.
        if not auth.users.replace_hash(credentials.key, old=stored, new=self._renewed(stored, password)):
            self._refuse(email, "changed meanwhile", client)
        return self.complete_login(user, ("pwd",))

    def _renewed(self, stored: str, password: str) -> str:
        try:
            return self._auth.hasher.hash(password) if self._auth.hasher.needs_rehash(stored) else stored
        except HashingBusy:
            return stored  # The next sign-in renews it.

    def _refuse(self, email: str, reason: str, client: Client) -> NoReturn:
        log_failed_login(email, reason, client)
        self._auth.database.announce(LoginFailed(email=email, reason=reason, client=client))
        raise InvalidCredentials

    def complete_login(
        self, user: Any, methods: Sequence[str], *, fresh: bool = True, extra: Claims | None = None
    ) -> Tokens:
        """Ask the gates, open a session for ``user`` and return its tokens.

        ``methods`` is how the user proved who they are (``amr`` values). With ``fresh=False`` the
        session counts as long authenticated, so views that want a fresh sign-in refuse it.
        """
        auth = self._auth
        if not _is_active(user):
            raise InvalidCredentials
        for gate in auth.gates:
            gate(user, methods)
        now = auth.clock.now()
        session_id = self._sessions.open(user, methods=methods, now=now)
        opened = OpenSession(id=session_id, auth_time=int(now.timestamp()) if fresh else 0, methods=methods)
        tokens = self._sessions.issue(user, opened, extra=extra)
        auth.database.announce(UserLoggedIn(user=user, session_id=session_id, methods=methods))
        return tokens


def _is_active(user: Any) -> bool:
    return bool(getattr(user, "is_active", True))


def login(call: Call) -> Tokens:
    """Sign in."""
    tokens: Tokens = call.service.login(call.body["email"], call.body["password"], client=call.client)
    return tokens


def create_access_token(
    identity: Any,
    fresh: bool = False,
    expires_delta: timedelta | None = None,
    additional_claims: Mapping[str, Any] | None = None,
) -> str:
    """Open a session for a user that the app has identified itself, and return its access token.

    ``identity`` is the user, or the user's key. ``fresh`` says that the user proved it just now.
    ``expires_delta`` may only shorten the configured lifetime. Commits the app's SQLAlchemy
    session. Raises ValueError for an unknown user, a longer life or a reserved claim,
    :exc:`InvalidCredentials` for a disabled user, and whatever a gate raises.
    """
    auth = current_auth()
    user = _find(auth, identity)
    extra = dict(additional_claims or {})
    if isinstance(expires_delta, bool):
        raise ValueError("a token that never expires does not exist: expires_delta is a timedelta or None")
    if expires_delta is not None:
        extra["exp"] = int(auth.clock.timestamp() + expires_delta.total_seconds())
    with auth.database.transaction():
        return auth.service(LoginService).complete_login(user, ("app",), fresh=fresh, extra=extra).access_token


def _find(auth: AuthState, identity: Any) -> Any:
    if isinstance(identity, auth.user_model):
        # The object may be of a session that is over, a proxy, or not stored at all.
        (identity,) = inspect(identity, raiseerr=False).identity or (None,)
    key = auth.users.key(str(identity))
    user = None if key is None else auth.users.find(key)
    if user is None:
        raise ValueError(f"no user has the key {identity!r}")
    return user


FEATURE = Feature(
    name="login",
    requires=("sessions",),
    service=LoginService,
    routes=(
        Route(
            "login", "POST", "/auth/login", login, body=LoginSchema, answer=TokensSchema, errors=(InvalidCredentials,)
        ),
    ),
)
