"""One-time tokens: what a mailed link carries. One table for every purpose, each token good for one use.

A token is a MAC over the row's random nonce, with a key that is not in the database, and the row holds
its SHA-256: whoever reads the table can neither use a token nor make one. So it can be made again when
the mail is sent, and a mail that waits in the outbox holds no secret.
Source: ASVS 6.4.1, 6.5.1, 6.6.2, 7.4; security.md section 2.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy import ColumnElement, Row, bindparam, insert, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from ..core.identifiers import new_identifier
from ..core.keys import Key
from ..db.mixins import UTC_DATETIME, UserOwned, from_column, to_column
from ..errors import OneTimeTokenInvalid
from ..events import CredentialsChanged, EmailChanged
from ..feature import Feature
from ..setting_kinds import duration, setting
from ..web.schemas import Moment
from ..web.state import AuthState

MAC_PURPOSE = "flask-secureauth one-time-token v1"
_USED, _VOID = "used", "void"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long rows are kept."""

    retention: timedelta = setting(
        timedelta(days=7),
        duration(timedelta(0), timedelta(days=3650)),
        "How long the row of a token that was used, void or over is kept before flask secureauth purge deletes it.",
    )


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a token is for.

    With ``of_account`` it works only while the mailbox that it went to is the account's address. A
    token that ``survives`` is not void when the password or the address changes, nor when a newer one is issued.
    """

    name: str
    lifetime: timedelta
    of_account: bool = True
    survives: bool = False


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a token proves: that the mailbox ``address`` is read by whoever acts for ``user_id``."""

    user_id: Any
    address: str
    issued_at: datetime | None = field(default=None, compare=False)


class OneTimeTokenMixin(UserOwned):
    """One token. Times are naive UTC; ``closed_at`` is when it was used or made void."""

    __tablename__ = "secureauth_one_time_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(255), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    key_id: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    survives: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    expires_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    closed_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)
    outcome: Mapped[str | None] = mapped_column(String(16))


class OneTimeTokenExportSchema(Schema):
    """What a row says of its user, and nothing that a token is made of."""

    purpose = fields.String()
    address = fields.String()
    created_at = Moment()
    expires_at = Moment()
    closed_at = Moment()
    outcome = fields.String()


