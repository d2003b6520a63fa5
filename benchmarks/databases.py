"""Where a run keeps its rows: made for it, thrown away after it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

SQLITE, MARIADB = "sqlite", "mariadb"
_START_TIME = 60.0
# The rest is as the server comes, so a commit waits for the disk. The pool holds the largest tables of "growth".
_OPTIONS = ("--bind-address=127.0.0.1", "--socket=socket", "--skip-log-bin", "--innodb-buffer-pool-size=1G")

Create = Callable[[], str]


class UnusableDatabase(Exception):
    """There is no such server, or it does not let us create databases of our own."""


@contextmanager
def databases(where: str) -> Iterator[Create]:
    """Yield a function that creates an empty database and returns its URL.

    ``where`` is ``sqlite`` for files in a temporary folder, ``mariadb`` for a private server, or the URL of a
    server; what is in its own database is not touched. All that was created is removed at the end.
    """
    if where == SQLITE:
        with _files() as create:
            yield create
    elif where == MARIADB:
        with _private_mariadb() as url, _beside(url) as create:
            yield create
    else:
        with _beside(make_url(where)) as create:
            yield create


def can_start_mariadb() -> bool:
    """Whether the programs of a private server are here."""
    return bool(_program("mariadbd") and _program("mariadb-install-db"))


@contextmanager
def _files() -> Iterator[Create]:
    with tempfile.TemporaryDirectory(prefix="secureauth-benchmark-") as folder:
        numbers = iter(range(1000))
        yield lambda: f"sqlite:///{Path(folder) / f'{next(numbers)}.sqlite3'}"


@contextmanager
def _beside(url: URL) -> Iterator[Create]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    if engine.dialect.name == SQLITE:
        raise UnusableDatabase("files are temporary: --database sqlite")
    charset = " CHARACTER SET utf8mb4" if engine.dialect.name in ("mysql", "mariadb") else ""
    made: list[str] = []

    def create() -> str:
        name = f"secureauth_benchmark_{os.getpid()}_{len(made)}"
        _execute(engine, f"CREATE DATABASE {name}{charset}")
        made.append(name)
        return engine.url.set(database=name).render_as_string(hide_password=False)

    try:
        yield create
    finally:
        for name in made:
            _execute(engine, f"DROP DATABASE {name}")


def _execute(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(statement))


@contextmanager
def _private_mariadb() -> Iterator[URL]:
    install, daemon = _program("mariadb-install-db"), _program("mariadbd")
    if not (install and daemon):
        raise UnusableDatabase("MariaDB is not here: apt-get install mariadb-server, or name a server by its URL")
    user = ["--user=root"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="secureauth-benchmark-") as folder:
        common = ["--no-defaults", *user, f"--datadir={folder}"]
        setting_up = [install, *common, "--auth-root-authentication-method=normal"]
        subprocess.run(setting_up, check=True, stdout=subprocess.DEVNULL)
        port = _free_port()
        process = subprocess.Popen(
            [daemon, *common, f"--port={port}", *_OPTIONS],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            url = URL.create("mysql+pymysql", username="root", host="127.0.0.1", port=port)
            _wait_for(url)
            yield url
        finally:
            process.terminate()
            process.wait()


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(url: URL) -> None:
    engine = create_engine(url, poolclass=NullPool)
    deadline = time.monotonic() + _START_TIME
    while True:
        try:
            _execute(engine, "SELECT 1")
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise UnusableDatabase("the private MariaDB did not start in time") from error
            time.sleep(0.05)  # Nothing tells us when it listens.
        else:
            return


def version(url: str) -> str:
    """Name and version of the database, such as "SQLite 3.45.1"."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect():
        dialect = engine.dialect
    name = "MariaDB" if getattr(dialect, "is_mariadb", False) else _NAMES.get(dialect.name, dialect.name)
    numbers = [str(part) for part in dialect.server_version_info or () if isinstance(part, int)]
    return f"{name} {'.'.join(numbers)}"


_NAMES = {"sqlite": "SQLite", "mysql": "MySQL", "postgresql": "PostgreSQL"}
