"""Mixins for models: the user, and whatever belongs to a user."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Integer, String
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, declared_attr, has_inherited_table, mapped_column

UTC_DATETIME = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
"""A naive UTC time with microseconds, the same on every database.

MySQL's TIMESTAMP follows the session's time zone and ends in 2038, its plain DATETIME drops
fractions. A stock type, so migrations that Alembic writes need no import of ours.
"""


def to_column(moment: datetime) -> datetime:
    """Turn an aware time into the naive UTC one that a column holds. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone could mean any hour; pass an aware datetime")
    return moment.astimezone(UTC).replace(tzinfo=None)


def from_column(moment: datetime | None) -> datetime | None:
    """Turn what a column holds into an aware UTC time."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def _now() -> datetime:
    return to_column(datetime.now(UTC))


class UserMixin:
    """The columns that an account needs. Everything else of the model is the app's.

    Override ``id`` for another kind of primary key (``Mapped[uuid.UUID]``). Add a column
    ``is_active`` to be able to disable accounts; without one every account is active.
    """

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        """SQLite's option, since it gives the number of a deleted user to the next one, and MySQL's two."""
        if has_inherited_table(cls):  # type: ignore[arg-type]
            return None
        return {"sqlite_autoincrement": True, "mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}

    id: Mapped[Any] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), deferred=True)
    _created_at: Mapped[datetime] = mapped_column("created_at", UTC_DATETIME, default=_now)
    _updated_at: Mapped[datetime] = mapped_column("updated_at", UTC_DATETIME, default=_now, onupdate=_now)

    @hybrid_property
    def created_at(self) -> Any:
        """When the account was created: an aware UTC time."""
        return from_column(self._created_at)

    @created_at.inplace.setter
    def _set_created_at(self, moment: datetime) -> None:
        self._created_at = to_column(moment)

    @created_at.inplace.expression
    @classmethod
    def _created_at_column(cls) -> Any:
        return cls._created_at

    @hybrid_property
    def updated_at(self) -> Any:
        """When the row was last changed: an aware UTC time."""
        return from_column(self._updated_at)

    @updated_at.inplace.setter
    def _set_updated_at(self, moment: datetime) -> None:
        self._updated_at = to_column(moment)

    @updated_at.inplace.expression
    @classmethod
    def _updated_at_column(cls) -> Any:
        return cls._updated_at


class UserOwned:
    """A table whose rows belong to a user: ``user_id`` follows the type of the user model's key.

    With ``one_per_user`` it is the primary key.
    """

    __tablename__: ClassVar[Any]
    one_per_user: ClassVar[bool] = False
    user_id: Mapped[Any]
