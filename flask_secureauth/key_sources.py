"""``app.config`` -> the keys that sign and verify, whichever way an app names them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .core.fetching import is_loopback
from .core.jwks import RemoteKeys
from .core.key_file import FileKeys, KeyFile, MissingKeyFile
from .core.key_ring import KeyRing, KeySource
from .core.keys import Key, derived_signing_key, load_key
from .setting_kinds import InvalidSetting
from .settings import PREFIX, GeneralSettings, Problems, VerificationSettings


def read_keys(
    config: Mapping[str, Any], settings: GeneralSettings, problems: Problems, *, now: float
) -> KeySource | None:
    """Build the ring from the first of ``SECUREAUTH_KEYS``, the key file, ``JWT_SECRET_KEY`` and ``SECRET_KEY``."""
    allow_insecure = settings.allow_insecure_keys or bool(config.get("TESTING"))
    load = partial(load_key, allow_insecure=allow_insecure)
    if settings.keys is not None and settings.key_file is not None:
        problems.add(f"{PREFIX}KEYS and {PREFIX}KEY_FILE are two rings; set one of them.")
    elif settings.keys is not None:
        with problems.of(f"{PREFIX}KEYS"):
            return KeyRing(map(load, settings.keys), origin=f"{PREFIX}KEYS")
    elif settings.key_file is not None:
        return _follow(KeyFile(settings.key_file, allow_insecure=allow_insecure), problems, now=now)
    elif config.get("JWT_SECRET_KEY"):
        with problems.of("JWT_SECRET_KEY"):
            return KeyRing([load(config["JWT_SECRET_KEY"])], origin="JWT_SECRET_KEY")
    elif config.get("SECRET_KEY"):
        return _derive(config, problems, allow_insecure=allow_insecure)
    else:
        problems.add("SECRET_KEY is not set. 'flask secureauth generate-key' prints a good one.")
    return None


def _follow(file: KeyFile, problems: Problems, *, now: float) -> FileKeys | None:
    with problems.of(f"{PREFIX}KEY_FILE"):
        try:
            return FileKeys(file, now=now)
        except MissingKeyFile as error:
            problems.add(f"{PREFIX}KEY_FILE: {error}. 'flask secureauth keys add' makes its first key.", cause=error)
    return None


def _derive(config: Mapping[str, Any], problems: Problems, *, allow_insecure: bool) -> KeyRing | None:
    """A key of ``SECRET_KEY`` signs; those of Flask's ``SECRET_KEY_FALLBACKS`` verify what they signed before."""
    fallbacks = config.get("SECRET_KEY_FALLBACKS") or ()
    if not isinstance(fallbacks, (list, tuple)):
        problems.add("SECRET_KEY_FALLBACKS must be a list of secrets.")
        fallbacks = ()
    keys: dict[str, Key] = {}
    for name, secrets in (("SECRET_KEY", (config["SECRET_KEY"],)), ("SECRET_KEY_FALLBACKS", fallbacks)):
        with problems.of(name):
            for secret in secrets:
                key = derived_signing_key(secret, allow_insecure=allow_insecure)
                keys.setdefault(key.kid, key)
    return KeyRing(keys.values(), origin="SECRET_KEY") if keys else None


def read_remote_keys(
    config: Mapping[str, Any], settings: VerificationSettings, problems: Problems
) -> RemoteKeys | None:
    """Build the source of the keys at ``SECUREAUTH_JWKS_URL``. Nothing is fetched yet."""
    url, is_test = settings.jwks_url, bool(config.get("TESTING"))
    if url is None:
        return None
    with problems.of(f"{PREFIX}JWKS_URL"):
        if not (url.startswith("https:") or is_test or is_loopback(url)):
            raise InvalidSetting("an https URL; whoever can answer in place of a http one can sign in as anybody")
        return RemoteKeys(url, allow_insecure=settings.allow_insecure_keys or is_test)
    return None
