"""Whether a page of this site sent a request: asked wherever a cookie has authority.

Two independent answers are wanted, since each has failed somewhere: what the browser says about
where a request comes from, and a token that only a page of this site can read, bound to the session.
Source: ASVS 3.5.1 and 3.5.3, Fetch Metadata Request Headers, OWASP CSRF cheat sheet (signed double submit).
"""

from __future__ import annotations

import hmac

from flask import request

from ..core.clock import Clock
from ..core.key_ring import KeySource
from ..errors import CsrfFailed

HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_PURPOSE = "flask-secureauth csrf v1"


class CsrfProtection:
    """Makes and checks the tokens of one app."""

    def __init__(self, keys: KeySource, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def token(self, session_id: str) -> str:
        """Return the token of a session; the same one for as long as the signing key is."""
        return self._keys.ring(self._clock.timestamp()).signing.mac(_PURPOSE, session_id) or ""

    def require(self, session_id: str) -> None:
        """Refuse an unsafe request that does not prove both. Raises :exc:`~flask_secureauth.errors.CsrfFailed`."""
        is_handshake = "Upgrade" in request.headers
        if request.method in SAFE_METHODS and not is_handshake:
            return
        require_same_origin()
        if is_handshake:
            return  # A page cannot add a header to the request that opens a WebSocket.
        sent = request.headers.get(HEADER, "")
        ring = self._keys.ring(self._clock.timestamp())
        expected = [mac for mac in (key.mac(_PURPOSE, session_id) for key in ring.keys) if mac]
        if not any(hmac.compare_digest(mac.encode(), sent.encode()) for mac in expected):
            raise CsrfFailed


def came_from_here() -> bool:
    """Whether the browser says that a page of this very origin sent the request; ``False`` when it says nothing.

    Raises :exc:`~flask_secureauth.errors.CsrfFailed` when it says something else.
    """
    if "Sec-Fetch-Site" not in request.headers and "Origin" not in request.headers:
        return False
    if not is_from_here():
        raise CsrfFailed
    return True


def is_from_here() -> bool:
    """Whether the browser says that a page of this very origin sent the request."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    return site == "same-origin" if site is not None else origin == f"{request.scheme}://{request.host}"


def require_same_origin() -> None:
    """Refuse a request that no page of this origin sent, also one of no browser at all.

    Raises :exc:`~flask_secureauth.errors.CsrfFailed`.
    """
    if not came_from_here():
        raise CsrfFailed
