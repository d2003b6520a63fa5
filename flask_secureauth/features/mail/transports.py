"""Who sends mails: Flask-Mail, the console, a list in memory, or what the app brings."""

from __future__ import annotations

import logging
import smtplib
import ssl
from contextlib import suppress
from typing import Any

import click
from flask import Flask

from ...core.extras import MissingExtra, import_extra
from ...core.mail import Mailer, MailRefused, Message
from ...errors import ConfigurationError
from .settings import MailSettings

logger = logging.getLogger("flask_secureauth")

_SETTING = "SECUREAUTH_MAIL_TRANSPORT"


class MemoryMailer:
    """Keeps mails, for tests."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep ``message``."""
        self.sent.append(message)


class ConsoleMailer:
    """Writes mails to the standard error, links and all: for development."""

    def send(self, message: Message) -> None:
        """Write ``message``."""
        head = f"To: {message.to}\nSubject: {message.subject}\nMessage-ID: {message.message_id}"
        click.echo(f"{head}\n\n{message.text}\n", err=True)


class FlaskMailer:
    """Sends by SMTP, through the server and as the sender that the app's Flask-Mail is configured with.

    Flask-Mail makes the mail. The connection is our own: Flask-Mail's waits for ever, and does not look at the
    server's certificate. Source: ASVS 12.3.2.
    """

    def __init__(self, app: Flask, timeout: float) -> None:
        try:
            self._flask_mail: Any = import_extra("flask_mail", what=f'{_SETTING} = "flask_mail"', extra="mail")
        except MissingExtra as error:
            raise ConfigurationError([f"{error}."], [error]) from None
        if "mail" not in app.extensions:
            raise ConfigurationError([f'{_SETTING} = "flask_mail" needs Flask-Mail: call Mail(app) before SecureAuth.'])
        self._app, self._mail, self._timeout = app, app.extensions["mail"], timeout
        if not self._mail.default_sender:
            raise ConfigurationError(["MAIL_DEFAULT_SENDER is missing: mails need an address that they come from."])

    def send(self, message: Message) -> None:
        """Hand ``message`` to the mail server."""
        mail = self._flask_mail.Message(
            subject=message.subject,
            recipients=[message.to],
            body=message.text,
            html=message.html,
            # Source: RFC 3834 section 5: no auto-responder answers.
            extra_headers={"Auto-Submitted": "auto-generated", "Content-Language": message.locale},
        )
        mail.msgId = message.message_id
        if not self._mail.suppress:
            self._deliver(self._flask_mail.sanitize_address(mail.sender), message.to, mail.as_bytes())
        try:
            self._flask_mail.email_dispatched.send(self._app, message=mail)
        except Exception:
            # The mail is gone: what a receiver does wrong must not send it again.
            logger.exception("A receiver of Flask-Mail's signal failed.")

    def _deliver(self, sender: str, to: str, content: bytes) -> None:
        server = self._connect()
        try:
            server.sendmail(sender, [to], content)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = error.recipients[to]
            raise _verdict(code, reply) from None
        except smtplib.SMTPDataError as error:
            raise _verdict(error.smtp_code, error.smtp_error) from None
        finally:
            # The mail was accepted or not; how the server says goodbye changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connect(self) -> smtplib.SMTP:
        mail = self._mail
        tls = ssl.create_default_context()
        if mail.use_ssl:
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.server, mail.port, timeout=self._timeout, context=tls)
        else:
            server = smtplib.SMTP(mail.server, mail.port, timeout=self._timeout)
        try:
            if mail.use_tls:
                server.starttls(context=tls)
            if mail.username and mail.password:
                server.login(mail.username, mail.password)
        except BaseException:
            server.close()
            raise
        return server


def _verdict(code: int, reply: bytes | str) -> Exception:
    """Source: RFC 5321 section 4.2.1: 5yz is for good, 4yz for now."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return MailRefused(f"{code} {text}") if code >= 500 else smtplib.SMTPResponseException(code, text)


def build_mailer(app: Flask, settings: MailSettings) -> Mailer | None:
    """Return what sends mails; ``None`` when nothing does.

    Raises :exc:`~flask_secureauth.errors.ConfigurationError`.
    """
    if settings.transport == "flask_mail":
        return FlaskMailer(app, settings.timeout.total_seconds())
    if settings.transport == "console":
        return ConsoleMailer()
    if settings.transport == "memory":
        return MemoryMailer()
    mailer: Mailer | None = settings.transport
    return mailer
