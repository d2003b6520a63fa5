"""Secrets: which are too weak, and a separate key for every purpose from a strong one."""

from __future__ import annotations

import hashlib
import hmac
import re

_MIN_BYTES = 32

# Placeholders that documentation, tutorials and wordlists hand out. Compared without case and punctuation.
_PLACEHOLDERS = (
    "changeme", "changethis", "changeit", "changeinproduction", "yoursecret", "yourjwtsecret", "your256bitsecret",
    "yoursupersecret", "replaceme", "replacethis", "placeholder", "devsecret", "jwtdevsecret", "devkey", "secretkey",
    "supersecret", "topsecret", "notsosecret", "insecure", "example", "password", "letmein", "mysecret", "testsecret",
)  # fmt: skip


def derive_key(secret: bytes, purpose: str, *, length: int = 32) -> bytes:
    """Derive ``length`` bytes (at most 255 * 32) for one ``purpose`` from a strong ``secret``.

    HKDF-SHA256 with an empty salt; the purpose is its info string. Source: RFC 5869.
    """
    pseudo_random_key = hmac.digest(bytes(32), secret, hashlib.sha256)
    block, output = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(pseudo_random_key, block + purpose.encode() + bytes([counter]), hashlib.sha256)
        output += block
    return output[:length]


def weakness(secret: bytes) -> str | None:
    """Say why ``secret`` must not sign anything, or return ``None``. Source: RFC 7518 section 3.2."""
    text = re.sub(r"[^a-z0-9]", "", secret.decode("utf-8", "replace").lower())
    if any(placeholder in text for placeholder in _PLACEHOLDERS):
        return "it is a placeholder that everybody knows"
    if len(secret) < _MIN_BYTES:
        return f"it has {len(secret)} bytes, and a key needs at least {_MIN_BYTES} random ones"
    if len(set(secret)) < 8:
        return "it repeats a few characters, and a key is random"
    return None
