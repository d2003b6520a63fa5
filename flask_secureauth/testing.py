"""For the tests of apps that use the package: a signed-in client, a clock that stands still, a cheap hash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from .features.login import create_access_token
from .web.state import EXTENSION, AuthState

CONFIG = MappingProxyType(
    {
        "TESTING": True,
        "SECRET_KEY": "only for tests",
        "SECUREAUTH_PASSWORD_HASH_METHOD": "scrypt:128:1:1",
    }
)
"""Settings for a test suite: ``app.config.update(CONFIG)`` before ``init_app``. A hash takes microseconds."""


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
    state: AuthState = app.extensions[EXTENSION]
    source = state.clock.source
    frozen = FrozenClock(moment or datetime.now(UTC))
    state.clock.source = frozen
    try:
        yield frozen
    finally:
        state.clock.source = source


def signed_in_client(app: Flask, user: Any, *, fresh: bool = True) -> FlaskClient:
    """Return a test client whose requests are those of ``user`` (the object or its key), through a real session.

    With ``fresh=False`` views that want a fresh sign-in refuse it.
    """
    with app.test_request_context():
        token = create_access_token(user, fresh=fresh)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client
