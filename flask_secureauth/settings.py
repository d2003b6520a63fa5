"""``app.config`` -> frozen dataclasses, read once; every problem is found and raised together."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from .base_settings import PasswordSettings, SessionSettings
from .core.breaches import InvalidBreachFile
from .core.extras import MissingExtra
from .core.jwt import TokenRules
from .core.keys import InvalidKey
from .core.passwords import WeakMethod
from .errors import ConfigurationError
from .setting_kinds import (
    BOOLEAN,
    FETCHED_URL,
    KEYS,
    PATH,
    PUBLIC_URL,
    RULES,
    TEXT,
    URL_PREFIX,
    InvalidSetting,
    Kind,
    choice,
    duration,
    integer,
    optional,
    setting,
)

PREFIX = "SECUREAUTH_"
EXTENSION = "secureauth"
"""Where an app keeps what we know of it: ``app.extensions[EXTENSION]``."""


@dataclass(frozen=True, kw_only=True)
class VerificationSettings:
    """What access tokens must say, and whose keys verify them."""

    jwks_url: str | None = setting(
        None,
        optional(FETCHED_URL),
        "The key set of the service that issues the tokens. This app then only verifies them: it has no database.",
    )
    issuer: str = setting("secureauth", TEXT, "The iss claim; the URL of the issuing service when there are several.")
    audience: str | None = setting(None, optional(TEXT), "The aud claim. None writes none, and accepts none.")
    access_token_lifetime: timedelta = setting(
        timedelta(hours=1), duration(timedelta(seconds=1), timedelta(days=1)), "Life of an access token."
    )
    leeway: timedelta = setting(
        timedelta(seconds=5), duration(timedelta(0), timedelta(seconds=30)), "Difference of clocks that is forgiven."
    )
    allow_insecure_keys: bool = setting(
        False, BOOLEAN, "Accept short and well-known keys, and a key file that others can read. Never in production."
    )
    default_deny: bool = setting(
        False, BOOLEAN, "Ask for an access token at every view of the app that is not marked @public."
    )
    trusted_proxies: int = setting(
        0,
        integer(0, 16),
        "How many proxies in front of the app add the client's address to X-Forwarded-For. 0 ignores that header.",
    )

    def token_rules(self) -> TokenRules:
        """What every access token must say."""
        return TokenRules(
            issuer=self.issuer,
            audience=self.audience,
            lifetime=int(self.access_token_lifetime.total_seconds()),
            leeway=int(self.leeway.total_seconds()),
        )


@dataclass(frozen=True, kw_only=True)
class GeneralSettings(VerificationSettings):
    """Where the routes are and what they accept; access tokens, and the keys that sign them."""

    public_url: str | None = setting(None, optional(PUBLIC_URL), "The app's URL for visitors; mailed links begin so.")
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
        "The key ring. None takes the key file, JWT_SECRET_KEY, or else a key derived from SECRET_KEY.",
        secret=True,
    )
    key_file: Path | None = setting(
        None,
        optional(PATH),
        "The key ring in a file that 'flask secureauth keys' changes and running processes follow.",
    )
    access_transport: str = setting(
        "header",
        choice("header", "cookie"),
        "How access tokens travel: in the Authorization header, or in a cookie.",
    )
    refresh_transport: str = setting(
        "body", choice("body", "cookie"), "How refresh tokens travel: in bodies, or a cookie that no script can read."
    )
    allow_insecure_cookies: bool = setting(
        False, BOOLEAN, "Set cookies that travel without TLS, and without the __Host- prefix. Never in production."
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
        self.causes: list[Exception] = []

    def add(self, problem: str, *, cause: Exception | None = None) -> None:
        """Note one sentence, and the exception behind it if there is one."""
        self.found.append(problem)
        if cause is not None:
            self.causes.append(cause)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Note what is raised inside as a problem of the setting ``name``."""
        try:
            yield
        except InvalidSetting as error:
            self.add(f"{name} must be {error}.", cause=error)
        except (InvalidKey, WeakMethod, InvalidBreachFile, MissingExtra) as error:
            self.add(f"{name}: {error}.", cause=error)

    def raise_any(self) -> None:
        """Raise :exc:`ConfigurationError` when something was noted."""
        if self.found:
            raise ConfigurationError(self.found, self.causes)


def read_settings(
    config: Mapping[str, Any], groups: Mapping[str, type], problems: Problems, *, useless: Collection[str] = ()
) -> dict[str, Any]:
    """Return an instance of each group's dataclass. A bad value is noted and its default stands in.

    ``useless`` are names of settings that exist and mean nothing to this kind of app.
    """
    known = entries(groups)
    _note_unknown(config, {entry.name for entry in known}, useless, problems)
    values: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for entry in known:
        if entry.name in config:
            with problems.of(entry.name):
                values[entry.group][entry.field.name] = entry.kind.read(config[entry.name])
    return {group: kind(**values[group]) for group, kind in groups.items()}


def _note_unknown(config: Mapping[str, Any], known: set[str], useless: Collection[str], problems: Problems) -> None:
    words = [name.removeprefix(PREFIX) for name in known]
    for key in config:
        if key in useless:
            problems.add(f"{key} has no use beside {PREFIX}JWKS_URL, with which an app only verifies tokens.")
        elif key.startswith(PREFIX) and key not in known:
            close = difflib.get_close_matches(key.removeprefix(PREFIX), words, n=1)
            hint = f" Did you mean {PREFIX}{close[0]}?" if close else " The docs list every setting."
            problems.add(f"{key} is not a setting.{hint}")


def read_verification_settings(
    config: Mapping[str, Any], groups: Mapping[str, type], problems: Problems
) -> VerificationSettings:
    """Read the settings of an app that only verifies tokens; those of ``groups`` that it has no use for are noted."""
    of_accounts = {entry.name for entry in entries(groups)} | {"JWT_SECRET_KEY"}
    of_accounts -= {entry.name for entry in entries({"": VerificationSettings})}
    read = read_settings(config, {"": VerificationSettings}, problems, useless=of_accounts)
    settings: VerificationSettings = read[""]
    return settings
