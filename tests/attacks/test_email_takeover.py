"""E-mail change in the hands of a thief, and what is left to the thief once the owner has the account back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from flask_secureauth.features.sessions.service import SessionService
from flask_secureauth.testing import FrozenClock, mails
from tests.conftest import PASSWORD
from tests.letters import (
    CHANGE,
    CHANGE_CONFIRM,
    KIM,
    LEE,
    NEW,
    NEW_KIM,
    UNDO,
    change_token,
    counted_work,
    is_refused,
    reset,
    reset_token,
    send,
    signs_in,
    undo_token,
    users,
)
from tests.visitor import COOKIES, SAME_ORIGIN, Visitor

every_database = pytest.mark.every_database
THIEF = "thief@evil.example"


@pytest.fixture
def kim(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


def confirm(app: Flask, token: str) -> bool:
    response = send(app, CHANGE_CONFIRM, token=token)
    assert response.status_code in (200, 400)
    return response.status_code == 200


def test_old_session_changes_no_address(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F26, ASVS 7.5.1: a stolen token is not enough; a refresh does not make it fresh."""
    clock.advance(timedelta(minutes=6))
    kim.refresh()

    assert kim.post(CHANGE, {"email": THIEF}).json["code"] == "fresh_login_required"
    assert mails(app) == []


def test_another_site_changes_no_address(make_app: Callable[..., Flask]) -> None:
    """F18 and F26."""
    app = make_app(**COOKIES)
    kim = Visitor(app).sign_up()

    for headers in ({"X-CSRF-Token": None}, {**SAME_ORIGIN, "Sec-Fetch-Site": "cross-site", "X-CSRF-Token": "forged"}):
        assert kim.post(CHANGE, {"email": THIEF}, headers=headers).json["code"] == "csrf_failed"
    assert mails(app) == []


