"""Hashes that other software made."""

from __future__ import annotations

import sys

import pytest

from flask_secureauth.core.extras import MissingExtra
from flask_secureauth.core.foreign_hashes import is_readable, verify

from .foreign_vectors import (
    BCRYPT_OF_72_X,
    DJANGO,
    DJANGO_BCRYPT_SHA256_OF_80_X,
    DREPPER,
    NON_ASCII,
    PASSLIB,
    PASSLIB_BCRYPT_SHA256_OF_80_X,
    PLAIN,
    SHA_CRYPT,
    Vector,
)

VECTORS = (*DJANGO, *PASSLIB, *SHA_CRYPT, *DREPPER)
BY_NAME = {name: stored for name, _, stored in VECTORS}
SALT = "A" * 22
every_vector = pytest.mark.parametrize("vector", [*DJANGO, *PASSLIB, *SHA_CRYPT], ids=lambda vector: vector[0])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector[0])
def test_hash_of_other_software_belongs_to_its_password(vector: Vector) -> None:
    _, password, stored = vector

    assert verify(stored, password) is True


@every_vector
def test_hash_of_other_software_belongs_to_no_other_password(vector: Vector) -> None:
    _, password, stored = vector
    others = {f"{password}x", password[:-1], password.swapcase(), f" {password}", ""} - {password}

    assert {verify(stored, other) for other in others} == {False}


@every_vector
def test_hash_that_lost_or_won_characters_belongs_to_nobody(vector: Vector) -> None:
    """CWE-354: the beginning of a PBKDF2 or scrypt key is a shorter key, which many passwords have."""
    _, password, stored = vector
    damaged = [stored[:-size] for size in (1, 4, 8, 16)] + [stored + extra for extra in ("A", "AAAA", "=", "\n", "é")]

    assert not any(verify(hashed, password) for hashed in damaged)


@every_vector
def test_changed_character_of_the_hash_is_noticed(vector: Vector) -> None:
    _, password, stored = vector
    place = len(stored) - 10
    changed = stored[:place] + ("B" if stored[place] != "B" else "C") + stored[place + 1 :]

    assert verify(changed, password) is False


@every_vector
def test_hash_of_other_software_is_readable_and_a_cut_one_is_not(vector: Vector) -> None:
    stored = vector[2]

    assert is_readable(stored)
    assert not is_readable(stored[: len(stored) // 2])


def test_sha_crypt_without_rounds_has_5000() -> None:
    stored = BY_NAME["sha256_crypt-rounds-implicit"]

    assert stored.startswith("$5$H")
    assert verify(stored.replace("$5$", "$5$rounds=5000$"), "implicit") is True
    assert verify(stored.replace("$5$", "$5$rounds=5001$"), "implicit") is False


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "!",
        "!unusable",
        PLAIN,
        "plain$$secret",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
        "$y$j9T$salt$hash",
        "$2$04$" + "A" * 53,
        "$2b$4$" + "A" * 53,
        "$2b$٠٤$" + "A" * 53,
        "pbkdf2_sha512$1$salt$" + "A" * 86 + "==",
        "pbkdf2_sha256$-1$salt$" + "A" * 43 + "=",
        "pbkdf2_sha256$٣$salt$" + "A" * 43 + "=",
        f"$bcrypt-sha256$v=2,t=2b,4${SALT}${'A' * 31}",
        f"$bcrypt-sha256$2b,r=4${SALT}${'A' * 31}",
        f"$bcrypt-sha256$v=2,t=2b,r=99999999999${SALT}${'A' * 31}",
        f"$scrypt$ln=7,r=8${SALT}${'A' * 43}",
        "$5$rounds=$salt$" + "A" * 43,
        "$7$salt$" + "A" * 43,
        "argon2$argon2x$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$AAAA",
    ],
)
def test_unknown_format_is_no_verdict(stored: str) -> None:
    assert verify(stored, PLAIN) is None
    assert not is_readable(stored)


@pytest.mark.parametrize(
    "stored",
    [
        # Not base64.
        "pbkdf2_sha256$3$salt$" + "A" * 42 + "==",
        "pbkdf2_sha1$3$salt$" + "A" * 5,
        f"$pbkdf2$3$A${'A' * 27}",
        f"$pbkdf2-sha256$3${SALT}${'A' * 41}",
        f"$scrypt$ln=7,r=8,p=2$A${'A' * 43}",
        "scrypt$128$salt$8$2$" + "A" * 85,
        # Not the length of the digest.
        "pbkdf2_sha256$3$salt$AAAA",
        f"$pbkdf2-sha512$3${SALT}$AAAA",
        f"$pbkdf2-sha256$3${SALT}${'A' * 88}",
        f"$scrypt$ln=7,r=8,p=2${SALT}$AAAA",
        "scrypt$128$salt$8$2$AAAA",
        # Parameters that nobody can compute.
        f"pbkdf2_sha256$0$salt${'A' * 43}=",
        f"$scrypt$ln=0,r=8,p=1${SALT}${'A' * 43}",
        f"$scrypt$ln=7,r=0,p=1${SALT}${'A' * 43}",
        f"$scrypt$ln=99,r=0,p=1${SALT}${'A' * 43}",
        f"scrypt$100$salt$8$1${'A' * 86}==",
        "$2b$03$" + "A" * 53,
        "$2b$04$" + "A" * 53,
        "$argon2id$nonsense",
        "$argon2id$v=19$m=64,t=1$c2FsdHNhbHQ$AAAA",
        "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=-64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=2$?$?",
        "$argon2id$v=19$m=64,t=1,p=2$é$é",
    ],
)
def test_damaged_hash_is_no_verdict(stored: str) -> None:
    assert verify(stored, PLAIN) is None


