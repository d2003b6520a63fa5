"""Password reset: a link to the mailbox of the account, and a new password for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import ConfigurationError, credentials_changed, email_verified, password_reset_requested
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.testing import FrozenClock, mails
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.db.models import MODELS, MakeModel
from tests.features.models import model_with_switch
from tests.letters import (
    INVALID,
    KIM,
    LEE,
    NEW,
    RESET,
    RESET_CONFIRM,
    change_user,
    is_refused,
    mail_to,
    reset,
    reset_token,
    send,
    signs_in,
    users,
)
from tests.visitor import COOKIES, Visitor, session_rows
from tests.web.views import app_on

every_database = pytest.mark.every_database


@pytest.fixture
def kim(app: Flask) -> Visitor:
    """Signed up, and signed in on one device."""
    return Visitor(app).sign_up()


@every_database
def test_new_password_replaces_the_forgotten_one(app: Flask, kim: Visitor) -> None:
    response = reset(app, reset_token(app))

    assert (response.status_code, response.json) == (200, {"message": "Password changed"})
    assert (signs_in(app, NEW), signs_in(app, PASSWORD)) == (True, False)


def test_request_says_the_same_for_every_address(app: Flask, kim: Visitor) -> None:
    answers = [send(app, RESET, email=email) for email in (KIM, "nobody@example.com", "no address")]

    assert [(answer.status_code, answer.json) for answer in answers] == [(202, {"message": "Check your mail"})] * 3


def test_only_an_account_gets_a_mail(app: Flask, kim: Visitor) -> None:
    for email in (KIM, "nobody@example.com", "no address"):
        send(app, RESET, email=email)

    assert [mail.to for mail in mails(app)] == [KIM]


def test_mail_has_a_link_to_the_page_with_the_token_in_its_fragment(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_PASSWORD_RESET_PAGE="/neu")
    Visitor(app).sign_up()
    send(app, RESET, email=KIM)

    mail = mail_to(app, KIM)

    assert mail.link == f"https://app.example/neu#token={mail.token}"
    assert mail.link in mail.text
    assert "10 minutes" in mail.text


@every_database
def test_all_sessions_end(app: Flask, kim: Visitor) -> None:
    """ASVS 7.4.3."""
    other = Visitor(app).sign_in()

    reset(app, reset_token(app))

    assert [visitor.get("/users/me").json["code"] for visitor in (kim, other)] == ["session_revoked"] * 2
    assert [visitor.refresh().status_code for visitor in (kim, other)] == [401, 401]
    assert {row.revoke_reason for row in session_rows(app)} == {"password_reset"}


def test_sessions_of_others_go_on(app: Flask, kim: Visitor) -> None:
    lee = Visitor(app).sign_up(LEE)

    reset(app, reset_token(app))

    assert lee.get("/users/me").status_code == 200


def test_owner_is_told(app: Flask, kim: Visitor) -> None:
    """ASVS 6.3.7."""
    reset(app, reset_token(app))

    mail = mail_to(app, KIM, "password was changed")

    assert mail.link is None
    assert "https://app.example/forgot-password" in mail.text


def test_password_that_breaks_a_rule_does_not_use_up_the_link(app: Flask, kim: Visitor) -> None:
    token = reset_token(app)

    refused = [reset(app, token, password) for password in ("short", "kim@example.com", "password123")]

    assert [(answer.status_code, list(answer.json["fields"])) for answer in refused] == [(400, ["new_password"])] * 3
    assert reset(app, token).status_code == 200


def test_bad_link_is_refused_before_the_password_is_judged(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no link learns nothing of the rules, and costs no hash."""

    def fail(*args: Any) -> str:
        raise AssertionError

    monkeypatch.setattr(PasswordHasher, "hash", fail)

    assert is_refused(reset(app, "A" * 43, "short"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "A" * 43},
        {"new_password": NEW},
        {"token": 0, "new_password": NEW},
        {"token": True, "new_password": NEW},
        {"token": "A" * 43, "new_password": 7},
        {"token": "A" * 43, "new_password": NEW, "email": KIM},
    ],
)
def test_body_of_another_form_is_refused(app: Flask, body: dict[str, Any]) -> None:
    response = send(app, RESET_CONFIRM, **body)

    assert (response.status_code, response.json["code"]) == (400, "invalid_input")


