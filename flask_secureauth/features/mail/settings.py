"""The settings of mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ...setting_kinds import TEXT, InvalidSetting, Kind, choice, duration, optional, setting

TRANSPORTS = ("flask_mail", "console", "memory")


def _transport(value: Any) -> Any:
    if value is None or value in TRANSPORTS or callable(getattr(value, "send", None)):
        return value
    raise InvalidSetting(TRANSPORT.words)


TRANSPORT = Kind(
    words='None, "flask_mail", "console", "memory", or an object with a method send(message)', read=_transport
)


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Who sends the mails, and how long it is tried."""

    transport: Any = setting(
        None,
        TRANSPORT,
        "Who sends mails. With None they wait in the outbox.",
        secret=True,
    )
    delivery: str = setting(
        "thread",
        choice("thread", "command"),
        "Who delivers the outbox: a thread of each process, or flask secureauth mail deliver.",
    )
    app_name: str | None = setting(
        None, optional(TEXT), "What mails call the app. None takes the name of the Flask app."
    )
    locale: str = setting("en", TEXT, "Language of mails, unless Flask-Babel knows the visitor's: en, de, or your own.")
    timeout: timedelta = setting(
        timedelta(seconds=10),
        duration(timedelta(seconds=1), timedelta(seconds=30)),
        "How long the mail server may be silent before the mail is tried again later.",
    )
    lifetime: timedelta = setting(
        timedelta(hours=24),
        duration(timedelta(minutes=1), timedelta(days=7)),
        "How long it is tried to send a mail before it is given up.",
    )
    retention: timedelta = setting(
        timedelta(days=7),
        duration(timedelta(0), timedelta(days=3650)),
        "How long the row of a mail that was sent or given up is kept before flask secureauth purge deletes it.",
    )