class OneTimeTokenService:
    """Issues tokens, makes their text for a mail, and uses each once."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: Settings = auth.settings["one_time_tokens"]
        self._model = model = auth.models[OneTimeTokenMixin]
        columns = (column.label(f"token_{column.key}") for column in model.__table__.columns)
        self._by_hash = (
            select(*auth.users.columns, *columns)
            .select_from(model)
            .join(auth.user_model, model.user_id == auth.users.key_column)
            .where(model.token_hash == bindparam("hash"))
        )

    def issue(self, user_id: Any, purpose: Purpose, *, address: str) -> str:
        """Store a token for the mailbox ``address`` and return its id; older ones of the purpose are void."""
        auth, now = self._auth, self._auth.clock.now()
        if not purpose.survives:
            self.void(user_id, purpose.name)
        key, token_id, nonce = auth.keys.ring(now.timestamp()).signing, new_identifier(), secrets.token_hex(32)
        statement = insert(self._model).values(
            id=token_id,
            user_id=user_id,
            purpose=purpose.name,
            address=address,
            token_hash=_digest(_write(key, token_id, nonce) or ""),
            key_id=key.kid,
            nonce=nonce,
            survives=purpose.survives,
            created_at=to_column(now),
            expires_at=to_column(now + purpose.lifetime),
        )
        auth.database.session.execute(statement)
        return token_id

    def reveal(self, token_id: str) -> str | None:
        """Return the text of a token, 43 characters; ``None`` when it would not work any more."""
        model = self._model
        statement = select(model.key_id, model.nonce).where(model.id == bindparam("id"), *self._open())
        rows = self._auth.database.read(statement, {"id": token_id})
        key = self._key(rows[0].key_id) if rows else None
        return _write(key, token_id, rows[0].nonce) if key else None

    def find(self, token: str, purpose: Purpose) -> Proof | None:
        """Look at a token without using it; ``None`` when it would be refused."""
        row = self._row(token)
        if row is None or row.token_closed_at is not None or row.token_expires_at <= self._now():
            return None
        return self._proof(row, purpose)

    def consume(self, token: str, purpose: Purpose) -> Proof:
        """Use a token, once: of two requests with one token, one gets through.

        Raises :exc:`~flask_secureauth.errors.OneTimeTokenInvalid`, also for a user who is disabled or whose
        address is another one by now.
        """
        model = self._model
        if not self._close(_USED, model.token_hash == _digest(token), model.purpose == purpose.name):
            raise OneTimeTokenInvalid
        row = self._row(token)
        proof = self._proof(row, purpose) if row else None
        if proof is None:
            raise OneTimeTokenInvalid
        return proof

    def is_open(self, purpose: Purpose, *, address: str) -> bool:
        """Whether anybody's token of this purpose waits in the mailbox ``address``."""
        model = self._model
        conditions = (model.address == bindparam("address"), model.purpose == purpose.name, *self._open())
        rows = self._auth.database.read(select(model.address).where(*conditions), {"address": address})
        # A collation may call other addresses equal.
        return any(row.address == address for row in rows)

    def void(self, user_id: Any, *purposes: str, since: datetime | None = None) -> None:
        """Make the user's tokens of these purposes void; without a purpose all but those that survive.

        With ``since`` only those that were issued from then on.
        """
        model = self._model
        which = model.purpose.in_(purposes) if purposes else model.survives.is_(False)
        later = () if since is None else (model.created_at >= to_column(since),)
        self._close(_VOID, model.user_id == user_id, which, *later)

    def changed(self, event: CredentialsChanged | EmailChanged) -> None:
        """Make void what was mailed before the password or the address changed. Source: ASVS 6.6.3."""
        self.void(event.user_id)

    def export(self, user_id: Any) -> Any:
        """Return what is held of a user: the purposes and times, and nothing that a token is made of."""
        model = self._model
        found = self._auth.database.session.scalars(
            select(model).where(model.user_id == user_id).order_by(model.created_at, model.id)
        )
        return OneTimeTokenExportSchema(many=True).dump(found)

    def purgeable(self) -> ColumnElement[bool]:
        """The condition of rows that ended longer ago than they are kept."""
        model, until = self._model, self._now() - self._settings.retention
        return or_(model.closed_at <= until, model.expires_at <= until)

    def _now(self) -> datetime:
        return to_column(self._auth.clock.now())

    def _open(self) -> tuple[ColumnElement[bool], ...]:
        return (self._model.closed_at.is_(None), self._model.expires_at > self._now())

    def _close(self, outcome: str, *conditions: ColumnElement[bool]) -> int:
        wanted = update(self._model).where(*conditions, *self._open())
        return self._auth.database.change(wanted.values(closed_at=self._now(), outcome=outcome))

    def _row(self, token: str) -> Row[Any] | None:
        rows = self._auth.database.read(self._by_hash, {"hash": _digest(token)})
        return rows[0] if rows else None

    def _proof(self, row: Row[Any], purpose: Purpose) -> Proof | None:
        users = self._auth.users
        is_good = (
            row.token_purpose == purpose.name
            and users.is_active(row)
            # A key that was retired, since it leaked perhaps, vouches for nothing.
            and self._key(row.token_key_id) is not None
            and (not purpose.of_account or users.has_address(row, row.token_address))
        )
        if not is_good:
            return None
        issued_at = from_column(row.token_created_at)
        return Proof(user_id=users.key_of(row), address=row.token_address, issued_at=issued_at)

    def _key(self, key_id: str) -> Key | None:
        return self._auth.keys.ring(self._auth.clock.timestamp()).find(key_id)


def _write(key: Key, token_id: str, nonce: str) -> str | None:
    return key.mac(MAC_PURPOSE, f"{token_id}|{nonce}")


def _digest(token: str) -> str:
    # Looked up by digest: how long it takes tells nothing of the token. Source: security.md F34.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


FEATURE = Feature(
    name="one_time_tokens",
    settings=Settings,
    tables=(OneTimeTokenMixin,),
    service=OneTimeTokenService,
    handlers={CredentialsChanged: OneTimeTokenService.changed, EmailChanged: OneTimeTokenService.changed},
    purge=lambda service: {OneTimeTokenMixin: service.purgeable()},
    export=OneTimeTokenService.export,
)
