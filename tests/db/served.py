"""A small app for a server in processes of its own: ``gunicorn 'tests.db.served:create_app()'``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from flask import Flask

from flask_secureauth import SecureAuth
from flask_secureauth.db.embedded import database_url, engine_options
from flask_secureauth.testing import CONFIG

DATABASE = "SECUREAUTH_SERVED_DATABASE"
SETTINGS = "SECUREAUTH_SERVED_SETTINGS"
_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


def create_app() -> Flask:
    """Build the app in a worker."""
    app = Flask("served")
    url = database_url(os.environ[DATABASE], setting=DATABASE)
    options = {**engine_options(url), "pool_size": 12}
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options)
    app.config.update(json.loads(os.environ.get(SETTINGS, "{}")))
    SecureAuth(app)
    return app


@contextmanager
def gunicorn(url: str, *, workers: int, threads: int, **settings: Any) -> Iterator[int]:
    """Serve the app on a free port of loopback and give the port; the server is ended by its process id.

    ``settings`` are added to the app's; JSON must be able to hold them.
    """
    environment = {**os.environ, DATABASE: url, SETTINGS: json.dumps(settings)}
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", str(workers)]
    command += ["--worker-class", "gthread", "--threads", str(threads), "tests.db.served:create_app()"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            found = next(filter(None, map(_LISTENING.search, process.stderr)))
            # A full pipe would stop the server.
            drain = Thread(target=process.stderr.read, daemon=True)
            drain.start()
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(30)
            drain.join(30)
