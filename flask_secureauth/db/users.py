"""Where users are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, bindparam, inspect, select, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from ..core.identifiers import InvalidEmail, canonical_email
from ..errors import ConfigurationError
from .database import Database, mysql_code
from .mixins import to_column

_INT64 = 2**63
_NOT_COMPARABLE = frozenset((1267, 1270, 1271))
"""MySQL: the column's character set cannot hold the text, so no row has it."""
_LOADED_ALONG = frozenset(("joined", "subquery", "selectin", "immediate", False))


class EmailTaken(Exception):
    """An account with this address exists."""


class ValueTaken(Exception):
    """Another unique or required column of the user model refuses the row."""


class ValueRefused(Exception):
    """A column of the user model cannot hold a value."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a password sign-in needs to know of an account. ``row`` becomes the user by ``attach``."""

    key: Any
    password_hash: str | None
    row: Row[Any]


class UserStore(Protocol):
    """What the features ask of the place where users are kept."""

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

    def add(self, *, email: str, password_hash: str, now: datetime, fields: Mapping[str, Any]) -> Any:
        """Insert a user. Raises :exc:`EmailTaken`, :exc:`ValueTaken`, :exc:`ValueRefused`."""
        ...

    def replace_hash(self, key: Any, *, old: str, new: str) -> bool:
        """Store ``new`` if ``old`` is still stored, and say whether it was. Locks the row until the commit."""
        ...


class SQLAlchemyUserStore:
    """Users as rows of a model with :class:`~flask_secureauth.UserMixin`."""

    def __init__(self, model: type[Any], database: Database) -> None:
        self.model = model
        self._database = database
        self._mapper = inspect(model)
        (self.key_column,) = self._mapper.primary_key
        self._key_name = self._mapper.get_property_by_column(self.key_column).key
        self._read_key = _key_reader(self.key_column.type.python_type, model)
        loaded = [item for item in self._mapper.column_attrs if not item.deferred]
        self.columns = tuple(item.columns[0].label(f"user_{item.key}") for item in loaded)
        self._names = tuple(item.key for item in loaded)
        self._is_plain = _is_plain(self._mapper)
        self._required = _required(self._mapper) - {"email", "password_hash"}
        self._active_column = "user_is_active" if "is_active" in self._names else None
        self._by_email = select(*self.columns, model.password_hash.label("password_hash")).where(
            model.email.in_((bindparam("canonical"), bindparam("typed")))
        )

    def subject(self, user: Any) -> str:
        return str(getattr(user, self._key_name))

    def key(self, subject: str) -> Any | None:
        return self._read_key(subject)

    def find(self, key: Any) -> Any | None:
        user = self._database.session.get(self.model, key)
        # A collation may call other texts equal to a key of text.
        return user if user is not None and getattr(user, self._key_name) == key else None

    def find_credentials(self, email: str) -> Credentials | None:
        canonical = _spelling(email)
        try:
            rows = self._database.read(self._by_email, {"canonical": canonical, "typed": email})
        except OperationalError as error:
            if mysql_code(error) in _NOT_COMPARABLE:
                return None
            raise
        except UnicodeEncodeError:
            return None  # The connection's character set cannot hold the text, so no row has it.
        # A collation may call "jose" and "josé" equal; only what Python calls equal is the same account.
        same = [row for row in rows if row.user_email == email] or [
            row for row in rows if _spelling(row.user_email) == canonical
        ]
        if not same:
            return None
        row = same[0]
        return Credentials(key=self.key_of(row), password_hash=row.password_hash, row=row)

    def attach(self, row: Row[Any]) -> Any:
        session = self._database.session()
        key = self.key_of(row)
        known = session.identity_map.get(self._mapper.identity_key_from_primary_key((key,)))
        if known is not None:
            return known
        if not self._is_plain:
            return self.find(key)
        user = self._mapper.class_manager.new_instance()
        for name in self._names:
            set_committed_value(user, name, row._mapping[f"user_{name}"])
        make_transient_to_detached(user)
        session.add(user)
        return user

    def is_active(self, row: Row[Any]) -> bool:
        if self._active_column is not None:
            return bool(row._mapping[self._active_column])
        if hasattr(self.model, "is_active"):
            return bool(self.attach(row).is_active)
        return True

    def add(self, *, email: str, password_hash: str, now: datetime, fields: Mapping[str, Any]) -> Any:
        user = self.model(email=email, password_hash=password_hash, **fields)
        if "_created_at" in self._names:
            user._created_at = user._updated_at = to_column(now)
        session = self._database.session
        try:
            session.add(user)
            session.flush()
        except DataError as error:
            session.rollback()
            raise ValueRefused(str(error.orig)) from error
        except IntegrityError as error:
            session.rollback()
            if self.find_credentials(email):
                raise EmailTaken from error
            if self._required.difference(fields):
                raise
            raise ValueTaken(str(error.orig)) from error
        return user

    def replace_hash(self, key: Any, *, old: str, new: str) -> bool:
        model = self.model
        values = {"password_hash": new}
        if old == new and "_updated_at" in self._names:
            values["_updated_at"] = model._updated_at
        statement = (
            update(model)
            .where(self.key_column == key, model.password_hash == old)
            .values(values)
            .execution_options(synchronize_session=False)
        )
        return bool(self._database.session.execute(statement).rowcount)

    def key_of(self, row: Row[Any]) -> Any:
        return row._mapping[f"user_{self._key_name}"]


def _spelling(email: str) -> str:
    try:
        return canonical_email(email, allow_test_domain=True)
    except InvalidEmail:
        # An address from before that is none by today's rules, such as bob@localhost. Only ASCII has one lower case.
        return email.lower() if email.isascii() else email


def _is_plain(mapper: Any) -> bool:
    """Whether an object can be made from a row: nothing loads along, nobody listens to its loading."""
    return not (
        mapper.polymorphic_on is not None
        or mapper.class_manager.dispatch.load
        or any(item.lazy in _LOADED_ALONG for item in mapper.relationships)
        or mapper.version_id_col is not None
    )


def _required(mapper: Any) -> frozenset[str]:
    """Attributes that nobody but the app can fill."""
    return frozenset(
        item.key
        for item in mapper.column_attrs
        for column in item.columns
        if not (column.nullable or column.primary_key or column.default or column.server_default)
    )


def _key_reader(python_type: type, model: type[Any]) -> Any:
    readers = {int: _read_int, UUID: _read_uuid, str: lambda subject: subject}
    if python_type not in readers:
        raise ConfigurationError(
            [f"{model.__name__} has a primary key of type {python_type.__name__}; int, UUID and str work."]
        )
    return readers[python_type]


def _read_int(subject: str) -> int | None:
    try:
        key = int(subject)
    except ValueError:
        return None
    return key if str(key) == subject and -_INT64 <= key < _INT64 else None


def _read_uuid(subject: str) -> UUID | None:
    try:
        key = UUID(subject)
    except ValueError:
        return None
    return key if str(key) == subject else None
