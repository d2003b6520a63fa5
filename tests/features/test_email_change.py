"""E-mail change: the new mailbox proves itself, the old one is told and can take it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import credentials_changed, email_change_requested, email_changed, email_verified
from flask_secureauth.testing import FrozenClock, mails, signed_in_client
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.db.models import MODELS, MakeModel
from tests.letters import (
    CHANGE,
    CHANGE_CONFIRM,
    KIM,
    LEE,
    NEW,
    NEW_KIM,
    UNDO,
    change_token,
    is_refused,
    mail_to,
    reset,
    reset_token,
    send,
    signs_in,
    token_in,
    undo_token,
    users,
)
from tests.visitor import Visitor
from tests.web.views import app_on

every_database = pytest.mark.every_database
THIRD = "kim@third.example"


@pytest.fixture
def kim(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


def confirm(app: Flask, token: str) -> Any:
    return send(app, CHANGE_CONFIRM, token=token)


def undo(app: Flask, token: str) -> Any:
    return send(app, UNDO, token=token)


def addresses(app: Flask) -> list[str]:
    return [user.email for user in users(app)]


@every_database
def test_proven_address_becomes_the_account_s(app: Flask, kim: Visitor) -> None:
    response = confirm(app, change_token(app, kim))

    assert (response.status_code, response.json) == (200, {"message": "E-mail changed"})
    assert (signs_in(app, email=NEW_KIM), signs_in(app, email=KIM)) == (True, False)
    assert kim.get("/users/me").json["email"] == NEW_KIM


def test_nothing_changes_before_the_proof(app: Flask, kim: Visitor) -> None:
    change_token(app, kim)

    assert addresses(app) == [KIM]


def test_address_is_stored_in_its_one_spelling(app: Flask, kim: Visitor) -> None:
    kim.post(CHANGE, {"email": "Kim@NEW.Example"})

    confirm(app, token_in(mail_to(app, NEW_KIM)))

    assert addresses(app) == [NEW_KIM]


@pytest.mark.parametrize(
    "email", ["kim", "kim@", "a@x.example,b@y.example", "m\u0131ke@example.com", "kim@new.example\n"]
)
def test_what_is_no_address_is_refused(app: Flask, kim: Visitor, email: str) -> None:
    response = kim.post(CHANGE, {"email": email})

    assert (response.status_code, list(response.json["fields"])) == (400, ["email"])
    assert mails(app) == []


def test_answer_is_the_same_for_a_free_a_taken_and_the_own_address(app: Flask, kim: Visitor) -> None:
    Visitor(app).sign_up(LEE)

    answers = [kim.post(CHANGE, {"email": email}) for email in (NEW_KIM, LEE, KIM)]

    assert [(answer.status_code, answer.json) for answer in answers] == [(202, {"message": "Check your mail"})] * 3


@every_database
def test_taken_address_gets_no_link_but_word(app: Flask, kim: Visitor) -> None:
    Visitor(app).sign_up(LEE)

    kim.post(CHANGE, {"email": LEE})

    to_lee = mail_to(app, LEE)
    assert (to_lee.subject, to_lee.token) == ("Your address belongs to your account", None)
    assert KIM not in to_lee.text


def test_own_address_needs_no_mail(app: Flask, kim: Visitor) -> None:
    kim.post(CHANGE, {"email": "KIM@example.com"})

    assert mails(app) == []


def test_old_address_is_told_of_the_wish(app: Flask, kim: Visitor) -> None:
    kim.post(CHANGE, {"email": NEW_KIM})

    notice = mail_to(app, KIM)

    assert notice.subject == "Your address is about to change"
    assert "k***@new.example" in notice.text
    assert "https://app.example/forgot-password" in notice.text
    assert notice.token is None


def test_links_lead_to_their_pages(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_EMAIL_CHANGE_PAGE="/one", SECUREAUTH_EMAIL_CHANGE_UNDO_PAGE="/two")
    kim = Visitor(app).sign_up()
    kim.post(CHANGE, {"email": NEW_KIM})
    proof = mail_to(app, NEW_KIM)
    confirm(app, token_in(proof))
    told = mail_to(app, KIM)

    assert proof.link == f"https://app.example/one#token={proof.token}"
    assert told.link == f"https://app.example/two#token={told.token}"
    assert ("1 hour" in proof.text, "7 days" in told.text) == (True, True)


def test_change_wants_a_fresh_sign_in(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    clock.advance(timedelta(minutes=5, seconds=1))

    response = kim.post(CHANGE, {"email": NEW_KIM})

    assert (response.status_code, response.json["code"]) == (403, "fresh_login_required")


def test_change_wants_somebody(app: Flask) -> None:
    assert send(app, CHANGE, email=NEW_KIM).status_code == 401


def test_session_that_ended_changes_nothing_at_any_staleness(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_STALENESS=None)
    kim = Visitor(app).sign_up()
    thief = kim.copy()
    kim.post("/auth/logout", {"scope": "global"})

    assert thief.post(CHANGE, {"email": NEW_KIM}).json["code"] == "session_revoked"


def test_sessions_go_on(app: Flask, kim: Visitor) -> None:
    confirm(app, change_token(app, kim))

    assert kim.get("/users/me").status_code == 200


def test_link_expires(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    token = change_token(app, kim)
    clock.advance(timedelta(hours=1))

    assert is_refused(confirm(app, token))


@every_database
def test_address_that_was_taken_meanwhile_is_refused(app: Flask, kim: Visitor) -> None:
    token = change_token(app, kim)
    Visitor(app).sign_up(NEW_KIM)

    assert is_refused(confirm(app, token))
    assert addresses(app) == [KIM, NEW_KIM]
    assert not any("was changed" in mail.subject for mail in mails(app))


def test_signals_of_a_whole_change(app: Flask, kim: Visitor) -> None:
    told: list[dict[str, Any]] = []

    def hear(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    with (
        email_change_requested.connected_to(hear, app),
        email_changed.connected_to(hear, app),
        email_verified.connected_to(hear, app),
    ):
        confirm(app, change_token(app, kim))

    assert told == [
        {"user_id": 1, "email": KIM, "new_email": NEW_KIM},
        {"user_id": 1, "old_email": KIM, "email": NEW_KIM, "undone": False},
        {"user_id": 1, "email": NEW_KIM},
    ]


@every_database
def test_undo_gives_the_account_back(app: Flask, kim: Visitor) -> None:
    token = undo_token(app, kim)

    response = undo(app, token)

    assert (response.status_code, response.json) == (200, {"message": "E-mail change undone"})
    assert addresses(app) == [KIM]


@every_database
def test_undo_ends_all_sessions_and_the_password(app: Flask, kim: Visitor) -> None:
    """The thief may have changed the password as well; the owner chooses one with a link to the restored address."""
    undo(app, undo_token(app, kim))

    assert kim.get("/users/me").json["code"] == "session_revoked"
    assert not signs_in(app)
    assert reset(app, token_in(mail_to(app, KIM, "new password"))).status_code == 200
    assert signs_in(app, NEW)


def test_undo_is_told_to_both_addresses(app: Flask, kim: Visitor) -> None:
    undo(app, undo_token(app, kim))

    told = {(mail.to, mail.subject): mail for mail in mails(app)}
    assert set(told) == {
        (NEW_KIM, "Your address was changed"),
        (KIM, "Your address is the old one again"),
        (KIM, "Choose a new password"),
    }
    lost = told[NEW_KIM, "Your address was changed"]
    assert (lost.link, "undo" in lost.text.lower(), "undo" in lost.html.lower()) == (None, False, False)


def test_signals_of_an_undo(app: Flask, kim: Visitor) -> None:
    token = undo_token(app, kim)
    told: list[dict[str, Any]] = []

    def hear(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    with credentials_changed.connected_to(hear, app), email_changed.connected_to(hear, app):
        undo(app, token)

    assert told == [
        {"user_id": 1, "reason": "email_change_undone", "session_id": None},
        {"user_id": 1, "old_email": NEW_KIM, "email": KIM, "undone": True},
    ]


def test_address_that_was_never_proven_is_told_and_cannot_undo(make_app: Callable[..., Flask]) -> None:
    """It may be somebody else's, by a typo, who must not get the account."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="optional")
    kim = Visitor(app).sign_up()

    assert confirm(app, change_token(app, kim)).status_code == 200

    told = mail_to(app, KIM)
    assert told.subject.startswith("Your address")
    assert told.token is None


