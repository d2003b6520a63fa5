"""What a setting accepts: the words for the docs and the check, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .core.keys import KEY_SPEC_FORMS


class InvalidSetting(ValueError):
    """A value cannot be used; the message completes "SECUREAUTH_X must be ..."."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a setting accepts: the words for the docs, and the check."""

    words: str
    read: Callable[[Any], Any]


def setting(default: object, kind: Kind, doc: str, *, secret: bool = False) -> Any:
    """Declare a field of a settings dataclass: its default, what it accepts, and a sentence for the docs.

    A ``secret`` one does not show in the ``repr``, and so in no error report.
    """
    metadata = {"kind": kind, "doc": doc}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


def _check(holds: Callable[[Any], bool], words: str) -> Kind:
    def read(value: Any) -> Any:
        if not holds(value):
            raise InvalidSetting(words)
        return value

    return Kind(words=words, read=read)


def integer(minimum: int, maximum: int) -> Kind:
    """An int from ``minimum`` to ``maximum``."""
    return _check(lambda v: type(v) is int and minimum <= v <= maximum, f"a whole number from {minimum} to {maximum}")


def duration(minimum: timedelta, maximum: timedelta) -> Kind:
    """A timedelta, or a number of seconds."""
    words = f"a timedelta or seconds, from {_seconds(minimum)} to {_seconds(maximum)}"

    def read(value: Any) -> timedelta:
        if type(value) in (int, float) and value == value:  # NaN is no number of seconds.
            value = timedelta(seconds=max(min(value, 10**9), -1))
        if not isinstance(value, timedelta) or not minimum <= value <= maximum:
            raise InvalidSetting(words)
        return value

    return Kind(words=words, read=read)


def _seconds(value: timedelta) -> str:
    return f"{value.total_seconds():.0f}"


def optional(kind: Kind) -> Kind:
    """``None``, or what ``kind`` accepts."""
    return Kind(words=f"None, or {kind.words}", read=lambda value: None if value is None else kind.read(value))


def texts() -> Kind:
    """Several strings, read into a tuple."""
    words = "a list of strings"

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise InvalidSetting(words)
        return tuple(value)

    return Kind(words=words, read=read)


BOOLEAN = _check(lambda value: isinstance(value, bool), "True or False")
TEXT = _check(lambda value: isinstance(value, str) and value != "", "a string that is not empty")
URL_PREFIX = _check(
    lambda v: v == "" or (isinstance(v, str) and v.startswith("/") and not v.endswith("/")),
    'a path such as "/api": it starts with "/" and does not end with it',
)
RULES = _check(
    lambda v: (
        isinstance(v, Mapping)
        and all(path is None or (isinstance(path, str) and path[:1] == "/") for path in v.values())
    ),
    'a mapping from "feature.route" to a path, or to None for a route that is not wanted',
)
KEYS = _check(
    lambda v: isinstance(v, (list, tuple)) and len(v) > 0,
    f"a list of keys, the signing one first; each is {KEY_SPEC_FORMS}",
)
HASH_METHOD = _check(
    lambda v: isinstance(v, str), '"scrypt:N:r:p", "pbkdf2:sha256:iterations" or "argon2id[:m=KiB,t=passes,p=lanes]"'
)
