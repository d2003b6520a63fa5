"""What all apps of a run share: a database and a secret."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import make_url

from flask_secureauth.db.embedded import engine_options

from .models import db
from .signers import Signer, hs256


class Site:
    """Makes apps on one database; the processes of a server make the same ones from its URL and its secret."""

    def __init__(self, url: str, secret: str | None = None) -> None:
        self.url = url
        self.secret = secret or secrets.token_urlsafe(32)
        self.signer: Signer = hs256(self.secret)
        self._apps: list[tuple[Flask, SQLAlchemy]] = []

    def app(self, name: str, *, sqlalchemy: SQLAlchemy = db, **settings: Any) -> Flask:
        """An app with Flask-SQLAlchemy and the engine options that the package gives itself: peers get the same."""
        app = Flask(f"benchmark_{name}")
        app.config.update(
            SQLALCHEMY_DATABASE_URI=self.url,
            SQLALCHEMY_ENGINE_OPTIONS=engine_options(make_url(self.url)),
        )
        app.config.update(settings)
        sqlalchemy.init_app(app)
        self._apps.append((app, sqlalchemy))
        return app

    def close(self) -> None:
        """Close all connections."""
        for app, sqlalchemy in self._apps:
            with app.app_context():
                sqlalchemy.engine.dispose()
