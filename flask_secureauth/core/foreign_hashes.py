"""Hashes that other software made: argon2, bcrypt, Django and passlib.

Verified so that users can move in with the password they have; on their next sign-in the hash is
replaced by one of ours. What a stored hash may cost is bounded, since it says so itself: each bound
is several times what the programs ask for, and a hash above it is a damaged one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

from .extras import import_extra

MAX_SCRYPT_COST = 2**22
"""``N * r * p``: 512 MiB and some two seconds."""
MAX_PBKDF2_ROUNDS = 10_000_000
MAX_ARGON2_COST = 2**21
"""KiB times passes; RFC 9106's first recommendation, 2 GiB in one pass, is the dearest."""
MAX_ARGON2_LANES = 64
BCRYPT_MAX_BYTES = 72
_MIN_BCRYPT_LOG_ROUNDS = 4
_MAX_BCRYPT_LOG_ROUNDS = 16
_MAX_SHA_CRYPT_ROUNDS = 1_000_000
_MAX_SHA_CRYPT_BYTES = 1024

Check = Callable[[bytes], bool]
"""Whether a password belongs to the hash that was read."""
Reader = Callable[[re.Match[str]], Check]


def verify(stored: str, password: str) -> bool | None:
    """Whether ``password`` belongs to ``stored``; ``None`` when there is nothing to compare.

    That is a format that is not known, a damaged hash, one that costs too much, and a password that
    the format would cut. Raises :exc:`~flask_secureauth.core.extras.MissingExtra` when the format
    needs a package that is not installed.
    """
    try:
        check = _read(stored)
        return None if check is None else check(password.encode())
    except ValueError:
        return None


def is_readable(stored: str) -> bool:
    """Whether :func:`verify` can compare passwords with ``stored``; nothing is computed. It raises the same."""
    try:
        return _read(stored) is not None
    except ValueError:
        return False


def _read(stored: str) -> Check | None:
    for pattern, reader in _FORMATS:
        match = pattern.fullmatch(stored)
        if match:
            return reader(match)
    return None


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("not verifiable")


def _argon2(match: re.Match[str]) -> Check:
    argon2: Any = import_extra("argon2", what="A stored argon2 hash", extra="argon2")
    given = argon2.extract_parameters(match["argon2"])
    _require(given.memory_cost * given.time_cost <= MAX_ARGON2_COST and given.parallelism <= MAX_ARGON2_LANES)

    def check(password: bytes) -> bool:
        try:
            return bool(argon2.PasswordHasher().verify(match["argon2"], password))
        except argon2.exceptions.VerifyMismatchError:
            return False
        except argon2.exceptions.VerificationError as error:
            raise ValueError from error

    return check


def _bcrypt(hashed: str, secret: Callable[[bytes], bytes] = bytes) -> Check:
    bcrypt: Any = import_extra("bcrypt", what="A stored bcrypt hash", extra="bcrypt")
    _require(_MIN_BCRYPT_LOG_ROUNDS <= int(hashed[4:6]) <= _MAX_BCRYPT_LOG_ROUNDS)

    def check(password: bytes) -> bool:
        hidden = secret(password)
        # bcrypt reads 72 bytes; a longer password would be equal to its own beginning.
        _require(len(hidden) <= BCRYPT_MAX_BYTES)
        return bool(bcrypt.checkpw(hidden, hashed.encode()))

    return check


def _plain_bcrypt(match: re.Match[str]) -> Check:
    return _bcrypt(match["bcrypt"])


def _django_bcrypt_sha256(match: re.Match[str]) -> Check:
    return _bcrypt(match["bcrypt"], lambda password: hashlib.sha256(password).hexdigest().encode())


def _passlib_bcrypt_sha256(match: re.Match[str]) -> Check:
    def secret(password: bytes) -> bytes:
        if match["version"] == "v=2,t=":
            return base64.b64encode(hmac.digest(match["salt"].encode(), password, hashlib.sha256))
        return base64.b64encode(hashlib.sha256(password).digest())

    rounds = int(match["rounds"])
    return _bcrypt(f"${match['ident']}${rounds:02d}${match['salt']}{match['digest']}", secret)


def _pbkdf2(digest: str, *, rounds: str, salt: bytes, expected: bytes) -> Check:
    # The first bytes of a longer key are a shorter key: a hash that was cut would accept many passwords.
    _require(0 < int(rounds) <= MAX_PBKDF2_ROUNDS and len(expected) == hashlib.new(digest).digest_size)

    def check(password: bytes) -> bool:
        computed = hashlib.pbkdf2_hmac(digest, password, salt, int(rounds), len(expected))
        return hmac.compare_digest(computed, expected)

    return check


def _django_pbkdf2(match: re.Match[str]) -> Check:
    expected = base64.b64decode(match["hash"], validate=True)
    return _pbkdf2(match["digest"], rounds=match["rounds"], salt=match["salt"].encode(), expected=expected)


def _passlib_pbkdf2(match: re.Match[str]) -> Check:
    return _pbkdf2(
        match["digest"] or "sha1",
        rounds=match["rounds"],
        salt=_decode_passlib(match["salt"]),
        expected=_decode_passlib(match["hash"]),
    )


def _scrypt(*, salt: bytes, cost: tuple[int, int, int], expected: bytes) -> Check:
    n, r, p = cost
    _require(n > 1 and n & (n - 1) == 0 and r * p > 0 and n * r * p <= MAX_SCRYPT_COST)

    def check(password: bytes) -> bool:
        computed = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=132 * n * r * p, dklen=len(expected))
        return hmac.compare_digest(computed, expected)

    return check


