"""The rows of the outbox: written by requests, taken and closed by deliverers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, or_, select, update

from ...core.identifiers import new_identifier
from ...db.mixins import to_column
from ...web.state import AuthState
from .settings import MailSettings
from .tables import MailMixin

BATCH = 20
LISTED = 200
FAILURES = ("refused", "expired", "given_up")
"""Outcomes of mails that will not arrive."""
SHORTEST_CLAIM = timedelta(minutes=2)
"""How long a deliverer has at least for one mail before another one takes it."""
_SILENCES = 15
"""How often a mail server can be silent for the whole timeout, from the connection to its last word."""


class MailRows:
    """Reads and changes rows. Who may send a mail is decided by the row count of one ``UPDATE``."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        settings: MailSettings = auth.settings["mail"]
        self._claim = max(SHORTEST_CLAIM, _SILENCES * settings.timeout)
        self.model = auth.models[MailMixin]
        self._columns = [column.label(column.key) for column in self.model.__table__.columns]

    def now(self) -> datetime:
        """The time as a column holds it."""
        return to_column(self._auth.clock.now())

    def add(self, **values: Any) -> None:
        """Insert a mail that is due at once."""
        now = self.now()
        statement = insert(self.model).values(
            id=new_identifier(), created_at=now, next_attempt_at=now, attempts=0, **values
        )
        self._auth.database.session.execute(statement)

    def due(self) -> Sequence[Row[Any]]:
        """Return mails that wait for a deliverer, the one that waits longest first."""
        model = self.model
        statement = (
            select(model.id, model.attempts)
            .where(model.next_attempt_at <= self.now())
            .order_by(model.next_attempt_at, model.id)
            .limit(BATCH)
        )
        return self._auth.database.read(statement, {})

    def count_due(self) -> int:
        """Return how many mails wait for a deliverer."""
        statement = select(func.count()).where(self.model.next_attempt_at <= self.now())
        return int(self._auth.database.read(statement, {})[0][0])

    def unsent(self) -> Sequence[Row[Any]]:
        """Return the last mails that are not closed, or did not arrive, the oldest first."""
        model = self.model
        is_unsent = or_(model.closed_at.is_(None), model.outcome.in_(FAILURES))
        newest = select(*self._columns).where(is_unsent).order_by(model.created_at.desc(), model.id).limit(LISTED)
        return self._auth.database.read(newest, {})[::-1]

    def hasten(self) -> int:
        """Make mails due that wait for another attempt; return how many."""
        model, now = self.model, self.now()
        # One that is being sent has no reason to wait.
        waits = (model.next_attempt_at > now, model.reason.is_not(None))
        return self._update(*waits, next_attempt_at=now)

    def next_due(self) -> datetime | None:
        """Return when the next mail is due; ``None`` when none waits."""
        moment: datetime | None = self._auth.database.read(select(func.min(self.model.next_attempt_at)), {})[0][0]
        return moment

    def claim(self, mail_id: str, attempts: int) -> Row[Any] | None:
        """Take a mail, and return its row; ``None`` when another deliverer was quicker."""
        model, now = self.model, self.now()
        seen = (model.id == mail_id, model.attempts == attempts, model.next_attempt_at <= now)
        # First the update, since what a transaction has read before may be old.
        if not self._update(*seen, attempts=attempts + 1, next_attempt_at=now + self._claim, reason=None):
            return None
        return self._find(mail_id)

    def compose(self, row: Row[Any], **values: Any) -> Row[Any] | None:
        """Store what every attempt of a mail sends, and return the row; ``None`` when another deliverer has it."""
        return self._find(row.id) if self._change(row, composed_at=self.now(), **values) else None

    def postpone(self, row: Row[Any], until: datetime, *, reason: str) -> bool:
        """Have a mail tried again."""
        return self._change(row, next_attempt_at=until, reason=reason)

    def close(self, row: Row[Any], outcome: str, *, reason: str | None = None) -> bool:
        """Be done with a mail; whether it was still the deliverer's."""
        return self._change(row, next_attempt_at=None, closed_at=self.now(), outcome=outcome, reason=reason)

    def _find(self, mail_id: str) -> Row[Any]:
        row: Row[Any] = self._auth.database.session.execute(
            select(*self._columns).where(self.model.id == mail_id)
        ).one()
        return row

    def _change(self, row: Row[Any], **values: Any) -> bool:
        model = self.model
        mine = (model.id == row.id, model.attempts == row.attempts, model.closed_at.is_(None))
        return bool(self._update(*mine, **values))

    def _update(self, *conditions: ColumnElement[bool], **values: Any) -> int:
        return self._auth.database.change(update(self.model).where(*conditions).values(values))
