"""Key derivation: one secret, a separate key for every purpose."""

from __future__ import annotations

import hashlib
import hmac


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
