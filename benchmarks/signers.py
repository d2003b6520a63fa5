"""Keys: new for each run, the same for everybody who is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

ALGORITHMS = ("HS256", "ES256", "EdDSA", "PS256")


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A key of one algorithm."""

    algorithm: str
    private: Any
    public: Any

    @property
    def private_material(self) -> str:
        """The secret, or the private key as PEM."""
        if isinstance(self.private, str):
            return self.private
        pem: bytes = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.decode()

    @property
    def public_material(self) -> str:
        """The secret, or the public key as PEM."""
        if isinstance(self.public, str):
            return self.public
        pem: bytes = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()


def hs256(secret: str) -> Signer:
    """A signer with a shared secret."""
    return Signer(algorithm="HS256", private=secret, public=secret)


def signers(secret: str) -> dict[str, Signer]:
    """A signer for each of :data:`ALGORITHMS`."""
    pairs: dict[str, Any] = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "PS256": rsa.generate_private_key(public_exponent=65537, key_size=3072),
    }
    made = {name: Signer(algorithm=name, private=key, public=key.public_key()) for name, key in pairs.items()}
    return {"HS256": hs256(secret), **made}
