"""The tokens of a session: access tokens that name it, and refresh tokens, each good for one trade.

Source: RFC 9700 section 4.14.2 for rotation and reuse detection, RFC 6749 section 1.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from ...core import refresh_tokens
from ...core.identifiers import new_identifier
from ...core.jwt import Claims
from ...core.key_ring import KeyRing
from ...core.networks import network_of
from ...core.refresh_tokens import RefreshToken
from ...db.mixins import from_column
from ...errors import RefreshTokenInvalid, RefreshTokenReused, SessionRevoked
from ...events import Client, RefreshTokenReuseDetected
from ...web.state import AuthState
from ...web.throttles import REFRESHING
from ...web.transport import Tokens
from .rows import SessionRows
from .tables import USER_AGENT_LENGTH


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A session that tokens can be issued for. Times are aware."""

    id: str
    methods: tuple[str, ...]
    remembered: bool
    key_id: str
    nonce: str = field(repr=False)
    generation: int
    authenticated_at: datetime
    expires_at: datetime


class SessionTokens:
    """Issues, trades and renews the tokens of sessions."""

    def __init__(self, auth: AuthState, rows: SessionRows) -> None:
        self._auth = auth
        self._rows = rows

    def signing_key_id(self) -> str:
        """The name of the key that makes refresh tokens now."""
        return self._ring().signing.kid

    def issue(self, user: Any, opened: OpenSession, *, extra: Claims | None = None) -> Tokens:
        """Return tokens of a session, with the claims of every feature and ``extra`` ones."""
        auth, now, ring = self._auth, self._auth.clock.now(), self._ring()
        of_features = {name: value for claims in auth.claims for name, value in claims(user).items()}
        access_token = auth.issuer.issue(
            subject=auth.users.subject(user),
            session_id=opened.id,
            auth_time=int(opened.authenticated_at.timestamp()),
            methods=list(opened.methods),
            now=int(now.timestamp()),
            extra={**of_features, **(extra or {})},
        )
        # The key that made the current generation, so that all who ask for it get the same token.
        key = ring.find(opened.key_id)
        if key is None or key.signing_key is None:
            key = ring.signing
        refresh_token = refresh_tokens.write(
            key, session_id=opened.id, generation=opened.generation, nonce=opened.nonce
        )
        rest = min(opened.expires_at - now, self._rows.settings.idle_lifetime)
        return Tokens(
            session_id=opened.id,
            access_token=access_token,
            expires_in=auth.issuer.lifetime,
            refresh_token=refresh_token,
            remembered_for=rest if opened.remembered else None,
        )

    def refresh(self, token: str, *, client: Client) -> Tokens:
        """Trade a refresh token for the next one of its session, and an access token.

        Whoever comes with the token before the current one within ``SECUREAUTH_SESSION_REFRESH_GRACE``
        gets the current one, so that two tabs, a lost answer and a retry converge. An older one
        means that two parties hold the session, and ends it.

        Raises :exc:`~flask_secureauth.errors.RefreshTokenInvalid`,
        :exc:`~flask_secureauth.errors.SessionRevoked`, :exc:`~flask_secureauth.errors.RefreshTokenReused`,
        :exc:`~flask_secureauth.errors.TooManyRequests`.
        """
        parsed = refresh_tokens.parse(token)
        if parsed is None:
            raise RefreshTokenInvalid
        row = self._living(parsed)
        # Not before: everybody who sees an access token knows the session, and could use up what is its user's.
        self._auth.throttles.demand(REFRESHING, parsed.session_id, client=client)
        if row.session_generation == parsed.generation:
            if self._rotate(parsed, client):
                return self._reissue(row, key_id=self.signing_key_id(), generation=parsed.generation + 1)
            # Another request was quicker. What it made of the row shows in a new transaction only.
            self._auth.database.undo()
            row = self._living(parsed)
        ahead = row.session_generation - parsed.generation
        if ahead == 1 and self._is_in_grace(row):
            return self._reissue(row)
        if ahead < 1:
            raise RefreshTokenInvalid  # The row is older than the token: it came out of a backup.
        self._end_reused(row, client)
        raise RefreshTokenReused

    def renew(self, claims: Claims, *, client: Client) -> Tokens:
        """Note that the user has just proved again who they are, and return tokens that say so.

        The session goes on under another id and nonce, so that every token of before is dead: whoever
        holds a copy of one does not become fresh along with the user.
        Raises :exc:`~flask_secureauth.errors.SessionRevoked`. Source: ASVS 7.2.4.
        """
        rows, now, session_id = self._rows, self._rows.now(), new_identifier()
        renewed = rows.change(
            *rows.alive(rows.model.id == claims["sid"], rows.model.user_id == rows.owner(claims)),
            id=session_id,
            key_id=self.signing_key_id(),
            nonce=refresh_tokens.new_nonce(),
            generation=0,
            rotated_at=None,
            authenticated_at=now,
            last_used_at=now,
            **whereabouts(client),
        )
        row = rows.find(session_id) if renewed else None
        if row is None:
            raise SessionRevoked
        rows.seen.end(claims["sid"])
        return self._reissue(row)

    def find_session(self, token: str) -> Row[Any] | None:
        """Return the living session of a refresh token of any generation, or ``None``."""
        parsed = refresh_tokens.parse(token)
        row = self._genuine(parsed) if parsed else None
        return row if row is not None and self._rows.is_alive(row) else None

    def _ring(self) -> KeyRing:
        return self._auth.keys.ring(self._auth.clock.timestamp())

    def _genuine(self, token: RefreshToken) -> Row[Any] | None:
        """Read the session of a token, if a key of ours made it.

        Everybody who sees an access token knows the id of its session; without the MAC nothing happens to it.
        """
        row = self._rows.find(token.session_id)
        if row is None or not refresh_tokens.is_genuine(token, self._ring(), nonce=row.session_nonce):
            return None
        return row

    def _living(self, token: RefreshToken) -> Row[Any]:
        row = self._genuine(token)
        if row is None:
            raise RefreshTokenInvalid
        if not self._rows.is_alive(row):
            raise SessionRevoked
        return row

    def _rotate(self, token: RefreshToken, client: Client) -> bool:
        """Whether this request, of all that came with this token, made the next one."""
        rows, now = self._rows, self._rows.now()
        return bool(
            rows.change(
                *rows.alive(rows.model.id == token.session_id, rows.model.generation == token.generation),
                generation=token.generation + 1,
                rotated_at=now,
                last_used_at=now,
                key_id=self.signing_key_id(),
                **whereabouts(client),
            )
        )

    def _reissue(self, row: Row[Any], **changed: Any) -> Tokens:
        opened = {
            "id": row.session_id,
            "methods": tuple(row.session_methods.split()),
            "remembered": row.session_remembered,
            "key_id": row.session_key_id,
            "nonce": row.session_nonce,
            "generation": row.session_generation,
            "authenticated_at": from_column(row.session_authenticated_at),
            "expires_at": from_column(row.session_expires_at),
            **changed,
        }
        return self.issue(self._auth.users.attach(row), OpenSession(**opened))

    def _is_in_grace(self, row: Row[Any]) -> bool:
        # A clock that was set back opens no grace again.
        since = self._rows.now() - row.session_rotated_at
        return bool(timedelta(0) <= since < self._rows.settings.refresh_grace)

    def _end_reused(self, row: Row[Any], client: Client) -> None:
        user_id, session_id = row.session_user_id, row.session_id
        if self._rows.end(user_id, session_id, reason="reuse"):
            self._auth.database.announce(
                RefreshTokenReuseDetected(user_id=user_id, session_id=session_id, client=client)
            )


def whereabouts(client: Client) -> dict[str, Any]:
    """Return what a session keeps of a client: its network, and what it calls itself."""
    return {"address": network_of(client.ip), "user_agent": client.user_agent[:USER_AGENT_LENGTH]}