def test_undo_works_for_a_week(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    first = undo_token(app, kim)
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert undo(app, first).status_code == 200

    kim.tokens.clear()
    kim.client = signed_in_client(app, 1)
    second = undo_token(app, kim)
    clock.advance(timedelta(days=7))
    assert is_refused(undo(app, second))


def test_undo_works_after_the_thief_changed_the_password(app: Flask, kim: Visitor) -> None:
    token = undo_token(app, kim)
    kim.post("/users/me/password", {"current_password": PASSWORD, "new_password": "ostrich-nebula-5"})
    assert reset(app, reset_token(app, NEW_KIM), "silver-fjord-12").status_code == 200

    assert undo(app, token).status_code == 200
    assert not signs_in(app, "silver-fjord-12")


@every_database
def test_first_link_undoes_two_changes(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """A thief goes on to a third address; what went to the second one is then void."""
    first = undo_token(app, kim)
    clock.advance(61)
    second = undo_token(app, kim, NEW_KIM, THIRD)

    assert undo(app, first).status_code == 200
    assert addresses(app) == [KIM]
    assert is_refused(undo(app, second))


def test_link_of_the_second_address_leaves_the_first_one_s_alone(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    first = undo_token(app, kim)
    clock.advance(61)
    second = undo_token(app, kim, NEW_KIM, THIRD)

    assert undo(app, second).status_code == 200
    assert addresses(app) == [NEW_KIM]
    assert undo(app, first).status_code == 200
    assert addresses(app) == [KIM]


def test_undo_voids_the_other_links(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    token = undo_token(app, kim)
    clock.advance(61)
    pending, resetting = change_token(app, kim, THIRD), reset_token(app, NEW_KIM)

    undo(app, token)

    assert is_refused(confirm(app, pending))
    assert is_refused(reset(app, resetting))


@every_database
def test_old_address_is_kept_for_its_owner(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """Or a thief would register it, and the change could not be undone."""
    token = undo_token(app, kim)

    refused = send(app, "/users", email=KIM, password=PASSWORD)
    assert (refused.status_code, refused.json["code"]) == (409, "registration.user_exists")
    assert addresses(app) == [NEW_KIM]
    assert undo(app, token).status_code == 200


def test_old_address_is_free_after_the_week(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    undo_token(app, kim)
    clock.advance(timedelta(days=7))

    assert send(app, "/users", email=KIM, password=PASSWORD).status_code == 201


@every_database
def test_old_address_that_another_account_has_proven_is_not_taken_from_it(
    app: Flask, kim: Visitor, clock: FrozenClock
) -> None:
    token = undo_token(app, kim)
    clock.advance(61)
    lee = Visitor(app).sign_up(LEE)
    assert confirm(app, change_token(app, lee, KIM)).status_code == 200

    response = undo(app, token)

    assert (response.status_code, response.json["code"]) == (409, "email_change.old_address_taken")
    assert addresses(app) == [KIM, NEW_KIM]
    assert kim.get("/users/me").status_code == 200
    assert signs_in(app, email=NEW_KIM)


@every_database
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_user_model_changes_and_undoes(make_app: Callable[..., Flask], model: MakeModel) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model(db))
    kim = Visitor(app).sign_up()
    token = undo_token(app, kim)
    assert kim.get("/users/me").json["email"] == NEW_KIM

    assert undo(app, token).status_code == 200
    assert reset(app, token_in(mail_to(app, KIM, "new password"))).status_code == 200
    assert signs_in(app, NEW)
