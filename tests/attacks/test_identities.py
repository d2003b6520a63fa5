"""Addresses that look like somebody else's, or that a database takes for somebody else's."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.conftest import PASSWORD, bearer, sign_in, sign_up

pytestmark = pytest.mark.every_database
ATTACKERS_PASSWORD = "the-attackers-own-77"

# victim, and what an attacker registers or types.
LOOKALIKES = [
    ("jose@example.com", "jos\u00e9@example.com"),
    ("jose@example.com", "jose\u0301@example.com"),
    ("weiss@example.com", "wei\u00df@example.com"),
    ("file@example.com", "\ufb01le@example.com"),
    ("kim@example.com", "\uff4b\uff49\uff4d@example.com"),
    ("kim@example.com", "\u212aim@example.com"),
    ("mike@example.com", "m\u0131ke@example.com"),
    ("mike@example.com", "M\u0130KE@example.com"),
    ("admin@example.com", "\u0430dmin@example.com"),
    ("kim@example.com", "ki\u200bm@example.com"),
    ("kim@example.com", "ki\u00adm@example.com"),
    ("kim@example.com", "\u202ekim@example.com"),
    ("kim@example.com", "\ufeffkim@example.com"),
    ("kim@example.com", "k\U0001f600m@example.com"),
    ("kim@example.com", "kim@example.com "),
    ("kim@example.com", " kim@example.com"),
    ("kim@example.com", "kim@example.com\t"),
    ("kim@example.com", "kim@example.com\n"),
    ("kim@example.com", "kim@example.com\r\nBcc: eve@example.com"),
    ("kim@example.com", "kim@example.com\u00a0"),
    ("kim@example.com", "kim@example.com,eve@example.com"),
    ("kim@example.com", "kim@example.com;eve@example.com"),
    ("kim@example.com", "eve@example.com@kim@example.com"),
    ("kim@example.com", "Kim <kim@example.com>"),
    ("kim@example.com", '"kim"@example.com'),
    ("kim@example.com", "kim(comment)@example.com"),
    ("kim@example.com", "kim@example.com."),
    ("kim@example.com", "kim@.example.com"),
    ("kim@example.com", "kim.@example.com"),
    ("kim@example.com", "kim@exam\u00adple.com"),
    ("kim@example.com", "kim@exam\u200bple.com"),
    ("kim@example.com", "kim@\uff45xample.com"),
    ("kim@example.com", "kim@example\u3002com"),
    ("kim@example.com", "kim@example\uff0ecom"),
    ("kim@example.com", "kim@[127.0.0.1]"),
    ("kim@example.com", "kim\\@example.com"),
    ("kim@example.com", "kim%00@example.com"),
    ("kim@example.com", "ki_@example.com"),
    ("kim@example.com", "%@example.com"),
    ("kim@example.com", "k" * 65 + "@example.com"),
    ("kim@example.com", "kim@" + "a." * 122 + "example.com"),
    ("kim@example.com", "kim+tag@example.com"),
    ("kim@example.com", "k.im@example.com"),
    ("kim@example.com", "kim@ex\u0430mple.com"),
    ("kim@weiss.example", "kim@wei\u00df.example"),
    ("kim@example.com", "kim@example.com.example"),
    ("kim@example.com", "0"),
]  # fmt: skip


def _post(client: FlaskClient, path: str, email: str, password: str) -> tuple[int, str | None]:
    response = client.post(path, json={"email": email, "password": password})
    return response.status_code, (response.json or {}).get("access_token")


def test_lookalike_is_refused_or_somebody_else(client: FlaskClient, app: Flask) -> None:
    """F14 and M1 to M3, Django CVE-2019-19844: whatever a collation says, nobody meets another user's account.

    One test for all pairs, since a new database for each would take long.
    """
    for victim in {victim for victim, _ in LOOKALIKES}:
        sign_up(client, victim)

    for victim, lookalike in LOOKALIKES:
        status, _ = _post(client, "/users", lookalike, ATTACKERS_PASSWORD)
        assert status in (201, 400), (lookalike, status)
        assert _post(client, "/auth/login", lookalike, PASSWORD) == (401, None), lookalike
        assert _post(client, "/auth/login", victim, ATTACKERS_PASSWORD) == (401, None), lookalike
        signed_in, token = _post(client, "/auth/login", lookalike, ATTACKERS_PASSWORD)
        assert signed_in == (200 if status == 201 else 401), lookalike
        if token:
            shown = client.get("/users/me", headers=bearer(token)).json["email"]
            assert shown != victim
            assert shown.isascii()
        assert client.get("/users/me", headers=bearer(sign_in(client, victim))).json["email"] == victim


ASCII_OR_IDNA = ["kim+tag@example.com", "k.im@example.com", "ki_@example.com", "kim@wei\u00df.example"]


@pytest.mark.parametrize("email", ASCII_OR_IDNA, ids=ascii)
def test_distinct_address_gets_its_own_account(client: FlaskClient, email: str) -> None:
    """The control: what is another mailbox is not refused."""
    sign_up(client)
    sign_up(client, email)

    assert sign_in(client, email)


SPELLINGS = [
    ("Bob@Example.COM", "bob@example.com"),
    ("bob@example.com", "BOB@EXAMPLE.COM"),
    ("bob@wei\u00df.example", "BOB@XN--WEI-7KA.example"),
    ("bob@b\u00fccher.example", "Bob@xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("first", "second"), SPELLINGS, ids=ascii)
def test_two_spellings_of_one_mailbox_are_one_account(client: FlaskClient, app: Flask, first: str, second: str) -> None:
    """F14: letter case and the two forms of a domain make no second account."""
    sign_up(client, first)

    assert _post(client, "/users", second, ATTACKERS_PASSWORD) == (409, None)
    assert sign_in(client, second)
    assert sign_in(client, first)
    state = app.extensions["secureauth"]
    with app.app_context():
        (stored,) = state.database.session.scalars(select(state.user_model.email))
    assert stored == stored.lower()
    assert stored.isascii()
