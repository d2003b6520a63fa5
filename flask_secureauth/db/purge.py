"""Deleting what nobody needs any more: in batches, by primary key, each in a transaction of its own.

A ``DELETE`` with a range locks gaps that sign-ins insert into, and a long one fills the undo log;
rows named by their key do neither, and two purges at once only halve each other's work.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, delete, func, inspect, select

from .database import Database

BATCH = 1000


def count(model: type[Any], condition: ColumnElement[bool], database: Database) -> int:
    """Return how many rows of ``model`` meet ``condition``."""
    return int(database.session.scalar(select(func.count()).select_from(model).where(condition)))


def purge(model: type[Any], condition: ColumnElement[bool], database: Database) -> Iterator[int]:
    """Delete the rows of ``model`` that meet ``condition``; yield how many after each batch."""
    (key,) = inspect(model).primary_key
    found = select(key).where(condition).order_by(key).limit(BATCH)
    last = None
    while True:
        batch = list(database.session.scalars(found if last is None else found.where(key > last)))
        # Also ends the reading transaction, which would keep looking at the rows as they were.
        yield database.run(partial(_delete, model, key.in_(batch) & condition, database))
        if len(batch) < BATCH:
            return
        last = batch[-1]


def _delete(model: type[Any], condition: ColumnElement[bool], database: Database) -> int:
    return database.change(delete(model).where(condition))
