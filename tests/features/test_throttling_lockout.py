"""The lockout of an address, and the browsers that it does not hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_secureauth import Feature, account_locked
from flask_secureauth.core.passwords import HashingBusy, PasswordHasher
from flask_secureauth.db.database import Database, TransactionConflict
from flask_secureauth.errors import AuthError
from flask_secureauth.features import BUILTIN
from flask_secureauth.features.throttling.lockout import MOST, wait_after
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import PASSWORD, THROTTLED, sign_up
from tests.visitor import COOKIES, DEVICE, TRANSPORTS, Visitor, set_cookies

WRONG = "a-wrong-password"
NEW = "amber-tundra-77"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app that counts, with one account."""
    app = make_app(**THROTTLED)
    sign_up(app.test_client())
    return app


@pytest.fixture
def clock(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as frozen:
        yield frozen


def _try(app: Flask, password: str = WRONG, email: str = "kim@example.com", ip: str = "192.0.2.1") -> TestResponse:
    body = {"email": email, "password": password}
    return app.test_client().post("/auth/login", json=body, environ_base={"REMOTE_ADDR": ip})


def _fail(app: Flask, times: int) -> list[int]:
    return [_try(app, ip=f"192.0.2.{number}").status_code for number in range(times)]


def test_five_are_free_then_the_wait_doubles_up_to_an_hour() -> None:
    """security.md, section 2."""
    waits = [wait_after(count) for count in range(4, 14)]
    assert waits == [0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert MOST == 12


@pytest.mark.every_database
def test_free_one_that_began_before_another_and_is_counted_after_it_is_free(app: Flask, clock: FrozenClock) -> None:
    answers = []
    for _ in range(6):
        clock.advance(-0.01)
        answers.append(_try(app).status_code)
    assert answers == [401] * 5 + [429]


@pytest.mark.every_database
def test_each_wrong_password_after_the_fifth_costs_a_longer_wait(app: Flask, clock: FrozenClock) -> None:
    assert _fail(app, 5) == [401] * 5
    for number, wait in enumerate((30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600)):
        clock.advance(wait - 1)
        blocked = _try(app, ip=f"198.51.100.{number}")
        assert (blocked.status_code, blocked.headers["Retry-After"]) == (429, "1")
        clock.advance(1)
        assert _try(app, ip=f"198.51.100.{number}").status_code == 401


def test_right_password_is_refused_as_well_while_it_is_locked(app: Flask, clock: FrozenClock) -> None:
    """Or the lock would tell who has guessed it."""
    _fail(app, 5)
    assert (_try(app, PASSWORD).status_code, _try(app, PASSWORD).headers["Retry-After"]) == (429, "30")
    clock.advance(30)
    assert _try(app, PASSWORD).status_code == 200


def test_all_is_forgotten_a_quarter_of_an_hour_after_the_wait(app: Flask, clock: FrozenClock) -> None:
    _fail(app, 5)
    clock.advance(30 + 900)
    assert _fail(app, 6) == [401] * 5 + [429]


@pytest.mark.parametrize(("seconds", "admitted"), [(899, 1), (900, 5)])
def test_four_are_forgotten_after_a_quarter_of_an_hour(
    app: Flask, clock: FrozenClock, seconds: int, admitted: int
) -> None:
    _fail(app, 4)
    clock.advance(seconds)
    assert _fail(app, admitted + 1) == [401] * admitted + [429]


def test_sign_in_takes_back_its_own_count_alone(app: Flask, clock: FrozenClock) -> None:
    _fail(app, 4)
    for _ in range(3):
        assert _try(app, PASSWORD).status_code == 200
    assert _fail(app, 2) == [401, 429]


def test_sign_ins_are_no_failures_of_their_client(app: Flask, clock: FrozenClock) -> None:
    """An office behind one address signs in all day."""
    for number in range(30):
        assert _try(app, PASSWORD).status_code == 200, number


def test_sign_in_that_a_gate_refuses_stays_counted(make_app: Callable[..., Flask]) -> None:
    """F1: or the lock that does not come would tell that the password is right."""

    def refuse(service: Any, user: Any, methods: Any) -> None:
        raise Closed

    class Closed(AuthError):
        code = 401
        error_code = "closed.closed"
        sentence = "Closed"

    app = make_app(secure_auth={"features": (*BUILTIN, Feature(name="closed", gates=(refuse,)))}, **THROTTLED)
    sign_up(app.test_client())
    with frozen_clock(app):
        assert [_try(app, PASSWORD).status_code for _ in range(6)] == [401] * 5 + [429]


def test_attempt_that_finds_no_free_slot_is_not_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: Any, stored: Any, password: str) -> bool:
        raise HashingBusy

    with monkeypatch.context() as patch:
        patch.setattr(PasswordHasher, "verify", busy)
        assert {_try(app, PASSWORD).status_code for _ in range(30)} == {503}
    assert _fail(app, 5) == [401] * 5


def test_change_that_finds_no_free_slot_is_not_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: Any, password: str) -> str:
        raise HashingBusy

    kim = Visitor(app).sign_in()
    change = {"current_password": PASSWORD, "new_password": NEW}
    with monkeypatch.context() as patch:
        patch.setattr(PasswordHasher, "hash", busy)
        assert [kim.post("/users/me/password", change).status_code for _ in range(6)] == [503] * 6
    assert kim.post("/users/me/password", change).status_code == 200


