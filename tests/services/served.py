"""Apps in processes of their own, whose clock is a file: an issuer, and a service that only verifies.

``python -m tests.services.served`` serves one with waitress and prints its port.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from socket import create_connection
from threading import Thread
from typing import Any

from flask import Flask
from waitress import create_server

from flask_secureauth import SecureAuth, get_jwt_identity, jwt_required
from flask_secureauth.testing import CONFIG

ENVIRONMENT = "SECUREAUTH_SERVED"
EMAILS = {"1": "kim@example.com"}
"""What the service that only verifies knows of people, by ``sub``."""


class FileClock:
    """A time that several processes share, and that moves only when it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> float:
        return float(self.path.read_text())

    def set(self, now: float) -> None:
        """Let it be ``now`` everywhere, at once."""
        draft = self.path.with_suffix(".new")
        draft.write_text(str(now))
        draft.replace(self.path)

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.set(self() + seconds)


def create_app() -> Flask:
    """Build the app that the environment describes."""
    settings = json.loads(os.environ[ENVIRONMENT])
    clock = settings.pop("CLOCK", None)
    return build(settings, FileClock(Path(clock)) if clock else None)


def build(settings: dict[str, Any], clock: FileClock | None) -> Flask:
    """An app with guarded views. With ``SECUREAUTH_JWKS_URL`` it only verifies."""
    app = Flask("served")
    verifies_only = "SECUREAUTH_JWKS_URL" in settings
    app.config.update({"TESTING": True} if verifies_only else CONFIG)
    app.config.update(settings)
    SecureAuth(app)
    state = app.extensions["secureauth"]
    if clock:
        state.clock.source = clock

    @app.get("/guarded")
    @jwt_required
    def guarded() -> dict[str, str]:
        return {"email": EMAILS.get(str(get_jwt_identity()), "somebody")}

    @app.get("/kids")
    def kids() -> dict[str, list[str]]:
        ring = state.keys.ring(state.clock.timestamp())
        return {"accepted": [key.kid for key in ring.keys], "pending": [key.kid for key in ring.pending]}

    if verifies_only:
        app.add_url_rule("/users/me", "me", guarded)
    return app


class Remote:
    """A served app. It is spoken to in bytes, since forged tokens are nothing that a decent client sends."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._port = port

    def send(
        self, method: str, path: str, *, body: Any = None, authorization: str | None = None
    ) -> tuple[int, Any, HTTPMessage]:
        """Send one request; return status, JSON or text, and headers."""
        raw = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(raw)}"]
        lines += ["Content-Type: application/json"] if raw else []
        lines += [] if authorization is None else [f"Authorization: {authorization}"]
        with create_connection(("127.0.0.1", self._port), timeout=60) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + raw)
            with HTTPResponse(connection, method=method) as response:
                response.begin()
                text = response.read().decode("utf-8", "replace")
                is_json = response.headers.get_content_type() == "application/json"
                return response.status, json.loads(text) if is_json else text, response.headers

    def get(self, path: str, token: str) -> tuple[int, Any, HTTPMessage]:
        """Send a guarded request."""
        return self.send("GET", path, authorization=f"Bearer {token}")

    def post(self, path: str, body: Any) -> Any:
        """Send JSON and return JSON; nothing but success is expected."""
        status, answer, _ = self.send("POST", path, body=body)
        assert status in (200, 201), answer
        return answer


def environment(settings: dict[str, Any]) -> dict[str, str]:
    """The environment in which :func:`create_app` builds an app with ``settings``."""
    return {**os.environ, ENVIRONMENT: json.dumps(settings), "PYTHONUNBUFFERED": "1"}


@contextmanager
def serve(**settings: Any) -> Iterator[Remote]:
    """Serve an app on a free port of loopback; its process is ended by its id."""
    command = [sys.executable, "-m", "tests.services.served"]
    with subprocess.Popen(command, env=environment(settings), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port = process.stdout.readline()
            assert port, "the app did not start; its error is above"
            # A full pipe would stop the server.
            drain = Thread(target=process.stdout.read, daemon=True)
            drain.start()
            yield Remote(int(port))
        finally:
            process.terminate()
            process.wait(30)
            if port:
                drain.join(30)


def run_flask(settings: dict[str, Any], *arguments: str) -> str:
    """Run ``flask secureauth`` on such an app as an operator does, and return what it prints."""
    command = [sys.executable, "-m", "flask", "--app", "tests.services.served:create_app", "secureauth", *arguments]
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def main() -> None:
    """Serve until the process is ended."""
    server = create_server(create_app(), host="127.0.0.1", port=0, threads=8)
    print(server.effective_port)
    server.run()


if __name__ == "__main__":
    main()
