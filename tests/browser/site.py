"""The example app, served by waitress on a free port for a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import insert
from waitress import create_server, wasyncore
from werkzeug.security import generate_password_hash

from example_app import create_app
from example_app.models import User, db
from flask_secureauth.testing import CONFIG

PASSWORD = "kraken-vulcan-42"
_SECRETS = {
    "SECRET_KEY": "kJ4vQ0cYx1Tn8mZr5uLw2sEa7bHd9fGp-first",
    "JWT_SECRET_KEY": "pX6yB3nRt0Vk9qWj2eMs8zCf5hUa1dLg-second",
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running app and its ``address``."""

    app: Flask
    address: str

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
    environment = {**_SECRETS, "DATABASE_URL": database_url}
    app = create_app(environment, instance_path=str(folder), **{**CONFIG, "PROPAGATE_EXCEPTIONS": False, **settings})
    with app.app_context():
        upgrade()
    server = create_server(app, host="127.0.0.1", port=0, ident=None, threads=8)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Site(app=app, address=f"http://127.0.0.1:{server.effective_port}")
    finally:
        # In the thread of its loop, which ends when nothing is left to watch.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        thread.join(timeout=10)
        server.task_dispatcher.shutdown()
        with app.app_context():
            db.engine.dispose()
