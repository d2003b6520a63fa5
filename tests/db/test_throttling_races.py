"""Many at once: of them no more reach what is limited than may, with the same assertions on every database."""

from __future__ import annotations

import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import Throttle
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, THROTTLED, sign_up
from tests.db.conftest import engine_of, state_of

pytestmark = pytest.mark.every_database
CROWD = 40
ROOMY = {"SQLALCHEMY_ENGINE_OPTIONS": {"pool_size": CROWD}, "SECUREAUTH_PASSWORD_CONCURRENT_HASHES": CROWD}


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that reach the check."""
    found: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: Any, stored: str | None, password: str) -> bool:
        found.append(password)
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    return found


def _at_once(work: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(CROWD)

    def run(number: int) -> Any:
        barrier.wait(30)
        return contextvars.Context().run(work, number)

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(run, range(CROWD)))


def _guess(app: Flask, email: str, *, ip: str) -> int:
    body = {"email": email, "password": "a-wrong-password"}
    return app.test_client().post("/auth/login", json=body, environ_base={"REMOTE_ADDR": ip}).status_code


def test_of_forty_guesses_at_one_account_five_are_checked(make_app: Callable[..., Flask], hashed: list[str]) -> None:
    """F21, ASVS 15.4.2: the count is written before the hash, by a statement that decides."""
    app = make_app(**THROTTLED, **ROOMY)
    sign_up(app.test_client())

    answers = Counter(_at_once(lambda number: _guess(app, "kim@example.com", ip=f"192.0.2.{number}")))

    assert answers == {401: 5, 429: CROWD - 5}
    assert len(hashed) == 5


def test_database_without_returning_counts_alike(
    make_app: Callable[..., Flask], hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL has no RETURNING: the row is read in the transaction that changed it."""
    app = make_app(**THROTTLED, **ROOMY)
    sign_up(app.test_client())
    monkeypatch.setattr(engine_of(app).dialect, "insert_returning", False)

    answers = Counter(_at_once(lambda number: _guess(app, "kim@example.com", ip=f"192.0.2.{number}")))

    assert answers == {401: 5, 429: CROWD - 5}
    assert len(hashed) == 5


def test_of_forty_guesses_at_forty_accounts_ten_are_checked(make_app: Callable[..., Flask], hashed: list[str]) -> None:
    """F21: one client tries a password with everybody."""
    app = make_app(**THROTTLED, **ROOMY)

    answers = Counter(_at_once(lambda number: _guess(app, f"k{number}@example.com", ip="192.0.2.1")))

    assert answers == {401: 10, 429: CROWD - 10}
    assert len(hashed) == 10


def test_of_forty_guesses_of_one_client_twenty_are_checked(make_app: Callable[..., Flask], hashed: list[str]) -> None:
    """F21: wrong passwords for few accounts, so that neither a lockout nor spraying ends it before."""
    app = make_app(**THROTTLED, **ROOMY)

    answers = Counter(_at_once(lambda number: _guess(app, f"k{number % 10}@example.com", ip="192.0.2.1")))

    assert answers == {401: 20, 429: CROWD - 20}
    assert len(hashed) == 20


def test_forty_hits_at_once_are_within_a_limit_as_often_as_it_says(make_app: Callable[..., Flask]) -> None:
    app = make_app(**THROTTLED, **ROOMY, SECUREAUTH_THROTTLING_LIMITS={"registration.client": "3 per hour; 7 per day"})
    throttle = Throttle(name="registration.client", limits=(), by="client")

    def hit(number: int) -> bool:
        with app.app_context():
            return state_of(app).throttles.admit(throttle, "192.0.2.1")

    with frozen_clock(app) as clock:
        assert Counter(_at_once(hit)) == {True: 3, False: CROWD - 3}
        clock.advance(3600)
        assert Counter(_at_once(hit)) == {True: 3, False: CROWD - 3}
        clock.advance(3600)
        assert Counter(_at_once(hit)) == {True: 1, False: CROWD - 1}


def test_forty_sign_ins_of_the_owner_leave_no_count(make_app: Callable[..., Flask]) -> None:
    """Success takes back its own count and no other."""
    app = make_app(**THROTTLED, **ROOMY)
    sign_up(app.test_client())
    for _ in range(3):
        _guess(app, "kim@example.com", ip="192.0.2.1")

    answers = _at_once(
        lambda number: (
            app.test_client()
            .post(
                "/auth/login",
                json={"email": "kim@example.com", "password": PASSWORD},
                environ_base={"REMOTE_ADDR": f"192.0.2.{number + 2}"},
            )
            .status_code
        )
    )

    assert set(answers) <= {200, 429}
    assert answers.count(200) >= 2
    assert [_guess(app, "kim@example.com", ip="198.51.100.1") for _ in range(3)] == [401, 401, 429]
