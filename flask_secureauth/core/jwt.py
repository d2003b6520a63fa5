"""Access tokens: issued, and verified strictly once, then cheaply.

The envelope is ours, since a JWT library has to accept what other issuers write, and we only ever
read what we wrote; the keys sign and verify with PyJWT's algorithms.
Source: RFC 9068 (``at+jwt``), RFC 8725, ASVS 9.1 and 9.2.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any

from . import strict_json
from .bounded import Bounded
from .clock import LAST_SECOND
from .identifiers import is_identifier, new_identifier
from .key_ring import KeySet, KeySource, VerifyingSource
from .keys import Key, encode_segment

MAX_TOKEN_LENGTH = 4096
"""Characters. Longer ones are refused before anything is decoded."""
CACHE_SIZE = 4096
"""Verified tokens kept in memory, at most some 10 MiB."""
RESERVED_CLAIMS = frozenset(("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "auth_time", "amr"))
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_PADDING = ("", None, "==", "=")

Claims = Mapping[str, Any]


class InvalidToken(ValueError):
    """The text is not an access token of ours. ``reason`` is for logs, never for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExpiredToken(InvalidToken):
    """A genuine access token whose time is over."""


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What every token must say. ``lifetime`` and ``leeway`` are seconds."""

    issuer: str
    audience: str | None
    lifetime: int
    leeway: int


class TokenIssuer:
    """Writes access tokens with the signing key of the ring."""

    def __init__(self, keys: KeySource, rules: TokenRules) -> None:
        self._keys = keys
        self._rules = rules
        self.lifetime = rules.lifetime

    def issue(
        self,
        *,
        subject: str,
        session_id: str,
        auth_time: int,
        methods: list[str],
        now: int,
        extra: Claims | None = None,
    ) -> str:
        """Return a token that lives the configured lifetime from ``now`` (seconds since the epoch).

        ``extra`` are claims of features and of the app; an ``exp`` among them may only shorten the
        life. Raises ValueError for another reserved name and for a token above 4096 characters.
        """
        if not 0 < len(subject) <= 255:
            raise ValueError("a subject has 1 to 255 characters")
        extra = extra or {}
        taken = RESERVED_CLAIMS.intersection(extra) - {"exp"}
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))}: reserved, an additional claim needs another name")
        claims: dict[str, Any] = {
            "iss": self._rules.issuer,
            "sub": subject,
            "exp": now + self._rules.lifetime,
            "iat": now,
            "jti": new_identifier(),
            "sid": session_id,
            "auth_time": auth_time,
            "amr": methods,
            **extra,
        }
        if self._rules.audience is not None:
            claims["aud"] = self._rules.audience
        if type(claims["exp"]) is not int or not now < claims["exp"] <= now + self._rules.lifetime:
            raise ValueError(f"exp must be a whole number, at most {self._rules.lifetime} seconds from now")
        key = self._keys.ring(now).signing
        payload = encode_segment(dumps(claims, separators=(",", ":"), allow_nan=False).encode())
        message = f"{key.header_segment}.{payload}"
        token = f"{message}.{encode_segment(key.sign(message.encode()))}"
        if len(token) > MAX_TOKEN_LENGTH:
            raise ValueError(f"the claims make a token of {len(token)} characters; {MAX_TOKEN_LENGTH} is the limit")
        return token


class _Cache:
    """The tokens that one ring let in."""

    __slots__ = ("by_header", "ring", "verified")

    def __init__(self, ring: KeySet) -> None:
        self.ring = ring
        self.by_header = {key.header_segment: key for key in ring.keys}
        self.verified: Bounded[str, Claims] = Bounded(CACHE_SIZE)


class TokenVerifier:
    """Reads access tokens. A token that comes back costs a dictionary look-up and a look at its end."""

    def __init__(self, keys: VerifyingSource, rules: TokenRules) -> None:
        self._keys = keys
        self._rules = rules
        self._cache: _Cache | None = None

    def verify(self, token: str, now: float) -> Claims:
        """Return the claims of a genuine, living token; callers must not change them.

        Raises :exc:`InvalidToken`, :exc:`ExpiredToken`, and what the source of the keys raises.
        """
        cache, ring = self._cache, self._keys.ring(now)
        if cache is None or cache.ring is not ring:
            # What another ring let in is forgotten with it, also by threads that still read with the old one.
            cache = self._cache = _Cache(ring)
        claims = cache.verified.get(token)
        if claims is None:
            claims = self._read(token, now, cache)
            if now < claims["exp"] + self._rules.leeway:
                cache.verified.put(token, claims)
        if now >= claims["exp"] + self._rules.leeway:
            cache.verified.drop(token)
            raise ExpiredToken("expired")
        return claims

    def _read(self, token: str, now: float, cache: _Cache) -> Claims:
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken("too long")
        if not _TOKEN.fullmatch(token):
            raise InvalidToken("malformed")
        message, _, signature = token.rpartition(".")
        header, _, payload = message.partition(".")
        key = cache.by_header.get(header) or _key_of(header, cache.ring)
        if not _verifies(key, message.encode(), _decode_segment(signature)):
            raise InvalidToken("bad signature")
        claims = _decode_object(payload)
        self._check_types(claims)
        self._check_rules(claims, now)
        return claims

    def _check_types(self, claims: Claims) -> None:
        for name in ("exp", "iat", "auth_time", *(("nbf",) if "nbf" in claims else ())):
            value = claims.get(name)
            if type(value) is not int or not 0 <= value <= LAST_SECOND:
                raise InvalidToken(f"bad {name}")
        for name in ("sid", "jti"):
            value = claims.get(name)
            if not isinstance(value, str) or not is_identifier(value):
                raise InvalidToken(f"bad {name}")
        subject, methods = claims.get("sub"), claims.get("amr")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise InvalidToken("bad sub")
        if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
            raise InvalidToken("bad amr")

    def _check_rules(self, claims: Claims, now: float) -> None:
        if claims.get("iss") != self._rules.issuer:
            raise InvalidToken("wrong issuer")
        if claims.get("aud") != self._rules.audience or ("aud" in claims) != (self._rules.audience is not None):
            raise InvalidToken("wrong audience")
        if not 0 < claims["exp"] - claims["iat"] <= self._rules.lifetime:
            raise InvalidToken("lives too long")
        if max(claims["iat"], claims.get("nbf", 0)) > now + self._rules.leeway:
            raise InvalidToken("from the future")


def _key_of(segment: str, ring: KeySet) -> Key:
    header = _decode_object(segment)
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != "at+jwt":
        raise InvalidToken("foreign header")
    key = ring.find(header["kid"])
    if key is None:
        raise InvalidToken("unknown key")
    if header["alg"] != key.algorithm:
        raise InvalidToken("wrong algorithm")
    return key


def _verifies(key: Key, message: bytes, signature: bytes) -> bool:
    try:
        return key.verify(message, signature)
    except Exception:
        # Whatever a library raises on a crafted signature means the same: no. Source: ASVS 11.2.5.
        return False


def _decode_segment(segment: str) -> bytes:
    padding = _PADDING[len(segment) % 4]
    if padding is None:
        raise InvalidToken("malformed")
    raw = base64.b64decode(segment + padding, b"-_")
    if encode_segment(raw) != segment:
        # The last character can carry bits that nobody reads: two spellings of one token.
        raise InvalidToken("not canonical base64url")
    return raw


def _decode_object(segment: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(_decode_segment(segment))
    except strict_json.InvalidJson:
        raise InvalidToken("malformed") from None
    if not isinstance(value, dict):
        raise InvalidToken("malformed")
    return value
