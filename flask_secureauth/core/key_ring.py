"""The key ring: one key signs, all verify. It may change while an app runs.

Source: ASVS 11.2.2, keys are replaced without signing anybody out.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Protocol, Self

from .keys import SYMMETRIC_ALGORITHM, InvalidKey, Key

ACCEPTED_EARLY = 60
"""Seconds before a key signs from which it is accepted: the clocks of two machines differ."""


class KeySet:
    """Keys that verify. Raises :exc:`InvalidKey` for a set that could confuse keys or kinds of keys.

    ``pending`` ones are not accepted yet; ``known`` are both. ``origin`` is that of a :class:`VerifyingSource`.
    """

    def __init__(self, keys: Iterable[Key], *, pending: Iterable[Key] = (), origin: str = "") -> None:
        self.keys = tuple(keys)
        self.pending = tuple(pending)
        self.origin = origin
        self.known = (*self.keys, *self.pending)
        if len({key.algorithm == SYMMETRIC_ALGORITHM for key in self.known}) == 2:
            raise InvalidKey(
                "secrets and private keys never share a ring: whoever holds the public half could sign with it"
            )
        if len({key.kid for key in self.known}) != len(self.known):
            raise InvalidKey("two keys have the same kid; give each its own")
        self._by_kid = {key.kid: key for key in self.keys}

    def ring(self, now: float) -> Self:
        """Keys that never change are their own source."""
        return self

    def find(self, kid: object) -> Key | None:
        """Return the key named ``kid``; a look-up in memory, whatever the token says."""
        return self._by_kid.get(kid) if isinstance(kid, str) else None


class KeyRing(KeySet):
    """A set whose first key signs."""

    def __init__(self, keys: Iterable[Key], *, pending: Iterable[Key] = (), origin: str = "") -> None:
        super().__init__(keys, pending=pending, origin=origin)
        if not self.keys:
            raise InvalidKey("the ring is empty: it needs a key to sign with")
        if self.keys[0].signing_key is None:
            raise InvalidKey("the first key signs, so it must be a private key or a secret")

    @property
    def signing(self) -> Key:
        """The key that signs new tokens."""
        return self.keys[0]


class VerifyingSource(Protocol):
    """Where keys that verify come from."""

    @property
    def origin(self) -> str:
        """The name of a setting, a path or a URL, for people."""
        ...

    def ring(self, now: float) -> KeySet:
        """Return the keys of this moment: the same object for as long as nothing changes."""
        ...


class KeySource(VerifyingSource, Protocol):
    """Where the ring of a service that issues tokens comes from."""

    def ring(self, now: float) -> KeyRing:
        """Return the ring of this moment: the same object for as long as nothing changes."""
        ...


def at_moment(keys: Iterable[Key], now: float) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    """Return the keys that are accepted at ``now``, the signing one first, and the pending ones.

    The newest key whose time has come signs, of two at a time the latter; when no time has come,
    the first key does.
    """
    newest_first = sorted(keys, key=attrgetter("signs_from"))[::-1]
    signing = next((key for key in newest_first if key.signs_from <= now), newest_first[-1])
    others = [key for key in newest_first if key is not signing]
    latest = now + ACCEPTED_EARLY
    accepted = (signing, *(key for key in others if key.signs_from <= latest))
    return accepted, tuple(key for key in others if key.signs_from > latest)


def superseded_at(key: Key, keys: Iterable[Key], now: float) -> int | None:
    """Return when another key of ``keys`` began to sign in place of ``key``; ``None`` while none has."""
    in_turn = sorted(keys, key=attrgetter("signs_from"))
    later = in_turn[in_turn.index(key) + 1 :]
    return next((other.signs_from for other in later if other.signs_from <= now), None)