def test_link_expires(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    token = reset_token(app)
    clock.advance(timedelta(minutes=10))

    assert is_refused(reset(app, token))


def test_lifetime_is_an_hour_at_most(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError, match="SECUREAUTH_PASSWORD_RESET_LIFETIME"):
        make_app(SECUREAUTH_PASSWORD_RESET_LIFETIME=timedelta(hours=2))


@pytest.mark.parametrize("page", ["reset", "//evil.example/reset", "/reset#now", "", None])
def test_page_is_a_path_of_the_app(make_app: Callable[..., Flask], page: Any) -> None:
    with pytest.raises(ConfigurationError, match="SECUREAUTH_PASSWORD_RESET_PAGE"):
        make_app(SECUREAUTH_PASSWORD_RESET_PAGE=page)


def test_address_in_another_spelling_gets_the_mail_at_the_stored_one(app: Flask, kim: Visitor) -> None:
    send(app, RESET, email="KIM@Example.COM")

    assert mail_to(app, KIM).token


@every_database
def test_account_without_a_password_gets_one(app: Flask, kim: Visitor) -> None:
    """Imported, or given back to its owner without one."""
    change_user(app, password_hash="")

    assert reset(app, reset_token(app)).status_code == 200
    assert signs_in(app, NEW)


def test_disabled_account_gets_no_mail(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_switch(db))
    Visitor(app).sign_up()
    change_user(app, is_active=False)

    assert send(app, RESET, email=KIM).status_code == 202
    assert mails(app) == []


@pytest.mark.parametrize("settings", [{}, COOKIES])
def test_reset_signs_nobody_in(make_app: Callable[..., Flask], settings: dict[str, str]) -> None:
    """security.md section 3: a mailbox alone opens no session."""
    app = make_app(**settings)
    Visitor(app).sign_up()
    browser = Visitor(app)
    token = reset_token(app)
    before = len(session_rows(app))

    response = browser.post(RESET_CONFIRM, {"token": token, "new_password": NEW})

    assert response.json == {"message": "Password changed"}
    assert "Set-Cookie" not in response.headers
    assert len(session_rows(app)) == before


def test_change_is_told_to_those_who_care(app: Flask, kim: Visitor) -> None:
    told: list[tuple[str, Any]] = []

    def changed(sender: Flask, **facts: Any) -> None:
        told.append(("changed", facts))

    def verified(sender: Flask, **facts: Any) -> None:
        told.append(("verified", facts))

    token = reset_token(app)
    with credentials_changed.connected_to(changed, app), email_verified.connected_to(verified, app):
        reset(app, token)

    assert told == [
        ("changed", {"user_id": 1, "reason": "password_reset", "session_id": None}),
        ("verified", {"user_id": 1, "email": KIM}),
    ]


def test_request_is_told_as_it_was_typed(app: Flask) -> None:
    told: list[str] = []

    def hear(sender: Flask, email: str, **facts: Any) -> None:
        told.append(email)

    with password_reset_requested.connected_to(hear, app):
        send(app, RESET, email="Nobody@example.com")

    assert told == ["Nobody@example.com"]


def test_time_of_the_change_is_noted(app: Flask, kim: Visitor) -> None:
    (before,) = users(app)

    reset(app, reset_token(app))

    (after,) = users(app)
    assert after.updated_at > before.updated_at


@every_database
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_user_model_resets(make_app: Callable[..., Flask], model: MakeModel) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model(db))
    Visitor(app).sign_up()

    assert reset(app, reset_token(app)).status_code == 200
    assert (signs_in(app, NEW), signs_in(app)) == (True, False)


def test_used_link_is_refused_as_any_other(app: Flask, kim: Visitor) -> None:
    token = reset_token(app)
    reset(app, token)

    again = reset(app, token, "ostrich-nebula-5")

    assert (again.status_code, again.json) == (400, INVALID)
    assert signs_in(app, NEW)
