"""Password hashes: made with one scheme, verified from many, and never too many at once."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Protocol

from werkzeug.security import check_password_hash, generate_password_hash

from . import foreign_hashes
from .extras import MissingExtra, import_extra

logger = logging.getLogger("flask_secureauth")

DEFAULT_METHOD = "scrypt:32768:8:3"
"""32 MiB and three passes. Source: OWASP Password Storage Cheat Sheet, equivalent scrypt settings."""
_WERKZEUG = re.compile(
    r"(?:scrypt:(\d{1,9}):(\d{1,9}):(\d{1,9})|pbkdf2:\w+:(\d{1,9}))\$[^$]+\$[0-9a-f]+",
    re.ASCII,
)


class WeakMethod(ValueError):
    """The hash method is unknown, cheaper than OWASP's equivalent settings, or too dear to verify."""


class HashingBusy(Exception):
    """Too many passwords are being hashed; try again in a moment."""


class PasswordScheme(Protocol):
    """One way of making hashes."""

    def hash(self, password: str) -> str:
        """Return a self-describing hash with a new salt."""
        ...

    def is_current(self, stored: str) -> bool:
        """Whether ``stored`` was made by this scheme with these parameters."""
        ...


class WerkzeugScheme:
    """``scrypt:N:r:p`` or ``pbkdf2:sha256|sha512:iterations``, in Werkzeug's format."""

    def __init__(self, method: str) -> None:
        self.method = method

    def hash(self, password: str) -> str:
        return generate_password_hash(password, self.method)

    def is_current(self, stored: str) -> bool:
        return stored.startswith(f"{self.method}$")


class Argon2Scheme:
    """argon2id; ``memory`` in KiB."""

    def __init__(self, *, memory: int, time: int, parallelism: int) -> None:
        argon2: Any = import_extra("argon2", what="The password hash argon2id", extra="argon2")
        self._hasher = argon2.PasswordHasher(time_cost=time, memory_cost=memory, parallelism=parallelism)

    def hash(self, password: str) -> str:
        hashed: str = self._hasher.hash(password)
        return hashed

    def is_current(self, stored: str) -> bool:
        return stored.startswith("$argon2id$") and not self._hasher.check_needs_rehash(stored)


def parse_scheme(method: str, *, allow_weak: bool = False) -> PasswordScheme:
    """Return the scheme that ``method`` names.

    ``scrypt:N:r:p``, ``pbkdf2:sha256:iterations``, ``pbkdf2:sha512:iterations``, ``argon2id`` or
    ``argon2id:m=KiB,t=passes,p=lanes``. Raises :exc:`WeakMethod` below OWASP's equivalent settings
    unless ``allow_weak``. Source: OWASP Password Storage Cheat Sheet.
    """
    # One spelling of a number: Werkzeug writes its own into the hash, and is_current() compares.
    number = "([1-9][0-9]{0,9})"
    if match := re.fullmatch(rf"scrypt:{number}:{number}:{number}", method):
        n, r, p = map(int, match.groups())
        _require(n >= 128 and n & (n - 1) == 0, "N of scrypt is a power of two from 128 on")
        _require(allow_weak or (r >= 8 and n >= 2**13 and n * p >= 2**13 * 10), "cheaper than scrypt:8192:8:10")
        _require(n * r * p <= foreign_hashes.MAX_SCRYPT_COST, "dearer than scrypt:524288:8:1")
        return WerkzeugScheme(method)
    if match := re.fullmatch(rf"pbkdf2:(sha256|sha512):{number}", method):
        floor = {"sha256": 600_000, "sha512": 210_000}[match[1]]
        _require(int(match[2]) <= foreign_hashes.MAX_PBKDF2_ROUNDS, "more than ten million iterations")
        _require(allow_weak or int(match[2]) >= floor, f"fewer than {floor} iterations")
        return WerkzeugScheme(method)
    if match := re.fullmatch(rf"argon2id(?::m={number},t={number},p={number})?", method):
        memory, time, lanes = (
            int(given or default) for given, default in zip(match.groups(), (19456, 2, 1), strict=True)
        )
        _require(memory >= 8 * lanes, "argon2id needs m >= 8 * p")
        _require(allow_weak or (memory >= 7168 and memory * time >= 35840), "cheaper than argon2id:m=7168,t=5,p=1")
        affordable = memory * time <= foreign_hashes.MAX_ARGON2_COST and lanes <= foreign_hashes.MAX_ARGON2_LANES
        _require(affordable, "dearer than argon2id:m=2097152,t=1,p=64")
        return Argon2Scheme(memory=memory, time=time, parallelism=lanes)
    raise WeakMethod(f"{method!r} is not scrypt:N:r:p, pbkdf2:sha256:iterations or argon2id[:m=KiB,t=passes,p=lanes]")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise WeakMethod(problem)


class PasswordHasher:
    """Hashes and verifies, at most ``concurrency`` at a time in this process.

    A hash takes a core and tens of mebibytes on purpose; without a bound, a burst of sign-ins takes
    the whole server. Who finds ``max_waiting`` others waiting, or waits longer than ``max_wait``
    seconds, gets :exc:`HashingBusy`.
    """

    def __init__(self, scheme: PasswordScheme, *, concurrency: int, max_waiting: int, max_wait: float) -> None:
        self._scheme = scheme
        self._max_wait = max_wait
        self._places = BoundedSemaphore(concurrency + max_waiting)
        self._slots = BoundedSemaphore(concurrency)
        self._dummy = scheme.hash("no user has this password")

    def hash(self, password: str) -> str:
        """Return the hash to store."""
        with self._slot():
            return self._scheme.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` belongs to ``stored``.

        ``None``, an empty and an unusable hash take as long as a real one, so the time does not tell
        which accounts exist. Source: ASVS 6.3.8, Django CVE-2024-39329.
        """
        with self._slot():
            try:
                verdict = _verify(stored, password) if stored else None
            except MissingExtra as error:
                logger.error("A stored password hash cannot be verified. %s", error)
                verdict = None
            if verdict is None:
                _verify(self._dummy, password)
            return verdict is True

    def needs_rehash(self, stored: str) -> bool:
        """Whether ``stored`` was made by another scheme or with other parameters."""
        return not self._scheme.is_current(stored)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise HashingBusy
        try:
            if not self._slots.acquire(timeout=self._max_wait):
                raise HashingBusy
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._places.release()


def _verify(stored: str, password: str) -> bool | None:
    """Return ``None`` when nothing can be compared: ``stored`` is in no known format, damaged or too dear."""
    match = _WERKZEUG.fullmatch(stored)
    if not match:
        return foreign_hashes.verify(stored, password)
    n, r, p, rounds = (int(number or 1) for number in match.groups())
    if n * r * p > foreign_hashes.MAX_SCRYPT_COST or rounds > foreign_hashes.MAX_PBKDF2_ROUNDS:
        return None
    try:
        return check_password_hash(stored, password)
    except ValueError:
        return None
