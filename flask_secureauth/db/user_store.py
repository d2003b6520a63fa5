"""What the features ask of the place where users are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Row


class EmailTaken(Exception):
    """An account with this address exists."""


class ValueTaken(Exception):
    """Another unique or required column of the user model refuses the row."""


class ValueRefused(Exception):
    """A column of the user model cannot hold a value."""


class UserReferenced(Exception):
    """Rows of the app's own refer to the user and do not go along. The message names the constraint."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a password sign-in needs to know of an account. ``row`` becomes the user by ``attach``."""

    key: Any
    password_hash: str | None = field(repr=False)
    row: Row[Any] = field(repr=False)

    @property
    def email(self) -> str:
        """The address as it is stored, which what was typed may only look like."""
        return str(self.row.user_email)


class UserStore(Protocol):
    """Where users are kept: :class:`~flask_secureauth.db.users.SQLAlchemyUserStore`, or another one."""

    columns: tuple[Any, ...]
    """What :meth:`attach` wants to find in a row, each labelled ``user_<attribute>``."""
    key_column: Any
    """The primary key."""

    def subject(self, user: Any) -> str:
        """Return the ``sub`` of a user."""
        ...

    def key(self, subject: str) -> Any | None:
        """Return the primary key that ``sub`` names; ``None`` when it cannot be one."""
        ...

    def identify(self, user: Any) -> Any | None:
        """Return the primary key of a user, the object or its key; ``None`` for neither, and before it is stored."""
        ...

    def find(self, key: Any) -> Any | None:
        """Return the user, or ``None``."""
        ...

    def find_credentials(self, email: str) -> Credentials | None:
        """Return the account of an address as typed, or ``None``; in one statement."""
        ...

    def key_of(self, row: Row[Any]) -> Any:
        """Return the primary key that ``row`` holds."""
        ...

    def attach(self, row: Row[Any]) -> Any:
        """Return the user that ``row`` holds, as an object of the app's session; without a statement."""
        ...

    def is_active(self, row: Row[Any]) -> bool:
        """Whether the account is enabled."""
        ...

    def has_address(self, row: Row[Any], email: str) -> bool:
        """Whether ``email`` is a spelling of the account's address."""
        ...

    def add(self, *, email: str, password_hash: str, now: datetime, fields: Mapping[str, Any]) -> Any:
        """Insert a user. Raises :exc:`EmailTaken`, :exc:`ValueTaken`, :exc:`ValueRefused`."""
        ...

    def reserve(self, is_reserved: Callable[[str], bool]) -> None:
        """Have :meth:`add` refuse the addresses that ``is_reserved`` says are kept for somebody."""
        ...

    def overwrite(self, key: Any, values: Mapping[str, Any]) -> None:
        """Store other values of columns in an account, whose row is locked, whatever is stored.

        Raises :exc:`ValueTaken`, :exc:`ValueRefused`.
        """
        ...

    def lock(self, user: Any) -> bool:
        """Lock the row of a user, the object or its key, until the commit; whether it is there and enabled then."""
        ...

    def replace_hash(self, key: Any, *, old: str, new: str) -> bool:
        """Store ``new`` if ``old`` is still stored, and say whether it was. Locks the row until the commit."""
        ...

    def set_hash(self, key: Any, new: str) -> bool:
        """Store ``new`` whatever is stored; whether the user is there. An empty one lets no password in."""
        ...

    def set_email(self, key: Any, new: str) -> str | None:
        """Store another address, in canonical form, and return the one before; ``None`` when the user is gone.

        Raises :exc:`EmailTaken`; the transaction is undone then.
        """
        ...

    def delete(self, key: Any) -> bool:
        """Delete a user with all that features keep of them; whether the user was there.

        Raises :exc:`UserReferenced`; the transaction is undone then.
        """
        ...
