"""The rules of throttling: what is counted together, what is too much, and what is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from limits import RateLimitItem
from limits.strategies import MovingWindowRateLimiter

from ...core.extras import MissingExtra
from ...core.networks import network_of
from ...db.mixins import to_column
from ...db.users import spelling
from ...errors import ConfigurationError, TooManyRequests
from ...events import Client, RequestThrottled
from ...feature import Throttle
from ...web.logs import MinuteCounts
from ...web.state import AuthState
from ...web.throttles import FAILURES, SPRAYING, Attempt
from .lockout import FREE, MOST, wait_after
from .rows import DatabaseStorage
from .settings import ThrottlingSettings, limits_of
from .storage import MarkStorage, MemoryStorage, RedisMarkStorage, new_mark, time_of
from .tables import ThrottlingMixin

_BITS = {4: 32, 6: 64}
"""Of an address that are one client: a line of IPv6 is given 64 bits of its own to roam in."""


@dataclass(frozen=True, kw_only=True)
class _Refused:
    throttle: str
    seconds: float


@dataclass
class _Taken:
    """What one attempt has written so far."""

    mark: str
    places: list[tuple[Any, str]] = field(default_factory=list)


class ThrottlingService:
    """Counts; see :class:`~flask_secureauth.web.throttles.Throttles` for what it is asked."""

    enabled = True

    def __init__(self, auth: AuthState) -> None:
        settings: ThrottlingSettings = auth.settings["throttling"]
        self._auth = auth
        self._limits = limits_of(auth.features, settings)
        self._rows = DatabaseStorage(auth)
        self._storage = _storage(settings.storage, auth, self._rows)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._refusals = MinuteCounts(auth.clock)

    def admit(self, throttle: Throttle, subject: str | None) -> bool:
        """Count one and return whether it is within every limit; else nothing is counted."""
        return self._hit(throttle, _bucket(throttle, subject)) is None

    def demand(self, throttle: Throttle, subject: str | None, *, client: Client) -> None:
        """Count one. Raises :exc:`~flask_secureauth.errors.TooManyRequests` when it is beyond a limit."""
        refused = self._hit(throttle, _bucket(throttle, subject))
        if refused:
            self._refuse(refused, client)

    def begin_attempt(self, email: str, *, client: Client, trusted: str | None = None) -> Attempt:
        """Count a password for ``email`` as a wrong one.

        A ``trusted`` device or user is held by nothing but its own bucket, since strangers can fill all others.
        Raises :exc:`~flask_secureauth.errors.TooManyRequests`.
        """
        taken = _Taken(new_mark(self._auth.clock.timestamp()))
        address = spelling(email)
        key = _lockout_key(address) if trusted is None else f"lockout/{trusted}"

        def unit() -> _Refused | int:
            self._undo(taken)  # Of a try that another transaction got in the way of.
            refused = None if trusted else self._take_of_client(taken, client, address)
            return refused or self._take_of_account(taken, key)

        found = self._auth.database.run_apart(unit)
        if isinstance(found, _Refused):
            self._refuse(found, client)
        locked_for = wait_after(FREE) if found == FREE and trusted is None else 0
        return Attempt(mark=taken.mark, places=tuple(taken.places), locked_for=locked_for)

    def take_back(self, attempt: Attempt) -> None:
        """Take back what ``attempt`` counted, and nothing that another one did."""
        for store in dict.fromkeys(store for store, _ in attempt.places):
            store.release([key for place, key in attempt.places if place is store], attempt.mark)

    def forgive(self, email: str) -> bool:
        """Forget the wrong passwords for an address, in the request's transaction; whether there were any."""
        return self._rows.forget(_lockout_key(spelling(email)))

    def purgeable(self) -> Mapping[type, Any]:
        """The condition of rows that limit nothing any more."""
        now = to_column(self._auth.clock.now())
        return {ThrottlingMixin: self._auth.models[ThrottlingMixin].expires_at <= now}

    def _hit(self, throttle: Throttle, bucket: str | None) -> _Refused | None:
        if bucket is None:
            return None
        taken = _Taken(new_mark(self._auth.clock.timestamp()))
        return self._storage.together(lambda: self._take(taken, throttle, bucket))

    def _take(self, taken: _Taken, throttle: Throttle, bucket: str) -> _Refused | None:
        for item in self._limits[throttle.name]:
            key = item.key_for(throttle.name, bucket)
            if not self._write(taken, key, item):
                self._undo(taken)
                reset = self._limiter.get_window_stats(item, throttle.name, bucket).reset_time
                return _Refused(throttle=throttle.name, seconds=reset - self._auth.clock.timestamp())
        return None

    def _undo(self, taken: _Taken) -> None:
        self.take_back(Attempt(mark=taken.mark, places=tuple(taken.places)))
        taken.places.clear()

    def _write(self, taken: _Taken, key: str, item: RateLimitItem) -> bool:
        if not self._storage.acquire(key, item.amount, item.get_expiry(), taken.mark):
            return False
        taken.places.append((self._storage, key))
        return True

    def _take_of_client(self, taken: _Taken, client: Client, address: str) -> _Refused | None:
        bucket = network_of(client.ip, _BITS)
        if bucket is None:
            return None
        refused = self._take(taken, FAILURES, bucket)
        if refused:
            return refused
        # Of every limit: each call also notes this account.
        is_another = [self._is_another(taken, item, bucket, address) for item in self._limits[SPRAYING.name]]
        return self._take(taken, SPRAYING, bucket) if any(is_another) else None

    def _is_another(self, taken: _Taken, item: RateLimitItem, bucket: str, address: str) -> bool:
        """Whether this client has not tried this account in the time of the limit."""
        once = type(item)(1, item.multiples)
        return self._write(taken, once.key_for(SPRAYING.name, bucket, address), once)

    def _take_of_account(self, taken: _Taken, key: str) -> _Refused | int:
        failures = self._rows.begin(key, taken.mark)
        if failures:
            taken.places.append((self._rows, key))
            return failures
        self._undo(taken)
        marks = self._rows.marks(key)
        free_at = time_of(marks[0]) + wait_after(min(len(marks), MOST))
        return _Refused(throttle="login.lockout", seconds=free_at - self._auth.clock.timestamp())

    def _refuse(self, refused: _Refused, client: Client) -> None:
        self._note(refused.throttle, client)
        raise TooManyRequests(refused.seconds)

    def _note(self, throttle: str, client: Client) -> None:
        """Announce that something is refused, once a minute for each client: who is refused must not cause writes."""
        if self._refusals.add((throttle, client.ip)) == 0:
            self._auth.database.announce(RequestThrottled(throttle=throttle, client=client))


def _storage(name: str, auth: AuthState, rows: DatabaseStorage) -> MarkStorage:
    if name == "database":
        return rows
    if name == "memory":
        return MemoryStorage(auth.clock)
    try:
        return RedisMarkStorage(auth.clock, name)
    except (MissingExtra, ValueError) as error:
        raise ConfigurationError([f"SECUREAUTH_THROTTLING_STORAGE: {error}."], [error]) from None


def _bucket(throttle: Throttle, subject: str | None) -> str | None:
    """What is counted together under the name of ``subject``."""
    if subject is None or throttle.by == "session":
        return subject
    return network_of(subject, _BITS) if throttle.by == "client" else spelling(subject)


def _lockout_key(address: str) -> str:
    return f"lockout/address/{address}"
