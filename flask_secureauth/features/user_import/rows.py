"""What a record must be to become a user: known columns, values of their types, an address, a hash that we verify.

No sentence here quotes a value: a hash stands in the wrong column sooner or later, and reports are passed around.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Enum, inspect

from ...core.bounded import Bounded
from ...core.extras import MissingExtra
from ...core.flask_security import MARK
from ...core.identifiers import canonical_email
from ...core.passwords import is_readable
from ...db.mixins import to_column
from ...db.users import is_required
from ...web.state import AuthState
from .files import Record, UnusableFile

_INT64 = 2**63
_WORD = re.compile(r"\w{1,64}")
_BOOLEANS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
_EARLIEST_YEAR = 1000
"""Of a DATETIME. Source: MySQL's reference manual."""
_NO_COLUMN = "the user model has no column that can be imported under the name"
_UNUSABLE = "!"
"""How Django marks an account without a password."""


class Unfit(ValueError):
    """A record that cannot become a user; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A user to be: ``values`` by attribute of the user model."""

    line: int
    email: str
    typed_email: str
    values: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Target:
    """A column that can be filled."""

    name: str
    attribute: str
    column: Column[Any]
    read: Callable[[Any], Any]

    @property
    def is_required(self) -> bool:
        """Whether nobody but the file can fill it."""
        return is_required(self.column)

    def fill(self, values: dict[str, Any], raw: Any) -> None:
        """Put what ``raw`` says into ``values``; an empty one is NULL, or leaves it to the column's default."""
        if raw in (None, ""):
            if self.column.nullable:
                values[self.attribute] = None
            elif self.is_required and (raw is None or self.column.type.python_type is not str):
                raise Unfit(f"{self.name}: it is empty")
            elif self.is_required:
                values[self.attribute] = ""
            return
        try:
            value = self.read(raw)
        except (ValueError, OverflowError) as error:
            raise Unfit(f"{self.name}: {error}") from None
        longest = getattr(self.column.type, "length", None)
        if isinstance(value, str) and longest and len(value) > longest:
            raise Unfit(f"{self.name}: longer than {longest} characters")
        values[self.attribute] = value


class UserRows:
    """Turns records into rows of the user model.

    ``renamed`` maps names of the file to columns, or to ``""`` for what is left out. With ``without_password``
    users may have no hash; with ``flask_security`` the hashes were made by Flask-Security. Raises
    :exc:`~.files.UnusableFile` for a name to which there is no column.
    """

    def __init__(
        self, auth: AuthState, *, renamed: Mapping[str, str], without_password: bool, flask_security: bool
    ) -> None:
        if flask_security and auth.settings["password"].flask_security_salt is None:
            raise UnusableFile(
                "set SECUREAUTH_PASSWORD_FLASK_SECURITY_SALT to the other app's SECURITY_PASSWORD_SALT first:"
                " without it nobody could sign in"
            )
        self._flask_security = flask_security
        self._auth = auth
        self._renamed = renamed
        self._without_password = without_password
        self._targets = _targets(auth)
        attributes = {target.attribute for target in self._targets.values()}
        self._stamps = attributes & {"_created_at", "_updated_at"}
        self._plans: Bounded[tuple[str, ...], dict[str, _Target]] = Bounded(100)
        for name in filter(None, renamed.values()):
            if name not in self._targets:
                raise UnusableFile(f"--map: {_NO_COLUMN} {_shown(name)}")

    def plan(self, names: tuple[str, ...]) -> Mapping[str, _Target]:
        """Return the column of each name in a record. Raises :exc:`~.files.UnusableFile`."""
        known = self._plans.get(names)
        if known is not None:
            return known
        wanted = {name: self._renamed.get(name, name) for name in names}
        plan = {name: self._target(column) for name, column in wanted.items() if column}
        given = [target.name for target in plan.values()]
        if len(set(given)) < len(given):
            raise UnusableFile("two of its columns are for the same column of the user model")
        required = {target.name for target in self._targets.values() if target.is_required}
        if self._without_password:
            required.discard("password_hash")
        for name in sorted(required.difference(given)):
            raise UnusableFile(f"it has no column {name}; --map NAME={name} says which one it is")
        self._plans.put(names, plan)
        return plan

    def row(self, record: Record) -> Row:
        """Return what ``record`` becomes. Raises :exc:`Unfit`."""
        if record.problem:
            raise Unfit(record.problem)
        try:
            plan = self.plan(tuple(record.members))
        except UnusableFile as error:
            raise Unfit(f"In this record: {error}") from None
        values: dict[str, Any] = {}
        for name, target in plan.items():
            target.fill(values, record.members[name])
        typed = values.get("email", "")
        values["password_hash"] = self._password_hash(values.get("password_hash", ""))
        values["email"] = self._email(typed)
        now = to_column(self._auth.clock.now())
        for attribute in self._stamps:
            values.setdefault(attribute, now)
        return Row(line=record.line, email=values["email"], typed_email=typed, values=values)

    def _email(self, typed: str) -> str:
        try:
            return canonical_email(typed, allow_test_domain=self._auth.testing)
        except ValueError:
            raise Unfit("email: not a valid address") from None

    def _password_hash(self, stored: str) -> str:
        if not stored or stored.startswith(_UNUSABLE):
            if self._without_password:
                return ""
            raise Unfit("password_hash: there is none; --without-password imports such users")
        try:
            if is_readable(stored):
                # Those of Django are hashed without the secret, whoever wrote the dump.
                return f"{MARK}{stored}" if self._flask_security and stored.startswith("$") else stored
        except MissingExtra as error:
            raise Unfit(f"password_hash: {error}") from None
        raise Unfit("password_hash: no hash of a form that is known, or a damaged one, or too dear to verify")

    def _target(self, name: str) -> _Target:
        target = self._targets.get(name)
        if target is not None:
            return target
        shown = _shown(name)
        hint = "; if it holds hashes, --map password=password_hash says so" if name == "password" else ""
        raise UnusableFile(
            f"{_NO_COLUMN} {shown}; --map {shown}=COLUMN names another one, --map {shown}= leaves it out{hint}"
        )


