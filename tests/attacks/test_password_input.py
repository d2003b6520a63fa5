"""Passwords that are not what they seem."""

from __future__ import annotations

import hashlib

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.security import generate_password_hash

from tests.conftest import PASSWORD, sign_in, sign_up

LONG = "kraken-vulcan-42" * 6


@pytest.mark.parametrize("typed", [LONG[:72], LONG[:-1], LONG + "x", LONG[:72] + "x" * 24, LONG.upper(), LONG + " "])
def test_password_counts_to_its_last_byte(client: FlaskClient, typed: str) -> None:
    """F15, CVE-2025-22228 (bcrypt's 72 bytes), ASVS 6.2.8: never cut, trimmed or folded."""
    sign_up(client, password=LONG)
    assert sign_in(client, password=LONG)

    assert client.post("/auth/login", json={"email": "kim@example.com", "password": typed}).status_code == 401


def test_password_beyond_a_block_is_not_its_digest(client: FlaskClient) -> None:
    """F15: HMAC replaces a key above 64 bytes by its digest, which would be a second password."""
    sign_up(client, password="a" * 65)
    digest = hashlib.sha256(b"a" * 65).digest().decode("latin-1")

    assert client.post("/auth/login", json={"email": "kim@example.com", "password": digest}).status_code == 401


LENGTHS = [
    ("kr4ken!", 400), ("kr4ken!!", 201), ("x9" * 128, 201), ("x9" * 128 + "x", 400), (" kraken vulcan ", 201),
    ("\U0001f600" * 7, 400), ("\U0001f600" * 3 + "kraken", 201), ("\U0001f600" * 256, 201), ("\u20ac" * 256, 201),
    ("kraken-vulcan\0", 400),
]  # fmt: skip


@pytest.mark.parametrize(("password", "status"), LENGTHS, ids=lambda value: ascii(value)[:24])
def test_length_of_a_password_is_bounded_in_characters(client: FlaskClient, password: str, status: int) -> None:
    """F15, ASVS 6.2.1 and 6.2.9, NIST SP 800-63B-4 section 3.1.1.2: 8 to 256 characters of any kind."""
    response = client.post("/users", json={"email": "kim@example.com", "password": password})

    assert response.status_code == status
    if status == 201:
        assert sign_in(client, password=password)


def test_foreign_bcrypt_hash_lends_no_72_byte_prefix(app: Flask, client: FlaskClient) -> None:
    """F15: bcrypt reads 72 bytes; a longer password is no password of such an account."""
    bcrypt = pytest.importorskip("bcrypt")
    sign_up(client)
    state = app.extensions["secureauth"]
    with app.app_context():
        stored = bcrypt.hashpw(LONG[:72].encode(), bcrypt.gensalt(4)).decode()
        state.database.session.execute(update(state.user_model.__table__).values(password_hash=stored))
        state.database.session.commit()

    assert client.post("/auth/login", json={"email": "kim@example.com", "password": LONG}).status_code == 401
    assert sign_in(client, password=LONG[:72])


def test_hash_in_the_place_of_a_password_signs_nobody_in(app: Flask, client: FlaskClient) -> None:
    """F15, CWE-836: who stole the hashes still has to crack them."""
    sign_up(client)
    stored = generate_password_hash(PASSWORD, "scrypt:128:1:1")
    state = app.extensions["secureauth"]
    with app.app_context():
        state.database.session.execute(update(state.user_model.__table__).values(password_hash=stored))
        state.database.session.commit()

    assert client.post("/auth/login", json={"email": "kim@example.com", "password": stored}).status_code == 401
    assert sign_in(client)