@pytest.mark.parametrize(
    "stored",
    [
        f"$scrypt$ln=31,r=999,p=1${SALT}${'A' * 43}",
        f"$scrypt$ln=99,r=8,p=1${SALT}${'A' * 43}",
        f"$scrypt$ln=20,r=8,p=1${SALT}${'A' * 43}",
        f"$scrypt$ln=10,r=8,p=999${SALT}${'A' * 43}",
        f"scrypt$999999999$salt$999$999${'A' * 86}==",
        f"scrypt$1048576$salt$8$1${'A' * 86}==",
        f"pbkdf2_sha256$999999999$salt${'A' * 43}=",
        f"$pbkdf2-sha512$10000001${SALT}${'A' * 86}",
        "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "argon2$argon2id$v=19$m=524288,t=1,p=65$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        BY_NAME["bcrypt-plain"].replace("$04$", "$31$"),
        BY_NAME["bcrypt-plain"].replace("$04$", "$17$"),
        BY_NAME["bcrypt_sha256-v2-plain"].replace("r=4", "r=31"),
        "$5$rounds=999999999$salt$" + "A" * 43,
        "$6$rounds=1000001$salt$" + "A" * 86,
    ],
)
def test_hash_that_asks_for_absurd_work_is_no_verdict(stored: str) -> None:
    """CWE-400: an imported row names its own cost. Computed, any of these would be False, seconds to days later."""
    assert verify(stored, PLAIN) is None
    assert not is_readable(stored)


@pytest.mark.parametrize("stored", [BY_NAME["sha256_crypt-16"], BY_NAME["sha512_crypt-16"]], ids=["sha256", "sha512"])
def test_long_password_costs_nothing_with_sha_crypt(stored: str) -> None:
    """CVE-2016-20013: the time and the memory of sha-crypt grow with the square of the password's length."""
    assert verify(stored, "x" * 1024) is False
    assert verify(stored, "x" * 1025) is None


def test_password_above_72_bytes_never_equals_its_beginning() -> None:
    """F15: bcrypt reads 72 bytes."""
    assert verify(BCRYPT_OF_72_X, "x" * 72) is True
    assert verify(BCRYPT_OF_72_X, "x" * 71) is False
    assert verify(BCRYPT_OF_72_X, "x" * 73) is None
    assert verify(f"bcrypt${BCRYPT_OF_72_X}", "x" * 80) is None


def test_72_bytes_are_counted_and_not_characters() -> None:
    """F15: 71 characters, 73 bytes."""
    assert verify(BCRYPT_OF_72_X, "x" * 70 + "€") is None


@pytest.mark.parametrize("stored", [PASSLIB_BCRYPT_SHA256_OF_80_X, DJANGO_BCRYPT_SHA256_OF_80_X])
def test_password_above_72_bytes_counts_whole_with_bcrypt_sha256(stored: str) -> None:
    """F15: the formats that were made for long passwords."""
    assert verify(stored, "x" * 80) is True
    assert verify(stored, "x" * 79) is False
    assert verify(stored, "x" * 72) is False


@pytest.mark.parametrize("stored", [BY_NAME["pbkdf2_sha256-plain"], BY_NAME["argon2-plain"], BY_NAME["bcrypt-plain"]])
def test_half_a_surrogate_pair_is_no_verdict(stored: str) -> None:
    """F16: it has no bytes to hash."""
    assert verify(stored, "\ud800") is None


def test_password_is_not_normalised() -> None:
    """NIST SP 800-63B-4 leaves it open; we compare what was typed."""
    stored = BY_NAME["pbkdf2_sha256-non-ascii"]

    assert verify(stored, NON_ASCII) is True
    assert verify(stored, NON_ASCII.replace("ä", "a\u0308")) is False


@pytest.fixture
def only_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without the extras argon2 and bcrypt."""
    monkeypatch.setitem(sys.modules, "argon2", None)
    monkeypatch.setitem(sys.modules, "bcrypt", None)


@pytest.mark.usefixtures("only_core")
@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("argon2-plain", "argon2"),
        ("argon2id-plain", "argon2"),
        ("bcrypt-plain", "bcrypt"),
        ("bcrypt_sha256-plain", "bcrypt"),
        ("bcrypt_sha256-v1-plain", "bcrypt"),
    ],
)
def test_hash_that_needs_a_missing_extra_says_which(name: str, extra: str) -> None:
    with pytest.raises(MissingExtra, match=rf"flask-secureauth\[{extra}\]"):
        verify(BY_NAME[name], PLAIN)
    with pytest.raises(MissingExtra, match=rf"flask-secureauth\[{extra}\]"):
        is_readable(BY_NAME[name])


@pytest.mark.usefixtures("only_core")
@pytest.mark.parametrize("name", ["pbkdf2_sha1-plain", "scrypt-plain", "sha512_crypt-0"])
def test_hash_of_the_standard_library_needs_no_extra(name: str) -> None:
    assert verify(BY_NAME[name], "" if name.endswith("0") else PLAIN) is True