def _shown(name: str) -> str:
    # Where a header is missing, its place is taken by values.
    return name if _WORD.fullmatch(name) else "(not a name)"


def _targets(auth: AuthState) -> dict[str, _Target]:
    """The columns of the user model that a file can fill, by name."""
    targets = {}
    for item in inspect(auth.user_model).column_attrs:
        column = item.columns[0]
        read = _reader(column) if isinstance(column, Column) else None
        if read is not None:
            name = item.key.lstrip("_")
            targets[name] = _Target(name=name, attribute=item.key, column=column, read=read)
    return targets


def _reader(column: Column[Any]) -> Callable[[Any], Any] | None:
    try:
        kind = column.type.python_type
    except NotImplementedError:  # How SQLAlchemy says that a type, one of the app's say, names no Python type.
        return None
    # PostgreSQL does not count on from numbers that it did not give itself.
    if isinstance(column.type, Enum) or (column.primary_key and kind is int):
        return None
    if isinstance(column.type, DateTime):
        return _aware_moment if column.type.timezone else _moment
    return _READERS.get(kind)


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError("not a text")
    return raw


def _integer(raw: Any) -> int:
    if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,19}", raw):
        raw = int(raw)
    if type(raw) is not int or not -_INT64 <= raw < _INT64:
        raise ValueError("not a whole number")
    return raw


def _boolean(raw: Any) -> bool:
    found = _BOOLEANS.get(str(raw).lower()) if isinstance(raw, (str, int)) else None
    if found is None:
        raise ValueError("not true or false")
    return found


def _number(raw: Any) -> float:
    try:
        number = math.nan if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _aware_moment(raw: Any) -> datetime:
    """A time without a zone is one of UTC."""
    try:
        moment = datetime.fromisoformat(_text(raw))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not a time in the form of ISO 8601") from None
    if moment.year < _EARLIEST_YEAR:
        raise ValueError("too long ago")
    return moment


def _moment(raw: Any) -> datetime:
    return to_column(_aware_moment(raw))


def _day(raw: Any) -> date:
    return _aware_moment(raw).date()


def _uuid(raw: Any) -> UUID:
    try:
        return UUID(_text(raw))
    except ValueError:
        raise ValueError("not a UUID") from None


_READERS: dict[type, Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    bool: _boolean,
    float: _number,
    date: _day,
    UUID: _uuid,
}
