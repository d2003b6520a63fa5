"""The breach check through HTTP: what a client, the other side and the log get to see, and what an outage does."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from flask_secureauth import ConfigurationError, breach_check_failed
from flask_secureauth.features.audit.tables import AuditMixin
from tests.conftest import PASSWORD, bearer, sign_in, sign_up
from tests.loopback import Answer, body, serving

BREACHED = "amber-tundra-77"
SENTENCE = "This password has appeared in a data breach. Choose another one."
DIGEST = hashlib.sha1(BREACHED.encode()).hexdigest().upper()
RANGE = f"{'0' * 35}:0\r\n{DIGEST[5:]}:12\r\n".encode()
MakeApp = Callable[..., Flask]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], tuple[str, list[BaseHTTPRequestHandler]]]]:
    """Return a function: an answer -> the origin that gives it, and the requests that came."""
    with serving() as start:
        yield start


def with_file(folder: Path, **_: Any) -> dict[str, Any]:
    path = folder / "breached.txt"
    path.write_text(f"{DIGEST}:12\n")
    return {"SECUREAUTH_PASSWORD_BREACH_FILE": path}


def with_service(folder: Path, serve: Any) -> dict[str, Any]:
    return {"SECUREAUTH_PASSWORD_BREACH_RANGE_URL": serve(body(RANGE))[0]}


@pytest.mark.parametrize("settings", [with_file, with_service], ids=["file", "service"])
def test_breached_password_is_refused_wherever_one_is_set(
    make_app: MakeApp, serve: Any, tmp_path: Path, settings: Callable[..., dict[str, Any]]
) -> None:
    """ASVS 6.2.12: at registration, at a change, and for an operator."""
    app = make_app(**settings(tmp_path, serve=serve))
    client = app.test_client()
    answer = client.post("/users", json={"email": "kim@example.com", "password": BREACHED})
    assert (answer.status_code, answer.json["fields"]) == (400, {"password": [SENTENCE]})

    sign_up(client)
    body_ = {"current_password": PASSWORD, "new_password": BREACHED}
    answer = client.post("/users/me/password", json=body_, headers=bearer(sign_in(client)))
    assert (answer.status_code, answer.json["fields"]) == (400, {"new_password": [SENTENCE]})

    result = app.test_cli_runner().invoke(args=["secureauth", "create-user", "sam@example.com", "--password", BREACHED])
    assert (result.exit_code, result.output) == (1, f"Error: {SENTENCE}\n")


def test_nothing_is_asked_when_nobody_configured_it(client: FlaskClient) -> None:
    sign_up(client, password=BREACHED)


def test_password_that_is_refused_anyway_is_not_looked_up(make_app: MakeApp, serve: Any) -> None:
    url, requests = serve(body(RANGE))
    client = make_app(SECUREAUTH_PASSWORD_BREACH_RANGE_URL=url).test_client()

    assert client.post("/users", json={"email": "kim@example.com", "password": "short"}).status_code == 400
    assert client.post("/users", json={"email": "kim@example.com", "password": "password123"}).status_code == 400
    assert requests == []


def test_outage_of_the_service_lets_pass_and_is_recorded(
    make_app: MakeApp, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """F30: an outage of the service fails open, as the design says, and does not go unnoticed."""
    url, _ = serve(body(b"", status=503))
    app = make_app(SECUREAUTH_PASSWORD_BREACH_RANGE_URL=url)
    reasons: list[str] = []

    def note(sender: Flask, reason: str) -> None:
        reasons.append(reason)

    with breach_check_failed.connected_to(note, app):
        sign_up(app.test_client(), password=BREACHED)

    assert reasons == ["it is answered with 503"]
    assert "A new password was not looked up among breached ones: it is answered with 503" in caplog.messages


@pytest.mark.every_database
def test_record_outlives_a_refusal_and_holds_no_connection(
    make_app: MakeApp, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: a taken address rolls the request's transaction back, and hashing takes long."""
    app = make_app(SECUREAUTH_PASSWORD_BREACH_RANGE_URL=serve(body(b"", status=503))[0])
    auth, held = app.extensions["secureauth"], []
    hash_password = auth.hasher.hash

    def count(password: str) -> str:
        held.append(auth.sqlalchemy.engine.pool.checkedout())
        return str(hash_password(password))

    monkeypatch.setattr(auth.hasher, "hash", count)
    client = app.test_client()
    user = {"email": "kim@example.com", "password": PASSWORD}
    assert [client.post("/users", json=user).status_code for _ in range(2)] == [201, 409]

    assert held == [0, 0]
    with app.app_context():
        audit = auth.models[AuditMixin]
        found = auth.sqlalchemy.session.scalars(select(audit.reason).where(audit.event == "breach_check_fail"))
        assert list(found) == ["it is answered with 503"] * 2


