"""Fixtures that all tests share.

``make_app`` builds an app on ``database_url``: SQLite, or with the mark ``every_database`` one after the other of
SQLite, MariaDB and PostgreSQL, with the same assertions.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, create_engine, make_url, text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from flask_secureauth import SecureAuth
from flask_secureauth.core.jwt import TokenIssuer
from flask_secureauth.testing import CONFIG, FrozenClock, frozen_clock
from tests import servers

PASSWORD = "kraken-vulcan-42"
THROTTLED = {"SECUREAUTH_THROTTLING_ENABLED": True}
DATABASES = ("sqlite", "mariadb", "postgresql")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_database: run on SQLite, MariaDB and PostgreSQL")
    if not hasattr(config, "workerinput"):
        os.environ[servers.FOLDER] = tempfile.mkdtemp(prefix="secureauth-servers-")
        if folder := servers.quick_folder():
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.stop_all(Path(os.environ.pop(servers.FOLDER)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say each reason for skipping once, and how many tests it kept from running."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} {reason.replace('Skipped:', 'skipped:')}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("every_database"):
        metafunc.parametrize("database_url", DATABASES, indirect=True)


@pytest.fixture(scope="session")
def server_database(worker_id: str) -> Callable[[str], str]:
    """Return the URL of this worker's own database on a server, created on first use."""
    urls: dict[str, str] = {}
    name = f"secureauth_test_{worker_id}_{os.getpid()}"

    def create(kind: str) -> str:
        if kind not in urls:
            admin = servers.mysql_url() if kind == "mariadb" else servers.postgresql_url()
            engine = create_engine(admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            charset = " CHARACTER SET utf8mb4" if kind == "mariadb" else ""
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}{charset}"))
            urls[kind] = admin.set(database=name).render_as_string(hide_password=False)
            dropped.append((engine, name))
        return urls[kind]

    dropped: list[tuple[Any, str]] = []
    yield create  # type: ignore[misc]
    for engine, database in dropped:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {database}"))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.sqlite3'}"
        return
    url = request.getfixturevalue("server_database")(kind)
    yield url
    engine = create_engine(url, poolclass=NullPool)
    metadata = MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        metadata.drop_all(connection)


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return a function that builds an app with the embedded user model; keyword arguments are settings.

    ``secure_auth`` are arguments of ``SecureAuth``. ``before`` is called with the app before ``SecureAuth``.
    """
    apps: list[Flask] = []

    def make(
        *, secure_auth: dict[str, Any] | None = None, before: Callable[[Flask], None] | None = None, **settings: Any
    ) -> Flask:
        app = Flask("testapp", instance_path=str(tmp_path / "instance"))
        app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI=database_url, PROPAGATE_EXCEPTIONS=False)
        app.config.update(settings)
        if before:
            before(app)
        apps.append(app)
        SecureAuth(app, **(secure_auth or {}))
        return app

    yield make
    for app in apps:
        dispose(app)


def dispose(app: Flask) -> None:
    """End the thread that delivers mails, and close every connection of an app's pools."""
    services = getattr(app.extensions.get("secureauth"), "services", {})
    if "mail" in services:
        services["mail"].worker.stop(10)
    if "sqlalchemy" in app.extensions:
        with app.app_context():
            for engine in app.extensions["sqlalchemy"].engines.values():
                engine.dispose()


def new_sqlalchemy() -> SQLAlchemy:
    """A Flask-SQLAlchemy object with a declarative base of its own."""
    return SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}))


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app with default settings."""
    return make_app()


@pytest.fixture
def redis_url(worker_id: str) -> str:
    """The URL of an empty Redis database, of this worker alone."""
    redis = pytest.importorskip("redis")
    number = int(worker_id.removeprefix("gw").replace("main", "0")) % 16
    url = make_url(servers.redis_url()).set(database=str(number)).render_as_string(hide_password=False)
    with redis.Redis.from_url(url) as connection:
        connection.flushdb()
    return url


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of ``app``."""
    return app.test_client()


@pytest.fixture
def clock(app: Flask) -> Iterator[FrozenClock]:
    """The stopped clock of ``app``."""
    with frozen_clock(app) as frozen:
        yield frozen


def sign_up(client: FlaskClient, email: str = "kim@example.com", password: str = PASSWORD) -> None:
    """Register through HTTP."""
    response = client.post("/users", json={"email": email, "password": password})
    assert response.status_code == 201, response.text


def sign_in(client: FlaskClient, email: str = "kim@example.com", password: str = PASSWORD) -> str:
    """Sign in through HTTP and return the access token."""
    response = client.post("/auth/login", json={"email": email, "password": password})
    assert response.status_code == 200, response.text
    token: str = response.json["access_token"]
    return token


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def token(client: FlaskClient) -> str:
    """The access token of kim@example.com, registered and signed in through HTTP."""
    sign_up(client)
    return sign_in(client)


@pytest.fixture
def user(app: Flask, client: FlaskClient) -> Any:
    """The key of a registered user."""
    sign_up(client)
    with app.app_context():
        state = app.extensions["secureauth"]
        return state.users.find_credentials("kim@example.com").key


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """Name of the xdist worker; the same without xdist."""
    return getattr(request.config, "workerinput", {"workerid": "main"})["workerid"]


def issuer_of(app: Flask) -> TokenIssuer:
    """The issuer that signs the tokens of ``app``."""
    return app.extensions["secureauth"].issuer
