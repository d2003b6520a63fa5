"""``python -m example_app`` and ``example_app.wsgi:app``."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import make_url

from tests.example_app.conftest import SECRETS, run_command
from tests.example_app.forwarder import Forwarder
from tests.example_app.process import Served, clean_environment, working_copy

ACCOUNT = {"email": "kim@example.com", "password": "password123"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A working copy of the example app."""
    return working_copy(tmp_path)


def ask(address: str, method: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
    """Send one request; return status, JSON or text, and headers."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body=json.dumps(body) if body else None, headers=headers)
        response = connection.getresponse()
        raw = response.read().decode()
        content = json.loads(raw) if response.headers.get_content_type() == "application/json" else raw
        return response.status, content, dict(response.headers)
    finally:
        connection.close()


def refused(folder: Path, **environment: str) -> str:
    """Run an app that cannot start and return what it says."""
    result = subprocess.run(
        [sys.executable, "-m", "example_app"],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def env_file(folder: Path, url: str, **more: str) -> None:
    """Write the ``.env`` of an operator who runs on MySQL."""
    parts = make_url(url)
    values = {
        **SECRETS,
        "DB_HOST": parts.host,
        "DB_PORT": parts.port or 3306,
        "DB_USER": parts.username,
        "DB_PASSWORD": parts.password or "",
        "DB_NAME": parts.database,
        **more,
    }
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def test_app_serves_without_any_configuration(copy: Path) -> None:
    with Served(copy, clean_environment(PORT="0")) as app:
        registered, _, _ = ask(app.address, "POST", "/users", ACCOUNT)
        signed_in, _, _ = ask(app.address, "POST", "/auth/login", ACCOUNT)
        page, html, _ = ask(app.address, "GET", "/")

    assert (registered, signed_in, page) == (201, 200, 200)
    assert "Sign in" in html
    assert f"The example app is on {app.address}/ with sqlite:///{copy}/instance/example.sqlite3." in app.printed
    assert stat.S_IMODE((copy / "instance/secrets.json").stat().st_mode) == 0o600


def test_app_keeps_users_and_secrets_from_one_start_to_the_next(copy: Path) -> None:
    with Served(copy, clean_environment(PORT="0")) as app:
        ask(app.address, "POST", "/users", ACCOUNT)
        _, answer, _ = ask(app.address, "POST", "/auth/login", ACCOUNT)
    kept = (copy / "instance/secrets.json").read_text()

    with Served(copy, clean_environment(PORT="0")) as app:
        connection = http.client.HTTPConnection(urlsplit(app.address).netloc, timeout=30)
        connection.request("GET", "/users/me", headers={"Authorization": f"Bearer {answer['access_token']}"})
        status = connection.getresponse().status
        connection.close()

    assert status == 200
    assert (copy / "instance/secrets.json").read_text() == kept


@pytest.mark.parametrize("path", ["/", "/health", "/nothing", "/static/style.css"])
def test_no_answer_names_the_server(serving: Served, path: str) -> None:
    """ASVS 13.4.6: no version numbers."""
    _, _, headers = ask(serving.address, "GET", path)

    assert "Server" not in headers
    assert not any("waitress" in value.lower() for value in headers.values())


def test_malformed_request_does_not_name_the_server(serving: Served) -> None:
    """ASVS 13.4.6, in what the WSGI server answers by itself."""
    with socket.create_connection(("127.0.0.1", urlsplit(serving.address).port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n")
        answer = connection.makefile("rb").read() if connection else b""

    assert answer.startswith(b"HTTP/1.")
    assert b"waitress" not in answer.lower()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One app for the tests that only look at answers."""
    folder = working_copy(tmp_path_factory.mktemp("served"))
    with Served(folder, clean_environment(PORT="0")) as app:
        yield app


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_app_ends_on_a_signal(copy: Path, number: signal.Signals) -> None:
    with Served(copy, clean_environment(PORT="0")) as app:
        assert app.end(number) in (0, -number)

    assert "Traceback" not in app.printed


def test_port_in_use_is_explained(copy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(copy, PORT=str(port))

    assert f"Cannot serve on 127.0.0.1, port {port}: " in said
    assert "Choose another one with PORT." in said


@pytest.mark.parametrize("port", ["http", "70000", "-1", "٣"])
def test_impossible_port_is_explained(copy: Path, port: str) -> None:
    assert f"PORT must be a number from 0 to 65535, not {port!r}." in refused(copy, PORT=port)


def test_problems_of_the_configuration_are_listed(copy: Path) -> None:
    said = refused(copy, JWT_SECRET_KEY="dev", DB_HOST="localhost")

    assert all(name in said for name in ("JWT_SECRET_KEY", "DB_USER", "DB_NAME"))


def test_debug_on_loopback_serves_with_the_development_server(copy: Path) -> None:
    with Served(copy, clean_environment(PORT="0", DEBUG="True")) as app:
        status, _, headers = ask(app.address, "GET", "/health")

    assert status == 200
    assert "Debugger is active" in app.printed
    assert not any(character.isdigit() for character in headers.get("Server", ""))


def test_debug_on_an_open_address_never_serves_the_debugger(copy: Path) -> None:
    """The debugger runs code for whoever reaches it. Source: ASVS 13.4.2."""
    with Served(copy, clean_environment(PORT="0", DEBUG="True", HOST="0.0.0.0")) as app:
        port = urlsplit(app.address).port
        status, _, headers = ask(f"http://127.0.0.1:{port}", "GET", "/console")

    assert status == 404
    assert "Server" not in headers
    assert "Debugger" not in app.printed


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_unmigrated_mysql_says_what_to_run(copy: Path, database_url: str) -> None:
    env_file(copy, database_url)

    assert "Run: flask --app example_app db upgrade" in refused(copy, PORT="0")


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_app_serves_on_mysql_by_env_file(copy: Path, database_url: str) -> None:
    env_file(copy, database_url, PORT="0")
    flask = [sys.executable, "-m", "flask", "--app", "example_app"]
    for command in (["db", "upgrade"], ["db", "check"], ["secureauth", "check"]):
        subprocess.run([*flask, *command], cwd=copy, env=clean_environment(), check=True, timeout=60)

    with Served(copy, clean_environment()) as app:
        registered, _, _ = ask(app.address, "POST", "/users", ACCOUNT)
        signed_in, _, _ = ask(app.address, "POST", "/auth/login", ACCOUNT)

    assert (registered, signed_in) == (201, 200)
    assert "with mysql+pymysql://" in app.printed
    assert not (copy / "instance").exists()


@pytest.fixture
def forwarder(database_url: str) -> Iterator[Forwarder]:
    """A shut port that leads to the database server."""
    url = make_url(database_url)
    forwarder = Forwarder((url.host or "", url.port or 3306))
    yield forwarder
    forwarder.shut()


@pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)
def test_app_survives_a_database_that_goes_and_comes(
    copy: Path, database_url: str, forwarder: Forwarder, make_example: Callable[..., Flask]
) -> None:
    """F30: down at the start, back, gone with connections in the pool, back again."""
    run_command(make_example(), "db", "upgrade")
    through = make_url(database_url).set(host="127.0.0.1", port=forwarder.port).render_as_string(hide_password=False)
    environment = clean_environment(PORT="0", DATABASE_URL=through, **SECRETS)
    with Served(copy, environment) as app:
        at_start = [ask(app.address, "POST", "/users", ACCOUNT), ask(app.address, "GET", "/health")]
        forwarder.open()
        back = ask(app.address, "POST", "/users", ACCOUNT)
        forwarder.shut()
        gone = ask(app.address, "POST", "/auth/login", ACCOUNT)
        forwarder.open()
        again = ask(app.address, "POST", "/auth/login", ACCOUNT)

    assert [status for status, _, _ in at_start] == [503, 200]
    assert [answer[0] for answer in (back, gone, again)] == [201, 503, 200]
    assert gone[1]["error"]
    assert gone[2]["Retry-After"]
    assert "The database does not answer yet" in app.printed
    assert "does not answer" in app.printed
    assert database_url not in app.printed


def test_wsgi_module_has_the_app(tmp_path: Path) -> None:
    copy = working_copy(tmp_path)
    program = "from example_app.wsgi import app; print(app.test_client().get('/health').json)"

    result = subprocess.run(
        [sys.executable, "-c", program], cwd=copy, env=clean_environment(), capture_output=True, text=True, timeout=60
    )

    assert result.stdout == "{'status': 'ok'}\n", result.stderr
    assert {file.name for file in (copy / "instance").iterdir()} == {"secrets.json", "example.sqlite3"}
