"""The example app, served by waitress on a free port for a browser, with a mail server of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import insert
from waitress import create_server, wasyncore
from werkzeug.security import generate_password_hash
from werkzeug.wrappers import Request

from example_app import create_app
from example_app.models import User, db
from flask_secureauth.features.mail.service import MailService
from flask_secureauth.testing import CONFIG
from tests.smtp import Received, SmtpServer, smtp_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PASSWORD = "kraken-vulcan-42"
_CONFIG = {
    # Mails go the way that they go in earnest.
    **{name: value for name, value in CONFIG.items() if "MAIL" not in name and "URL" not in name},
    "PROPAGATE_EXCEPTIONS": False,
    "MAIL_SUPPRESS_SEND": False,
}
_SECRETS = {
    "SECRET_KEY": "kJ4vQ0cYx1Tn8mZr5uLw2sEa7bHd9fGp-first",
    "JWT_SECRET_KEY": "pX6yB3nRt0Vk9qWj2eMs8zCf5hUa1dLg-second",
}


class Recorder:
    """Keeps the requests that reach an app, between the server and Flask."""

    def __init__(self, app: WSGIApplication) -> None:
        self.requests: list[Request] = []
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Note the request and pass it on."""
        self.requests.append(Request(environ))
        return self._app(environ, start_response)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running app, its ``address``, what was sent to it, and the server that takes its ``mail``."""

    app: Flask
    address: str
    requests: list[Request]
    mail: SmtpServer

    def sent(self, method: str, path: str) -> list[Request]:
        """Return the requests of a kind that arrived in this test."""
        return [request for request in self.requests if (request.method, request.path) == (method, path)]

    def mails(self, to: str, subject: str) -> list[Received]:
        """Return the mails of a kind that arrived for an address."""
        return [mail for mail in self.mail.received if mail.recipients == [to] and mail.message["Subject"] == subject]

    def add_user(self, email: str) -> None:
        """Store an account with ``PASSWORD``, whatever registration would say to its address."""
        hashed = generate_password_hash(PASSWORD, method=CONFIG["SECUREAUTH_PASSWORD_HASH_METHOD"])
        with self.app.app_context():
            db.session.execute(insert(User).values(email=email, password_hash=hashed))
            db.session.commit()

    def sign_in(self, email: str) -> str:
        """Return an access token."""
        response = self.app.test_client().post("/auth/login", json={"email": email, "password": PASSWORD})
        token: str = response.json["access_token"]
        return token

    def sign_out(self, token: str) -> None:
        """End the session of a token."""
        response = self.app.test_client().post("/auth/logout", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200


@contextmanager
def serve(database_url: str, folder: Path, **settings: Any) -> Iterator[Site]:
    """Migrate the database and run the app, with cheap hashes, in threads of this process."""
    with smtp_server() as mail, socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = {
            **_SECRETS,
            "DATABASE_URL": database_url,
            "MAIL_SERVER": mail.host,
            "MAIL_PORT": str(mail.port),
            "MAIL_DEFAULT_SENDER": "app@app.example",
            "PUBLIC_URL": address,
        }
        app = create_app(environment, instance_path=str(folder), **{**_CONFIG, **settings})
        with _run(app, listening) as requests:
            yield Site(app=app, address=address, requests=requests, mail=mail)


@contextmanager
def _run(app: Flask, listening: socket.socket) -> Iterator[list[Request]]:
    recorder = Recorder(app.wsgi_app)
    app.wsgi_app = recorder  # type: ignore[method-assign]
    with app.app_context():
        upgrade()
    server = create_server(app, sockets=[listening], ident=None, threads=8)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield recorder.requests
    finally:
        # In the thread of its loop, which ends when nothing is left to watch.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        thread.join(timeout=10)
        server.task_dispatcher.shutdown()
        app.extensions["secureauth"].service(MailService).worker.stop(10)
        with app.app_context():
            db.engine.dispose()
