"""The few facts that cross features, and the signals an app can listen to.

A feature announces; whoever cares has a handler. Handlers run inside the transaction; signals are
sent after it was committed, so a receiver never acts on something that did not happen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from blinker import NamedSignal

logger = logging.getLogger("flask_secureauth")


@dataclass(frozen=True, kw_only=True)
class Client:
    """Who sent the request, and what it is called in logs. ``ip`` and ``request_id`` are ``None`` outside a request."""

    ip: str | None = None
    user_agent: str = ""
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. Its signal carries its fields as keyword arguments, the app as sender."""

    signal: ClassVar[NamedSignal]


@dataclass(frozen=True, kw_only=True)
class UserRegistered(Event):
    """An account was created."""

    signal = NamedSignal("user-registered")
    user: Any


@dataclass(frozen=True, kw_only=True)
class UserLoggedIn(Event):
    """Somebody signed in. ``methods`` are the ``amr`` values, such as ``("pwd",)`` (RFC 8176)."""

    signal = NamedSignal("user-logged-in")
    user: Any
    session_id: str
    methods: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class LoginFailed(Event):
    """A sign-in was refused. ``email`` is what was typed, ``reason`` is for logs and never for the client.

    ``user_id`` is whose address it is, ``None`` when it is nobody's.
    """

    signal = NamedSignal("login-failed")
    email: str
    reason: str
    client: Client
    user_id: Any = None


@dataclass(frozen=True, kw_only=True)
class UserLoggedOut(Event):
    """A user signed out."""

    signal = NamedSignal("user-logged-out")
    user_id: Any
    session_id: str


@dataclass(frozen=True, kw_only=True)
class SessionsEnded(Event):
    """Sessions of one user were ended. ``reason`` is what their rows say:

    ``logout``, ``logout_others``, ``logout_global``, ``ended`` (by their user, from a list),
    ``limit``, ``replaced``, ``reuse``, ``admin``, ``deleted`` (with the account), or the reason of a
    :class:`CredentialsChanged`.
    """

    signal = NamedSignal("sessions-ended")
    user_id: Any
    session_ids: Sequence[str]
    reason: str


@dataclass(frozen=True, kw_only=True)
class RefreshTokenReuseDetected(Event):
    """A refresh token came back that had been traded before: somebody else holds a copy. The session was ended."""

    signal = NamedSignal("refresh-token-reuse-detected")
    user_id: Any
    session_id: str
    client: Client


@dataclass(frozen=True, kw_only=True)
class CredentialsChanged(Event):
    """What proves who a user is has changed. All sessions end but ``session_id``, where the change was made."""

    signal = NamedSignal("credentials-changed")
    user_id: Any
    reason: str
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class EmailVerified(Event):
    """A user proved that the mailbox of the account is theirs."""

    signal = NamedSignal("email-verified")
    user_id: Any
    email: str


@dataclass(frozen=True, kw_only=True)
class PasswordResetRequested(Event):
    """Somebody asked for a link to a new password. ``email`` is what was typed, of an account or not."""

    signal = NamedSignal("password-reset-requested")
    email: str
    client: Client


@dataclass(frozen=True, kw_only=True)
class EmailChangeRequested(Event):
    """A user asked for another address, which has yet to be proven."""

    signal = NamedSignal("email-change-requested")
    user_id: Any
    email: str
    new_email: str


@dataclass(frozen=True, kw_only=True)
class EmailChanged(Event):
    """The address of an account is another one. ``undone`` when its former owner took a change back."""

    signal = NamedSignal("email-changed")
    user_id: Any
    old_email: str
    email: str
    undone: bool = False


@dataclass(frozen=True, kw_only=True)
class UserDeleted(Event):
    """An account is deleted. Its handlers run before its row goes, in the same transaction; the signal comes after."""

    signal = NamedSignal("user-deleted")
    user_id: Any
    email: str


@dataclass(frozen=True, kw_only=True)
class AccountExported(Event):
    """A user was given all that is held about them."""

    signal = NamedSignal("account-exported")
    user_id: Any


@dataclass(frozen=True, kw_only=True)
class RequestThrottled(Event):
    """A request came too often. ``throttle`` is the name of the limit."""

    signal = NamedSignal("request-throttled")
    throttle: str
    client: Client


@dataclass(frozen=True, kw_only=True)
class AccountLocked(Event):
    """Too many wrong passwords for an address: for a while nobody gets in with it from an unknown device.

    ``user_id`` is whose address it is, ``None`` when it is nobody's.
    """

    signal = NamedSignal("account-locked")
    email: str
    seconds: int
    client: Client
    user_id: Any = None


@dataclass(frozen=True, kw_only=True)
class BreachCheckFailed(Event):
    """A new password could not be looked up among breached ones, and was judged without. ``reason`` is for logs."""

    signal = NamedSignal("breach-check-failed")
    reason: str


@dataclass(frozen=True, kw_only=True)
class MailQueued(Event):
    """A mail is in the outbox, and waits for its delivery."""

    signal = NamedSignal("mail-queued")
    template: str


@dataclass(frozen=True, kw_only=True)
class MailFailed(Event):
    """A mail was given up. ``reason`` is for logs."""

    signal = NamedSignal("mail-failed")
    template: str
    email: str
    reason: str


user_registered = UserRegistered.signal
user_logged_in = UserLoggedIn.signal
login_failed = LoginFailed.signal
user_logged_out = UserLoggedOut.signal
sessions_ended = SessionsEnded.signal
refresh_token_reuse_detected = RefreshTokenReuseDetected.signal
credentials_changed = CredentialsChanged.signal
email_verified = EmailVerified.signal
password_reset_requested = PasswordResetRequested.signal
email_change_requested = EmailChangeRequested.signal
email_changed = EmailChanged.signal
user_deleted = UserDeleted.signal
account_exported = AccountExported.signal
request_throttled = RequestThrottled.signal
account_locked = AccountLocked.signal
breach_check_failed = BreachCheckFailed.signal
mail_queued = MailQueued.signal
mail_failed = MailFailed.signal

Handler = Callable[[Any], None]


class Events:
    """Runs the handlers of announced events, and sends the signals once they are true."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._handlers: dict[type[Event], list[Handler]] = {}

    def subscribe(self, event: type[Event], handler: Handler) -> None:
        """Have ``handler`` run in the transaction of each ``event``."""
        self._handlers.setdefault(event, []).append(handler)

    def handle(self, event: Event) -> None:
        """Run the handlers of ``event``."""
        for handler in self._handlers.get(type(event), ()):
            handler(event)

    def send(self, event: Event) -> None:
        """Send the signal of ``event``. A failing receiver is logged: what happened has happened."""
        facts = {item.name: getattr(event, item.name) for item in fields(event)}
        for receiver in event.signal.receivers_for(self._sender):
            try:
                receiver(self._sender, **facts)
            except Exception:
                logger.exception("A receiver of the signal %s failed.", event.signal.name)
