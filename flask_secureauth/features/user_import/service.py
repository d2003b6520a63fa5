"""The import itself: batch by batch, each in a transaction of its own, so that what was done stays done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from ...db.bulk import insert_users, keys_by_email
from ...events import EmailVerified
from ...web.state import AuthState
from .files import Record
from .rows import Row, Unfit, UserRows

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A record that became no user."""

    line: int
    reason: str


@dataclass(kw_only=True)
class Outcome:
    """What became of a batch. ``present`` are the lines whose address has an account already."""

    imported: int = 0
    present: list[int] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class UserImportService:
    """Creates the accounts of another application."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth

    def load(self, records: Iterable[Record], rows: UserRows, *, verified: bool) -> Iterator[Outcome]:
        """Import ``records``; yield after each batch is committed.

        With ``verified``, ``EmailVerified`` is announced for each new user in the transaction that creates it.
        """
        for batch in _batches(records):
            outcome = Outcome()
            self._store(_fit(batch, rows, outcome), outcome, verified=verified)
            yield outcome

    def rehearse(self, records: Iterable[Record], rows: UserRows) -> Iterator[Outcome]:
        """Yield what :meth:`load` would, as far as reading can tell, and write nothing.

        Keeps 16 bytes for each address, which in a set are some 85.
        """
        seen: set[bytes] = set()
        for batch in _batches(records):
            outcome = Outcome()
            fit = _fit(batch, rows, outcome)
            taken = self._auth.database.run(partial(self._taken, fit))
            for row in fit:
                mark = hashlib.blake2b(row.email.encode(), digest_size=16).digest()
                if row.email in taken or mark in seen:
                    outcome.present.append(row.line)
                else:
                    outcome.imported += 1
                seen.add(mark)
            yield outcome

    def _store(self, rows: list[Row], outcome: Outcome, *, verified: bool) -> None:
        """Insert ``rows``; where the database refuses them, each half, down to the row that it means."""
        try:
            present = self._auth.database.run(partial(self._insert, rows, verified=verified))
        except StatementError as error:
            if isinstance(error, DBAPIError) and not isinstance(error, (DataError, IntegrityError)):
                raise
            half = len(rows) // 2
            if half:
                self._store(rows[:half], outcome, verified=verified)
                self._store(rows[half:], outcome, verified=verified)
            else:
                outcome.refused.append(Refusal(line=rows[0].line, reason=_reason(error)))
        else:
            outcome.imported += len(rows) - len(present)
            outcome.present += present

    def _insert(self, rows: list[Row], *, verified: bool) -> list[int]:
        """Insert those of ``rows`` that are not there; return the lines of the others."""
        taken = self._taken(rows)
        new: dict[str, Row] = {}
        present = []
        for row in rows:
            if row.email in taken or new.setdefault(row.email, row) is not row:
                present.append(row.line)
        if new:
            auth = self._auth
            insert_users([row.values for row in new.values()], model=auth.user_model, database=auth.database)
            if verified:
                for email, key in self._taken(list(new.values())).items():
                    auth.database.announce(EmailVerified(user_id=key, email=email))
        return present

    def _taken(self, rows: list[Row]) -> dict[str, Any]:
        auth = self._auth
        emails = {row.email for row in rows} | {row.typed_email for row in rows if row.typed_email.isascii()}
        return keys_by_email(emails, model=auth.user_model, users=auth.users, database=auth.database)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    waiting = iter(records)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _fit(batch: list[Record], rows: UserRows, outcome: Outcome) -> list[Row]:
    fit = []
    for record in batch:
        try:
            fit.append(rows.row(record))
        except Unfit as error:
            outcome.refused.append(Refusal(line=record.line, reason=str(error)))
    return fit


def _reason(error: StatementError) -> str:
    # The database's own words would quote the values.
    if isinstance(error, IntegrityError):
        return "The database refuses it: another unique column has this value already, or a rule of the table"
    return "The database refuses it: a column cannot hold its value"
