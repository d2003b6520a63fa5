"""A dictionary that does not grow for ever."""

from __future__ import annotations

from threading import Lock
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(dict[K, V]):
    """Holds at most ``size`` items; the oldest one makes room. Reading is that of a dictionary.

    Threads write with :meth:`put` and :meth:`drop`.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._lock = Lock()

    def put(self, key: K, value: V) -> None:
        """Set an item."""
        with self._lock:
            self.pop(key, None)  # What is set again is the youngest again.
            if len(self) >= self._size:
                del self[next(iter(self))]
            self[key] = value

    def drop(self, key: K) -> None:
        """Remove an item that may not be there."""
        with self._lock:
            self.pop(key, None)