@every_database
def test_taken_address_costs_and_answers_as_a_free_one(
    app: Flask, kim: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F26, ASVS 6.3.8: nobody learns by this route who has an account."""
    Visitor(app).sign_up(LEE)
    kim.post(CHANGE, {"email": "warm@example.com"})
    with counted_work(app, monkeypatch) as for_free:
        free = kim.post(CHANGE, {"email": NEW_KIM})
    with counted_work(app, monkeypatch) as for_taken:
        taken = kim.post(CHANGE, {"email": LEE})

    assert (free.status_code, free.data, list(free.headers)) == (taken.status_code, taken.data, list(taken.headers))
    assert for_free == for_taken
    assert for_free["hashes"] == 0


def test_export_tells_nothing_of_the_address_that_was_asked_for(app: Flask, kim: Visitor) -> None:
    """F26, ASVS 6.3.8: the outbox knows whether the link was sent, and the user may see what is held."""
    Visitor(app).sign_up(LEE)
    for address in (LEE, NEW_KIM):
        kim.post(CHANGE, {"email": address})
    mails(app)

    held = kim.get("/users/me/export").json["mail"]

    taken, free = (mail for mail in held if mail["mail"] == "email_change")
    assert (taken.pop("address"), free.pop("address")) == (LEE, NEW_KIM)
    assert taken.pop("queued_at") <= free.pop("queued_at")
    assert taken == free


@every_database
def test_two_users_who_claim_one_address_one_wins(app: Flask, kim: Visitor) -> None:
    """F26, ASVS 15.4.2: the database decides."""
    lee = Visitor(app).sign_up(LEE)
    tokens, barrier = [change_token(app, visitor) for visitor in (kim, lee)], threading.Barrier(2)

    def claim(token: str) -> tuple[int, str | None]:
        barrier.wait(30)
        response = send(app, CHANGE_CONFIRM, token=token)
        return response.status_code, response.json.get("code")

    with ThreadPoolExecutor(2) as pool:
        answers = Counter(pool.map(claim, tokens))

    assert answers == {(200, None): 1, (400, "one_time_token_invalid"): 1}
    addresses = [user.email for user in users(app)]
    assert len(addresses) == 2
    assert NEW_KIM in addresses
    assert set(addresses) < {KIM, LEE, NEW_KIM}


@every_database
def test_token_for_one_address_confirms_no_other(app: Flask, kim: Visitor) -> None:
    """F26: ask for the own mailbox, then for another's, and use the first link."""
    own = change_token(app, kim, THIEF)
    kim.post(CHANGE, {"email": "victim@example.com"})

    assert not confirm(app, own)
    assert send(app, CHANGE_CONFIRM, token=own, email="victim@example.com").json["code"] == "invalid_input"
    assert [user.email for user in users(app)] == [KIM]


def _reset(app: Flask, owner: Visitor) -> None:
    assert reset(app, reset_token(app)).status_code == 200


def _change_password(app: Flask, owner: Visitor) -> None:
    assert owner.post("/users/me/password", {"current_password": PASSWORD, "new_password": NEW}).status_code == 200


@every_database
@pytest.mark.parametrize("act", [_reset, _change_password])
def test_pending_change_dies_when_the_owner_acts(app: Flask, kim: Visitor, act: Callable[..., None]) -> None:
    """F4 and F26: a thief's change waits for a click while the owner chooses another password."""
    pending = change_token(app, Visitor(app).sign_in(), THIEF)

    act(app, kim)

    assert not confirm(app, pending)
    assert [user.email for user in users(app)] == [KIM]


@pytest.mark.parametrize("act", [_reset, _change_password])
def test_change_whose_mail_still_waits_dies_as_well(app: Flask, kim: Visitor, act: Callable[..., None]) -> None:
    """F26: the mail is delivered after the owner has acted; its link would be newer than that."""
    Visitor(app).sign_in().post(CHANGE, {"email": THIEF})

    act(app, kim)

    assert not any(mail.to == THIEF for mail in mails(app))


@every_database
def test_request_that_a_reset_overtakes_changes_nothing(
    app: Flask, kim: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F26, CWE-367: the guard has let the thief in, then the owner resets, then the request goes on."""
    token, hold = reset_token(app), SessionService.hold

    def overtaken(self: SessionService, claims: dict[str, object]) -> object:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(reset, app, token).result(30).status_code == 200
        return hold(self, claims)

    monkeypatch.setattr(SessionService, "hold", overtaken)
    response = kim.post(CHANGE, {"email": THIEF})

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")
    assert not any(mail.to == THIEF for mail in mails(app))


@every_database
def test_owner_who_resets_leaves_the_thief_nothing(app: Flask, clock: FrozenClock) -> None:
    """F4, pre-hijacking: the thief registered the victim's address first, and kept everything there is to keep."""
    thief = Visitor(app).sign_up()
    elsewhere = Visitor(app).sign_in()
    pending = change_token(app, thief, THIEF)
    kept = reset_token(app)
    clock.advance(61)

    assert reset(app, reset_token(app)).status_code == 200

    assert not signs_in(app, PASSWORD)
    assert [visitor.get("/users/me").status_code for visitor in (thief, elsewhere)] == [401, 401]
    assert [visitor.refresh().status_code for visitor in (thief, elsewhere)] == [401, 401]
    assert not confirm(app, pending)
    assert is_refused(reset(app, kept, "ostrich-nebula-5"))
    assert signs_in(app, NEW)


@every_database
def test_owner_who_undoes_leaves_the_thief_nothing(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F26: by then the thief has another address, another password, a reset link and a change that waits."""
    thief = kim.copy()
    undo = undo_token(app, thief, KIM, THIEF)
    thief.post("/users/me/password", {"current_password": PASSWORD, "new_password": "ostrich-nebula-5"})
    clock.advance(61)
    resetting, pending = reset_token(app, THIEF), change_token(app, thief, "thief@third.example")

    assert send(app, UNDO, token=undo).status_code == 200

    assert [user.email for user in users(app)] == [KIM]
    assert not any(signs_in(app, password) for password in (PASSWORD, "ostrich-nebula-5"))
    assert thief.get("/users/me").status_code == 401
    assert thief.refresh().status_code == 401
    assert is_refused(reset(app, resetting))
    assert not confirm(app, pending)
    assert not any(mail.to == THIEF and mail.link for mail in mails(app))


@every_database
def test_thief_cannot_occupy_the_old_address(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F26: an account of the thief's own with the old address would stand in the way of the undoing."""
    undo = undo_token(app, kim, KIM, THIEF)

    assert send(app, "/users", email="KIM@example.com", password=PASSWORD).status_code == 409
    assert send(app, UNDO, token=undo).status_code == 200
