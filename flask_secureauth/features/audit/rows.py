"""The rows of the audit: how they are found, newest first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from ...web.state import AuthState
from .tables import AuditMixin

BATCH = 500


class AuditRows:
    """Adds rows and reads them. None is ever changed."""

    def __init__(self, auth: AuthState) -> None:
        self._database = auth.database
        self.model = model = auth.models[AuditMixin]
        columns = (getattr(model, column.key) for column in model.__table__.columns)
        self._newest_first = select(*columns).order_by(model.id.desc())

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows in the transaction that is going on."""
        self._database.insert_at_commit(self.model, rows)

    def older_than(self, identifier: str) -> ColumnElement[bool]:
        """The condition of rows that were written before this one."""
        condition: ColumnElement[bool] = self.model.id < identifier
        return condition

    def page(self, *conditions: ColumnElement[bool], before: str | None, limit: int) -> Sequence[Row[Any]]:
        """Return at most ``limit`` rows that meet ``conditions``, older than the row ``before``."""
        older = () if before is None else (self.older_than(before),)
        return self._database.read(self._newest_first.where(*conditions, *older).limit(limit), {})

    def find(self, *conditions: ColumnElement[bool], limit: int) -> Iterator[Row[Any]]:
        """Yield at most ``limit`` rows that meet ``conditions``; only a few hundred are in memory at a time."""
        before = None
        while limit > 0:
            batch = self.page(*conditions, before=before, limit=min(BATCH, limit))
            yield from batch
            if len(batch) < BATCH:
                return
            before, limit = batch[-1].id, limit - len(batch)


def owner_text(key: Any) -> str | None:
    """Return the text of a user's key; of a key that is text its digest, since a collation calls other texts equal."""
    if key is None:
        return None
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest() if isinstance(key, str) else str(key)
