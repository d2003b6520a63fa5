"""Guessing against four workers: no more attempts reach the password check than the table allows.

200 attempts of small crowds in a usual run; ``SECUREAUTH_TEST_GUESSES=10000`` makes it the whole flood.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from werkzeug.security import generate_password_hash

from flask_secureauth.testing import CONFIG
from tests.conftest import PASSWORD, dispose
from tests.load.site import create_app, serve

ATTEMPTS = int(os.environ.get("SECUREAUTH_TEST_GUESSES", "200"))
MANY_CLIENTS, MANY_ACCOUNTS = (500, 1000) if ATTEMPTS >= 10_000 else (5, 25)
"""So few that the table refuses most of the attempts."""
THREADS = 8
FREE = 5
"""Failures of one account before it waits. This and the next ones are in security.md, section 2."""
WAITS = (30, 60, 120, 240, 480)
"""Seconds after each further failure."""
FAILURES_OF_A_CLIENT = 20
ACCOUNTS_OF_A_CLIENT = 10
OWNER = "owner@example.com"
OWN_ADDRESS = "198.51.100.7"


def per_account(seconds: float) -> int:
    """How many guesses one account admits in this time."""
    ends = [sum(WAITS[: index + 1]) for index in range(len(WAITS))]
    return FREE + sum(end <= seconds for end in ends)


def allowed(clients: int, accounts: int, seconds: float) -> int:
    """How many guesses may reach the password check."""
    sprayed = min(ACCOUNTS_OF_A_CLIENT, accounts) * per_account(seconds)
    return min(accounts * per_account(seconds), clients * min(FAILURES_OF_A_CLIENT, sprayed))


class Attack:
    """Signs in over and over, from many addresses behind one proxy."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.statuses: Counter[int] = Counter()

    def run(self, attempts: list[tuple[str, str]]) -> float:
        """Send all attempts in parallel; how many seconds it took."""
        began = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            for statuses in pool.map(self._send, (attempts[start::THREADS] for start in range(THREADS))):
                self.statuses += statuses
        return time.monotonic() - began

    def _send(self, attempts: list[tuple[str, str]]) -> Counter[int]:
        statuses: Counter[int] = Counter()
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            for client, email in attempts:
                status, headers = sign_in(connection, email, "not the password", client=client)[:2]
                assert status != 429 or int(headers["Retry-After"]) > 0
                statuses[status] += 1
        return statuses


def sign_in(
    connection: HTTPConnection, email: str, password: str, *, client: str, headers: dict[str, str] | None = None
) -> tuple[int, Any, bytes]:
    """Sign in and return the status, the headers and the body."""
    sent = {"Content-Type": "application/json", "X-Forwarded-For": client, **(headers or {})}
    connection.request("POST", "/auth/login", json.dumps({"email": email, "password": password}), sent)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


@pytest.fixture
def settings(server_database: Callable[[str], str]) -> dict[str, Any]:
    """An app on MariaDB, behind one proxy."""
    return {
        "SQLALCHEMY_DATABASE_URI": server_database("mariadb"),
        "SECUREAUTH_THROTTLING_ENABLED": True,
        "SECUREAUTH_TRUSTED_PROXIES": 1,
    }


@pytest.fixture
def emails(settings: dict[str, Any]) -> Iterator[list[str]]:
    """The addresses of the accounts, the owner's first."""
    app = create_app(settings)
    state = app.extensions["secureauth"]
    found = [OWNER, *(f"user-{number}@example.com" for number in range(MANY_ACCOUNTS - 1))]
    hashed = generate_password_hash(PASSWORD, method=CONFIG["SECUREAUTH_PASSWORD_HASH_METHOD"])
    with app.app_context():
        session = state.sqlalchemy.session
        session.execute(insert(state.user_model), [{"email": email, "password_hash": hashed} for email in found])
        session.commit()
    yield found
    with app.app_context():
        state.sqlalchemy.session.remove()
        state.sqlalchemy.drop_all()
    dispose(app)


@pytest.mark.parametrize("accounts", [1, MANY_ACCOUNTS])
@pytest.mark.parametrize("clients", [1, MANY_CLIENTS])
def test_guesses_reach_the_check_as_often_as_the_table_allows(
    settings: dict[str, Any], emails: list[str], tmp_path: Path, clients: int, accounts: int
) -> None:
    """F1, F21, F22. Each client tries the accounts in another order, so that all pairs come up."""
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(clients)]
    targets = [emails[(number + number // clients) % accounts] for number in range(ATTEMPTS)]
    attempts = list(zip(islice(cycle(addresses), ATTEMPTS), targets, strict=True))
    checks = tmp_path / "checks"

    with serve(settings, workers=4, threads=2, checks=checks) as server:
        status, device = visit(server.port, client=OWN_ADDRESS)
        assert status == 200
        before = checks.stat().st_size
        attack = Attack(server.port)
        seconds = attack.run(attempts)
        reached = checks.stat().st_size - before
        at_the_known_device, _ = visit(server.port, client=OWN_ADDRESS, device=device)
        elsewhere, _ = visit(server.port, client="203.0.113.9")

    most = allowed(clients, accounts, seconds)
    print(f"{clients} clients, {accounts} accounts: {reached} of {ATTEMPTS} checked in {seconds:.0f} s, {most} allowed")
    assert 0 < reached <= most < ATTEMPTS
    assert attack.statuses == Counter({401: reached, 429: ATTEMPTS - reached})
    assert at_the_known_device == 200
    assert elsewhere == 429 or accounts > 1 or seconds >= WAITS[0]


def visit(port: int, *, client: str, device: str = "") -> tuple[int, str]:
    """Sign in as the owner with a browser; return the status and the cookie that makes it a known device."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        sent = {"Sec-Fetch-Site": "same-origin", "Cookie": device}
        status, headers, _ = sign_in(connection, OWNER, PASSWORD, client=client, headers=sent)
        return status, str(headers["Set-Cookie"]).partition(";")[0]
