"""The rules of sessions: opened by a sign-in, looked at on every request, ended once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, or_, select

from ...core import refresh_tokens
from ...core.identifiers import is_identifier, new_identifier
from ...core.jwt import Claims, InvalidToken
from ...db.mixins import to_column
from ...errors import SessionRevoked, TokenInvalid
from ...events import Client, CredentialsChanged, UserDeleted, UserLoggedOut
from ...web.state import AuthState
from .errors import SessionNotFound
from .rows import SessionRows
from .schemas import SessionExportSchema
from .tokens import OpenSession, SessionTokens, whereabouts


class SessionService:
    """Opens, checks and ends sessions; ``tokens`` issues and refreshes what belongs to them."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._rows = SessionRows(auth)
        self._model, self._settings = self._rows.model, self._rows.settings
        staleness = self._settings.staleness
        self._staleness = None if staleness is None else staleness.total_seconds()
        self.tokens = SessionTokens(auth, self._rows)

    def open(
        self, user: Any, *, methods: Sequence[str], remember: bool, client: Client, authenticated_at: datetime
    ) -> OpenSession:
        """Insert a session for ``user``; the oldest one makes room. Only ``complete_login`` calls this."""
        auth, now = self._auth, self._auth.clock.now()
        user_id = auth.users.identify(user)
        opened = OpenSession(
            id=new_identifier(),
            methods=tuple(methods),
            remembered=remember,
            key_id=self.tokens.signing_key_id(),
            nonce=refresh_tokens.new_nonce(),
            generation=0,
            authenticated_at=authenticated_at,
            expires_at=now + self._lifetime(remember),
        )
        row = {
            "id": opened.id,
            "user_id": user_id,
            "methods": " ".join(methods),
            "remembered": remember,
            "key_id": opened.key_id,
            "nonce": opened.nonce,
            "generation": 0,
            "created_at": to_column(now),
            "authenticated_at": to_column(authenticated_at),
            "last_used_at": to_column(now),
            "expires_at": to_column(opened.expires_at),
            **whereabouts(client),
        }
        auth.database.session.execute(insert(self._model), row)
        self._make_room(user_id, opened.id)
        return opened

    def check(self, claims: Claims) -> Row[Any] | None:
        """See that the session is alive and its user enabled, as freshly as the setting asks.

        Returns the user's row when it was read. Raises
        :exc:`~flask_secureauth.errors.SessionRevoked`, :exc:`~flask_secureauth.web.state.UnknownUser`.
        """
        if self._staleness is None:
            return None
        if self._staleness == 0:
            return self.check_now(claims)
        seen, now = self._rows.seen, self._auth.clock.timestamp()
        if not seen.within(claims["sid"], now - self._staleness, now):
            row = self.check_now(claims)
            seen.add(claims["sid"], now)
            return row
        return None

    def check_now(self, claims: Claims) -> Row[Any]:
        """Read the session and its user, whatever the staleness."""
        return self._rows.find_checked(claims)

    def hold(self, claims: Claims) -> Any:
        """Lock the row of a token's user until the commit, see that the session is alive still, and return the key.

        A request that a reset overtakes does nothing any more: whoever changes what proves the user waits for this
        row, or has ended the session. Wants to be the first of a transaction.
        Raises :exc:`~flask_secureauth.errors.SessionRevoked`.
        """
        user_id = self._rows.owner(claims)
        if not self._auth.users.lock(user_id):
            raise SessionRevoked
        self.check_now(claims)
        return user_id

    def of_user(self, user_id: Any) -> Sequence[Any]:
        """Return the living sessions of a user, the last used one first."""
        model = self._model
        statement = (
            select(model)
            .where(*self._rows.alive(model.user_id == user_id))
            .order_by(model.last_used_at.desc(), model.id)
        )
        found: Sequence[Any] = self._auth.database.session.scalars(statement).all()
        return found

    def count_live(self, key_id: str) -> int:
        """Return how many living sessions hold a refresh token that the key ``key_id`` made."""
        statement = select(func.count()).where(*self._rows.alive(self._model.key_id == key_id))
        return int(self._auth.database.session.scalar(statement))

    def logout(self, claims: Claims, *, scope: str, held: str | None = None) -> None:
        """End the session of a token (``local``), all others of its user, or all of them (``global``).

        ``held`` is the refresh token of the browser's cookie, if there is one.
        Raises :exc:`~flask_secureauth.errors.SessionRevoked` when the own one has ended before.
        """
        user_id, own = self._rows.owner(claims), claims["sid"]
        if scope == "others":
            self._rows.end_all(user_id, self._model.id != own, reason="logout_others")
            return
        if not self._rows.end(user_id, own, reason="logout"):
            raise SessionRevoked
        if scope == "global":
            self._rows.end_all(user_id, reason="logout_global")
        self._auth.database.announce(UserLoggedOut(user_id=user_id, session_id=own))
        # The cookie goes, so its session does, if the access token is of another one.
        self.end_held(held, but=own, reason="logout")

    def end_one(self, user_id: Any, session_id: str, *, reason: str) -> None:
        """End one session of a user. Raises :exc:`SessionNotFound`, also for somebody else's."""
        if not is_identifier(session_id) or not self._rows.end(user_id, session_id, reason=reason):
            raise SessionNotFound

    def end_all(self, user_id: Any, *, reason: str) -> int:
        """End every session of a user; return how many were alive."""
        return self._rows.end_all(user_id, reason=reason)

    def end_held(self, refresh_token: str | None, *, access_token: str | None = None, but: str, reason: str) -> None:
        """End the sessions whose tokens a browser holds in cookies, unless it is ``but``."""
        row = self.tokens.find_session(refresh_token or "")
        held = [] if row is None else [(row.session_user_id, row.session_id)]
        with suppress(InvalidToken, TokenInvalid):
            claims = self._auth.verifier.verify(access_token or "", self._auth.clock.timestamp())
            held.append((self._rows.owner(claims), claims["sid"]))
        for user_id, session_id in held:
            if session_id != but:
                self._rows.end(user_id, session_id, reason=reason)

    def export(self, user_id: Any) -> Any:
        """Return what is held of a user: every session that was not purged, and nothing that a token is made of."""
        model = self._model
        shown = [getattr(model, name) for name in SessionExportSchema().fields]
        found = select(*shown).where(model.user_id == user_id).order_by(model.created_at, model.id)
        return SessionExportSchema(many=True).dump(self._auth.database.session.execute(found))

    def credentials_changed(self, event: CredentialsChanged) -> None:
        """End the user's sessions, but for the one that the change came from."""
        others = [self._model.id != event.session_id] if event.session_id else []
        self._rows.end_all(event.user_id, *others, reason=event.reason)

    def user_deleted(self, event: UserDeleted) -> None:
        """End the sessions of a user who is about to go, so that this process remembers none as alive."""
        self._rows.end_all(event.user_id, reason="deleted")

    def purgeable(self) -> ColumnElement[bool]:
        """The condition of rows that ended longer ago than they are kept."""
        model, until = self._model, self._rows.now() - self._settings.retention
        idle_until = until - self._settings.idle_lifetime
        return or_(model.revoked_at <= until, model.expires_at <= until, model.last_used_at <= idle_until)

    def _lifetime(self, remember: bool) -> timedelta:
        settings = self._settings
        return settings.lifetime if remember else min(settings.lifetime, settings.unremembered_lifetime)

    def _make_room(self, user_id: Any, opened_id: str) -> None:
        model = self._model
        others = select(model.id).where(*self._rows.alive(model.user_id == user_id, model.id != opened_id))
        newest_first = others.order_by(model.created_at.desc(), model.id)
        beyond = list(self._auth.database.session.scalars(newest_first.offset(self._settings.max_per_user - 1)))
        if beyond:
            self._rows.end_all(user_id, model.id.in_(beyond), reason="limit")
