"""``flask secureauth audit``."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import sign_up
from tests.db.conftest import counted, state_of
from tests.features.test_audit import audit_rows, fill
from tests.visitor import Visitor


def invoke(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["secureauth", "audit", *arguments])


def found(app: Flask, *arguments: str) -> list[str]:
    """Names of the events that the command shows."""
    result = invoke(app, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["event"] for line in result.output.splitlines()]


@pytest.fixture
def stopped(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app, datetime(2026, 5, 31, 12, tzinfo=UTC)) as clock:
        yield clock


@pytest.fixture
def visits(app: Flask, stopped: FrozenClock) -> Flask:
    """An app in which Kim signed up at 12:00 and in at 13:00, and somebody failed at 14:00 for nobody's address."""
    kim, stranger = app.test_client(), app.test_client()
    kim.environ_base.update({"REMOTE_ADDR": "203.0.113.7", "HTTP_USER_AGENT": "test/1"})
    stranger.environ_base.update({"REMOTE_ADDR": "2001:db8:1:2::3", "HTTP_USER_AGENT": ""})
    sign_up(kim)
    stopped.advance(timedelta(hours=1))
    kim.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-42"})
    stopped.advance(timedelta(hours=1))
    stranger.post("/auth/login", json={"email": "nobody@example.com", "password": "a guess"})
    return app


@pytest.mark.every_database
def test_events_are_shown_newest_first(visits: Flask) -> None:
    assert invoke(visits).output.splitlines() == [
        "2026-05-31 14:00:00  authn_login_fail  n***@example.com  unknown address  2001:db8:1::/48  -",
        "2026-05-31 13:00:00  authn_login_success  user 1  pwd  203.0.113.0/24  test/1",
        "2026-05-31 12:00:00  user_created  user 1  -  203.0.113.0/24  test/1",
    ]


FILTERS = {
    "": ["authn_login_fail", "authn_login_success", "user_created"],
    "--user kim@example.com": ["authn_login_success", "user_created"],
    "--user KIM@Example.com": ["authn_login_success", "user_created"],
    "--user 1": ["authn_login_success", "user_created"],
    "--user 2": [],
    "--event user_created": ["user_created"],
    "--event user_%": [],
    "--since 2026-05-31T13:00": ["authn_login_fail", "authn_login_success"],
    "--since 2026-05-31T15:00+02:00": ["authn_login_fail", "authn_login_success"],
    "--since 2026-05-31": ["authn_login_fail", "authn_login_success", "user_created"],
    "--since 1h": ["authn_login_fail", "authn_login_success"],
    "--since 59m": ["authn_login_fail"],
    "--since 0m": ["authn_login_fail"],
    "--until 2026-05-31T13:00": ["user_created"],
    "--until 1d": [],
    "--since 90m --until 30m": ["authn_login_success"],
    "--client 203.0.113.200": ["authn_login_success", "user_created"],
    "--client ::ffff:203.0.113.9": ["authn_login_success", "user_created"],
    "--client 203.0.113.0/24": ["authn_login_success", "user_created"],
    "--client 2001:db8:1:ffff::": ["authn_login_fail"],
    "--client 198.51.100.1": [],
    "--limit 2": ["authn_login_fail", "authn_login_success"],
    "--user 1 --event user_created --client 203.0.113.7 --limit 5": ["user_created"],
}


@pytest.mark.every_database
def test_filters_narrow_what_is_shown(visits: Flask) -> None:
    for arguments, expected in FILTERS.items():
        assert found(visits, *arguments.split()) == expected, arguments


def test_json_has_a_row_in_each_line(visits: Flask) -> None:
    lines = invoke(visits, "--json").output.splitlines()

    row = audit_rows(visits)[-1]
    assert json.loads(lines[0]) == {
        "id": row.id,
        "at": "2026-05-31T14:00:00+00:00",
        "event": "authn_login_fail",
        "email": "n***@example.com",
        "address": "2001:db8:1::/48",
        "request_id": row.request_id,
        "reason": "unknown address",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "yesterday"), "'yesterday' is no time: write 2026-05-31, 2026-05-31T12:00, 30m, 2h or 7d."),
        (("--until", "7w"), "'7w' is no time"),
        (("--since", "99999999999d"), "is no time"),
        (("--client", "example.com"), "'example.com' is no address: write 203.0.113.7 or 203.0.113.0/24."),
        (("--limit", "0"), "0 is not in the range"),
        (("--user", "nobody@example.com"), "No user has the address nobody@example.com, and it is no id."),
        (("--user", "kim"), "No user has the address kim, and it is no id."),
    ],
)
def test_what_cannot_be_read_is_told(visits: Flask, arguments: tuple[str, ...], message: str) -> None:
    result = invoke(visits, *arguments)

    assert result.exit_code != 0
    assert message in " ".join(result.output.replace("│", " ").split())


def test_events_of_a_deleted_user_are_found_by_the_id(visits: Flask) -> None:
    state = state_of(visits)
    with visits.app_context():
        state.database.session.execute(text("DELETE FROM users"))
        state.database.session.commit()

    assert found(visits, "--user", "1") == ["authn_login_success", "user_created"]


def test_filter_is_a_bound_parameter(visits: Flask) -> None:
    """CWE-89."""
    with counted(visits) as statements:
        assert found(visits, "--event", "x' OR '1'='1") == []

    assert not any("OR '1'" in statement for statement in statements)


def test_many_rows_are_read_in_bounded_memory(app: Flask, stopped: FrozenClock) -> None:
    fill(app, 20_000, stopped, user_agent="x" * 255)
    runner = app.test_cli_runner()
    tracemalloc.start()
    result = runner.invoke(args=["secureauth", "audit", "--limit", "20000"])
    written = len(result.output)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(result.output.splitlines()) == 20_000
    assert peak < 5 * written


def test_line_holds_nothing_that_moves_the_cursor(app: Flask) -> None:
    """F20, CWE-150: what a client calls itself reaches the operator's terminal."""
    visitor = Visitor(app)
    visitor.client.environ_base["HTTP_USER_AGENT"] = "\x1b[2J\x9b31m\r\nroot"
    visitor.sign_up()

    lines = invoke(app).output.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
