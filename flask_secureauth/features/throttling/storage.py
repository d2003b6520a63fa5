"""Where hits are kept, as storages of the library ``limits``: exact moving windows, by the app's own clock.

A hit is a mark of 24 characters, its time in microseconds and some random ones. Of each key the newest marks are
kept, as many as its limit has: one more is within the limit if the last of them is old enough. It can
be taken back.
"""

from __future__ import annotations

import logging
import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from typing import Any, NoReturn, TypeVar

from limits.storage import MovingWindowSupport, Storage

from ...core.bounded import Bounded
from ...core.clock import Clock
from ...core.extras import import_extra
from ...errors import DatabaseUnavailable

logger = logging.getLogger("flask_secureauth")
T = TypeVar("T")

TIME = 16
"""Digits of a time in microseconds since the epoch."""
MARK = TIME + 8
_KEYS_IN_MEMORY = 100_000
_PREFIX = "secureauth:"
_REDIS_WAIT = 2.0
"""Seconds. A request must not hang on a store that is gone."""


def new_mark(now: float) -> str:
    """Return the mark of a hit at ``now``, unlike any other."""
    return written(now) + secrets.token_hex((MARK - TIME) // 2)


def written(moment: float) -> str:
    """Return a time in a form that sorts as text."""
    return f"{max(0, round(moment * 1_000_000)):0{TIME}d}"


def time_of(mark: str) -> float:
    """Return the time of a mark."""
    return int(mark[:TIME]) / 1_000_000


def digest_of(key: str) -> str:
    """Return what a store is told of a key, which names an address or a network."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class MarkStorage(Storage, MovingWindowSupport):
    """What the storages share. ``limits`` asks for hits without a mark; our own throttles take some back."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def together(self, unit: Callable[[], T]) -> T:
        """Do several things in one transaction, where there are any."""
        return unit()

    @abstractmethod
    def acquire(self, key: str, limit: int, expiry: int, mark: str) -> bool:
        """Write ``mark`` unless that is more than ``limit`` in ``expiry`` seconds; whether it was written."""

    @abstractmethod
    def release(self, keys: Sequence[str], mark: str) -> None:
        """Take ``mark`` back from each of ``keys``."""

    @abstractmethod
    def marks(self, key: str) -> list[str]:
        """Return the marks of a key, the newest first."""

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Write ``amount`` hits, which must be 1."""
        if amount != 1:
            raise NotImplementedError("one hit at a time: none of our throttles counts more")
        return self.acquire(key, limit, expiry, new_mark(self._clock.timestamp()))

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the oldest hit in the window, and how many there are."""
        now = self._clock.timestamp()
        times = [time_of(mark) for mark in self.marks(key)[:limit]]
        inside = [time for time in times if time > now - expiry]
        return (inside[-1], len(inside)) if inside else (now, 0)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What ``limits`` would wrap if it were told to; it is not."""
        return DatabaseUnavailable

    def _moves(self, *arguments: Any, **named: Any) -> NoReturn:
        raise NotImplementedError("this storage is for moving windows: those that never forget a hit too early")

    incr = get = get_expiry = reset = clear = check = _moves


class MemoryStorage(MarkStorage):
    """In this process alone: for tests, and for apps of one process that may forget when they start."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._marks: Bounded[str, tuple[str, ...]] = Bounded(_KEYS_IN_MEMORY)
        self._lock = Lock()

    def acquire(self, key: str, limit: int, expiry: int, mark: str) -> bool:
        with self._lock:
            marks = self._marks.get(key, ())
            if len(marks) >= limit and time_of(marks[limit - 1]) > time_of(mark) - expiry:
                return False
            self._marks.put(key, (mark, *marks)[:limit])
            return True

    def release(self, keys: Sequence[str], mark: str) -> None:
        with self._lock:
            for key in keys:
                self._marks.put(key, tuple(other for other in self._marks.get(key, ()) if other != mark))

    def marks(self, key: str) -> list[str]:
        return list(self._marks.get(key, ()))


class RedisMarkStorage(MarkStorage):
    """On a Redis that several machines share: the same marks in lists, and one script that decides."""

    STORAGE_SCHEME = None

    _ACQUIRE = """
    local last = redis.call('lindex', KEYS[1], ARGV[2] - 1)
    if last and string.sub(last, 1, #ARGV[4]) > ARGV[4] then return 0 end
    redis.call('lpush', KEYS[1], ARGV[1])
    redis.call('ltrim', KEYS[1], 0, ARGV[2] - 1)
    redis.call('expire', KEYS[1], ARGV[3])
    return 1
    """

    def __init__(self, clock: Clock, url: str) -> None:
        super().__init__(clock)
        redis: Any = import_extra("redis", what="SECUREAUTH_THROTTLING_STORAGE on Redis", extra="redis")
        self._error = redis.RedisError
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=_REDIS_WAIT, socket_connect_timeout=_REDIS_WAIT, decode_responses=True
        )
        self._acquire: Any = self._redis.register_script(self._ACQUIRE)

    def acquire(self, key: str, limit: int, expiry: int, mark: str) -> bool:
        with self._available():
            cutoff = written(time_of(mark) - expiry)
            return bool(self._acquire([_PREFIX + digest_of(key)], [mark, limit, expiry, cutoff]))

    def release(self, keys: Sequence[str], mark: str) -> None:
        with self._available():
            for key in keys:
                self._redis.lrem(_PREFIX + digest_of(key), 1, mark)

    def marks(self, key: str) -> list[str]:
        with self._available():
            return list(self._redis.lrange(_PREFIX + digest_of(key), 0, -1))

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            logger.error("The store of the throttles is unavailable: %s", error)
            raise DatabaseUnavailable from error