def _django_scrypt(match: re.Match[str]) -> Check:
    expected = base64.b64decode(match["hash"], validate=True)
    _require(len(expected) == 64)
    cost = (int(match["n"]), int(match["r"]), int(match["p"]))
    return _scrypt(salt=match["salt"].encode(), cost=cost, expected=expected)


def _passlib_scrypt(match: re.Match[str]) -> Check:
    cost = (1 << int(match["ln"]), int(match["r"]), int(match["p"]))
    expected = _decode_passlib(match["hash"])
    _require(len(expected) == 32)
    return _scrypt(salt=_decode_passlib(match["salt"]), cost=cost, expected=expected)


def _decode_passlib(text: str) -> bytes:
    """Passlib's base64: "." for "+", and no padding."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)


def _sha_crypt(match: re.Match[str]) -> Check:
    digest, order = _SHA_CRYPT[match["kind"]]
    rounds = max(int(match["rounds"] or 5000), 1000)
    _require(rounds <= _MAX_SHA_CRYPT_ROUNDS and len(match["hash"]) == _SHA_CRYPT_LENGTHS[digest])

    def check(password: bytes) -> bool:
        # The time grows with the password's length, too. Source: CVE-2016-20013.
        _require(len(password) <= _MAX_SHA_CRYPT_BYTES)
        raw = _sha_crypt_digest(digest, password, match["salt"].encode(), rounds)
        return hmac.compare_digest(_sha_crypt_encode(raw, order), match["hash"])

    return check


def _sha_crypt_digest(name: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    """Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", steps 1 to 21."""

    def digest(*parts: bytes) -> bytes:
        return hashlib.new(name, b"".join(parts)).digest()

    size = len(password)
    alternate = digest(password, salt, password)
    bits = [alternate if size >> shift & 1 else password for shift in range(size.bit_length())]
    result = digest(password, salt, _stretch(alternate, size), *bits)
    p = _stretch(digest(password * size), size)
    s = _stretch(digest(salt * (16 + result[0])), len(salt))
    for count in range(rounds):
        odd = count % 2
        middle = (s if count % 3 else b"") + (p if count % 7 else b"")
        result = digest(p if odd else result, middle, result if odd else p)
    return result


def _stretch(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _sha_crypt_encode(raw: bytes, order: tuple[tuple[int, ...], ...]) -> str:
    alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = ""
    for group in order:
        value = int.from_bytes(bytes(raw[index] for index in group), "big")
        for _ in range(len(group) + 1):
            text += alphabet[value & 63]
            value >>= 6
    return text


def _turning(size: int, turn: tuple[int, int, int], rest: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The order of bytes in a sha-crypt hash: each group of three is the last one plus one, turned."""
    groups: list[tuple[int, ...]] = [(0, size, 2 * size)]
    while len(groups) < size:
        last = groups[-1]
        groups.append((last[turn[0]] + 1, last[turn[1]] + 1, last[turn[2]] + 1))
    return (*groups, rest)


_SHA_CRYPT = {
    "5": ("sha256", _turning(10, (2, 0, 1), (31, 30))),
    "6": ("sha512", _turning(21, (1, 2, 0), (63,))),
}

_SHA_CRYPT_LENGTHS = {"sha256": 43, "sha512": 86}

_BCRYPT = r"(?P<bcrypt>\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53})"
_BASE64 = r"[A-Za-z0-9+/]+=*"
_PASSLIB_BASE64 = r"[A-Za-z0-9+./]+"
_FORMATS: tuple[tuple[re.Pattern[str], Reader], ...] = tuple(
    (re.compile(pattern, re.ASCII), reader)
    for pattern, reader in (
        (r"(?:argon2)?(?P<argon2>\$argon2(?:id|i|d)\$.+)", _argon2),
        (rf"(?:bcrypt\$)?{_BCRYPT}", _plain_bcrypt),
        (rf"bcrypt_sha256\${_BCRYPT}", _django_bcrypt_sha256),
        (
            r"\$bcrypt-sha256\$(?P<version>v=2,t=)?(?P<ident>2[abxy]),(?(version)r=)(?P<rounds>\d{1,2})"
            r"\$(?P<salt>[./A-Za-z0-9]{22})\$(?P<digest>[./A-Za-z0-9]{31})",
            _passlib_bcrypt_sha256,
        ),
        (
            rf"pbkdf2_(?P<digest>sha256|sha1)\$(?P<rounds>\d{{1,9}})\$(?P<salt>[^$]+)\$(?P<hash>{_BASE64})",
            _django_pbkdf2,
        ),
        (
            rf"\$pbkdf2(?:-(?P<digest>sha256|sha512))?\$(?P<rounds>\d{{1,9}})\$(?P<salt>{_PASSLIB_BASE64})"
            rf"\$(?P<hash>{_PASSLIB_BASE64})",
            _passlib_pbkdf2,
        ),
        (
            rf"scrypt\$(?P<n>\d{{1,9}})\$(?P<salt>[^$]+)\$(?P<r>\d{{1,3}})\$(?P<p>\d{{1,3}})\$(?P<hash>{_BASE64})",
            _django_scrypt,
        ),
        (
            rf"\$scrypt\$ln=(?P<ln>\d{{1,2}}),r=(?P<r>\d{{1,3}}),p=(?P<p>\d{{1,3}})\$(?P<salt>{_PASSLIB_BASE64})"
            rf"\$(?P<hash>{_PASSLIB_BASE64})",
            _passlib_scrypt,
        ),
        (
            r"\$(?P<kind>[56])\$(?:rounds=(?P<rounds>\d{1,9})\$)?(?P<salt>[^$]{0,16})\$(?P<hash>[./A-Za-z0-9]{43,86})",
            _sha_crypt,
        ),
    )
)
