"""Many who want the same address at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.conftest import PASSWORD, sign_in

pytestmark = pytest.mark.every_database
CROWD = 20


def _at_once(app: Flask, emails: list[str]) -> list[tuple[int, Any]]:
    barrier = threading.Barrier(len(emails))

    def register(email: str) -> tuple[int, Any]:
        client = app.test_client()
        barrier.wait(30)
        response = client.post("/users", json={"email": email, "password": PASSWORD})
        return response.status_code, response.json

    with ThreadPoolExecutor(len(emails)) as pool:
        return list(pool.map(register, emails))


def _rows(app: Flask) -> int:
    state = app.extensions["secureauth"]
    with app.app_context():
        count: int = state.database.session.scalar(select(func.count()).select_from(state.user_model))
        return count


@pytest.mark.parametrize("spelling", [str, str.upper], ids=["one spelling", "two spellings"])
def test_twenty_registrations_of_one_address_make_one_account(
    make_app: Callable[..., Flask], spelling: Callable[[str], str]
) -> None:
    """F5 and M12, ASVS 15.4.2: insert first; the database decides, and nobody reads before writing."""
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=CROWD)
    email = "kim@example.com"

    answers = _at_once(app, [email, spelling(email)] * (CROWD // 2))

    assert Counter(status for status, _ in answers) == {201: 1, 409: CROWD - 1}
    assert {body["error"] for status, body in answers if status == 409} == {"User already exists"}
    assert _rows(app) == 1
    assert sign_in(app.test_client())


def test_twenty_neighbours_all_get_their_account(make_app: Callable[..., Flask]) -> None:
    """M12: rows that are inserted side by side wait for each other, and never deadlock on a gap."""
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=CROWD)

    answers = _at_once(app, [f"kim{number}@example.com" for number in range(CROWD)])

    assert [status for status, _ in answers] == [201] * CROWD
    assert _rows(app) == CROWD
