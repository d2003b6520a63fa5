"""The key set of another service: fetched by time, and never because of what a token says.

A fetch for each unknown ``kid`` would let whoever sends tokens make us send requests. Source: RFC 8725
section 3.10, ASVS 9.1.3.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.client import HTTPException
from threading import Lock, Thread
from typing import Any, cast

from . import strict_json
from .extras import import_extra
from .fetching import fetch
from .identifiers import printable
from .key_ring import KeySet, at_moment
from .keys import InvalidKey, Key, load_jwk

REFRESH_EVERY = 300
"""Seconds."""
RETRY_AFTER = 30
"""Seconds until the next attempt when one has failed."""
MAX_AGE = 24 * 3600
"""Seconds for which a set is trusted that cannot be fetched again."""
MAX_BYTES = 64 * 1024
_TIMEOUT = 5
_LOOK_EVERY = 1
_PRIVATE_MEMBERS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))

logger = logging.getLogger("flask_secureauth")


class NoKeys(Exception):
    """There is no key set to verify with: none was fetched yet, or what was fetched is too old."""


class RemoteKeys:
    """The keys that another service publishes at ``url``. No request waits for them but the first ones.

    A set that cannot be fetched again stays good for 24 hours. Raises
    :exc:`~flask_secureauth.core.extras.MissingExtra` without ``cryptography``.
    """

    def __init__(self, url: str, *, allow_insecure: bool = False, fetch: Callable[[str], bytes] | None = None) -> None:
        import_extra("cryptography", what="Verifying with public keys", extra="crypto")
        self.origin = url
        self._allow_insecure = allow_insecure
        self._fetch = fetch or fetch_key_set
        self._lock = Lock()
        self._raw: bytes | None = None
        self._keys: tuple[Key, ...] = ()
        self._set: KeySet | None = None
        self._fetched_at = self._looked_at = self._tried_at = self._try_again_at = float("-inf")
        self._fetching: Thread | None = None
        self._problem = ""

    def ring(self, now: float) -> KeySet:
        """Return the keys of this moment. Raises :exc:`NoKeys`."""
        if not self._looked_at <= now < self._looked_at + _LOOK_EVERY:
            self._look(now)
        return self._set or self._wait_for_set()

    def _wait_for_set(self) -> KeySet:
        with self._lock:  # Another thread may be about to fetch.
            fetching = cast("Thread", self._fetching)
        fetching.join(_TIMEOUT + 1)
        if self._set is None:
            raise NoKeys(self._problem or "it does not answer in time")
        return self._set

    def refresh(self, now: float) -> None:
        """Fetch the set once. A failure is logged, the first one of an outage only."""
        try:
            raw = self._fetch(self.origin)
            keys = self._keys if raw == self._raw else self._read(raw)
        except (OSError, HTTPException, ValueError) as error:
            self._note(error)
            return
        with self._lock:
            self._raw, self._keys, self._fetched_at = raw, keys, now
            self._try_again_at = now + REFRESH_EVERY
            self._arrange(now)
        if self._problem:
            logger.info("The key set at %s is back.", self.origin)
        self._problem = ""

    def _look(self, now: float) -> None:
        with self._lock:  # Nothing in here waits for the network.
            self._looked_at = now
            # Whatever was fetched in what has become the future was fetched just now.
            self._fetched_at = min(self._fetched_at, now)
            is_due = not self._tried_at <= now < self._try_again_at
            if is_due and not (self._fetching and self._fetching.is_alive()):
                self._tried_at, self._try_again_at = now, now + RETRY_AFTER
                self._fetching = Thread(target=self.refresh, args=(now,), name="secureauth-keys", daemon=True)
                self._fetching.start()
            if now - self._fetched_at > MAX_AGE:
                self._set = None
            else:
                self._arrange(now)

    def _arrange(self, now: float) -> None:
        accepted, pending = at_moment(self._keys, now)
        current = self._set
        if current is None or (current.keys, current.pending) != (accepted, pending):
            self._set = KeySet(accepted, pending=pending)

    def _read(self, raw: bytes) -> tuple[Key, ...]:
        keys = []
        for members in _entries(raw):
            if not _PRIVATE_MEMBERS.isdisjoint(members):
                kid = printable(str(members.get("kid")), limit=64)
                logger.warning("The key set at %s shows the private half of %r: it is not trusted.", self.origin, kid)
                continue
            try:
                keys.append(load_jwk(members, allow_insecure=self._allow_insecure))
            except InvalidKey:
                continue  # Other keys of the issuer's, for other purposes.
        if not keys:
            raise InvalidKey("it holds no key for ES256, EdDSA or PS256 signatures that has a kid")
        KeySet(keys)  # Raises for two keys of one name.
        return tuple(keys)

    def _note(self, error: Exception) -> None:
        is_first, self._problem = not self._problem, printable(str(error) or type(error).__name__)
        if is_first:
            logger.error("The key set at %s cannot be used: %s", self.origin, self._problem)


def _entries(raw: bytes) -> list[dict[str, Any]]:
    content = strict_json.loads(raw)
    entries = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InvalidKey("it is no JWK Set")
    return [entry for entry in entries if isinstance(entry, dict)]


def fetch_key_set(url: str) -> bytes:
    """GET ``url``: no more than 64 KiB and about 5 seconds are spent. Raises as :func:`~.fetching.fetch` does."""
    return fetch(url, headers={"Accept": "application/json"}, limit=MAX_BYTES, timeout=_TIMEOUT)
