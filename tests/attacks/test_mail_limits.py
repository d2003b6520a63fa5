"""How often strangers can have mails sent, and guess links; and what no stranger can hold back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask

from flask_secureauth.testing import FrozenClock, frozen_clock, mails
from tests.conftest import PASSWORD, THROTTLED
from tests.letters import (
    CHANGE,
    CHANGE_CONFIRM,
    KIM,
    LEE,
    NEW,
    RESET,
    RESET_CONFIRM,
    UNDO,
    is_refused,
    mail_to,
    reset,
    reset_token,
    send,
    token_in,
    users,
)
from tests.visitor import Visitor


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app that counts."""
    return make_app(**THROTTLED)


@pytest.fixture
def clock(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as frozen:
        yield frozen


@pytest.fixture
def kim(app: Flask, clock: FrozenClock) -> Visitor:
    return Visitor(app).sign_up()


def ask(app: Flask, email: str, number: int = 0) -> int:
    """Ask for a new password from the network of this number."""
    where = {"REMOTE_ADDR": f"198.51.100.{number % 250}"}
    return app.test_client().post(RESET, json={"email": email}, environ_base=where).status_code


@pytest.mark.every_database
def test_hundred_requests_are_at_most_three_mails_an_hour(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F23: from a hundred networks, in all spellings; the answer is the same."""
    spellings = (KIM, "KIM@example.com", "kim@EXAMPLE.com", "Kim@Example.Com")
    statuses = set()
    for number in range(100):
        statuses.add(ask(app, spellings[number % 4], number))
        clock.advance(30)

    assert statuses == {202}
    assert len(mails(app)) == 3


def test_accounts_with_tags_are_one_mailbox(make_app: Callable[..., Flask]) -> None:
    """F23: whoever registers a mailbox under many tags has no more mails sent to it."""
    app = make_app(**THROTTLED)
    with frozen_clock(app) as clock:
        for number in range(6):
            Visitor(app).sign_up(f"kim+{number}@example.com")
            ask(app, f"kim+{number}@example.com", number)
            clock.advance(61)
        assert len(mails(app)) == 3


@pytest.mark.parametrize("mode", ["off", "required"])
def test_address_that_is_none_does_not_fill_the_log(
    make_app: Callable[..., Flask], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(**THROTTLED, SECUREAUTH_EMAIL_VERIFICATION_MODE=mode)
    path = RESET if mode == "off" else "/auth/email-verification"
    for _ in range(30):
        assert send(app, path, email="x").status_code == 202

    assert sum("its address is none" in record.message for record in caplog.records) == 10


def test_changes_of_a_password_flood_no_mailbox(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F23: an account in the name of another, whose password is changed over and over."""
    same = {"current_password": PASSWORD, "new_password": PASSWORD}

    statuses = [kim.post("/users/me/password", same).status_code for _ in range(12)]

    assert statuses == [200] * 10 + [429] * 2
    assert len(mails(app)) == 10
    clock.advance(3600)
    assert kim.sign_in().post("/users/me/password", same).status_code == 200


@pytest.mark.parametrize("path", ["/auth/login", "/auth/email-verification"])
@pytest.mark.parametrize("is_taken", [True, False])
def test_change_of_address_does_not_tell_which_are_taken(
    make_app: Callable[..., Flask], path: str, is_taken: bool
) -> None:
    """F2: where registration tells nothing, a stranger registers an address, and asks for a change to it."""
    app = make_app(**THROTTLED, SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    lee = {"email": LEE, "password": "a-password-of-mine-7"}
    with frozen_clock(app) as clock:
        kim = _verified(app, KIM)
        if is_taken:
            _verified(app, LEE)
        clock.advance(7200)
        kim.sign_in()
        send(app, "/users", **lee)
        clock.advance(61)
        send(app, path, **(lee if path == "/auth/login" else {"email": LEE}))
        mails(app)

        assert kim.post(CHANGE, {"email": LEE}).status_code == 202
        assert [mail.subject for mail in mails(app) if mail.to == KIM] == ["Your address is about to change"]


def _verified(app: Flask, email: str) -> Visitor:
    """Somebody whose address was proven, signed in."""
    visitor = Visitor(app)
    visitor.post("/users", {"email": email, "password": PASSWORD})
    token = token_in(mail_to(app, email))
    assert send(app, "/auth/email-verification/confirm", token=token, password=PASSWORD).status_code == 200
    return visitor.sign_in(email)


def test_second_request_in_a_minute_leaves_the_first_link_alone(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    token = reset_token(app)
    ask(app, KIM, 1)

    assert mails(app) == []
    assert reset(app, token).status_code == 200


def test_one_network_asks_for_ten_mails_an_hour(app: Flask, kim: Visitor) -> None:
    """F23: one mail to each of many addresses."""
    visitors = [f"user{number}@example.com" for number in range(12)]
    for number, email in enumerate(visitors):
        where = {"REMOTE_ADDR": f"192.0.2.{number}"}
        app.test_client().post("/users", json={"email": email, "password": PASSWORD}, environ_base=where)

    assert {ask(app, email) for email in visitors} == {202}
    assert len(mails(app)) == 10


def test_network_beyond_its_limit_uses_up_no_limit_of_a_mailbox(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F22 and F23: one machine asks for everybody's mails in vain, so that nobody's own request is heard."""
    for number in range(10):
        ask(app, f"user{number}@example.com")
    for _ in range(3):
        ask(app, KIM)
        clock.advance(61)
    assert mails(app) == []

    assert reset(app, reset_token(app)).status_code == 200


def test_other_mails_keep_nobody_from_a_new_password(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F22: a stranger locks the account, and uses up the mails of its address by wishing for it."""
    stranger = Visitor(app).sign_up(LEE)
    for _ in range(4):
        stranger.post(CHANGE, {"email": KIM})
        mails(app)
        clock.advance(61)

    assert reset(app, reset_token(app)).status_code == 200


@pytest.mark.parametrize("path", [RESET_CONFIRM, CHANGE_CONFIRM, UNDO])
def test_guessing_links_is_limited(app: Flask, kim: Visitor, path: str) -> None:
    """F8: one bucket for all routes that take a token."""
    members = {"new_password": NEW} if path == RESET_CONFIRM else {}
    guesses = [send(app, path, token=f"{number:043}", **members) for number in range(31)]

    assert all(is_refused(guess) for guess in guesses[:30])
    assert (guesses[30].status_code, guesses[30].json["code"]) == (429, "too_many_requests")
    assert send(app, RESET_CONFIRM, token="A" * 43, new_password=NEW).status_code == 429


def test_change_of_the_password_is_told_though_the_limit_was_reached_before(
    app: Flask, kim: Visitor, clock: FrozenClock
) -> None:
    """F23: a thief asks for reset mails until no more are sent, and then changes the password."""
    for number in range(5):
        ask(app, KIM, number)
        clock.advance(61)
    mails(app)

    kim.post("/users/me/password", {"current_password": PASSWORD, "new_password": NEW})

    assert [mail.subject for mail in mails(app)] == ["Your password was changed"]


def test_wish_for_another_address_is_told_though_the_limit_was_reached_before(
    app: Flask, kim: Visitor, clock: FrozenClock
) -> None:
    for number in range(4):
        ask(app, KIM, number)
        clock.advance(61)
    mails(app)

    kim.post(CHANGE, {"email": "thief@evil.example"})

    assert {mail.to for mail in mails(app)} == {KIM, "thief@evil.example"}


def test_account_asks_for_five_addresses_an_hour(app: Flask, kim: Visitor) -> None:
    """F23: neither the old mailbox nor new ones are flooded; beyond that nothing happens at all."""
    sent = []
    for number in range(7):
        assert kim.post(CHANGE, {"email": f"kim{number}@new.example"}).status_code == 202
        sent += [mail.to for mail in mails(app)]

    assert sorted(sent) == sorted([KIM] * 5 + [f"kim{number}@new.example" for number in range(5)])


def test_reset_ends_the_lockout(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F22: strangers lock the owner out, who needs no more than the mailbox."""
    for number in range(6):
        where = {"REMOTE_ADDR": f"192.0.2.{number}"}
        body = {"email": KIM, "password": "a-wrong-password"}
        last = app.test_client().post("/auth/login", json=body, environ_base=where)
    assert last.status_code == 429

    assert reset(app, reset_token(app)).status_code == 200

    assert send(app, "/auth/login", email=KIM, password=NEW).status_code == 200


def test_refused_reset_leaves_the_lockout(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    token = reset_token(app)
    for number in range(6):
        where = {"REMOTE_ADDR": f"192.0.2.{number}"}
        app.test_client().post("/auth/login", json={"email": KIM, "password": "a-wrong-one"}, environ_base=where)
    clock.advance(timedelta(seconds=1))

    reset(app, token, "short")
    reset(app, "A" * 43)

    assert send(app, "/auth/login", email=KIM, password=PASSWORD).status_code == 429


def test_taken_address_is_told_no_more_than_others(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F23: somebody else's mailbox cannot be flooded with "your address is taken"."""
    lee = Visitor(app).sign_up(LEE)
    assert lee.tokens
    for _ in range(5):
        kim.post(CHANGE, {"email": LEE})
        clock.advance(50)

    assert [mail.to for mail in mails(app)].count(LEE) <= 3
    assert len(users(app)) == 2
