"""The reference app of flask_secureauth: the whole life of an account in pages, on MySQL or SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from flask_mail import Mail
from flask_migrate import Migrate

from flask_secureauth import SecureAuth

from . import pages
from .config import read_config
from .models import User, db

MIGRATIONS = str(Path(__file__).parent / "migrations")

mail = Mail()
migrate = Migrate(db=db, directory=MIGRATIONS)
auth = SecureAuth(db=db, user_model=User)


def create_app(
    environment: Mapping[str, str] | None = None, *, instance_path: str | None = None, **settings: Any
) -> Flask:
    """Build the app. Its configuration comes from ``.env`` and the environment, or from ``environment`` alone.

    ``settings`` go straight into ``app.config``. Raises
    :exc:`~flask_secureauth.ConfigurationError` with every problem.
    """
    app = Flask(__name__, instance_path=instance_path)
    app.config.update(read_config(Path(app.instance_path), environment))
    app.config.update(settings)
    db.init_app(app)
    migrate.init_app(app)
    mail.init_app(app)
    auth.init_app(app)
    pages.init_app(app)
    return app
