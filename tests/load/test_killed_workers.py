"""Workers are killed while they register users and reset passwords: nothing that was said is lost.

8 kills in a usual run; ``SECUREAUTH_TEST_KILLS=200`` makes it the whole massacre.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Event, Lock
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from flask_secureauth.features.email_verification import EmailVerificationMixin
from flask_secureauth.features.mail.service import MailService
from flask_secureauth.features.mail.tables import MailMixin
from flask_secureauth.testing import frozen_clock
from tests.conftest import dispose
from tests.load.site import Server, create_app, serve
from tests.smtp import SmtpServer, smtp_server

KILLS = int(os.environ.get("SECUREAUTH_TEST_KILLS", "8"))
THREADS = 12
OLD, NEW = "kraken-vulcan-42", "amber-tundra-77"
LOST = 0
"""The status of a request that got no answer."""
PATIENCE = 5.0
"""Seconds that a visitor waits for a mail before somebody else comes; it arrives later."""


_LINK = re.compile(r"(/[a-z-]+)#token=([A-Za-z0-9_-]{43})")


@dataclass
class Visitor:
    """Somebody who registers, verifies the address, and resets the password; and what the server has said to that."""

    email: str
    registered: bool = False
    verified: bool | None = False
    asked: bool = False
    reset: bool | None = False
    statuses: list[int] = field(default_factory=list)


class Inbox:
    """What has arrived, by recipient and page of the link; read once."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._read = 0
        self._tokens: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._lock = Lock()

    def tokens(self, email: str, page: str) -> list[str]:
        """The tokens of the links to ``page`` that arrived at an address, the newest last."""
        with self._lock:
            while self._read < len(self._server.received):
                mail = self._server.received[self._read]
                self._read += 1
                if found := _LINK.search(mail.text):
                    self._tokens[mail.recipients[0], found[1]].append(found[2])
            return list(self._tokens[email, page])


