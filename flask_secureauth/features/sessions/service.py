"""The rules of sessions: opened by a sign-in, looked at on every request, ended once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Row, and_, bindparam, insert, select, update

from ...core.identifiers import new_identifier
from ...core.jwt import Claims
from ...db.mixins import to_column
from ...errors import SessionRevoked, TokenInvalid
from ...events import UserLoggedOut
from ...settings import SessionSettings
from ...web.state import AuthState, UnknownUser
from .tables import SessionMixin

_CACHE_SIZE = 10_000
_ENDED = float("-inf")


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A session that tokens can be issued for. ``auth_time`` is seconds since the epoch."""

    id: str
    auth_time: int
    methods: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a sign-in gives out. ``expires_in`` is seconds."""

    access_token: str
    token_type: str
    expires_in: int


class SessionService:
    """Opens, checks and ends sessions."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: SessionSettings = auth.settings["session"]
        self._model = auth.models[SessionMixin]
        staleness = self._settings.staleness
        self._staleness = None if staleness is None else staleness.total_seconds()
        self._seen = _Seen()
        model, users = self._model, auth.users
        # From the user's row to the session's, so that one statement tells "no such user" from "signed out".
        self._by_id = (
            select(*users.columns, model.id.label("session_id"), model.expires_at, model.revoked_at)
            .select_from(auth.user_model)
            .outerjoin(model, and_(model.id == bindparam("sid"), model.user_id == users.key_column))
            .where(users.key_column == bindparam("key"))
        )

    def open(self, user: Any, *, methods: Sequence[str], now: datetime) -> str:
        """Insert a session for ``user`` and return its id. Only ``complete_login`` calls this."""
        auth = self._auth
        session_id = new_identifier()
        auth.database.session.execute(
            insert(self._model).values(
                id=session_id,
                user_id=auth.users.key(auth.users.subject(user)),
                methods=" ".join(methods),
                created_at=to_column(now),
                expires_at=to_column(now + self._settings.lifetime),
            )
        )
        return session_id

    def issue(self, user: Any, opened: OpenSession, *, extra: Claims | None = None) -> Tokens:
        """Return tokens of a session, with the claims of every feature and ``extra`` ones."""
        auth = self._auth
        of_features = {name: value for claims in auth.claims for name, value in claims(user).items()}
        token = auth.issuer.issue(
            subject=auth.users.subject(user),
            session_id=opened.id,
            auth_time=opened.auth_time,
            methods=list(opened.methods),
            now=int(auth.clock.timestamp()),
            extra={**of_features, **(extra or {})},
        )
        return Tokens(access_token=token, token_type="Bearer", expires_in=auth.issuer.lifetime)

    def check(self, claims: Claims) -> Row[Any] | None:
        """See that the session is alive and its user enabled, as freshly as the setting asks.

        Returns the user's row when it was read. Raises
        :exc:`~flask_secureauth.errors.SessionRevoked`, :exc:`~flask_secureauth.web.state.UnknownUser`.
        """
        if self._staleness is None:
            return None
        if self._staleness == 0:
            return self.check_now(claims)
        now = self._auth.clock.timestamp()
        if not self._seen.within(claims["sid"], now - self._staleness, now):
            row = self.check_now(claims)
            self._seen.add(claims["sid"], now)
            return row
        return None

    def check_now(self, claims: Claims) -> Row[Any]:
        """Read the session and its user, whatever the staleness; one statement."""
        auth = self._auth
        key = auth.users.key(claims["sub"])
        rows = [] if key is None else auth.database.read(self._by_id, {"sid": claims["sid"], "key": key})
        # A collation may call other texts equal to a key of text.
        if not rows or auth.users.key_of(rows[0]) != key:
            raise UnknownUser
        row = rows[0]
        if row.session_id is None or row.revoked_at is not None or row.expires_at <= to_column(auth.clock.now()):
            raise SessionRevoked
        if not auth.users.is_active(row):
            raise SessionRevoked
        return row

    def revoke(self, claims: Claims, *, reason: str) -> None:
        """End the session behind a token; only the first call does.

        Raises :exc:`~flask_secureauth.errors.SessionRevoked` when it has ended before.
        """
        auth, model = self._auth, self._model
        user_id = auth.users.key(claims["sub"])
        if user_id is None:
            raise TokenInvalid
        statement = (
            update(model)
            .where(model.id == claims["sid"], model.user_id == user_id, model.revoked_at.is_(None))
            .values(revoked_at=to_column(auth.clock.now()), revoke_reason=reason)
            .execution_options(synchronize_session=False)
        )
        ended = auth.database.session.execute(statement).rowcount
        self._seen.end(claims["sid"])
        if not ended:
            raise SessionRevoked
        auth.database.announce(UserLoggedOut(user_id=user_id, session_id=claims["sid"]))


class _Seen:
    """When a session was last seen alive, in this process; bounded."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._lock = Lock()

    def within(self, session_id: str, since: float, now: float) -> bool:
        # A clock that was set back must not make an old look count as a new one.
        return since < self._at.get(session_id, since) <= now

    def add(self, session_id: str, now: float) -> None:
        with self._lock:
            if self._at.get(session_id) != _ENDED:
                self._set(session_id, now)

    def end(self, session_id: str) -> None:
        """Remember the end, so that a look which began before it cannot bring the session back."""
        with self._lock:
            self._set(session_id, _ENDED)

    def _set(self, session_id: str, at: float) -> None:
        if len(self._at) >= _CACHE_SIZE:
            del self._at[next(iter(self._at))]
        self._at[session_id] = at
