"""Password hashes: made with one scheme, verified from many, and never too many at once."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Protocol

from werkzeug.security import check_password_hash, generate_password_hash

from . import flask_security, foreign_hashes
from .extras import MissingExtra, import_extra

logger = logging.getLogger("flask_secureauth")

DEFAULT_METHOD = "scrypt:32768:8:3"
"""32 MiB and three passes. Source: OWASP Password Storage Cheat Sheet, equivalent scrypt settings."""
_WERKZEUG = re.compile(
    r"(?:scrypt:(?P<n>\d{1,9}):(?P<r>\d{1,9}):(?P<p>\d{1,9})|pbkdf2:(?P<digest>\w+):(?P<rounds>\d{1,9}))"
    r"\$[^$]+\$(?P<hash>[0-9a-f]+)",
    re.ASCII,
)
_WERKZEUG_LENGTHS = {None: 128, "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
"""Hex digits of scrypt, and of PBKDF2 by its digest."""


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
    seconds, gets :exc:`HashingBusy`. ``flask_security_salt`` is the secret of the hashes that bear its mark.
    """

    def __init__(
        self,
        scheme: PasswordScheme,
        *,
        concurrency: int,
        max_waiting: int,
        max_wait: float,
        flask_security_salt: str | None = None,
    ) -> None:
        self._scheme = scheme
        self._flask_security_salt = flask_security_salt
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
                verdict = self._verdict(stored, password) if stored else None
            except MissingExtra as error:
                logger.error("A stored password hash cannot be verified. %s", error)
                verdict = None
            if verdict is None:
                _verify(self._dummy, password)
            return verdict is True

    def _verdict(self, stored: str, password: str) -> bool | None:
        if stored.startswith(flask_security.MARK):
            if self._flask_security_salt is None:
                logger.error("A stored hash cannot be verified without SECUREAUTH_PASSWORD_FLASK_SECURITY_SALT.")
                return None
            stored, password = flask_security.unwrap(stored, password, self._flask_security_salt)
        return _verify(stored, password)

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
    if not _is_affordable(match):
        return None
    try:
        return check_password_hash(stored, password)
    except ValueError:
        return None


def is_readable(stored: str) -> bool:
    """Whether ``stored`` is whole and in a form that :meth:`PasswordHasher.verify` knows; nothing is computed.

    Raises :exc:`~flask_secureauth.core.extras.MissingExtra` for a form that needs a package that is not installed.
    """
    match = _WERKZEUG.fullmatch(stored)
    if not match:
        return foreign_hashes.is_readable(stored)
    # Columns that were too short for a hash have cut many.
    return len(match["hash"]) == _WERKZEUG_LENGTHS.get(match["digest"]) and _is_affordable(match)


def _is_affordable(match: re.Match[str]) -> bool:
    n, r, p, rounds = (int(match[name] or 1) for name in ("n", "r", "p", "rounds"))
    return n * r * p <= foreign_hashes.MAX_SCRYPT_COST and rounds <= foreign_hashes.MAX_PBKDF2_ROUNDS
