"""Keys that are weak. What happens when keys change is in ``test_key_rotation.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_secureauth import ConfigurationError
from tests.attacks import forge

WEAK = [
    "a", "secret", "dev", "jwt-dev-secret", "change-me", "changeme" * 5, "a" * 64, "ab" * 32, "\0" * 32, "0123456789",
    "your-256-bit-secret-your-256-bit-secret", "super-secret-key-for-development-only", "password" * 4,
    "insecure-key-for-testing-0123456789", "please-CHANGE_THIS-before-going-live", "1111111122222222" * 2,
    "Zk8p-1sWq_7yTn3uRb5vXe0mLd9gJh2",
]  # fmt: skip


@pytest.mark.parametrize("setting", ["SECRET_KEY", "JWT_SECRET_KEY", "SECUREAUTH_KEYS"])
@pytest.mark.parametrize("weak", WEAK, ids=lambda weak: ascii(weak[:16]))
def test_weak_secret_is_refused_at_start(make_app: Callable[..., Flask], setting: str, weak: str) -> None:
    """J21, RFC 7518 section 3.2, RFC 8725 section 3.5: a secret that can be guessed offline from one token."""
    settings: dict[str, Any] = {setting: [weak] if setting == "SECUREAUTH_KEYS" else weak}

    with pytest.raises(ConfigurationError, match="generate-key") as refusal:
        make_app(TESTING=False, SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:32768:8:3", **settings)
    assert len(weak) < 8 or weak not in str(refusal.value)


@pytest.mark.parametrize("weak", [b"", [], None, 12345678])
def test_secret_that_is_none_is_refused_at_start(make_app: Callable[..., Flask], weak: object) -> None:
    """J21: an empty key signs, with some libraries."""
    with pytest.raises(ConfigurationError):
        make_app(TESTING=False, SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:32768:8:3", SECUREAUTH_KEYS=[weak])


def test_missing_secret_is_refused_at_start(make_app: Callable[..., Flask]) -> None:
    """J21: no key is made up, which every worker would do for itself."""
    with pytest.raises(ConfigurationError, match="SECRET_KEY is not set"):
        make_app(SECRET_KEY=None)


def test_small_rsa_key_is_refused_at_start(make_app: Callable[..., Flask]) -> None:
    """J21, ASVS 11.2.3: below 128 bits of security."""
    pem = forge.private_pem(rsa.generate_private_key(65537, 2048))

    with pytest.raises(ConfigurationError, match="3072"):
        make_app(TESTING=False, SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:32768:8:3", SECUREAUTH_KEYS=[pem])


def test_random_secret_is_accepted_at_start(make_app: Callable[..., Flask]) -> None:
    """The control of J21, with the settings of a production app."""
    make_app(TESTING=False, SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:32768:8:3", SECUREAUTH_KEYS=[forge.SECRET])
