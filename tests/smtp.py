"""A real SMTP server on this machine, in a thread of its own, that can be as difficult as real ones are."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from queue import Empty, Queue
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


@dataclass
class Received:
    """One mail that the server took."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def link(self) -> str:
        """The first link of the text."""
        found = re.search(r"https?://\S+", self.text)
        assert found, self.text
        return found[0]

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


@dataclass
class SmtpServer:
    """Where it listens, what came, and how it behaves.

    ``recipient_reply`` and ``content_reply`` are said in place of 250, so that the mail is not taken. With
    ``hangs_up`` the server takes the mail and then is gone before it says so.
    """

    port: int = 0
    host: str = HOST
    received: list[Received] = field(default_factory=list)
    recipient_reply: str | None = None
    content_reply: str | None = None
    hangs_up: bool = False
    _arrived: Queue[Received] = field(default_factory=Queue)

    def next(self, timeout: float = 20) -> Received:
        """Wait for the next mail."""
        try:
            return self._arrived.get(timeout=timeout)
        except Empty:
            raise AssertionError(f"no mail came within {timeout} seconds") from None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.recipient_reply:
            return self.recipient_reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.content_reply:
            return self.content_reply
        message = email.message_from_bytes(envelope.content, EmailMessage, policy=email.policy.default)
        received = Received(sender=envelope.mail_from, recipients=list(envelope.rcpt_tos), message=message)
        self.received.append(received)
        self._arrived.put(received)
        if self.hangs_up:
            server.transport.abort()
        return "250 OK"

    def settings(self) -> dict[str, Any]:
        """What Flask-Mail has to be told to send here."""
        return {
            "MAIL_SERVER": self.host,
            "MAIL_PORT": self.port,
            "MAIL_DEFAULT_SENDER": "app@app.example",
            "MAIL_SUPPRESS_SEND": False,
        }


@contextmanager
def smtp_server() -> Iterator[SmtpServer]:
    """Run a server until the end of the block."""
    state = SmtpServer()
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    # In its thread from the start: in this one another loop may run, Playwright's.
    opening = loop.create_server(lambda: SMTP(state, hostname="mail.test", loop=loop), HOST, 0)
    listening = asyncio.run_coroutine_threadsafe(opening, loop).result(10)
    state.port = listening.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        asyncio.run_coroutine_threadsafe(_close(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _close(listening: asyncio.Server) -> None:
    listening.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def silent_server() -> Iterator[int]:
    """Give the port of a server that takes connections and never says a word."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def closed_port() -> Iterator[int]:
    """Give a port of this machine where nobody listens, and nobody will during the block."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield held.getsockname()[1]
