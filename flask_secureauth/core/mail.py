"""Mail: what is sent, who can send it, and what keeps strangers from writing it.

What a visitor typed gets into a mail only harmless: one line, short, and nothing in it that a mail program
would turn into a link. Source: security.md F10 and F35, ASVS 1.3.11.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from .identifiers import EMAIL_MAX_LENGTH, InvalidEmail, canonical_email, mask_email

SHOWN_LENGTH = 64
"""Characters of what a visitor typed that a mail shows."""

_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\\]+@[^\s@,;:<>()\[\]\"\\]+")
_DOTS = re.compile("[.\u3002\uff0e\uff61](?=\\w)")
_NOT_SHOWN = re.compile(r"[^\w .:/,;()'&+*!?-]")


class MailRefused(Exception):
    """The mail will never be taken: the recipient's server refuses the address or the mail for good."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One mail, ready to be sent. One that is sent again has the same ``message_id``.

    ``link`` stands in ``text`` and in ``html`` already.
    """

    message_id: str
    to: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    locale: str = "en"
    link: str | None = field(default=None, repr=False)

    @property
    def token(self) -> str | None:
        """The token that the link carries, if it carries one."""
        fragment = urlsplit(self.link or "").fragment
        return parse_qs(fragment).get("token", [None])[0]


class Mailer(Protocol):
    """Sends mails. Any object with this method is one."""

    def send(self, message: Message) -> None:
        """Hand ``message`` over, within two minutes.

        Raises :exc:`MailRefused` when no later attempt can succeed. Anything else that is raised is tried again.
        """
        ...


def mailable(address: str) -> str | None:
    """Return the spelling of ``address`` that a mail can be sent to, in ASCII; ``None`` when there is none."""
    if len(address) <= EMAIL_MAX_LENGTH and address.isascii() and address.isprintable() and _ADDRESS.fullmatch(address):
        return address
    try:
        return canonical_email(address, allow_test_domain=True)
    except InvalidEmail:
        return None


def mailbox_of(address: str) -> str:
    """Return ``address`` without a tag, as in ``kim+shop@example.com``: most servers put both into one mailbox."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def one_line(text: str) -> str:
    """Return ``text`` without line breaks and control characters: a header ends where its line does."""
    return " ".join("".join(item if item.isprintable() else " " for item in text).split())


def harmless(text: str) -> str:
    """Return what a visitor typed for a mail to show: one line of at most 64 characters without anything to click.

    An address is masked, since its local part can say anything.
    """
    if "@" in text:
        return mask_email(text)
    shown = _NOT_SHOWN.sub(" ", one_line(_DOTS.sub(_spaced, text[:SHOWN_LENGTH])))
    return one_line(shown.replace("://", " ").replace("//", " "))[:SHOWN_LENGTH]


def _spaced(dot: re.Match[str]) -> str:
    is_number = dot.string[dot.end()].isdigit() and dot.string[dot.start() - 1 : dot.start()].isdigit()
    return "." if is_number else " "
