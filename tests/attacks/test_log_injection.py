"""What a stranger writes into our log: one parsable line for each event, whatever they send."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth.events import Client
from flask_secureauth.features.audit.service import AuditService
from tests.attacks.conftest import add_guarded_view
from tests.conftest import PASSWORD, bearer, sign_in, sign_up
from tests.features.test_audit import audit_rows

# As logging writes a line by default, and as a parser takes it to pieces again.
FORMATTER = logging.Formatter("%(levelname)s %(name)s: %(message)s")
QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
AUDIT = re.compile(r"INFO flask_secureauth\.audit: audit (\{.*\})")
REFUSED = re.compile(rf"token_refused reason='([a-z0-9 ]+)' ip='(\S+)' agent=({QUOTED})")

TEXTS = {
    "crlf": "a\r\nINFO flask_secureauth: authn_login_success email=root ip=127.0.0.1",
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "vertical tab and form feed": "a\x0b\x0cb",
    "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "8-bit csi": "a\x9b31mred",
    "backspaces": "evil\b\b\b\bgood",
    "next line": "a\x85b",
    "line separator": "a\u2028b\u2029c",
    "bidi": "\u202etxt.exe\u2066\u2069\u200f",
    "zero width": "a\u200b\ufeffb",
    "tag characters": "a\U000e0041b",
    "percent": "%s%s%d%n%(asctime)s%",
    "braces": "{0}{}{0.__class__.__mro__}",
    "jndi": "${jndi:ldap://127.0.0.1/a}",
    "quotes": "a' agent='b\" ip=\"6.6.6.6",
    "backslash": "a\\' ip=6.6.6.6 agent=\\",
    "fields": "a ip=6.6.6.6 agent='forged'",
    "html": "<script>alert(1)</script>",
    "spreadsheet": "=cmd|' /C calc'!A0",
    "long": "a" * 50_000,
    "long and escaped": "\u202e" * 10_000,
}  # fmt: skip


def _assert_one_line(caplog: pytest.LogCaptureFixture, pattern: re.Pattern[str]) -> re.Match[str]:
    (line,) = [FORMATTER.format(record) for record in caplog.records if record.name.startswith("flask_secureauth")]
    assert line.isprintable()
    assert len(line) < 3000
    match = pattern.fullmatch(line.removeprefix("INFO flask_secureauth: "))
    assert match, line
    return match


def _assert_one_event(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """One line of the log that a program reads, and one row that says the same."""
    match = _assert_one_line(caplog, AUDIT)
    assert match[0].isascii()
    told: dict[str, str] = json.loads(match[1])
    (row,) = audit_rows(client.application)
    for name, value in told.items():
        assert value.isprintable()
        assert len(value) <= 255
        if name not in ("at", "ip"):
            assert getattr(row, name) == value
    return told


@pytest.fixture
def client(make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture) -> FlaskClient:
    """A client whose app logs everything."""
    caplog.set_level(logging.INFO, "flask_secureauth")
    return make_app(before=add_guarded_view).test_client()


@pytest.mark.parametrize("shape", ["{}", "{}@example.com", "kim@{}", "kim@{}.example"])
@pytest.mark.parametrize("text", TEXTS)
def test_address_makes_one_parsable_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, text: str, shape: str
) -> None:
    """F20, ASVS 16.4.1, CWE-117, Django CVE-2025-48432: through the address of a refused sign-in."""
    typed = shape.replace("{}", TEXTS[text])

    client.post("/auth/login", json={"email": typed, "password": PASSWORD})

    told = _assert_one_event(client, caplog)
    assert told.keys() == {"id", "at", "event", "email", "ip", "address", "user_agent", "request_id", "reason"}
    assert (told["event"], told["ip"]) == ("authn_login_fail", "127.0.0.1")
    assert typed not in told.values()
    assert PASSWORD not in "".join(told.values())


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("path", ["/auth/login", "/guarded"])
def test_user_agent_makes_one_parsable_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, path: str, text: str
) -> None:
    """F20, ASVS 16.4.1: through the User-Agent, of a refused sign-in and of a refused token."""
    agent = TEXTS[text].encode().decode("latin-1")
    overrides = {"HTTP_USER_AGENT": agent}

    if path == "/auth/login":
        body = {"email": "kim@example.com", "password": PASSWORD}
        client.post(path, json=body, environ_overrides=overrides)
        told = _assert_one_event(client, caplog)
        assert (told["email"], told["ip"]) == ("k***@example.com", "127.0.0.1")
    else:
        client.get(path, headers=bearer("forged"), environ_overrides=overrides)
        match = _assert_one_line(caplog, REFUSED)
        assert (match[1], match[2]) == ("malformed", "127.0.0.1")


def test_megabyte_of_user_agent_makes_one_short_line(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """F20: what is logged is cut."""
    body = {"email": "kim@example.com", "password": PASSWORD}

    client.post("/auth/login", json=body, environ_overrides={"HTTP_USER_AGENT": "\x1b" * 1_000_000})

    assert len(_assert_one_event(client, caplog)["user_agent"]) == 255


@pytest.mark.parametrize("header", ["X_REQUEST_ID", "X_FORWARDED_FOR"])
@pytest.mark.parametrize("text", TEXTS)
def test_header_of_a_proxy_makes_one_parsable_line(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture, text: str, header: str
) -> None:
    """F20: through headers that a proxy writes, from a client that went past it."""
    caplog.set_level(logging.INFO, "flask_secureauth")
    client = make_app(SECUREAUTH_TRUSTED_PROXIES=1).test_client()
    sent = TEXTS[text].encode().decode("latin-1")

    client.post("/auth/login", json={"email": "a", "password": "b"}, environ_overrides={f"HTTP_{header}": sent})

    told = _assert_one_event(client, caplog)
    assert told["ip"] == "127.0.0.1"
    assert re.fullmatch("[0-9a-f]{32}", told["request_id"])


@pytest.mark.parametrize("text", TEXTS)
def test_words_of_the_app_make_one_parsable_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """F20: through what an app writes down of its own, and through the reason that it ends sessions with."""
    state = client.application.extensions["secureauth"]
    hostile = TEXTS[text]
    sent_by = Client(ip=hostile, user_agent=hostile, request_id=hostile)

    with client.application.app_context(), state.database.transaction():
        state.service(AuditService).record(
            hostile, user_id=hostile, session_ids=[hostile], email=hostile, client=sent_by, reason=hostile
        )

    assert _assert_one_event(client, caplog)["email"] == "***"


TOKENS = {
    "reason": "a.b.c' ip=6.6.6.6",
    "line": "a\r\nb",
    "kid": "eyJhbGciOiJub25lIiwia2lkIjoiXG5mb3JnZWQiLCJ0eXAiOiJhdCtqd3QifQ.e30.AAAA",
}


@pytest.mark.parametrize("token", TOKENS)
def test_forged_token_is_not_repeated(client: FlaskClient, caplog: pytest.LogCaptureFixture, token: str) -> None:
    """F20, ASVS 16.2.5: a refused token may be a genuine one with a slip; no part of it is logged."""
    client.get("/guarded", environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {TOKENS[token]}"})

    match = _assert_one_line(caplog, REFUSED)
    assert match[1] in ("malformed", "foreign header", "unknown key")
    assert "forged" not in match[0]


@pytest.mark.parametrize(
    "typed", ["hunter2-secret", "p@ssw0rd-horse", "tr0ub4dor&3@home", "kim@example.com:hunter2-secret"]
)
def test_password_typed_into_the_wrong_field_is_not_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, typed: str
) -> None:
    """F20, ASVS 16.2.5: a password that stands where the address belongs."""
    client.post("/auth/login", json={"email": typed, "password": "x"})

    written = "".join(_assert_one_event(client, caplog).values())
    secret = re.split("[@:]", typed)[-1]
    assert typed not in written
    assert secret not in written


def test_whole_visit_logs_no_secret(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """ASVS 16.2.5: no password, hash, token or full address in any line of any logger, at any level, or in a row."""
    caplog.set_level(logging.DEBUG)
    sign_up(client)
    token = sign_in(client)
    client.get("/users/me", headers=bearer(token))
    client.get("/guarded", headers=bearer(token[:-2]))
    client.post("/auth/login", json={"email": "kim@example.com", "password": "wrong-horse-77"})
    client.post("/auth/logout", headers=bearer(token))
    client.get("/guarded", headers=bearer(token))

    lines = [FORMATTER.format(record) for record in caplog.records]
    written = "\n".join([*lines, *(str(tuple(row)) for row in audit_rows(client.application))])
    assert "authn_login_fail" in written
    assert "token_refused" in written
    for secret in (PASSWORD, "wrong-horse-77", token, token[:-2], token.split(".")[2], "scrypt:", "kim@example.com"):
        assert secret not in written


def test_crash_logs_no_password_hash(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """ASVS 16.2.5 and 16.5.1: when a statement fails, its parameters stay out of the traceback."""
    app = client.application
    with app.app_context():
        state = app.extensions["secureauth"]
        state.sqlalchemy.drop_all()

    response = client.post("/users", json={"email": "kim@example.com", "password": PASSWORD})

    assert response.status_code == 500
    written = "\n".join(FORMATTER.format(record) for record in caplog.records)
    assert "no such table" in written
    assert "scrypt:" not in written
    assert "kim@example.com" not in written
