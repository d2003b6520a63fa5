"""Refresh tokens as texts: written, taken apart, told from forgeries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flask_secureauth.core import refresh_tokens
from flask_secureauth.core.key_ring import KeyRing
from flask_secureauth.core.keys import Key, load_key
from flask_secureauth.core.refresh_tokens import RefreshToken, is_genuine, new_nonce, parse, write
from tests.attacks import forge

SESSION = "0123456789abcdef" * 2
NONCE = "5f" * 32
MAC = "A" * 43


@pytest.fixture
def key() -> Key:
    return load_key({"key": forge.SECRET, "kid": "key-1"})


def genuine(key: Key, generation: int = 7, nonce: str = NONCE) -> RefreshToken:
    token = parse(write(key, session_id=SESSION, generation=generation, nonce=nonce))
    assert token is not None
    return token


def test_token_says_session_generation_and_key(key: Key) -> None:
    token = genuine(key)

    assert (token.session_id, token.generation, token.key_id) == (SESSION, 7, "key-1")


def test_token_of_a_generation_is_always_the_same(key: Key) -> None:
    """Two tabs and a retry converge, since nobody has to store what was handed out."""
    assert genuine(key) == genuine(key)


def test_key_that_made_a_token_knows_it(key: Key) -> None:
    assert is_genuine(genuine(key), KeyRing([key]), nonce=NONCE)


@pytest.mark.parametrize(
    "changed",
    [
        {"session_id": "f" * 32},
        {"generation": 6},
        {"generation": 8},
        {"generation": 70},
        {"key_id": "key-2"},
        {"key_id": "gone"},
        {"mac": MAC},
    ],
)
def test_token_with_another_member_is_no_token(key: Key, changed: dict[str, object]) -> None:
    """F6: the MAC covers all that a token says."""
    other = load_key({"key": forge.SECRET[::-1], "kid": "key-2"})

    assert not is_genuine(replace(genuine(key), **changed), KeyRing([key, other]), nonce=NONCE)


def test_token_of_another_nonce_is_no_token(key: Key) -> None:
    """A key alone makes no token: whoever steals it needs the database, too."""
    assert not is_genuine(genuine(key, nonce=new_nonce()), KeyRing([key]), nonce=NONCE)


def test_fields_cannot_be_moved_into_each_other(key: Key) -> None:
    """F6: generation 1 with a nonce that begins with 2 is not generation 12."""
    assert genuine(key, 1, f"2{NONCE}").mac != genuine(key, 12, NONCE).mac


def test_name_of_a_key_may_have_dots() -> None:
    key = load_key({"key": forge.SECRET, "kid": "2026.11."})

    assert genuine(key).key_id == "2026.11."
    assert is_genuine(genuine(key), KeyRing([key]), nonce=NONCE)


def test_public_key_knows_no_token() -> None:
    """A ring may hold the public half of a former key: it verifies access tokens, and makes nothing."""
    private = ec.generate_private_key(ec.SECP256R1())
    signing = load_key({"key": forge.private_pem(private), "kid": "new"})
    public = load_key({"key": forge.public_pem(ec.generate_private_key(ec.SECP256R1())).decode(), "kid": "old"})
    ring = KeyRing([signing, public])

    assert is_genuine(genuine(signing), ring, nonce=NONCE)
    assert not is_genuine(replace(genuine(signing), key_id="old"), ring, nonce=NONCE)

    with pytest.raises(ValueError, match="public"):
        write(public, session_id=SESSION, generation=7, nonce=NONCE)


def test_key_for_refresh_tokens_is_not_the_signing_key(key: Key) -> None:
    """ASVS 11.2.2 and 13.3.3: each purpose has a key of its own."""
    assert key.derive(refresh_tokens.PURPOSE) not in (None, forge.SECRET, key.derive("another purpose"))


def test_nonce_is_256_random_bits() -> None:
    first, second = new_nonce(), new_nonce()

    assert first != second
    assert len(bytes.fromhex(first)) == 32


@pytest.mark.parametrize("generation", ["0", "1", "10", "999999999"])
def test_generation_is_a_plain_number(generation: str) -> None:
    assert parse(f"{SESSION}.{generation}.key-1.{MAC}") == RefreshToken(
        session_id=SESSION, generation=int(generation), key_id="key-1", mac=MAC
    )


MALFORMED = {
    "empty": "",
    "dots": "...",
    "three parts": f"{SESSION}.0.{MAC}",
    "short session": f"{SESSION[1:]}.0.key-1.{MAC}",
    "long session": f"{SESSION}0.0.key-1.{MAC}",
    "upper-case session": f"{SESSION.upper()}.0.key-1.{MAC}",
    "session that is no hex": f"{'g' * 32}.0.key-1.{MAC}",
    "full-width session": f"{SESSION[1:]}\uff11.0.key-1.{MAC}",
    "no generation": f"{SESSION}..key-1.{MAC}",
    "leading zero": f"{SESSION}.00.key-1.{MAC}",
    "plus": f"{SESSION}.+1.key-1.{MAC}",
    "minus": f"{SESSION}.-1.key-1.{MAC}",
    "underscore": f"{SESSION}.1_0.key-1.{MAC}",
    "fraction": f"{SESSION}.1e3.key-1.{MAC}",
    "Arabic digit": f"{SESSION}.\u0661.key-1.{MAC}",
    "large generation": f"{SESSION}.1000000000.key-1.{MAC}",
    "huge generation": f"{SESSION}.{'9' * 5000}.key-1.{MAC}",
    "no key": f"{SESSION}.0..{MAC}",
    "long key": f"{SESSION}.0.{'k' * 65}.{MAC}",
    "path as key": f"{SESSION}.0.../../etc.{MAC}",
    "no mac": f"{SESSION}.0.key-1.",
    "short mac": f"{SESSION}.0.key-1.{MAC[1:]}",
    "long mac": f"{SESSION}.0.key-1.{MAC}A",
    "padded mac": f"{SESSION}.0.key-1.{MAC}=",
    "other alphabet": f"{SESSION}.0.key-1.{MAC[2:]}+/",
    "newline": f"{SESSION}.0.key-1.{MAC}\n",
    "space": f" {SESSION}.0.key-1.{MAC}",
    "NUL": f"{SESSION}.0.key-1.{MAC[1:]}\x00",
    "huge": "a" * 1_000_000,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_text_of_another_form_is_no_token(text: str) -> None:
    assert parse(text) is None
