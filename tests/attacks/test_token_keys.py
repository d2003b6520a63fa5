"""Keys: rotated, retired, unknown, and weak ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from flask_secureauth import ConfigurationError
from tests.attacks import forge
from tests.attacks.conftest import add_guarded_view, assert_accepted, forger_of
from tests.attacks.forge import Forger

Refused = Callable[[FlaskClient, str], None]
OLD = {"key": forge.SECRET, "kid": "2025"}
NEW = {"key": "Zk8p-1sWq_7yTn3uRb5vXe0mLd9gJh2c", "kid": "2026"}


def _app(make_app: Callable[..., Flask], *keys: dict[str, Any]) -> FlaskClient:
    return make_app(before=add_guarded_view, SECUREAUTH_KEYS=list(keys)).test_client()


def _old_token(make_app: Callable[..., Flask]) -> str:
    return forger_of(make_app(SECUREAUTH_KEYS=[OLD]), forge.hs()).genuine


def test_token_of_a_key_that_still_verifies_is_accepted(make_app: Callable[..., Flask]) -> None:
    """J20, ASVS 11.2.2: while both keys are in the ring nobody is signed out."""
    token = _old_token(make_app)

    assert_accepted(_app(make_app, NEW, OLD), token)


def test_token_of_a_retired_key_is_refused(make_app: Callable[..., Flask], assert_refused: Refused) -> None:
    """J20: a key that left the ring opens nothing."""
    token = _old_token(make_app)

    assert_refused(_app(make_app, NEW), token)


def test_token_of_a_retired_key_under_the_new_name_is_refused(
    make_app: Callable[..., Flask], assert_refused: Refused
) -> None:
    """J20: whoever stole the old key cannot pass it off as the new one."""
    forger = forger_of(make_app(SECUREAUTH_KEYS=[OLD]), forge.hs())

    assert_refused(_app(make_app, NEW), forger.token({**forger.header, "kid": "2026"}))


def test_token_of_a_key_before_its_time_is_refused(make_app: Callable[..., Flask], assert_refused: Refused) -> None:
    """J20: a key that is prepared and not yet in the ring opens nothing."""
    forger = forger_of(make_app(SECUREAUTH_KEYS=[OLD]), forge.hs())
    early = forger.token({**forger.header, "kid": "2026"}, signer=forge.hs(NEW["key"].encode()))

    assert_refused(_app(make_app, OLD), early)


def test_flood_of_unknown_keys_makes_no_statement(forger: Forger, caplog: pytest.LogCaptureFixture) -> None:
    """J20: a kid that nobody knows is looked up in memory, and never in a database or on the network."""
    app = forger.client.application
    statements: list[str] = []
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "after_cursor_execute", lambda *args: statements.append(args[2]))
    caplog.set_level("INFO", "flask_secureauth")

    for number in range(100):
        token = forger.token({**forger.header, "kid": f"unknown-{number}"})
        response = forger.client.get("/guarded", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401

    assert statements == []
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert len(caplog.records) == 100


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
