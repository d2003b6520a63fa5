"""The settings ``SECUREAUTH_THROTTLING_...``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from limits import RateLimitItem, parse_many

from ...errors import ConfigurationError
from ...feature import Feature, throttles_of
from ...setting_kinds import BOOLEAN, InvalidSetting, Kind, setting

MOST_HITS = 1000
"""In one limit: that many marks are 24 KB in a row."""
_STORAGE_WORDS = '"database", "memory" (tests and one process), or a URL such as "redis://host:6379/0"'
_LIMITS_WORDS = 'a mapping from the name of a throttle to limits such as "20 per hour; 50 per day", or to None for none'


def _storage(value: Any) -> str:
    if value in ("database", "memory") or (isinstance(value, str) and value.startswith(("redis://", "rediss://"))):
        return str(value)
    raise InvalidSetting(_STORAGE_WORDS)


def _limits(value: Any) -> Mapping[str, tuple[RateLimitItem, ...]]:
    if not isinstance(value, Mapping):
        raise InvalidSetting(_LIMITS_WORDS)
    return {name: () if text is None else read_limits(text) for name, text in value.items()}


def read_limits(text: Any) -> tuple[RateLimitItem, ...]:
    """Read ``"1 per minute; 3 per hour"``. Raises :exc:`~flask_secureauth.setting_kinds.InvalidSetting`."""
    try:
        found = tuple(parse_many(text))
    except ValueError:
        raise InvalidSetting(f"{_LIMITS_WORDS}; {text!r} is no limit") from None
    if not all(1 <= item.amount <= MOST_HITS and item.multiples >= 1 for item in found):
        raise InvalidSetting(f"{_LIMITS_WORDS}; {text!r} is not from 1 to {MOST_HITS} in a time")
    return found


@dataclass(frozen=True, kw_only=True)
class ThrottlingSettings:
    """What is counted, and where."""

    enabled: bool = setting(True, BOOLEAN, "Count requests and wrong passwords, and refuse what is too much.")
    storage: str = setting("database", Kind(words=_STORAGE_WORDS, read=_storage), "Where it is counted.", secret=True)
    limits: Mapping[str, tuple[RateLimitItem, ...]] = setting(
        {},
        Kind(words=_LIMITS_WORDS, read=_limits),
        "Other limits than those of the table, by the name of the throttle.",
    )


def limits_of(features: Iterable[Feature], settings: ThrottlingSettings) -> dict[str, tuple[RateLimitItem, ...]]:
    """The limits of every throttle, by its name. Raises :exc:`~flask_secureauth.errors.ConfigurationError`."""
    known = {throttle.name: throttle for throttle, _, _ in throttles_of(features)}
    problems = []
    for name in settings.limits:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"The throttles are {', '.join(known)}."
            problems.append(f"SECUREAUTH_THROTTLING_LIMITS: {name!r} is no throttle. {hint}")
    if problems:
        raise ConfigurationError(problems)
    return {name: read_limits("; ".join(item.limits)) for name, item in known.items()} | dict(settings.limits)
