"""Asking for a new password: the answer tells nothing, and the mail goes where the account says, with our own link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_secureauth.testing import mails
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.features.models import model_with_switch
from tests.letters import KIM, LEE, RESET, change_user, counted_work, mail_to, send
from tests.visitor import Visitor
from tests.web.views import app_on

every_database = pytest.mark.every_database
ABSENT = "nobody@example.com"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app with an ordinary account, a disabled one and one without a password."""
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_switch(db))
    for email in (KIM, "disabled@example.com", "passwordless@example.com"):
        Visitor(app).sign_up(email)
    change_user(app, "disabled@example.com", is_active=False)
    change_user(app, "passwordless@example.com", password_hash="")
    return app


def anatomy(response: TestResponse) -> tuple[Any, ...]:
    """Everything of an answer that a client can see."""
    return response.status_code, response.data, list(response.headers), len(response.data)


@every_database
@pytest.mark.parametrize("email", [KIM, "disabled@example.com", "passwordless@example.com"])
def test_request_for_an_account_is_the_request_for_none(
    app: Flask, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    """F2 and F3, ASVS 6.3.8: equal status, body and headers, no hash, and a mail and a line of audit."""
    compare_requests(app, email, monkeypatch)


@every_database
def test_request_for_an_unverified_account_is_the_request_for_none(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    assert send(app, "/users", email=KIM, password=PASSWORD).status_code == 202

    compare_requests(app, KIM, monkeypatch)


def compare_requests(app: Flask, email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """See that a request for an account and one for none are the same."""
    send(app, RESET, email="warm@example.com")
    with counted_work(app, monkeypatch) as for_account:
        present = send(app, RESET, email=email)
    with counted_work(app, monkeypatch) as for_none:
        absent = send(app, RESET, email=ABSENT)

    assert present.status_code == 202
    assert anatomy(present) == anatomy(absent)
    assert for_account == for_none == {"hashes": 0, "statements": 2}


FORGED = {
    "Host": {"Host": "evil.example"},
    "Host with a port": {"Host": "app.example:443@evil.example"},
    "X-Forwarded-Host": {"X-Forwarded-Host": "evil.example"},
    "X-Forwarded-Server": {"X-Forwarded-Server": "evil.example"},
    "X-Original-Host": {"X-Original-Host": "evil.example"},
    "X-Host": {"X-Host": "evil.example"},
    "Forwarded": {"Forwarded": "for=1.2.3.4;host=evil.example;proto=http"},
    "Origin and Referer": {"Origin": "https://evil.example", "Referer": "https://evil.example/forgot"},
    "all": {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_link_never_comes_from_the_request(app: Flask, headers: dict[str, str]) -> None:
    """F9, password reset poisoning: the victim would send the token to whoever forged the header."""
    app.test_client().post(RESET, json={"email": KIM}, headers=headers)

    sent = mails(app)
    assert [mail.link for mail in sent] == [f"https://app.example/reset-password#token={mail.token}" for mail in sent]
    assert not any("evil" in mail.text + mail.html + mail.subject for mail in sent)


def test_link_never_comes_from_the_request_line(app: Flask) -> None:
    """F9: an absolute URI, as a proxy would send it."""
    app.test_client().post("http://evil.example" + RESET, json={"email": KIM}, base_url="http://evil.example")

    mail = mail_to(app, KIM)
    assert mail.link == f"https://app.example/reset-password#token={mail.token}"


TWINS = [
    "kim@example.com,lee@example.com",
    "kim@example.com;lee@example.com",
    "kim@example.com lee@example.com",
    "kim@example.com\r\nBcc: lee@example.com",
    "kim@example.com\nBcc:lee@example.com",
    "kim@example.com%0a%0dcc:lee@example.com",
    "k\u0131m@example.com",
    "\u212aim@example.com",
    "kim@ex\u0430mple.com",
    '"kim@example.com"@evil.example',
    "<kim@example.com>",
    "x" * 5000 + "@example.com",
]


@every_database
@pytest.mark.parametrize("email", TWINS, ids=range(len(TWINS)))
def test_address_that_is_none_gets_the_usual_answer_and_no_mail(app: Flask, email: str) -> None:
    """F10, CVE-2019-19844: what only looks like an address, or like two, is nobody's."""
    Visitor(app).sign_up(LEE)

    response = app.test_client().post(RESET, json={"email": email})

    assert (response.status_code, response.json) == (202, {"message": "Check your mail"})
    assert mails(app) == []


@pytest.mark.parametrize("email", ["kim@example.com\0", "\ud800@example.com"])
def test_text_that_no_database_holds_is_refused(app: Flask, email: str) -> None:
    """F10 and F16."""
    response = app.test_client().post(RESET, json={"email": email})

    assert (response.status_code, response.json["code"]) == (400, "malformed_body")
    assert mails(app) == []


@pytest.mark.parametrize("email", ["KIM@EXAMPLE.COM", "Kim@example.com"])
def test_mail_goes_to_the_stored_address_alone(app: Flask, email: str) -> None:
    """F10: what was typed is looked up, and never written to."""
    send(app, RESET, email=email)

    assert [mail.to for mail in mails(app)] == [KIM]


@pytest.mark.parametrize("email", [[KIM], [KIM, LEE], {"a": KIM}, 0, True, None, "", 1.5])
def test_address_of_another_kind_is_refused(app: Flask, email: Any) -> None:
    """F10 and F17: a list would be two recipients, a number an address that MySQL finds equal to any."""
    response = send(app, RESET, email=email)

    assert (response.status_code, response.json["code"]) == (400, "invalid_input")
    assert mails(app) == []


def test_address_that_comes_twice_is_refused(app: Flask) -> None:
    """F10: two parsers would see two addresses."""
    body = '{"email": "kim@example.com", "email": "evil@example.com"}'

    response = app.test_client().post(RESET, data=body, content_type="application/json")

    assert (response.status_code, response.json["code"]) == (400, "malformed_body")
    assert mails(app) == []
