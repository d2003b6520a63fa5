"""An app under load: served by gunicorn in processes of its own, with real mail and counted password checks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from flask import Flask
from flask_mail import Mail

from flask_secureauth import SecureAuth
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.db.embedded import database_url, engine_options
from flask_secureauth.testing import CONFIG

SETTINGS = "SECUREAUTH_LOAD_SETTINGS"
CHECKS = "SECUREAUTH_LOAD_CHECKS"
_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


def create_app(settings: dict[str, Any] | None = None) -> Flask:
    """Build the app; in a worker, with the settings of the environment."""
    settings = settings or json.loads(os.environ[SETTINGS])
    app = Flask("load")
    url = database_url(settings["SQLALCHEMY_DATABASE_URI"], setting="SQLALCHEMY_DATABASE_URI")
    options = {**engine_options(url), "pool_size": 12}
    app.config.update({**CONFIG, **settings, "SQLALCHEMY_ENGINE_OPTIONS": options})
    if "MAIL_SERVER" in settings:
        Mail(app)
    SecureAuth(app)
    if CHECKS in os.environ:
        _count_checks(Path(os.environ[CHECKS]))
    return app


def _count_checks(file: Path) -> None:
    """Note each password check of this process as a byte of the file, which all workers append to."""
    verify = PasswordHasher.verify
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def counted(self: PasswordHasher, *arguments: Any) -> bool:
        os.write(descriptor, b".")
        return verify(self, *arguments)

    PasswordHasher.verify = counted  # type: ignore[method-assign]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running gunicorn."""

    port: int
    pid: int

    def workers(self) -> list[int]:
        """The process ids of the workers that live now, and not of those whose death is not noted yet."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if _is_alive(pid)]


def _is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def serve(settings: dict[str, Any], *, workers: int, threads: int, checks: Path | None = None) -> Iterator[Server]:
    """Serve the app on a free port of loopback; the server is ended by its process id."""
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", str(workers)]
    command += ["--worker-class", "gthread", "--threads", str(threads), "tests.load.site:create_app()"]
    environment = {**os.environ, SETTINGS: json.dumps(settings), **({CHECKS: str(checks)} if checks else {})}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            found = next(filter(None, map(_LISTENING.search, process.stderr)))
            # A full pipe would stop the server.
            drain = Thread(target=process.stderr.read, daemon=True)
            drain.start()
            yield Server(port=int(found[1]), pid=process.pid)
        finally:
            process.terminate()
            process.wait(30)
            drain.join(30)
