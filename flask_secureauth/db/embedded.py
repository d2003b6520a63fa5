"""The database that ``SecureAuth(app)`` brings for an app without one, and what any engine needs to be safe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import DeclarativeBase

from ..core.extras import MissingExtra
from ..errors import ConfigurationError

SETTING = "SQLALCHEMY_DATABASE_URI"
DEFAULT_URL = "sqlite:///secureauth.sqlite3"
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_STRICT = "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_EXTRAS = {"pymysql": "mysql", "psycopg": "postgresql"}


def database_url(text: str | URL, *, setting: str) -> URL:
    """Parse a database URL; one without a driver, such as ``mysql://``, gets the driver that an extra brings.

    Raises :exc:`~flask_secureauth.errors.ConfigurationError` that names ``setting``.
    """
    try:
        url = make_url(text)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        url.get_dialect().import_dbapi()
    except ArgumentError:
        problem = f"{setting} is not a database URL such as mysql+pymysql://user:password@host/name."
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        problem = f"{MissingExtra(setting, extra)}." if extra else f"{setting} needs a driver: {error}."
    else:
        return url
    raise ConfigurationError([problem])


def engine_options(url: URL) -> dict[str, Any]:
    """Return what an engine for ``url`` needs to be safe: ``SQLALCHEMY_ENGINE_OPTIONS``."""
    # Parameters hold password hashes, which do not belong into a traceback.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() != "sqlite":
        # A server closes connections that are idle; without a ping a user notices first.
        options |= {"pool_pre_ping": True, "pool_recycle": 1800}
    if url.get_backend_name() in ("mysql", "mariadb"):
        # Without strict mode MySQL cuts what does not fit; without utf8mb4 it refuses or alters an emoji.
        arguments: dict[str, Any] = {"charset": "utf8mb4", "init_command": f"SET SESSION sql_mode = '{_STRICT}'"}
        if url.get_driver_name() == "pymysql" and url.host in LOOPBACK:
            # PyMySQL builds a TLS context for each connection, some 45 ms, even to this very machine.
            arguments["ssl_disabled"] = True
        options["connect_args"] = arguments
    return options


def embed_sqlalchemy(app: Flask) -> SQLAlchemy:
    """Give ``app`` a Flask-SQLAlchemy, on SQLite in the instance folder unless it names a database."""
    url = database_url(app.config.setdefault(SETTING, DEFAULT_URL), setting=SETTING)
    app.config[SETTING] = url
    if url.render_as_string() == DEFAULT_URL:
        keep_private(Path(app.instance_path) / str(url.database))
    app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", engine_options(url))
    return SQLAlchemy(app, model_class=type("Base", (DeclarativeBase,), {}))


def keep_private(file: Path) -> None:
    """Create ``file`` readable by its owner alone, if it is not there: it will hold password hashes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)


def create_missing_tables(app: Flask, sqlalchemy: SQLAlchemy) -> None:
    """Create the tables that are not there. Raises ConfigurationError when the database does not answer."""
    with app.app_context():
        try:
            _create_all(sqlalchemy)
        except DBAPIError as error:
            raise ConfigurationError([f"{SETTING}: the database does not answer: {error.orig}."]) from error


def _create_all(sqlalchemy: SQLAlchemy) -> None:
    try:
        sqlalchemy.create_all()
    except DBAPIError:
        # Another worker that starts at the same time was quicker; a second look finds its tables.
        sqlalchemy.create_all()
