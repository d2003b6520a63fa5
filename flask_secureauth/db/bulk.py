"""Many users at once: which addresses are taken, and new rows in few statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select

from .database import Database
from .user_store import UserStore
from .users import spelling


def keys_by_email(emails: Collection[str], *, model: type[Any], users: UserStore, database: Database) -> dict[str, Any]:
    """Return the keys of the users whose addresses are among ``emails``, by canonical address."""
    statement = select(users.key_column, model.email).where(model.email.in_(emails))
    # A collation may call other texts equal; what Python calls equal is the same address.
    return {spelling(email): key for key, email in database.session.execute(statement)}


def insert_users(rows: Sequence[Mapping[str, Any]], *, model: type[Any], database: Database) -> None:
    """Insert rows of attributes, in few statements: no object is made, and no listener of the mapper hears of it."""
    database.session.execute(insert(model), list(rows), execution_options={"render_nulls": True})
