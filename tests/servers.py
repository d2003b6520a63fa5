"""Database servers for the tests: the one the environment names, or a private one, started once for a whole run.

A private server has its own folder and port and is ended by its process id when the run ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

FOLDER = "SECUREAUTH_TEST_SERVERS"
_START_SECONDS = 60
_MEMORY = Path("/dev/shm")
_NEEDED_BYTES = 2**30
_MARIADB_OPTIONS = (
    "--bind-address=127.0.0.1",
    "--socket=socket",
    "--pid-file=pid",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=16M",
    "--skip-log-bin",
)
# Kept, since Python warns about a process object that goes while its process runs.
_running: list[subprocess.Popen[bytes]] = []


def mysql_url() -> URL:
    """URL of a MariaDB or MySQL server, without a database."""
    return _server("SECUREAUTH_TEST_MYSQL_URL", "mariadb-server", _start_mariadb)


def postgresql_url() -> URL:
    """URL of a PostgreSQL server's maintenance database."""
    return _server("SECUREAUTH_TEST_POSTGRESQL_URL", "postgresql", _start_postgresql)


def redis_url() -> str:
    """URL of a Redis server."""
    url = _server("SECUREAUTH_TEST_REDIS_URL", "redis-server", _start_redis)
    return url.render_as_string(hide_password=False)


def stop_all(folder: Path) -> None:
    """End the servers that this run started, and remove what they wrote."""
    for pid_file in folder.glob("*.pid"):
        pid = int(pid_file.read_text())
        os.killpg(pid, signal.SIGTERM)
    for data in folder.glob("*.data"):
        shutil.rmtree(data.read_text(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def missing(what: str, how: str) -> None:
    """Skip the test with the reason; in CI a missing service is a failure."""
    message = f"{what} is not here. {how}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _server(variable: str, package: str, start: Callable[[Path], tuple[subprocess.Popen[bytes], URL] | None]) -> URL:
    if variable in os.environ:
        return make_url(os.environ[variable])
    folder = Path(os.environ[FOLDER])
    url_file = folder / f"{package}.url"
    if _is_first(folder / f"{package}.lock"):
        data = Path(tempfile.mkdtemp(prefix=f"{package}-", dir=quick_folder()))
        (folder / f"{package}.data").write_text(str(data))
        started = start(data)
        if started:
            process, url = started
            _running.append(process)
            (folder / f"{package}.pid").write_text(str(process.pid))
            _wait_for(lambda: _listens(url)) if url.drivername == "redis" else _wait_for_answer(url)
            rendered = url.render_as_string(hide_password=False)
        else:
            rendered = ""
        partial = url_file.with_suffix(".part")
        partial.write_text(rendered)
        partial.rename(url_file)
    _wait_for(url_file.exists)
    rendered = url_file.read_text()
    if not rendered:
        missing(f"The program of {package}", f"Install it (apt-get install {package}), or set {variable}.")
    return make_url(rendered)


def _is_first(lock: Path) -> bool:
    try:
        lock.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def quick_folder() -> Path | None:
    """Creating and dropping tables waits for the disk; a folder in memory, where it is large enough, does not."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _NEEDED_BYTES
    return _MEMORY if has_room else None


def _start_mariadb(data: Path) -> tuple[subprocess.Popen[bytes], URL] | None:
    install, daemon = _program("mariadb-install-db"), _program("mariadbd")
    if not (install and daemon):
        return None
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [install, "--no-defaults", *user, f"--datadir={data}", "--auth-root-authentication-method=normal"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    port = _free_port()
    process = _popen(
        [daemon, "--no-defaults", *user, f"--datadir={data}", f"--port={port}", *_MARIADB_OPTIONS],
        data,
    )
    return process, URL.create("mysql+pymysql", username="root", host="127.0.0.1", port=port)


def _start_postgresql(data: Path) -> tuple[subprocess.Popen[bytes], URL] | None:
    initdb, daemon = _program("initdb"), _program("postgres")
    if not (initdb and daemon):
        return None
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(data, user)
    cluster = data / "cluster"
    subprocess.run(
        [initdb, "-D", str(cluster), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        cwd=data,
    )
    port = _free_port()
    process = _popen(
        [daemon, "-D", str(cluster), "-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-F"], data, user=user
    )
    url = URL.create("postgresql+psycopg", username="postgres", host="127.0.0.1", port=port, database="postgres")
    return process, url


def _start_redis(data: Path) -> tuple[subprocess.Popen[bytes], URL] | None:
    daemon = _program("redis-server")
    if not daemon:
        return None
    port = _free_port()
    keep_nothing = ["--save", "", "--appendonly", "no"]
    process = _popen([daemon, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data), *keep_nothing], data)
    return process, URL.create("redis", host="127.0.0.1", port=port, database="0")


def _popen(command: list[str], data: Path, *, user: str | None = None) -> subprocess.Popen[bytes]:
    with (data / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=data, user=user, start_new_session=True)


def _program(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, versions)]))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _listens(url: URL) -> bool:
    try:
        socket.create_connection((url.host or "", url.port or 0), timeout=1).close()
    except OSError:
        return False
    return True


def _wait_for_answer(url: URL) -> None:
    engine = create_engine(url, poolclass=NullPool)

    def answers() -> bool:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except OperationalError:
            return False
        return True

    _wait_for(answers)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("a database server did not start in time")
        time.sleep(0.05)  # Another process is starting; nothing tells us when it listens.
