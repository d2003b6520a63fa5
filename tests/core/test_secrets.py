"""Key derivation."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flask_secureauth.core.secrets import derive_key


def test_derive_key_agrees_with_rfc_5869() -> None:
    """RFC 5869 appendix A.3: SHA-256, empty salt and empty info."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"

    assert derive_key(b"\x0b" * 22, "", length=42).hex() == expected


@pytest.mark.parametrize("length", [1, 31, 32, 33, 64, 65, 255 * 32])
def test_derive_key_agrees_with_cryptography(length: int) -> None:
    """RFC 5869 gives no vector with an empty salt and an info, so a second implementation is asked."""
    expected = HKDF(SHA256(), length, salt=None, info="für Schlüssel".encode()).derive(b"s" * 32)

    assert derive_key(b"s" * 32, "für Schlüssel", length=length) == expected


def test_derive_key_refuses_more_than_rfc_5869_allows() -> None:
    with pytest.raises(ValueError, match="256"):
        derive_key(b"s" * 32, "purpose", length=255 * 32 + 1)


def test_derived_keys_differ_by_purpose_and_by_secret() -> None:
    keys = {derive_key(secret, purpose) for secret in (b"s" * 32, b"t" * 32) for purpose in ("one", "two")}

    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
