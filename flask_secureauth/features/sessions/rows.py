"""The rows of sessions: which are alive, how they end, and what this process remembers of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, select, update

from ...base_settings import SessionSettings
from ...core.bounded import Bounded
from ...core.jwt import Claims
from ...db.mixins import to_column
from ...errors import SessionRevoked, TokenInvalid
from ...events import SessionsEnded
from ...web.state import AuthState, UnknownSession, UnknownUser
from .tables import SessionMixin

_TOUCH_INTERVAL = timedelta(seconds=60)
_READ_ON_CHECK = ("id", "last_used_at", "expires_at", "revoked_at")
_CACHE_SIZE = 10_000
_ENDED = float("-inf")


class SessionRows:
    """Reads and changes rows. A change that must happen once is one ``UPDATE`` whose row count decides."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self.settings: SessionSettings = auth.settings["session"]
        self.model = auth.models[SessionMixin]
        self.seen = Seen()
        model, users = self.model, auth.users
        # From the user's row to the session's, so that one statement tells "no such user" from "signed out".
        self._by_user = (
            select(*users.columns, *(getattr(model, name).label(f"session_{name}") for name in _READ_ON_CHECK))
            .select_from(auth.user_model)
            .outerjoin(model, and_(model.id == bindparam("sid"), model.user_id == users.key_column))
            .where(users.key_column == bindparam("key"))
        )
        self._by_id = (
            select(*users.columns, *(column.label(f"session_{column.key}") for column in model.__table__.columns))
            .select_from(model)
            .join(auth.user_model, model.user_id == users.key_column)
            .where(model.id == bindparam("sid"))
        )
        rested = (model.id == bindparam("sid"), model.last_used_at <= bindparam("since"))
        self._free = select(model.id).where(*rested).with_for_update(skip_locked=True)
        self._touch = update(model).where(*rested).values(last_used_at=bindparam("now"))

    def now(self) -> datetime:
        """The time as a column holds it."""
        return to_column(self._auth.clock.now())

    def owner(self, claims: Claims) -> Any:
        """Return the key of a token's user. Raises :exc:`~flask_secureauth.errors.TokenInvalid`."""
        user_id = self._auth.users.key(claims["sub"])
        if user_id is None:
            raise TokenInvalid
        return user_id

    def find_checked(self, claims: Claims) -> Row[Any]:
        """Return a token's living session with its enabled user; one statement, and one more a minute.

        Raises :exc:`~flask_secureauth.errors.SessionRevoked`, :exc:`~flask_secureauth.web.state.UnknownSession`,
        :exc:`~flask_secureauth.web.state.UnknownUser`.
        """
        auth, key = self._auth, self._auth.users.key(claims["sub"])
        rows = [] if key is None else auth.database.read(self._by_user, {"sid": claims["sid"], "key": key})
        # A collation may call other texts equal to a key of text.
        if not rows or auth.users.key_of(rows[0]) != key:
            raise UnknownUser
        row = rows[0]
        if row.session_id is None:
            raise UnknownSession
        if not self.is_alive(row):
            raise SessionRevoked
        self._note_use(row)
        return row

    def _note_use(self, row: Row[Any]) -> None:
        now = self.now()
        if row.session_last_used_at <= now - _TOUCH_INTERVAL:
            parameters = {"sid": row.session_id, "since": now - _TOUCH_INTERVAL, "now": now}
            self._auth.database.write_apart(self._free, self._touch, parameters)

    def find(self, session_id: str) -> Row[Any] | None:
        """Return a session, ended or not, and its user; ``None`` when either is gone."""
        rows = self._auth.database.read(self._by_id, {"sid": session_id})
        return rows[0] if rows else None

    def is_alive(self, row: Row[Any]) -> bool:
        """Whether neither the session has ended nor its user is disabled."""
        now = self.now()
        return (
            row.session_revoked_at is None
            and row.session_expires_at > now
            and row.session_last_used_at > now - self.settings.idle_lifetime
            and self._auth.users.is_active(row)
        )

    def alive(self, *conditions: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        """The conditions of living sessions that also meet ``conditions``."""
        model, now = self.model, self.now()
        return [
            *conditions,
            model.revoked_at.is_(None),
            model.expires_at > now,
            model.last_used_at > now - self.settings.idle_lifetime,
        ]

    def change(self, *conditions: ColumnElement[bool], **values: Any) -> int:
        """Update the rows that meet ``conditions``; return how many did."""
        return self._auth.database.change(update(self.model).where(*conditions).values(values))

    def end(self, user_id: Any, session_id: str, *, reason: str) -> bool:
        """End one session of a user; whether it was alive."""
        one = self.alive(self.model.id == session_id, self.model.user_id == user_id)
        ended = self.change(*one, revoked_at=self.now(), revoke_reason=reason)
        if ended:
            self._announce(user_id, (session_id,), reason)
        return bool(ended)

    def end_all(self, user_id: Any, *conditions: ColumnElement[bool], reason: str) -> int:
        """End the living sessions of a user, or those that meet ``conditions``; return how many were alive."""
        model, moment = self.model, self.now()
        theirs = self.alive(model.user_id == user_id, *conditions)
        ended = self.change(*theirs, revoked_at=moment, revoke_reason=reason)
        if ended:
            # Looked for afterwards by the mark they got: what a look before the update saw may have changed by then.
            marked = (model.user_id == user_id, model.revoked_at == moment, model.revoke_reason == reason)
            found = self._auth.database.session.scalars(select(model.id).where(*marked, *conditions))
            self._announce(user_id, tuple(found), reason)
        return ended

    def _announce(self, user_id: Any, session_ids: Sequence[str], reason: str) -> None:
        for session_id in session_ids:
            self.seen.end(session_id)
        self._auth.database.announce(SessionsEnded(user_id=user_id, session_ids=session_ids, reason=reason))


class Seen:
    """When a session was last seen alive, in this process; bounded."""

    def __init__(self) -> None:
        self._at: Bounded[str, float] = Bounded(_CACHE_SIZE)
        self._lock = Lock()

    def within(self, session_id: str, since: float, now: float) -> bool:
        """Whether the session was seen alive after ``since``."""
        # A clock that was set back must not make an old look count as a new one.
        return since < self._at.get(session_id, since) <= now

    def add(self, session_id: str, now: float) -> None:
        """Remember a look at a living session."""
        with self._lock:
            if self._at.get(session_id) != _ENDED:
                self._at.put(session_id, now)

    def end(self, session_id: str) -> None:
        """Remember the end, so that a look which began before it cannot bring the session back."""
        with self._lock:
            self._at.put(session_id, _ENDED)
