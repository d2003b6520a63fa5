"""What the tests of mail queue, and a mailer that does as it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import Row, select

from flask_secureauth.core.mail import Message
from flask_secureauth.features.mail.service import Content, Letter, MailService
from flask_secureauth.features.mail.tables import MailMixin
from flask_secureauth.features.one_time_tokens import OneTimeTokenService, Purpose
from flask_secureauth.web.state import AuthState

KIM, LEE = "kim@example.com", "lee@example.com"
RESET = Purpose(name="test_reset", lifetime=timedelta(minutes=10))


class Mailer:
    """Keeps what it is given, or raises what stands in ``troubles``, one for each mail."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.sent: list[Message] = []
        self.tried: list[Message] = []

    def send(self, message: Message) -> None:
        self.tried.append(message)
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(message)


class Post:
    """Queues and delivers mails of an app: ``password_changed``, and ``password_reset`` for those with an account."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.state: AuthState = app.extensions["secureauth"]
        self.service = self.state.service(MailService)
        self.tokens = self.state.service(OneTimeTokenService)
        self.service.register("password_reset", self.compose_reset)
        self.service.register("password_changed")

    def compose_reset(self, letter: Letter) -> Content | None:
        found = self.state.users.find_credentials(letter.to)
        if found is None:
            return None
        token_id = self.tokens.issue(found.key, RESET, address=letter.to)
        return Content(
            to=letter.to,
            token_id=token_id,
            page="/reset-password",
            lifetime=RESET.lifetime,
            params=letter.params,
            user_id=found.key,
        )

    def run(self, unit: Callable[[], Any]) -> Any:
        with self.app.app_context():
            return self.state.database.run(unit)

    def queue(self, template: str = "password_changed", *, to: str = KIM, **arguments: Any) -> None:
        self.run(lambda: self.service.queue(template, to=to, **arguments))

    def deliver(self) -> list[str]:
        return list(self.service.deliver())

    def rows(self) -> list[Row[Any]]:
        model = self.state.models[MailMixin]
        columns = [column.label(column.key) for column in model.__table__.columns]
        with self.app.app_context():
            return list(self.state.database.read(select(*columns).order_by(model.created_at, model.id), {}))

    def row(self) -> Row[Any]:
        (row,) = self.rows()
        return row
