"""The key ring: the first key signs, all verify, each is bound to one algorithm.

A token names its key (``kid``) and never its algorithm's choice: what an attacker writes into
``alg`` decides nothing. PyJWT's algorithms sign and verify here and nowhere else.
Source: ASVS 9.1.2, RFC 8725 section 3.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jwt.algorithms import get_default_algorithms
from jwt.exceptions import InvalidKeyError

from .extras import import_extra
from .secrets import derive_key

KEY_SPEC_FORMS = (
    "a secret of 32 random bytes or more, a PEM text, a pathlib.Path to either, or a mapping with "
    '"key" or "file", and optionally "kid" and "alg"'
)
SYMMETRIC_ALGORITHM = "HS256"
_ALGORITHMS = get_default_algorithms()
_MIN_SECRET_BYTES = 32
_MIN_RSA_BITS = 3072
_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Placeholders that documentation, tutorials and wordlists hand out. Compared without case and punctuation.
_PLACEHOLDERS = (
    "changeme", "changethis", "changeit", "changeinproduction", "yoursecret", "yourjwtsecret", "your256bitsecret",
    "yoursupersecret", "replaceme", "replacethis", "placeholder", "devsecret", "jwtdevsecret", "devkey", "secretkey",
    "supersecret", "topsecret", "notsosecret", "insecure", "example", "password", "letmein", "mysecret", "testsecret",
)  # fmt: skip


class InvalidKey(ValueError):
    """A key cannot be used or must not be; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Key:
    """One key of the ring. ``signing_key`` is ``None`` for a key that only verifies."""

    kid: str
    algorithm: str
    signing_key: Any
    verifying_key: Any

    @cached_property
    def header_segment(self) -> str:
        """The first segment of every token of this key."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "at+jwt"}
        return encode_segment(json.dumps(header, separators=(",", ":")).encode())

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature of ``message``."""
        return _ALGORITHMS[self.algorithm].sign(message, self.signing_key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's own for ``message``."""
        return _ALGORITHMS[self.algorithm].verify(message, self.verifying_key, signature)

    def __repr__(self) -> str:
        return f"<Key {self.kid} {self.algorithm}>"


class KeyRing:
    """Keys in order of use. Raises :exc:`InvalidKey` for a ring that could confuse key kinds."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        if not self.keys:
            raise InvalidKey("the ring is empty: it needs a key to sign with")
        if self.keys[0].signing_key is None:
            raise InvalidKey("the first key signs, so it must be a private key or a secret")
        if len({key.algorithm == SYMMETRIC_ALGORITHM for key in self.keys}) == 2:
            raise InvalidKey(
                "secrets and private keys never share a ring: whoever holds the public half could sign with it"
            )
        self._by_kid = {key.kid: key for key in self.keys}
        if len(self._by_kid) != len(self.keys):
            raise InvalidKey("two keys have the same kid; give each its own")

    @property
    def signing(self) -> Key:
        """The key that signs new tokens."""
        return self.keys[0]

    def find(self, kid: object) -> Key | None:
        """Return the key named ``kid``; a look-up in memory, whatever the token says."""
        return self._by_kid.get(kid) if isinstance(kid, str) else None


def load_key(spec: object, *, allow_insecure: bool = False) -> Key:
    """Turn one entry of ``SECUREAUTH_KEYS`` into a key.

    ``spec`` is a secret, a PEM text, a :class:`~pathlib.Path` to either, or a mapping with ``key``
    or ``file`` and optionally ``kid`` and ``alg``. ``allow_insecure`` admits short and well-known
    secrets and small RSA keys.

    Raises :exc:`InvalidKey`; :exc:`~flask_secureauth.core.extras.MissingExtra` for a PEM without
    ``cryptography``.
    """
    options: dict[str, Any] = dict(spec) if isinstance(spec, Mapping) else {"key": spec}
    kid, algorithm = options.pop("kid", None), options.pop("alg", None)
    if len(options) != 1 or not options.keys() <= {"key", "file"}:
        raise InvalidKey(f"a key is {KEY_SPEC_FORMS}")
    if kid is not None and not (isinstance(kid, str) and _KID.fullmatch(kid)):
        raise InvalidKey("a kid has 1 to 64 letters, digits, dots, dashes and underscores")
    material = _read(options["key"] if "key" in options else Path(str(options["file"])))
    if material.lstrip().startswith(b"-----BEGIN "):
        return _asymmetric(material.strip(), kid=kid, algorithm=algorithm, allow_insecure=allow_insecure)
    if algorithm not in (None, SYMMETRIC_ALGORITHM):
        raise InvalidKey(f"{algorithm} needs a PEM key, and this is a secret, which signs with {SYMMETRIC_ALGORITHM}")
    return _symmetric(material, kid=kid, allow_insecure=allow_insecure)


def derived_signing_key(secret: str | bytes, *, allow_insecure: bool = False) -> Key:
    """The key of an app that configures nothing but Flask's ``SECRET_KEY``."""
    material = _read(secret)
    if not allow_insecure:
        _refuse_weak(material)
    return _symmetric(derive_key(material, "flask-secureauth access-token v1"), kid=None, allow_insecure=True)


def weakness(secret: bytes) -> str | None:
    """Say why ``secret`` must not sign anything, or return ``None``. Source: RFC 7518 section 3.2."""
    text = re.sub(r"[^a-z0-9]", "", secret.decode("utf-8", "replace").lower())
    if any(placeholder in text for placeholder in _PLACEHOLDERS):
        return "it is a placeholder that everybody knows"
    if len(secret) < _MIN_SECRET_BYTES:
        return f"it has {len(secret)} bytes, and a key needs at least {_MIN_SECRET_BYTES} random ones"
    if len(set(secret)) < 8:
        return "it repeats a few characters, and a key is random"
    return None


def encode_segment(raw: bytes) -> str:
    """Base64url without padding, as every part of a token is written."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read(material: object) -> bytes:
    if isinstance(material, Path):
        try:
            return material.read_bytes().strip()
        except OSError as error:
            raise InvalidKey(f"cannot read the key file {material}: {error.strerror}") from None
    if isinstance(material, str):
        try:
            material = material.encode()
        except UnicodeEncodeError:
            raise InvalidKey("a secret given as text must be valid UTF-8; give bytes or a file instead") from None
    if isinstance(material, bytes) and material:
        return material
    raise InvalidKey(f"a key is {KEY_SPEC_FORMS}")


def _refuse_weak(secret: bytes) -> None:
    problem = weakness(secret)
    if problem:
        raise InvalidKey(f"{problem}; 'flask secureauth generate-key' prints a good one")


def _symmetric(secret: bytes, *, kid: str | None, allow_insecure: bool) -> Key:
    if not allow_insecure:
        _refuse_weak(secret)
    kid = kid or hmac.digest(secret, b"flask-secureauth kid", hashlib.sha256).hex()[:16]
    try:
        prepared = _ALGORITHMS[SYMMETRIC_ALGORITHM].prepare_key(secret)
    except InvalidKeyError:
        raise InvalidKey("this text is a public key in disguise, and a secret is random") from None
    return Key(kid=kid, algorithm=SYMMETRIC_ALGORITHM, signing_key=prepared, verifying_key=prepared)


def _asymmetric(pem: bytes, *, kid: str | None, algorithm: str | None, allow_insecure: bool) -> Key:
    serialization: Any = import_extra("cryptography.hazmat.primitives.serialization", what="A PEM key", extra="crypto")
    exceptions: Any = import_extra("cryptography.exceptions", what="A PEM key", extra="crypto")
    try:
        if b"PRIVATE" in pem.partition(b"\n")[0]:
            private = serialization.load_pem_private_key(pem, password=None)
            public = private.public_key()
        else:
            private, public = None, serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise InvalidKey(f"not a readable PEM key without a passphrase: {error}") from None
    natural = _natural_algorithm(public, allow_insecure=allow_insecure)
    if algorithm not in (None, natural):
        raise InvalidKey(f"this PEM key is for {natural}, not {algorithm}; one key has one algorithm")
    jwk = _ALGORITHMS[natural].to_jwk(public, as_dict=True)
    return Key(kid=kid or _thumbprint(jwk), algorithm=natural, signing_key=private, verifying_key=public)


def _natural_algorithm(public_key: Any, *, allow_insecure: bool) -> str:
    asymmetric: Any = import_extra("cryptography.hazmat.primitives.asymmetric", what="A PEM key", extra="crypto")
    if isinstance(public_key, asymmetric.ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(public_key, asymmetric.ec.EllipticCurvePublicKey) and public_key.curve.name == "secp256r1":
        return "ES256"
    if isinstance(public_key, asymmetric.rsa.RSAPublicKey):
        if public_key.key_size < _MIN_RSA_BITS and not allow_insecure:
            raise InvalidKey(f"an RSA key of {public_key.key_size} bits; at least {_MIN_RSA_BITS} are needed")
        return "PS256"
    raise InvalidKey("a PEM key is Ed25519 (EdDSA), P-256 (ES256) or RSA (PS256)")


def _thumbprint(jwk: dict[str, Any]) -> str:
    """Source: RFC 7638, the required members in order, SHA-256."""
    required = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}[jwk["kty"]]
    text = json.dumps({name: jwk[name] for name in required}, separators=(",", ":"))
    return encode_segment(hashlib.sha256(text.encode()).digest())
