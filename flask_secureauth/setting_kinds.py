"""The kinds of settings, and how a setting is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .core.fetching import is_loopback
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


def choice(*values: str) -> Kind:
    """One of ``values``."""
    return _check(lambda value: value in values, " or ".join(f'"{value}"' for value in values))


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise InvalidSetting(TEXTS.words)
    return tuple(value)


def _path(value: Any) -> Path:
    if not isinstance(value, (str, PathLike)) or not str(value):
        raise InvalidSetting(PATH.words)
    return Path(value)


def _is_fetchable(value: Any) -> bool:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_place and parts.scheme in ("http", "https") and "@" not in parts.netloc and "#" not in value


def _public_url(value: Any) -> str:
    """An http:// link is read and changed on its way, unless it does not leave the machine."""
    if not _is_fetchable(value) or "?" in value:
        raise InvalidSetting(PUBLIC_URL.words)
    if urlsplit(value).scheme != "https" and not is_loopback(value):
        raise InvalidSetting(PUBLIC_URL.words)
    return str(value).rstrip("/")


BOOLEAN = _check(lambda value: isinstance(value, bool), "True or False")
TEXT = _check(lambda value: isinstance(value, str) and value != "", "a string that is not empty")
URL_PREFIX = _check(
    lambda v: v == "" or (isinstance(v, str) and v.startswith("/") and not v.endswith("/")),
    'a path such as "/api": it starts with "/" and does not end with it',
)
PAGE = _check(
    lambda v: isinstance(v, str) and v[:1] == "/" and v[:2] != "//" and "#" not in v and v.isprintable(),
    'a path of the app such as "/welcome": it starts with one "/" and has no "#"',
)
RULES = _check(
    lambda v: (
        isinstance(v, Mapping)
        and all(path is None or (isinstance(path, str) and path[:1] == "/") for path in v.values())
    ),
    'a mapping from "feature.route" to a path, or to None for a route that is not wanted',
)
TEXTS = Kind(words="a list of strings", read=_texts)
PATH = Kind(words="a path", read=_path)
PUBLIC_URL = Kind(
    words="a URL such as https://app.example, without a user, a query and a fragment; http:// only for localhost",
    read=_public_url,
)
FETCHED_URL = _check(_is_fetchable, "a URL that starts with https://, without a user and a fragment")
KEYS = _check(
    lambda v: isinstance(v, (list, tuple)) and len(v) > 0,
    f"a list of keys, the signing one first; each is {KEY_SPEC_FORMS}",
)
HASH_METHOD = _check(
    lambda v: isinstance(v, str), '"scrypt:N:r:p", "pbkdf2:sha256:iterations" or "argon2id[:m=KiB,t=passes,p=lanes]"'
)
