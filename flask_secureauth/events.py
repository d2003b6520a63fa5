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
    """Who sent the request. ``ip`` is ``None`` outside a request."""

    ip: str | None = None
    user_agent: str = ""


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
    """A sign-in was refused. ``email`` is what was typed, ``reason`` is for logs and never for the client."""

    signal = NamedSignal("login-failed")
    email: str
    reason: str
    client: Client


@dataclass(frozen=True, kw_only=True)
class UserLoggedOut(Event):
    """A session was ended by its user."""

    signal = NamedSignal("user-logged-out")
    user_id: Any
    session_id: str


user_registered = UserRegistered.signal
user_logged_in = UserLoggedIn.signal
login_failed = LoginFailed.signal
user_logged_out = UserLoggedOut.signal

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
