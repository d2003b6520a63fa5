"""Marks in the app's own database: what every worker shares. Each hit is one statement, which decides.

A single row is inserted or changed by its key, so nobody waits for more than that row, and no gap is locked
(M12 and M13 of MySQL). The condition is in the statement, so that of many at once no more get in than may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, case, func, literal, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from ...db.mixins import to_column
from ...web.state import AuthState
from .lockout import FORGOTTEN_AFTER, FREE, LONGEST_WAIT, MOST, wait_after
from .storage import MARK, TIME, MarkStorage, digest_of, time_of, written
from .tables import ThrottlingMixin

T = TypeVar("T")


class DatabaseStorage(MarkStorage):
    """The table ``secureauth_throttling``."""

    STORAGE_SCHEME = None

    def __init__(self, auth: AuthState) -> None:
        super().__init__(auth.clock)
        self._database = auth.database
        self._table: Any = auth.models[ThrottlingMixin].__table__

    def together(self, unit: Callable[[], T]) -> T:
        return self._database.run_apart(unit)

    def acquire(self, key: str, limit: int, expiry: int, mark: str) -> bool:
        hits = self._table.c.hits
        last = func.substr(hits, (limit - 1) * MARK + 1, TIME)
        is_within = (func.length(hits) < limit * MARK) | (last <= written(time_of(mark) - expiry))
        newer = func.substr(literal(mark) + hits, 1, limit * MARK)
        return bool(self._write(key, mark, is_within=is_within, newer=newer, expiry=expiry))

    def begin(self, key: str, mark: str) -> int:
        """Write ``mark`` unless those before it cost a wait that is not over; return how many there are, or 0.

        See :mod:`~flask_secureauth.features.throttling.lockout`.
        """
        hits, now = self._table.c.hits, time_of(mark)
        newest = func.substr(hits, 1, TIME)
        is_free = func.length(hits) < FREE * MARK  # Also for one that began before the newest and is written after it.
        is_within = is_free | (newest <= _by_failures(hits, lambda count: written(now - wait_after(count))))
        is_over = newest <= _by_failures(hits, lambda count: written(now - wait_after(count) - FORGOTTEN_AFTER))
        newer = case((is_over, mark), else_=func.substr(literal(mark) + hits, 1, MOST * MARK))
        expiry = LONGEST_WAIT + FORGOTTEN_AFTER
        return len(self._write(key, mark, is_within=is_within, newer=newer, expiry=expiry)) // MARK

    def release(self, keys: Sequence[str], mark: str) -> None:
        """Take ``mark`` back; in the request's transaction if it has begun one."""
        table = self._table
        without = func.replace(table.c.hits, mark, "")
        self._database.execute(update(table).where(table.c.digest.in_(map(digest_of, keys))).values(hits=without))

    def marks(self, key: str) -> list[str]:
        with self._database.apart() as connection:
            hits = connection.scalar(self._read(key)) or ""
        return [hits[start : start + MARK] for start in range(0, len(hits), MARK)]

    def forget(self, key: str) -> bool:
        """Forget the marks of a key, in the request's transaction; whether there were any."""
        table = self._table
        statement = update(table).where(table.c.digest == digest_of(key), table.c.hits != "").values(hits="")
        return bool(self._database.change(statement))

    def _read(self, key: str) -> Any:
        return select(self._table.c.hits).where(self._table.c.digest == digest_of(key))

    def _write(
        self, key: str, mark: str, *, is_within: ColumnElement[bool], newer: ColumnElement[str], expiry: int
    ) -> str:
        """Insert the row, or change it if it is within; return its hits, or nothing."""
        expires_at = to_column(self._clock.now() + timedelta(seconds=expiry))
        first = {"digest": digest_of(key), "hits": mark, "expires_at": expires_at}

        with self._database.apart() as connection:
            statement = _upsert(connection, self._table, first, is_within=is_within, newer=newer)
            if connection.dialect.insert_returning:
                hits = connection.scalar(statement.returning(self._table.c.hits)) or ""
            else:
                connection.execute(statement)
                hits = connection.scalar(self._read(key)) or ""
        return hits if hits.startswith(mark) else ""


def _upsert(
    connection: Connection,
    table: Any,
    first: dict[str, Any],
    *,
    is_within: ColumnElement[bool],
    newer: ColumnElement[str],
) -> Any:
    if connection.dialect.name in ("mysql", "mariadb"):
        hits = case((is_within, newer), else_=table.c.hits)
        changed = {"hits": hits, "expires_at": first["expires_at"]}
        return mysql.insert(table).values(first).on_duplicate_key_update(changed)
    kind: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    changed = {"hits": newer, "expires_at": first["expires_at"]}
    return (
        kind.insert(table)
        .values(first)
        .on_conflict_do_update(index_elements=[table.c.digest], set_=changed, where=is_within)
    )


def _by_failures(hits: Any, moment: Any) -> ColumnElement[str]:
    """What ``moment`` says of the number of marks in ``hits``."""
    known = {count * MARK: moment(count) for count in range(FREE, MOST)}
    return case((func.length(hits) < FREE * MARK, moment(0)), *_whens(hits, known), else_=moment(MOST))


def _whens(hits: Any, known: dict[int, str]) -> list[Any]:
    return [(func.length(hits) == length, moment) for length, moment in known.items()]
