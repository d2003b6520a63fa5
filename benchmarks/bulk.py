"""Many users, each with a session, written past the package: as rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from flask import Flask
from sqlalchemy import Connection, Table, insert, text

from flask_secureauth.db.mixins import to_column

from . import progress
from .filling import cheap_hash
from .identity import address, session_id
from .models import Row, User, db, session, sessions

_CHUNK = 20_000
# The rows are right, and lost with the run: nobody needs to look at each, or to wait for the disk.
_HASTE = {
    "sqlite": ("PRAGMA synchronous = OFF", "PRAGMA journal_mode = MEMORY", "PRAGMA cache_size = -200000"),
    "mysql": ("SET SESSION foreign_key_checks = 0, unique_checks = 0",),
}
_HASTE["mariadb"] = _HASTE["mysql"]


def fill(app: Flask, size: int) -> None:
    """Create the tables, and users with the keys 1 to ``size``, with a session each."""
    now, stored = to_column(datetime.now(UTC)), cheap_hash()
    numbers = range(1, size + 1)

    def user(number: int) -> Row:
        return {
            "id": number,
            "email": address(number),
            "password_hash": stored,
            "created_at": now,
            "updated_at": now,
            "is_active": True,
        }

    with app.app_context():
        db.create_all()
        with db.engine.connect() as connection:
            for statement in _HASTE.get(connection.dialect.name, ()):
                connection.execute(text(statement))
            connection.commit()
            _insert(connection, User.__table__, map(user, numbers), size)
            # In the order of the primary key, which is how a table is filled quickly.
            by_id = sorted(numbers, key=session_id)
            _insert(connection, sessions(), (session(number, now) for number in by_id), size)
        db.engine.dispose()  # The connection is hasty for good.


def _insert(connection: Connection, table: Table, rows: Iterator[Row], size: int) -> None:
    progress.note(f"  {size:,} rows into {table.name}")
    done = 0
    while chunk := list(islice(rows, _CHUNK)):
        connection.execute(insert(table), chunk)
        connection.commit()
        done += len(chunk)
        progress.count(done, size)