class Crowd:
    """Visitors, one after the other in each thread, until it is enough."""

    def __init__(self, port: int, inbox: Inbox) -> None:
        self.visitors: list[Visitor] = []
        self.enough = Event()
        self._port, self._inbox = port, inbox
        self._numbers = count()

    def run(self) -> None:
        """Send visitors through."""
        while not self.enough.is_set():
            visitor = Visitor(f"visitor-{next(self._numbers)}@example.com")
            self.visitors.append(visitor)
            self._visit(visitor)

    def _visit(self, visitor: Visitor) -> None:
        credentials = {"email": visitor.email, "password": OLD}
        visitor.registered = self._post(visitor, "/users", credentials) == 202
        if not (token := self._token(visitor, "/verify")):
            return
        visitor.verified = self._confirm(visitor, "email-verification", {"token": token, "password": OLD})
        visitor.asked = self._post(visitor, "/auth/password-reset", {"email": visitor.email}) == 202
        if not (token := self._token(visitor, "/reset-password")):
            return
        visitor.reset = self._confirm(visitor, "password-reset", {"token": token, "new_password": NEW})

    def _confirm(self, visitor: Visitor, flow: str, body: dict[str, str]) -> bool | None:
        """Whether it was done; ``None`` when nobody said so."""
        status = self._post(visitor, f"/auth/{flow}/confirm", body)
        return None if status == LOST else status == 200

    def _post(self, visitor: Visitor, path: str, body: dict[str, str]) -> int:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, HTTPException):
            status = LOST
        finally:
            connection.close()
        visitor.statuses.append(status)
        return status

    def _token(self, visitor: Visitor, page: str) -> str | None:
        """Wait for a mail with a link to ``page``."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self.enough.is_set():
            if found := self._inbox.tokens(visitor.email, page):
                return found[-1]
            self.enough.wait(0.02)
        return None


def kill(server: Server, times: int) -> None:
    """Kill a worker, over and over, each when at least two others live."""
    for _ in range(times):
        time.sleep(random.uniform(0.2, 1.2))  # At no moment of its own choosing: that is the experiment.
        until = time.monotonic() + 60
        while len(workers := server.workers()) < 3:
            assert time.monotonic() < until, "gunicorn starts no more workers"
            time.sleep(0.01)  # Nothing tells of a process that has begun.
        os.kill(random.choice(workers), signal.SIGKILL)


@pytest.fixture
def mails() -> Iterator[SmtpServer]:
    """A mail server."""
    with smtp_server() as server:
        yield server


@pytest.fixture
def settings(server_database: Callable[[str], str], mails: SmtpServer) -> dict[str, Any]:
    """An app on MariaDB with real mail, where nobody signs in before the address is verified."""
    return {
        "SQLALCHEMY_DATABASE_URI": server_database("mariadb"),
        "SECUREAUTH_EMAIL_VERIFICATION_MODE": "required",
        "SECUREAUTH_PASSWORD_RESET_LIFETIME": 3600,
        "SECUREAUTH_MAIL_TRANSPORT": "flask_mail",
        **mails.settings(),
    }


@pytest.fixture
def app(settings: dict[str, Any]) -> Iterator[Flask]:
    """The same app in this process, on empty tables."""
    app = create_app({**settings, "SECUREAUTH_MAIL_DELIVERY": "command"})
    yield app
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        db.session.remove()
        db.drop_all()
    dispose(app)


def rows_of(app: Flask, mixin: type) -> list[Any]:
    """The rows of a table."""
    state = app.extensions["secureauth"]
    with app.app_context(), state.sqlalchemy.engine.connect() as connection:
        return list(connection.execute(select(state.models[mixin].__table__)))


def deliver_the_rest(app: Flask) -> None:
    """Send what dead workers have left, once their claims are over."""
    with frozen_clock(app, datetime.now(UTC) + timedelta(minutes=3)):
        list(app.extensions["secureauth"].service(MailService).deliver())


def works(app: Flask, email: str, password: str) -> bool:
    """Whether one signs in with it."""
    response = app.test_client().post("/auth/login", json={"email": email, "password": password})
    assert response.status_code in (200, 401)
    return response.status_code == 200


def test_what_was_acknowledged_is_there_after_workers_were_killed(
    app: Flask, settings: dict[str, Any], mails: SmtpServer
) -> None:
    """Registrations and resets under load, and SIGKILL at random moments."""
    with serve(settings, workers=4, threads=3) as server, ThreadPoolExecutor(THREADS) as pool:
        inbox = Inbox(mails)
        crowd = Crowd(server.port, inbox)
        running: list[Future[None]] = [pool.submit(crowd.run) for _ in range(THREADS)]
        try:
            kill(server, KILLS)
        finally:
            crowd.enough.set()
        for future in running:
            future.result(60)
    deliver_the_rest(app)

    visitors = crowd.visitors
    statuses = Counter(status for visitor in visitors for status in visitor.statuses)
    done = Counter((visitor.registered, visitor.verified, visitor.reset) for visitor in visitors)
    print(f"{KILLS} kills, {len(visitors)} visitors, statuses {dict(statuses)}, outcomes {dict(done)}")
    assert set(statuses) <= {LOST, 200, 202}
    assert_accounts_are_whole(app, visitors)
    assert_mails_arrived(app, visitors, inbox)
    assert_copies_are_the_same(mails)
    assert_outbox_is_done(app, mails)
    for visitor in visitors:
        assert_password_is_one(app, visitor)


def assert_accounts_are_whole(app: Flask, visitors: list[Visitor]) -> None:
    """Each acknowledged account is there, none twice, and none without what belongs to it."""
    state = app.extensions["secureauth"]
    with app.app_context():
        users = state.sqlalchemy.session.scalars(select(state.user_model)).all()
        emails = Counter(user.email for user in users)
        keys = {state.users.identify(user) for user in users}
    verifications = Counter(row.user_id for row in rows_of(app, EmailVerificationMixin))

    assert {visitor.email for visitor in visitors if visitor.registered} <= emails.keys()
    assert set(emails.values()) == {1}
    assert verifications == dict.fromkeys(keys, 1)


def assert_mails_arrived(app: Flask, visitors: list[Visitor], inbox: Inbox) -> None:
    """Each mail that was promised has arrived."""
    for visitor in visitors:
        assert not visitor.registered or inbox.tokens(visitor.email, "/verify")
        assert not visitor.asked or inbox.tokens(visitor.email, "/reset-password")


def assert_outbox_is_done(app: Flask, mails: SmtpServer) -> None:
    """Each mail was sent; one whose link was used before its dead worker noted that it was sent is not sent again."""
    arrived = {str(mail.message["Message-ID"])[1:33] for mail in mails.received}
    rows = [(row.id in arrived, row.outcome) for row in rows_of(app, MailMixin)]

    assert {outcome for _, outcome in rows} <= {"sent", "expired"}
    assert all(has_arrived for has_arrived, _ in rows)


def assert_copies_are_the_same(mails: SmtpServer) -> None:
    """What was sent twice, since nobody knew whether it had arrived, says the same under the same Message-ID."""
    copies = defaultdict(set)
    for mail in mails.received:
        copies[mail.message["Message-ID"]].add(mail.text)
    assert {len(texts) for texts in copies.values()} == {1}


def assert_password_is_one(app: Flask, visitor: Visitor) -> None:
    """The old password or the new one, never both; and the one that the server has said."""
    if not visitor.verified and visitor.verified is not None:
        assert not works(app, visitor.email, OLD)
        return
    old, new = works(app, visitor.email, OLD), works(app, visitor.email, NEW)
    assert not (old and new)
    if visitor.verified:
        assert old or new
    if visitor.reset is not None:
        assert new is visitor.reset
