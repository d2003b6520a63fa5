"""Access tokens written by hand: base64, JSON, ``hmac`` and ``cryptography``; nothing of the package."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask.testing import FlaskClient

KID = "key-1"
SECRET = b"Qm4tZr0-8fXo_1hVtG7cLw2yKpNe6sUa"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

Members = Mapping[str, Any]
Signer = Callable[[bytes], bytes]


def segment(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpack(text: str) -> bytes:
    """The bytes of a segment."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(members: object) -> bytes:
    """JSON as an issuer writes it."""
    return json.dumps(members, separators=(",", ":")).encode()


def with_raw(members: Members, name: str, raw: str) -> bytes:
    """JSON in which the member ``name`` is the text ``raw``, whatever that is."""
    others = compact({key: value for key, value in members.items() if key != name})
    return others[:-1] + b"," + compact(name) + b":" + raw.encode() + b"}"


def without(members: Members, *names: str) -> dict[str, Any]:
    """A copy that lacks ``names``."""
    return {key: value for key, value in members.items() if key not in names}


def hs(secret: bytes = SECRET, digest: str = "sha256") -> Signer:
    """HMAC."""
    return lambda message: hmac.digest(secret, message, digest)


def es256(key: ec.EllipticCurvePrivateKey, *, size: int = 32) -> Signer:
    """ECDSA with SHA-256 as raw ``r || s``."""

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def eddsa(key: ed25519.Ed25519PrivateKey) -> Signer:
    """Ed25519."""
    return key.sign


def ps256(key: rsa.RSAPrivateKey) -> Signer:
    """RSASSA-PSS with SHA-256."""
    return lambda message: key.sign(message, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())


def rs256(key: rsa.RSAPrivateKey) -> Signer:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    return lambda message: key.sign(message, padding.PKCS1v15(), SHA256())


def private_pem(key: Any) -> str:
    """What an app configures."""
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> bytes:
    """What an app publishes."""
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def public_der(key: Any) -> bytes:
    """The same without its armour."""
    der: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """The public half of a P-256 key as a JWK."""
    numbers = key.public_key().public_numbers()
    x, y = (segment(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def dss_der(signature: bytes) -> bytes:
    """A raw ECDSA signature in DER."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def thumbprint(raw: bytes) -> str:
    """SHA-256, as ``x5t#S256`` has it."""
    return segment(hashlib.sha256(raw).digest())


@dataclass(frozen=True, kw_only=True)
class Forger:
    """An attacker who knows a genuine token, and in these tests even the key behind it.

    What is refused is refused for its form and not for its signature.
    """

    client: FlaskClient
    genuine: str
    header: dict[str, Any]
    claims: dict[str, Any]
    signer: Signer

    def token(self, header: object = None, claims: object = None, *, signer: Signer | None = None) -> str:
        """Return a signed token; bytes go in as they are, anything else as JSON."""
        message = self.message(header, claims)
        return f"{message}.{segment((signer or self.signer)(message.encode()))}"

    def message(self, header: object = None, claims: object = None) -> str:
        """Return the first two segments."""
        parts = (self.header if header is None else header, self.claims if claims is None else claims)
        return ".".join(segment(part if isinstance(part, bytes) else compact(part)) for part in parts)

    def signed_by(self, signer: Signer) -> Forger:
        """The same attacker with another key."""
        return replace(self, signer=signer)


Case = Callable[[Forger], str]