def test_sign_in_whose_transaction_is_run_again_is_not_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Database._commit
    is_undone = cycle((False, True, False))  # After the limit of the client, the sign-in meets one, and is tried again.

    def meet_another(self: Database) -> None:
        if next(is_undone):
            self.undo()
            raise TransactionConflict
        commit(self)

    monkeypatch.setattr(Database, "_commit", meet_another)

    assert [_try(app, PASSWORD).status_code for _ in range(6)] == [200] * 6


def test_lock_is_signalled_once_when_it_begins(app: Flask, clock: FrozenClock) -> None:
    seen: list[tuple[str, int, str, int]] = []

    def receive(sender: Flask, email: str, seconds: int, client: Any, user_id: int) -> None:
        seen.append((email, seconds, client.ip, user_id))

    with account_locked.connected_to(receive, app):
        _fail(app, 4)
        _try(app, PASSWORD)
        assert seen == []
        _fail(app, 7)
        clock.advance(30)
        _fail(app, 1)

    assert seen == [("kim@example.com", 30, "192.0.2.0", 1)]


def test_unlock_lets_somebody_in_again(app: Flask, clock: FrozenClock) -> None:
    runner = app.test_cli_runner()
    _fail(app, 5)

    result = runner.invoke(args=["secureauth", "throttling", "unlock", "Kim@Example.com"])
    again = runner.invoke(args=["secureauth", "throttling", "unlock", "kim@example.com"])

    assert (result.exit_code, result.output) == (0, "Forgot the wrong passwords for Kim@Example.com.\n")
    assert again.output == "There are none for kim@example.com.\n"
    assert _try(app, PASSWORD).status_code == 200


def test_unlock_without_throttling_finds_nothing(make_app: Callable[..., Flask]) -> None:
    result = make_app().test_cli_runner().invoke(args=["secureauth", "throttling", "unlock", "kim@example.com"])
    assert (result.exit_code, result.output) == (0, "There are none for kim@example.com.\n")


def test_wrong_confirmations_lock_confirming_and_no_door(app: Flask, clock: FrozenClock) -> None:
    """A stolen session must not be a way to guess without end, and strangers must not reach its bucket."""
    visitor = Visitor(app).sign_in()
    assert _fail(app, 5) == [401] * 5

    def confirm(password: str) -> int:
        return visitor.post("/auth/reauthenticate", {"password": password}).status_code

    assert confirm(PASSWORD) == 200
    assert [confirm(WRONG) for _ in range(6)] == [403] * 5 + [429]
    assert confirm(PASSWORD) == 429
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert visitor.post("/users/me/password", change).status_code == 429
    clock.advance(30)
    assert confirm(PASSWORD) == 200
    assert Visitor(app).sign_in().refresh().status_code == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_browser_that_signs_in_becomes_a_known_device(make_app: Callable[..., Flask], transport: str) -> None:
    """Also where tokens travel in bodies: the cookie has no authority."""
    visitor = Visitor(make_app(**THROTTLED, **TRANSPORTS[transport]))
    visitor.post("/users", {"email": "kim@example.com", "password": PASSWORD})

    response = visitor.post("/auth/login", {"email": "kim@example.com", "password": PASSWORD})

    value, attributes = set_cookies(response)[DEVICE]
    assert value
    expected = {"secure": "", "httponly": "", "path": "/", "samesite": "Strict", "max-age": str(180 * 86400)}
    assert attributes | expected == attributes


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}])
def test_no_other_client_gets_a_device_cookie(app: Flask, headers: dict[str, str]) -> None:
    body = {"email": "kim@example.com", "password": PASSWORD}
    response = app.test_client().post("/auth/login", json=body, headers=headers)

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


def test_plain_name_without_tls(make_app: Callable[..., Flask]) -> None:
    visitor = Visitor(make_app(**THROTTLED, SECUREAUTH_ALLOW_INSECURE_COOKIES=True)).sign_up()
    assert visitor.cookie("secureauth_device")


def test_no_device_cookie_when_throttling_is_off(make_app: Callable[..., Flask]) -> None:
    assert Visitor(make_app()).sign_up().cookie(DEVICE) is None


def test_known_device_has_a_bucket_of_its_own(app: Flask, clock: FrozenClock) -> None:
    browser = Visitor(app).sign_in()
    _fail(app, 5)

    def attempt(password: str) -> int:
        return browser.post("/auth/login", {"email": "kim@example.com", "password": password}).status_code

    assert [attempt(WRONG) for _ in range(6)] == [401] * 5 + [429]
    clock.advance(30)
    assert attempt(PASSWORD) == 200


def test_known_device_is_one_for_half_a_year(app: Flask, clock: FrozenClock) -> None:
    browser = Visitor(app).sign_in()
    value = browser.cookie(DEVICE) or ""
    for moment, status in ((180 * 86400 - 1, 200), (1, 429)):
        clock.advance(timedelta(seconds=moment))
        _fail(app, 5)
        own = Visitor(app)
        own.plant(DEVICE, value)
        assert own.post("/auth/login", {"email": "kim@example.com", "password": PASSWORD}).status_code == status


def test_browser_that_changes_the_password_stays_known(make_app: Callable[..., Flask]) -> None:
    app = make_app(**THROTTLED, **COOKIES)
    browser = Visitor(app).sign_up()
    browser.post("/users/me/password", {"current_password": PASSWORD, "new_password": NEW})
    _fail(app, 6)

    assert browser.sign_in(password=NEW)


def test_two_sign_ins_at_once_of_a_locked_address_are_both_refused(app: Flask, clock: FrozenClock) -> None:
    _fail(app, 5)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(_try(app, PASSWORD).status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [429, 429]
