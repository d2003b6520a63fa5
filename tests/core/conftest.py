"""Keys for the tests of the core."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SECRET = "mB7vKq2xTz9RfWc4LhYp8NdJs3GgUe6A"
OTHER_SECRET = "Zr5tHw8yQn2VkXb7MjDf4CpGs9LaEu3T"

every_asymmetric = pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])


def new_private_key(algorithm: str) -> Any:
    """A private key for an algorithm."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 3072)


def private_pem(key: Any) -> str:
    """The text of a private key."""
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    """The text of its public half."""
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


@pytest.fixture(scope="session")
def pems() -> dict[str, tuple[str, str]]:
    """The private and the public PEM for each asymmetric algorithm."""
    keys = {algorithm: new_private_key(algorithm) for algorithm in ("ES256", "EdDSA", "PS256")}
    return {algorithm: (private_pem(key), public_pem(key)) for algorithm, key in keys.items()}
