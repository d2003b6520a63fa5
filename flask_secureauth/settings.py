"""``app.config`` -> frozen dataclasses, read once; every problem is found and raised together."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .core import passwords
from .core.extras import MissingExtra
from .core.keys import InvalidKey, KeyRing, derived_signing_key, load_key
from .errors import ConfigurationError
from .setting_kinds import (
    BOOLEAN,
    HASH_METHOD,
    KEYS,
    RULES,
    TEXT,
    URL_PREFIX,
    InvalidSetting,
    Kind,
    duration,
    integer,
    optional,
    setting,
    texts,
)

PREFIX = "SECUREAUTH_"


@dataclass(frozen=True, kw_only=True)
class GeneralSettings:
    """Where the routes are and what they accept; access tokens, and the keys that sign them."""

    url_prefix: str = setting("", URL_PREFIX, "Path in front of every route.")
    rules: Mapping[str, str | None] = setting({}, RULES, "Moves single routes (below the prefix), or removes them.")
    max_content_length: int = setting(
        64 * 1024,
        integer(1024, 16 * 1024 * 1024),
        "Largest body in bytes; the app's MAX_CONTENT_LENGTH counts too when it is smaller.",
    )
    keys: tuple[Any, ...] | None = setting(
        None,
        optional(KEYS),
        "The key ring. None takes JWT_SECRET_KEY, or else a key derived from SECRET_KEY.",
        secret=True,
    )
    allow_insecure_keys: bool = setting(False, BOOLEAN, "Accept short and well-known keys. Never in production.")
    issuer: str = setting("secureauth", TEXT, "The iss claim; the URL of the issuing service when there are several.")
    audience: str | None = setting(None, optional(TEXT), "The aud claim. None writes none, and accepts none.")
    access_token_lifetime: timedelta = setting(
        timedelta(hours=1), duration(timedelta(seconds=1), timedelta(days=1)), "Life of an access token."
    )
    leeway: timedelta = setting(
        timedelta(seconds=5), duration(timedelta(0), timedelta(seconds=30)), "Difference of clocks that is forgiven."
    )


@dataclass(frozen=True, kw_only=True)
class PasswordSettings:
    """How passwords are hashed, and which are accepted."""

    hash_method: str = setting(passwords.DEFAULT_METHOD, HASH_METHOD, "How new passwords are hashed.")
    concurrent_hashes: int = setting(
        max(1, (os.cpu_count() or 1) // 2),
        integer(1, 1024),
        "Hashes computed at a time in one process. The default is half the cores.",
    )
    max_waiting: int = setting(
        32,
        integer(0, 10_000),
        "Requests that may wait for their turn to hash; one more is answered 503 at once. "
        "Well below the threads of a server, it leaves some for other requests.",
    )
    max_wait: timedelta = setting(
        timedelta(seconds=15),
        duration(timedelta(0), timedelta(minutes=1)),
        "How long a request waits for its turn to hash before it is answered 503.",
    )
    min_length: int = setting(8, integer(8, 64), "Fewest characters of a new password.")
    refuse_common: bool = setting(True, BOOLEAN, "Refuse new passwords from the bundled list of common ones.")
    refuse_context: bool = setting(
        True, BOOLEAN, "Refuse new passwords made only of the address, the app's name and the context words."
    )
    context_words: tuple[str, ...] = setting((), texts(), "More words that must not make up a password.")


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """How long a sign-in lasts, and how soon its end is noticed."""

    staleness: timedelta | None = setting(
        timedelta(0),
        optional(duration(timedelta(0), timedelta(hours=1))),
        "How old the knowledge that a session is alive may be. 0 reads its row on every request; None never does.",
    )
    lifetime: timedelta = setting(
        timedelta(days=30), duration(timedelta(minutes=1), timedelta(days=400)), "Longest life of one sign-in."
    )


BASE_GROUPS: Mapping[str, type] = {
    "": GeneralSettings,
    "password": PasswordSettings,
    "session": SessionSettings,
}
"""The settings that belong to no feature, by the word in their names."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One setting as an app writes it. ``field`` is where its value is kept."""

    name: str
    group: str
    field: dataclasses.Field[Any]

    @property
    def kind(self) -> Kind:
        """What it accepts."""
        kind: Kind = self.field.metadata["kind"]
        return kind

    @property
    def doc(self) -> str:
        """A sentence for the docs."""
        return str(self.field.metadata["doc"])

    @property
    def default(self) -> object:
        """The value when the app sets none."""
        if self.field.default_factory is not dataclasses.MISSING:
            return self.field.default_factory()
        return self.field.default


