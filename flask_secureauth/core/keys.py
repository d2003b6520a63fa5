"""Keys: how one is read and what it can do. Each is bound to one algorithm.

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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jwt.algorithms import get_default_algorithms
from jwt.exceptions import InvalidKeyError

from .clock import LAST_SECOND
from .extras import import_extra
from .secrets import derive_key, weakness

KEY_SPEC_FORMS = (
    "a secret of 32 random bytes or more, a PEM text, a pathlib.Path to either, or a mapping with "
    '"key" or "file", and optionally "kid" and "alg"'
)
SYMMETRIC_ALGORITHM = "HS256"
_ALGORITHMS = get_default_algorithms()
MIN_RSA_BITS = 3072
_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PUBLIC_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_KEY_TYPES = {"ES256": "EC", "EdDSA": "OKP", "PS256": "RSA"}
ALGORITHMS = (*_KEY_TYPES, SYMMETRIC_ALGORITHM)


class InvalidKey(ValueError):
    """A key cannot be used or must not be; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Key:
    """One key. ``signing_key`` is ``None`` for a key that only verifies.

    ``signs_from`` is seconds since the epoch; 0 for a key that the order of its ring decides about.
    """

    kid: str
    algorithm: str
    signing_key: Any
    verifying_key: Any
    signs_from: int = 0

    @cached_property
    def header_segment(self) -> str:
        """The first segment of every token of this key."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "at+jwt"}
        return encode_segment(json.dumps(header, separators=(",", ":")).encode())

    def derive(self, purpose: str) -> bytes | None:
        """Return 32 bytes for one ``purpose``, the same for as long as the key lives; ``None`` for a public key."""
        if self.signing_key is None:
            return None
        if purpose not in self._derived:
            self._derived[purpose] = derive_key(self._secret, purpose)
        return self._derived[purpose]

    def mac(self, purpose: str, message: str) -> str | None:
        """Return 43 characters that only this key makes of ``message`` for ``purpose``; ``None`` for a public key."""
        secret = self.derive(purpose)
        return encode_segment(hmac.digest(secret, message.encode(), hashlib.sha256)) if secret else None

    @cached_property
    def _derived(self) -> dict[str, bytes]:
        return {}

    @cached_property
    def _secret(self) -> bytes:
        if isinstance(self.signing_key, bytes):
            return self.signing_key
        # The private number alone: how a PEM file is written may change, the number does not.
        private: Any = _ALGORITHMS[self.algorithm].to_jwk(self.signing_key, as_dict=True)
        return str(private["d"]).encode()

    def public_jwk(self) -> dict[str, Any] | None:
        """Return what anybody may know of the key; ``None`` for a secret. Source: RFC 7517 section 4, RFC 8037."""
        if self.algorithm == SYMMETRIC_ALGORITHM:
            return None
        members = _public_members(self.algorithm, self.verifying_key)
        # From when on it is used. The name is that of OpenID Federation; who does not know it ignores it.
        start = {"nbf": self.signs_from} if self.signs_from else {}
        return {**members, "kid": self.kid, "use": "sig", "alg": self.algorithm, **start}

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature of ``message``."""
        return _ALGORITHMS[self.algorithm].sign(message, self.signing_key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's own for ``message``."""
        return _ALGORITHMS[self.algorithm].verify(message, self.verifying_key, signature)

    def __repr__(self) -> str:
        return f"<Key {self.kid} {self.algorithm}>"


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


def load_jwk(members: Mapping[str, Any], *, allow_insecure: bool = False) -> Key:
    """Turn one entry of a foreign key set into a key that verifies, and raise :exc:`InvalidKey` for any other entry.

    Needs ``cryptography``. Source: RFC 7517 section 4, RFC 8725 section 3.1.
    """
    algorithm, kid, start = members.get("alg"), members.get("kid"), members.get("nbf", 0)
    if not isinstance(algorithm, str) or members.get("kty") != _KEY_TYPES.get(algorithm, ...):
        raise InvalidKey("it is of another algorithm")
    if members.get("use") != "sig" or not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise InvalidKey("it is for another use, or has no kid of the usual form")
    if type(start) is not int or not 0 <= start <= LAST_SECOND:
        raise InvalidKey("its nbf is no time")
    try:
        public = _ALGORITHMS[algorithm].from_jwk({name: members[name] for name in _PUBLIC_MEMBERS[members["kty"]]})
    except (InvalidKeyError, LookupError, TypeError, ValueError) as error:
        raise InvalidKey(f"it cannot be read: {error}") from None
    _natural_algorithm(public, allow_insecure=allow_insecure)  # Raises for other curves and for small keys.
    return Key(kid=kid, algorithm=algorithm, signing_key=None, verifying_key=public, signs_from=start)


def derived_signing_key(secret: str | bytes, *, allow_insecure: bool = False) -> Key:
    """The key of an app that configures nothing but Flask's ``SECRET_KEY``."""
    material = _read(secret)
    if not allow_insecure:
        _refuse_weak(material)
    return _symmetric(derive_key(material, "flask-secureauth access-token v1"), kid=None, allow_insecure=True)


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
    kid = kid or _thumbprint(_public_members(natural, public))
    return Key(kid=kid, algorithm=natural, signing_key=private, verifying_key=public)


def _natural_algorithm(public_key: Any, *, allow_insecure: bool) -> str:
    asymmetric: Any = import_extra("cryptography.hazmat.primitives.asymmetric", what="A PEM key", extra="crypto")
    if isinstance(public_key, asymmetric.ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(public_key, asymmetric.ec.EllipticCurvePublicKey) and public_key.curve.name == "secp256r1":
        return "ES256"
    if isinstance(public_key, asymmetric.rsa.RSAPublicKey):
        if public_key.key_size < MIN_RSA_BITS and not allow_insecure:
            raise InvalidKey(f"an RSA key of {public_key.key_size} bits; at least {MIN_RSA_BITS} are needed")
        return "PS256"
    raise InvalidKey("a PEM key is Ed25519 (EdDSA), P-256 (ES256) or RSA (PS256)")


def _public_members(algorithm: str, public_key: Any) -> dict[str, str]:
    """The members of a JWK that make up the public key, in lexicographic order."""
    members: Any = _ALGORITHMS[algorithm].to_jwk(public_key, as_dict=True)
    return {name: members[name] for name in _PUBLIC_MEMBERS[members["kty"]]}


def _thumbprint(members: dict[str, str]) -> str:
    """Source: RFC 7638, the required members in order, SHA-256."""
    text = json.dumps(members, separators=(",", ":"))
    return encode_segment(hashlib.sha256(text.encode()).digest())
