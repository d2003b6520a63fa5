"""Known devices: a browser that signed in before shows it by a cookie, so strangers who guess cannot lock it out.

A MAC over the user, the device, the time and the password's hash; no row is kept. It opens no door: whoever holds
it may try passwords of that one account, as often as any stranger. With the password it dies.
Source: OWASP, "Slow down online guessing attacks with device cookies".
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256

from .key_ring import KeyRing
from .keys import Key

LIFETIME = 180 * 86400
"""Seconds."""
_PURPOSE = "flask-secureauth device v1"
_COOKIE = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a cookie is bound to. ``subject`` is the user's id as a string."""

    subject: str
    password_hash: str = field(repr=False)


def write(key: Key, account: Account, *, device_id: str, now: float) -> str:
    """Return the cookie of a device of 32 hex digits. Raises ValueError for a public key."""
    issued = int(now)
    mac = _mac(key, account, device_id, issued)
    if mac is None:
        raise ValueError(f"the key {key.kid} is a public one")
    return f"{device_id}.{issued}.{mac}"


def find(cookie: str | None, ring: KeyRing, account: Account, *, now: float) -> str | None:
    """Return the id of the device that ``cookie`` shows to be known to ``account``, or ``None``."""
    found = _COOKIE.fullmatch(cookie or "")
    if found is None:
        return None
    device_id, issued, mac = found[1], int(found[2]), found[3]
    if not issued <= now < issued + LIFETIME:
        return None
    expected = [_mac(key, account, device_id, issued) for key in ring.keys]
    return device_id if any(one and hmac.compare_digest(one, mac) for one in expected) else None


def _mac(key: Key, account: Account, device_id: str, issued: int) -> str | None:
    hashed = sha256(account.password_hash.encode()).hexdigest()
    return key.mac(_PURPOSE, f"{device_id}|{issued}|{hashed}|{account.subject}")