def entries(groups: Mapping[str, type]) -> list[Entry]:
    """Every setting of ``groups``, in order. The docs and the check read the same list."""
    return [
        Entry(name=_name(group, item.name), group=group, field=item)
        for group, kind in groups.items()
        for item in dataclasses.fields(kind)
    ]


def _name(group: str, field_name: str) -> str:
    return PREFIX + (f"{group}_{field_name}" if group else field_name).upper()


class Problems:
    """Collects what is wrong, so that one start shows all of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, problem: str) -> None:
        """Note one sentence."""
        self.found.append(problem)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Note what is raised inside as a problem of the setting ``name``."""
        try:
            yield
        except InvalidSetting as error:
            self.add(f"{name} must be {error}.")
        except (InvalidKey, passwords.WeakMethod, MissingExtra) as error:
            self.add(f"{name}: {error}.")

    def raise_any(self) -> None:
        """Raise :exc:`ConfigurationError` when something was noted."""
        if self.found:
            raise ConfigurationError(self.found)


def read_settings(config: Mapping[str, Any], groups: Mapping[str, type], problems: Problems) -> dict[str, Any]:
    """Return an instance of each group's dataclass. A bad value is noted and its default stands in."""
    known = entries(groups)
    _note_unknown(config, {entry.name for entry in known}, problems)
    values: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for entry in known:
        if entry.name in config:
            with problems.of(entry.name):
                values[entry.group][entry.field.name] = entry.kind.read(config[entry.name])
    return {group: kind(**values[group]) for group, kind in groups.items()}


def _note_unknown(config: Mapping[str, Any], known: set[str], problems: Problems) -> None:
    words = [name.removeprefix(PREFIX) for name in known]
    for key in config:
        if key.startswith(PREFIX) and key not in known:
            close = difflib.get_close_matches(key.removeprefix(PREFIX), words, n=1)
            hint = f" Did you mean {PREFIX}{close[0]}?" if close else " The docs list every setting."
            problems.add(f"{key} is not a setting.{hint}")


def read_key_ring(config: Mapping[str, Any], settings: GeneralSettings, problems: Problems) -> KeyRing | None:
    """Build the ring from ``SECUREAUTH_KEYS``, ``JWT_SECRET_KEY`` or ``SECRET_KEY``, whichever comes first."""
    allow_insecure = settings.allow_insecure_keys or bool(config.get("TESTING"))
    if settings.keys is not None:
        with problems.of(f"{PREFIX}KEYS"):
            return KeyRing(load_key(spec, allow_insecure=allow_insecure) for spec in settings.keys)
    elif config.get("JWT_SECRET_KEY"):
        with problems.of("JWT_SECRET_KEY"):
            return KeyRing([load_key(config["JWT_SECRET_KEY"], allow_insecure=allow_insecure)])
    elif config.get("SECRET_KEY"):
        with problems.of("SECRET_KEY"):
            return KeyRing([derived_signing_key(config["SECRET_KEY"], allow_insecure=allow_insecure)])
    else:
        problems.add("SECRET_KEY is not set. 'flask secureauth generate-key' prints a good one.")
    return None


def read_password_scheme(
    config: Mapping[str, Any], settings: PasswordSettings, problems: Problems
) -> passwords.PasswordScheme | None:
    """Build the scheme that hashes new passwords; weak ones are for ``TESTING`` only."""
    with problems.of(f"{PREFIX}PASSWORD_HASH_METHOD"):
        return passwords.parse_scheme(settings.hash_method, allow_weak=bool(config.get("TESTING")))
    return None