def test_outage_is_recorded_when_the_password_change_is_refused(make_app: MakeApp, serve: Any) -> None:
    """F30: the record outlives the refusal."""
    answers = [body(RANGE)]
    url, _ = serve(lambda handler: answers[0](handler))
    app = make_app(SECUREAUTH_PASSWORD_BREACH_RANGE_URL=url)
    client, reasons = app.test_client(), []
    sign_up(client)
    token = sign_in(client)
    answers[0] = body(b"", status=500)

    def note(sender: Flask, reason: str) -> None:
        reasons.append(reason)

    with breach_check_failed.connected_to(note, app):
        body_ = {"current_password": "a guess", "new_password": BREACHED}
        assert client.post("/users/me/password", json=body_, headers=bearer(token)).status_code == 403

    assert reasons == ["it is answered with 500"]


def test_outage_of_the_file_lets_pass(make_app: MakeApp, tmp_path: Path) -> None:
    """F30: a list that was unmounted keeps nobody from registering."""
    settings = with_file(tmp_path)
    client = make_app(**settings).test_client()
    settings["SECUREAUTH_PASSWORD_BREACH_FILE"].unlink()

    sign_up(client, password=BREACHED)


@pytest.mark.parametrize("status", [200, 500])
def test_neither_password_nor_hash_is_logged(
    make_app: MakeApp, serve: Any, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """ASVS 16.2.5: at no level, by nobody; not even the five characters that leave."""
    caplog.set_level(logging.DEBUG)
    url, _ = serve(body(RANGE, status=status))
    client = make_app(SECUREAUTH_PASSWORD_BREACH_RANGE_URL=url).test_client()

    client.post("/users", json={"email": "kim@example.com", "password": BREACHED})

    logged = caplog.text.upper()
    assert not any(part in logged for part in (BREACHED.upper(), DIGEST[:5], DIGEST[5:]))


@pytest.mark.every_database
def test_no_connection_is_held_while_the_service_is_asked(make_app: MakeApp, serve: Any) -> None:
    """A slow service must not empty the pool for everybody else."""
    held: list[int] = []

    def count(handler: BaseHTTPRequestHandler) -> None:
        held.append(pool[0].checkedout())
        body(b"0" * 35 + b":0")(handler)

    app = make_app(SECUREAUTH_PASSWORD_BREACH_RANGE_URL=serve(count)[0])
    with app.app_context():
        pool = [app.extensions["sqlalchemy"].engine.pool]
    client = app.test_client()
    sign_up(client)
    body_ = {"current_password": PASSWORD, "new_password": BREACHED}
    assert client.post("/users/me/password", json=body_, headers=bearer(sign_in(client))).status_code == 200

    assert held == [0, 0]


def test_unusable_settings_are_told_at_start(make_app: MakeApp, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"SECUREAUTH_PASSWORD_BREACH_FILE: .* is no file\."):
        make_app(SECUREAUTH_PASSWORD_BREACH_FILE=tmp_path / "absent")
    with pytest.raises(ConfigurationError, match=r"BREACH_FILE and .*BREACH_RANGE_URL do the same; set one"):
        make_app(**with_file(tmp_path), SECUREAUTH_PASSWORD_BREACH_RANGE_URL="https://breaches.example/range")


@pytest.mark.parametrize("url", ["http://breaches.example/range", "https://breaches.example/range?mode=ntlm"])
def test_url_that_anybody_could_answer_is_refused(make_app: MakeApp, url: str) -> None:
    """What sees the five characters, and may say that nothing was breached, is whom the settings name."""
    strong = {"SECRET_KEY": "9dX2mVq7wLr4TzKc8sYbHf3nUj6pEa1G", "TESTING": False}
    with pytest.raises(ConfigurationError, match="BREACH_RANGE_URL must be an https URL without a query"):
        make_app(
            SECUREAUTH_PASSWORD_BREACH_RANGE_URL=url,
            SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:8192:8:10",
            **strong,
        )
