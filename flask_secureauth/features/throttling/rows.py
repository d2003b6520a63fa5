"""Marks in the app's own database: what every worker shares. Each hit is one statement, which decides.

A single row is inserted or changed by its key, so nobody waits for more than that row, and no gap is locked
(M12 and M13 of MySQL). The condition is in the statement, so that of many at once no more get in than may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Integer,
    String,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from ...db.mixins import to_column
from ...web.state import AuthState
from .lockout import FORGOTTEN_AFTER, FREE, LONGEST_WAIT, MOST, wait_after
from .storage import MARK, TIME, MarkStorage, digest_of, time_of, written
from .tables import ThrottlingMixin

T = TypeVar("T")
_Conditions = Callable[[Any, Any], tuple[ColumnElement[bool], ColumnElement[str]]]
"""From the hits of a row and a new mark: whether it is within, and what the hits are then."""

_COUNTS = (0, *range(FREE, MOST + 1))
"""Failures that differ in their wait: those up to ``FREE`` have none, those from ``MOST`` on the longest."""


class DatabaseStorage(MarkStorage):
    """The table ``secureauth_throttling``."""

    STORAGE_SCHEME = None

    def __init__(self, auth: AuthState) -> None:
        super().__init__(auth.clock)
        self._database = auth.database
        self._table: Any = auth.models[ThrottlingMixin].__table__
        # Statements are built once: that takes longer than running them.
        digest, hits = self._table.c.digest, self._table.c.hits
        self._upserts: dict[tuple[str, bool, _Conditions], Any] = {}
        self._read = select(hits).where(digest == bindparam("of"))
        without = func.replace(hits, bindparam("mark"), "")
        self._release = update(self._table).where(digest == bindparam("of")).values(hits=without)

    def together(self, unit: Callable[[], T]) -> T:
        return self._database.run_apart(unit)

    def acquire(self, key: str, limit: int, expiry: int, mark: str) -> bool:
        most, cutoff = limit * MARK, written(time_of(mark) - expiry)
        return bool(self._write(_limit, key, mark, expiry, most=most, last=most - MARK + 1, cutoff=cutoff))

    def begin(self, key: str, mark: str) -> int:
        """Write ``mark`` unless those before it cost a wait that is not over; return how many there are, or 0.

        See :mod:`~flask_secureauth.features.throttling.lockout`.
        """
        now = time_of(mark)
        waits = {f"waited_{count}": written(now - wait_after(count)) for count in _COUNTS}
        ends = {f"over_{count}": written(now - wait_after(count) - FORGOTTEN_AFTER) for count in _COUNTS}
        return len(self._write(_lockout, key, mark, LONGEST_WAIT + FORGOTTEN_AFTER, **waits, **ends)) // MARK

    def release(self, keys: Sequence[str], mark: str) -> None:
        """Take ``mark`` back; in the request's transaction if it has begun one."""
        # Row by row in the order in which they were written: two of one client wait, and do not block each other.
        self._database.execute(self._release, [{"of": digest_of(key), "mark": mark} for key in keys])

    def marks(self, key: str) -> list[str]:
        with self._database.apart() as connection:
            hits = connection.scalar(self._read, {"of": digest_of(key)}) or ""
        return [hits[start : start + MARK] for start in range(0, len(hits), MARK)]

    def forget(self, key: str) -> bool:
        """Forget the marks of a key, in the request's transaction; whether there were any."""
        table = self._table
        statement = update(table).where(table.c.digest == digest_of(key), table.c.hits != "").values(hits="")
        return bool(self._database.change(statement))

    def _write(self, conditions: _Conditions, key: str, mark: str, expiry: int, **values: object) -> str:
        """Insert the row, or change it if ``conditions`` say so; return its hits, or nothing."""
        digest = digest_of(key)
        expires_at = to_column(self._clock.now() + timedelta(seconds=expiry))
        parameters = {"digest": digest, "hits": mark, "expires_at": expires_at, **values}

        with self._database.apart() as connection:
            result = connection.execute(self._upsert(connection.dialect, conditions), parameters)
            hits = result.scalar() if result.returns_rows else connection.scalar(self._read, {"of": digest})
        return hits if hits and hits.startswith(mark) else ""

    def _upsert(self, dialect: Dialect, conditions: _Conditions) -> Any:
        key = (dialect.name, dialect.insert_returning, conditions)
        if key not in self._upserts:
            upsert = _upsert(dialect, self._table, conditions)
            self._upserts[key] = upsert.returning(self._table.c.hits) if dialect.insert_returning else upsert
        return self._upserts[key]


def _upsert(dialect: Dialect, table: Any, conditions: _Conditions) -> Any:
    """Insert a row, or change the one that is there if the first of ``conditions`` holds."""
    hits = table.c.hits
    if dialect.name in ("mysql", "mariadb"):
        insertion: Any = mysql.insert(table)
        is_within, newer = conditions(hits, insertion.inserted.hits)
        changed = {"hits": case((is_within, newer), else_=hits), "expires_at": insertion.inserted.expires_at}
        return insertion.on_duplicate_key_update(changed)
    kind: Any = postgresql if dialect.name == "postgresql" else sqlite
    insertion = kind.insert(table)
    is_within, newer = conditions(hits, insertion.excluded.hits)
    changed = {"hits": newer, "expires_at": insertion.excluded.expires_at}
    return insertion.on_conflict_do_update(index_elements=[table.c.digest], set_=changed, where=is_within)


def _limit(hits: Any, mark: Any) -> tuple[ColumnElement[bool], ColumnElement[str]]:
    """One more is within a limit if there are fewer marks, or if the last of as many is old enough."""
    most = bindparam("most", type_=Integer)
    last = func.substr(hits, bindparam("last", type_=Integer), TIME)
    return (func.length(hits) < most) | (last <= bindparam("cutoff")), func.substr(mark + hits, 1, most)


def _lockout(hits: Any, mark: Any) -> tuple[ColumnElement[bool], ColumnElement[str]]:
    """One more is within the lockout if it is free, or if the wait is over; some time later all are forgotten."""
    newest = func.substr(hits, 1, TIME)
    is_free = func.length(hits) < FREE * MARK  # Also for one that began before the newest and is written after it.
    is_over = newest <= _by_failures(hits, "over")
    newer = case((is_over, mark), else_=func.substr(mark + hits, 1, MOST * MARK))
    return is_free | (newest <= _by_failures(hits, "waited")), newer


def _by_failures(hits: Any, name: str) -> ColumnElement[str]:
    """The parameter that goes with the number of marks in ``hits``."""
    parameters = {count: bindparam(f"{name}_{count}", type_=String) for count in _COUNTS}
    free = parameters.pop(0)
    most_first = reversed(parameters.items())
    return case(*((func.length(hits) >= count * MARK, moment) for count, moment in most_first), else_=free)
