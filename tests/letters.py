"""What the flows with a mailed link share: somebody who asks, reads the mail and follows the link."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, update
from werkzeug.test import TestResponse

from flask_secureauth.core.mail import Message
from flask_secureauth.testing import mails
from tests.conftest import PASSWORD

KIM, LEE, NEW_KIM = "kim@example.com", "lee@example.com", "kim@new.example"
NEW = "walrus-quartz-17"
RESET, RESET_CONFIRM = "/auth/password-reset", "/auth/password-reset/confirm"
CHANGE, CHANGE_CONFIRM, UNDO = "/users/me/email", "/auth/email-change/confirm", "/auth/email-change/undo"
INVALID = {"error": "This link is not valid any more. Ask for a new one.", "code": "one_time_token_invalid"}


def mail_to(app: Flask, address: str, subject: str = "") -> Message:
    """The only mail to an address with a subject that has been sent since the last look."""
    (found,) = [mail for mail in mails(app) if mail.to == address and subject in mail.subject]
    return found


def token_in(mail: Message) -> str:
    """The token of its link."""
    assert mail.token is not None
    return mail.token


def reset_token(app: Flask, email: str = KIM) -> str:
    """Ask for a new password, and take the token out of the mail."""
    assert app.test_client().post(RESET, json={"email": email}).status_code == 202
    return token_in(mail_to(app, email, "new password"))


def change_token(app: Flask, visitor: Any, new: str = NEW_KIM) -> str:
    """Ask for another address, and take the token out of the mail that went there."""
    response = visitor.post(CHANGE, {"email": new})
    assert response.status_code == 202, response.text
    return token_in(mail_to(app, new, "Confirm"))


def undo_token(app: Flask, visitor: Any, old: str = KIM, new: str = NEW_KIM) -> str:
    """Change the address, and take the token out of the mail to the old one."""
    assert send(app, CHANGE_CONFIRM, token=change_token(app, visitor, new)).status_code == 200
    return token_in(mail_to(app, old, "was changed"))


def send(app: Flask, path: str, **members: Any) -> TestResponse:
    """POST as somebody who is not signed in."""
    return app.test_client().post(path, json=members)


def reset(app: Flask, token: str, password: str = NEW) -> TestResponse:
    """Choose a new password."""
    return send(app, RESET_CONFIRM, token=token, new_password=password)


def is_refused(response: TestResponse) -> bool:
    """Whether it is the one answer to links that do not work."""
    return (response.status_code, response.json) == (400, INVALID)


def signs_in(app: Flask, password: str = PASSWORD, email: str = KIM) -> bool:
    """Whether a password opens an account."""
    status = send(app, "/auth/login", email=email, password=password).status_code
    assert status in (200, 401)
    return status == 200


def users(app: Flask) -> list[Any]:
    """What is committed, by address."""
    state = app.extensions["secureauth"]
    table = state.user_model.__table__
    with app.app_context(), state.sqlalchemy.engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.email)))


def change_user(app: Flask, whose: str = KIM, /, **values: Any) -> None:
    """Change a row behind everybody's back."""
    state = app.extensions["secureauth"]
    table = state.user_model.__table__
    with app.app_context(), state.sqlalchemy.engine.begin() as connection:
        connection.execute(update(table).where(table.c.email == whose).values(**values))


@contextmanager
def counted_work(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Count hashes and statements."""
    work = {"hashes": 0, "statements": 0}
    scrypt = hashlib.scrypt

    def hashing(*args: Any, **kwargs: Any) -> bytes:
        work["hashes"] += 1
        return scrypt(*args, **kwargs)

    def executing(*args: Any) -> None:
        work["statements"] += 1

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "after_cursor_execute", executing)
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "scrypt", hashing)
        yield work
    event.remove(engine, "after_cursor_execute", executing)
