"""``app.config`` -> how passwords are hashed, and which are accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base_settings import PasswordSettings
from .core.breaches import BreachCheck, BreachFile, BreachRange
from .core.fetching import is_loopback
from .core.passwords import PasswordScheme, parse_scheme
from .setting_kinds import InvalidSetting
from .settings import PREFIX, Problems


def read_password_scheme(
    config: Mapping[str, Any], settings: PasswordSettings, problems: Problems
) -> PasswordScheme | None:
    """Build the scheme that hashes new passwords; weak ones are for ``TESTING`` only."""
    with problems.of(f"{PREFIX}PASSWORD_HASH_METHOD"):
        return parse_scheme(settings.hash_method, allow_weak=bool(config.get("TESTING")))
    return None


def read_breach_check(config: Mapping[str, Any], settings: PasswordSettings, problems: Problems) -> BreachCheck | None:
    """Build what knows breached passwords, if the app wants one; the service is not asked yet."""
    path, url = settings.breach_file, settings.breach_range_url
    if path is not None and url is not None:
        problems.add(f"{PREFIX}PASSWORD_BREACH_FILE and {PREFIX}PASSWORD_BREACH_RANGE_URL do the same; set one.")
    elif path is not None:
        with problems.of(f"{PREFIX}PASSWORD_BREACH_FILE"):
            return BreachFile(path)
    elif url is not None:
        with problems.of(f"{PREFIX}PASSWORD_BREACH_RANGE_URL"):
            if "?" in url or not (url.startswith("https:") or config.get("TESTING") or is_loopback(url)):
                raise InvalidSetting("an https URL without a query; five characters of a hash are added to it")
            return BreachRange(url)
    return None
