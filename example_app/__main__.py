"""``python -m example_app``: migrate the embedded database, say where the app is, serve it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy.exc import SQLAlchemyError
from waitress import create_server
from werkzeug.serving import WSGIRequestHandler

from flask_secureauth import ConfigurationError
from flask_secureauth.db.embedded import LOOPBACK

from . import MIGRATIONS, create_app
from .config import read_environment
from .models import db

SERVER: dict[str, Any] = {
    # No answer names the server and its version.
    "ident": None,
    # More than may wait for their turn to hash (SECUREAUTH_PASSWORD_MAX_WAITING), so that a storm of sign-ins
    # leaves threads for everybody else.
    "threads": 48,
    # What is larger than our routes read is still answered in JSON, up to here; waitress would spool 1 GiB.
    "max_request_body_size": 16 * 1024 * 1024,
}


def main() -> None:
    """Run the app until Ctrl+C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        app = create_app()
    except ConfigurationError as error:
        sys.exit(str(error))
    _prepare_database(app)
    values = read_environment()
    host, port = values.get("HOST") or "127.0.0.1", _port(values.get("PORT") or "5000")
    if app.debug and host in LOOPBACK:
        app.run(host, port, debug=True, request_handler=_DevelopmentServer)
        return
    _serve(app, host, port)


class _DevelopmentServer(WSGIRequestHandler):
    """Werkzeug's own, without the versions in each answer."""

    def version_string(self) -> str:
        """Value of the header ``Server``."""
        return "development"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        sys.exit(f"PORT must be a number from 0 to 65535, not {text!r}.")
    return int(text)


def _prepare_database(app: Flask) -> None:
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            upgrade()
            return
        try:
            with db.engine.connect() as connection:
                present = set(MigrationContext.configure(connection).get_current_heads())
        except SQLAlchemyError as error:
            app.logger.warning("The database does not answer yet: %s", getattr(error, "orig", error))
            return
        if present != set(ScriptDirectory(MIGRATIONS).get_heads()):
            sys.exit("The database has an older schema. Run: flask --app example_app db upgrade")


def _serve(app: Flask, host: str, port: int) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False  # Also with DEBUG: waitress would answer a crash in plain text.
    try:
        server = create_server(app, host=host, port=port, **SERVER)
    except OSError as error:
        sys.exit(f"Cannot serve on {host}, port {port}: {error.strerror}. Choose another one with PORT.")
    with app.app_context():
        kept_in = db.engine.url.render_as_string(hide_password=True)
    address = f"http://{host}:{server.effective_port}/"
    try:
        print(f"The example app is on {address} with {kept_in}. Stop it with Ctrl+C.", flush=True)
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()


if __name__ == "__main__":
    main()
