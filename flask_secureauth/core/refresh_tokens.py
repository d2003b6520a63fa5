"""Refresh tokens: ``session.generation.key.mac``, opaque to whoever holds one.

The MAC covers a random nonce that only the session's row holds, and its key is not in the database.
So every generation that was ever handed out can be told from a forgery, nothing that could be
replayed is stored, and a session has one row however often it is refreshed.
Source: RFC 9700 section 4.14.2, ASVS 10.4.5.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field

from .key_ring import KeyRing
from .keys import Key

PURPOSE = "flask-secureauth refresh-token v1"
_TOKEN = re.compile(r"([0-9a-f]{32})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9._-]{1,64})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """What a token says of itself. Nothing of it is true before :func:`is_genuine` says so."""

    session_id: str
    generation: int
    key_id: str
    mac: str = field(repr=False)


def new_nonce() -> str:
    """256 random bits in hex."""
    return secrets.token_hex(32)


def parse(text: str) -> RefreshToken | None:
    """Take a token apart; ``None`` for a text of another form."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    session_id, generation, key_id, mac = found.groups()
    return RefreshToken(session_id=session_id, generation=int(generation), key_id=key_id, mac=mac)


def write(key: Key, *, session_id: str, generation: int, nonce: str) -> str:
    """Return the token of a session's ``generation``; the same one however often it is asked for.

    Raises ValueError for a public key.
    """
    mac = _mac(key, session_id, generation, nonce)
    if mac is None:
        raise ValueError(f"the key {key.kid} is a public one")
    return f"{session_id}.{generation}.{key.kid}.{mac}"


def is_genuine(token: RefreshToken, ring: KeyRing, *, nonce: str) -> bool:
    """Whether a key of ``ring`` made the token for the session that holds ``nonce``."""
    key = ring.find(token.key_id)
    expected = _mac(key, token.session_id, token.generation, nonce) if key else None
    return expected is not None and hmac.compare_digest(expected, token.mac)


def _mac(key: Key, session_id: str, generation: int, nonce: str) -> str | None:
    return key.mac(PURPOSE, f"{session_id}|{generation}|{nonce}")
