"""For the tests of apps that use the package: a signed-in client, a stopped clock, the mails, a cheap hash."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from .core.identifiers import new_identifier
from .core.jwt import TokenIssuer, TokenVerifier
from .core.key_ring import KeyRing
from .core.keys import load_key
from .core.mail import Message
from .features.login import create_access_token
from .features.mail.service import MailService
from .features.mail.transports import MemoryMailer
from .settings import EXTENSION
from .web.state import AuthState, Verification

CONFIG = MappingProxyType(
    {
        "TESTING": True,
        "SECRET_KEY": "only for tests",
        "SECUREAUTH_PASSWORD_HASH_METHOD": "scrypt:128:1:1",
        "SECUREAUTH_THROTTLING_ENABLED": False,
        "SECUREAUTH_MAIL_TRANSPORT": "memory",
        "SECUREAUTH_PUBLIC_URL": "https://app.example",
    }
)
"""Settings for a test suite: ``app.config.update(CONFIG)`` before ``init_app``. A hash takes microseconds,
and nobody is refused for trying too often."""


class FrozenClock:
    """A time that moves only when it is told to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.moment.timestamp()

    def advance(self, delta: timedelta | float) -> None:
        """Move by a timedelta or by seconds; back, too."""
        self.moment += delta if isinstance(delta, timedelta) else timedelta(seconds=delta)


@contextmanager
def frozen_clock(app: Flask, moment: datetime | None = None) -> Iterator[FrozenClock]:
    """Stop the clock of ``app``'s authentication, at an aware ``moment`` or now, and let it run on afterwards."""
    state: Verification = app.extensions[EXTENSION]
    source = state.clock.source
    frozen = FrozenClock(moment or datetime.now(UTC))
    state.clock.source = frozen
    try:
        yield frozen
    finally:
        state.clock.source = source


def signed_in_client(
    app: Flask, user: Any, *, fresh: bool = True, claims: Mapping[str, Any] | None = None
) -> FlaskClient:
    """Return a test client whose requests are those of ``user`` (the object or its key), through a real session.

    With ``fresh=False`` views that want a fresh sign-in refuse it. ``claims`` are added to the token.

    An app that only verifies tokens has no sessions: ``user`` is the ``sub`` of the token, and from
    then on the app trusts a key of this test in place of those it would fetch.
    """
    state: Verification = app.extensions[EXTENSION]
    if isinstance(state, AuthState):
        with app.test_request_context():
            token = create_access_token(user, fresh=fresh, additional_claims=claims)
    else:
        token = _foreign_token(app, str(user), fresh=fresh, claims=claims)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def mails(app: Flask) -> list[Message]:
    """Deliver what is due, and return the mails that were sent since the last call, the oldest first.

    Each has ``to``, ``subject``, ``text`` and ``html``, and where it carries a link ``link`` and ``token``. It
    takes the transport ``memory`` of ``CONFIG``.
    """
    service = app.extensions[EXTENSION].service(MailService)
    if not isinstance(service.mailer, MemoryMailer):
        raise ValueError('mails() takes SECUREAUTH_MAIL_TRANSPORT = "memory", as CONFIG sets it')
    for _ in service.deliver():
        pass
    sent, service.mailer.sent = service.mailer.sent, []
    return sent


def _foreign_token(app: Flask, subject: str, *, fresh: bool, claims: Mapping[str, Any] | None) -> str:
    state: Verification = app.extensions[EXTENSION]
    rules, ring = state.general.token_rules(), state.keys
    if not isinstance(ring, KeyRing):
        ring = KeyRing([load_key(secrets.token_bytes(32))], origin="a test")
        app.extensions[EXTENSION] = replace(state, keys=ring, verifier=TokenVerifier(ring, rules))
    now = int(state.clock.timestamp())
    return TokenIssuer(ring, rules).issue(
        subject=subject,
        session_id=new_identifier(),
        auth_time=now if fresh else 0,
        methods=["pwd"],
        now=now,
        extra=claims,
    )
