"""Users as rows of the app's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Row, bindparam, delete, inspect, select, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from ..core.identifiers import InvalidEmail, canonical_email
from ..errors import ConfigurationError
from .build import owned_models
from .database import Database, mysql_code
from .mixins import to_column
from .user_store import Credentials, EmailTaken, UserReferenced, ValueRefused, ValueTaken

_INT64 = 2**63
_NOT_COMPARABLE = frozenset((1267, 1270, 1271))
"""MySQL: the column's character set cannot hold the text, so no row has it."""
_LOADED_ALONG = frozenset(("joined", "subquery", "selectin", "immediate", False))


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
        is_boolean = self._active_column and isinstance(self._mapper.columns["is_active"].type, Boolean)
        self._enabled = (model.is_active,) if is_boolean else ()
        self._reservations: list[Callable[[str], bool]] = []
        self._by_email = select(*self.columns, model.password_hash.label("password_hash")).where(
            model.email.in_((bindparam("canonical"), bindparam("typed")))
        )

    def subject(self, user: Any) -> str:
        return str(getattr(user, self._key_name))

    def key(self, subject: str) -> Any | None:
        return self._read_key(subject)

    def identify(self, user: Any) -> Any | None:
        if isinstance(user, self.model):
            # The object may be of a session that is over, a proxy, or not stored at all.
            (user,) = inspect(user).identity or (None,)
        return None if user is None else self._read_key(str(user))

    def find(self, key: Any) -> Any | None:
        user = self._database.session.get(self.model, key)
        # A collation may call other texts equal to a key of text.
        return user if user is not None and getattr(user, self._key_name) == key else None

    def find_credentials(self, email: str) -> Credentials | None:
        canonical = spelling(email)
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
            row for row in rows if spelling(row.user_email) == canonical
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

    def has_address(self, row: Row[Any], email: str) -> bool:
        return bool(spelling(row.user_email) == spelling(email))

    def add(self, *, email: str, password_hash: str, now: datetime, fields: Mapping[str, Any]) -> Any:
        user = self.model(email=email, password_hash=password_hash, **fields)
        if "_created_at" in self._names:
            user._created_at = user._updated_at = to_column(now)
        self._database.session.add(user)
        try:
            self._flush()
        except ValueTaken as error:
            if self.find_credentials(email):
                raise EmailTaken from error
            if self._required.difference(fields) and error.__cause__:
                raise error.__cause__ from None
            raise
        # After the insert, which waited for whoever was giving the address up.
        if any(is_reserved(email) for is_reserved in self._reservations):
            self._database.undo()
            raise EmailTaken
        return user

    def reserve(self, is_reserved: Callable[[str], bool]) -> None:
        self._reservations.append(is_reserved)

    def overwrite(self, key: Any, values: Mapping[str, Any]) -> None:
        user = self._read_again(key)
        for name, value in values.items():
            setattr(user, name, value)
        self._flush()

    def _flush(self) -> None:
        try:
            self._database.session.flush()
        except (DataError, IntegrityError) as error:
            self._database.undo()
            refusal = ValueRefused if isinstance(error, DataError) else ValueTaken
            raise refusal(str(error.orig)) from error

    def lock(self, user: Any) -> bool:
        key = self.identify(user)
        # An update that changes nothing: the one lock that every database has.
        if not self._update(self.key_column == key, *self._enabled):
            return False
        if self._enabled or not hasattr(self.model, "is_active"):
            return True
        found = self._database.session.get(self.model, key, populate_existing=True)
        return bool(found and found.is_active)

    def replace_hash(self, key: Any, *, old: str, new: str) -> bool:
        values = {} if old == new else {"password_hash": new}
        return self._update(self.key_column == key, self.model.password_hash == old, **values)

    def set_hash(self, key: Any, new: str) -> bool:
        return self._update(self.key_column == key, password_hash=new)

    def set_email(self, key: Any, new: str) -> str | None:
        user = self._read_again(key)
        if user is None:
            return None
        old, user.email = str(user.email), new
        try:
            self._database.session.flush()
        except IntegrityError as error:
            self._database.undo()
            if self.find_credentials(new):
                raise EmailTaken from error
            raise
        return old

    def delete(self, key: Any) -> bool:
        session = self._database.session
        # Not left to the foreign keys: SQLite enforces none unless it is told to.
        for model in owned_models(self.model):
            self._database.change(delete(model).where(model.user_id == key))
        user = session.get(self.model, key, populate_existing=True)
        if user is None:
            return False
        try:
            session.delete(user)  # As an object, so that the relationships of the app's model do as they declare.
            session.flush()
        except IntegrityError as error:
            self._database.undo()
            raise UserReferenced(str(error.orig)) from error
        return True

    def _read_again(self, key: Any) -> Any | None:
        # Locked while it is read: the transaction may have begun before what is there now. Not by get, which would
        # compare the version of the row with that of the object.
        now = select(self.model).where(self.key_column == key).with_for_update(of=self.key_column.table)
        rows = self._database.session.scalars(now.execution_options(populate_existing=True))
        return rows.unique().one_or_none()

    def _update(self, *conditions: Any, **values: Any) -> bool:
        model = self.model
        if not values:
            values = {"password_hash": model.password_hash}
            if "_updated_at" in self._names:
                values["_updated_at"] = model._updated_at
        return bool(self._database.change(update(model).where(*conditions).values(values)))

    def key_of(self, row: Row[Any]) -> Any:
        return row._mapping[f"user_{self._key_name}"]


def spelling(email: str) -> str:
    """Return the canonical form of an address, or what comes closest for one that is none by today's rules."""
    try:
        return canonical_email(email, allow_test_domain=True)
    except InvalidEmail:
        # From before, such as bob@localhost. Only ASCII has one lower case.
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
    return frozenset(item.key for item in mapper.column_attrs for column in item.columns if is_required(column))


def is_required(column: Any) -> bool:
    """Whether nobody fills ``column`` unless its value is given."""
    return not (column.nullable or column.primary_key or column.default or column.server_default)


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
