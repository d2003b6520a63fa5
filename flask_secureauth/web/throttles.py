"""What is counted everywhere, and how it is asked for; the feature ``throttling`` does the counting.

``auth.throttles`` is always there, so that no feature needs to require it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..events import Client
from ..feature import Throttle

PASSWORDS = Throttle(name="login.client", limits=("100 per minute",), by="client")
"""On every route that takes a password."""
FAILURES = Throttle(name="login.failures", limits=("20 per 5 minutes",), by="client")
"""Wrong passwords, whosesoever."""
SPRAYING = Throttle(name="login.spraying", limits=("10 per 10 minutes",), by="client")
"""Accounts, of which each counts once in that time."""
REFRESHING = Throttle(name="sessions.refresh", limits=("30 per minute",), by="session")
REDEEMING = Throttle(name="one_time_tokens.client", limits=("30 per 10 minutes",), by="client")
"""On every route that takes a mailed token: one bucket for all of them."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A password that was let through to be checked, and is counted as a wrong one until it is taken back.

    ``mark`` is what it wrote, ``places`` are stores with the keys there. ``locked_for`` is seconds, 0 unless it was
    the last one that was free.
    """

    mark: str = field(default="", repr=False)
    places: tuple[tuple[Any, str], ...] = field(default=(), repr=False)
    locked_for: int = 0


class Throttles(Protocol):
    """Counts what happens, and says when it was too often."""

    enabled: bool

    def admit(self, throttle: Throttle, subject: str | None) -> bool:
        """Count one and return whether it is within the limits. What is too much is not counted.

        ``subject`` is what ``throttle.by`` says: the address of a client, the id of a session, an e-mail address.
        ``None`` is always within: strangers share no bucket.
        """
        ...

    def demand(self, throttle: Throttle, subject: str | None, *, client: Client) -> None:
        """Count one. Raises :exc:`~flask_secureauth.errors.TooManyRequests` when it is beyond the limits."""
        ...

    def begin_attempt(self, email: str, *, client: Client, trusted: str | None = None) -> Attempt:
        """Count a password for ``email`` as a wrong one, before it is looked at.

        ``trusted`` names a device or a user who has a bucket of its own, that no stranger can fill.
        Raises :exc:`~flask_secureauth.errors.TooManyRequests`.
        """
        ...

    def take_back(self, attempt: Attempt) -> None:
        """Take back what ``attempt`` counted, and nothing that another one did."""
        ...

    def forgive(self, email: str) -> bool:
        """Forget the wrong passwords for an address; whether there were any."""
        ...


class NoThrottles:
    """Counts nothing: ``SECUREAUTH_THROTTLING_ENABLED`` is false, or the app has no such feature."""

    enabled = False

    def admit(self, throttle: Throttle, subject: str | None) -> bool:
        """Everything is within."""
        return True

    def demand(self, throttle: Throttle, subject: str | None, *, client: Client) -> None:
        """Nothing is too much."""

    def begin_attempt(self, email: str, *, client: Client, trusted: str | None = None) -> Attempt:
        """Nothing was counted."""
        return Attempt()

    def take_back(self, attempt: Attempt) -> None:
        """There is nothing."""

    def forgive(self, email: str) -> bool:
        """There is nothing."""
        return False

    def purgeable(self) -> Mapping[type, Any]:
        """There is nothing."""
        return {}
