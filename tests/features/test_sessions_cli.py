"""``flask secureauth sessions``."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from flask_secureauth import sessions_ended
from flask_secureauth.core import devices
from flask_secureauth.testing import frozen_clock
from tests.visitor import Visitor, session_rows
from tests.web.views import add_views

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def invoke(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["secureauth", "sessions", *arguments])


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    add_views(app)
    visitor = Visitor(app)
    visitor.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    return visitor.sign_up()


@pytest.mark.every_database
def test_list_shows_living_sessions(app: Flask, visitor: Visitor) -> None:
    pytest.importorskip("ua_parser")
    Visitor(app).sign_in().post("/auth/logout")
    Visitor(app).sign_up("lee@example.com")
    row = session_rows(app)[0]

    result = invoke(app, "list", "kim@example.com")

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{row.id}  {row.last_used_at:%Y-%m-%d %H:%M}  127.0.0.0/24  pwd  Firefox on Linux",
        "1 alive; times are of the last use, in UTC.",
    ]


def test_list_shows_what_is_known_without_the_extra(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ua_parser", None)
    devices._parser.cache_clear()
    silent = Visitor(app)
    silent.client.environ_base.update({"REMOTE_ADDR": "", "HTTP_USER_AGENT": ""})
    with frozen_clock(app) as clock:
        clock.advance(60)
        silent.sign_in()

    lines = invoke(app, "list", "kim@example.com").output.splitlines()
    devices._parser.cache_clear()

    assert lines[0].endswith("  unknown network  pwd  unknown device")
    assert lines[1].endswith(f"  127.0.0.0/24  pwd  {FIREFOX}")


def test_list_of_a_user_without_sessions_says_so(app: Flask, visitor: Visitor) -> None:
    visitor.post("/auth/logout")

    assert invoke(app, "list", "kim@example.com").output == "0 alive; times are of the last use, in UTC.\n"


def test_user_is_found_under_any_spelling_of_the_address(app: Flask, visitor: Visitor) -> None:
    assert invoke(app, "list", "KIM@Example.COM").output.startswith(session_rows(app)[0].id)


@pytest.mark.every_database
def test_revoke_ends_every_session_of_the_user(app: Flask, visitor: Visitor) -> None:
    second, lee = Visitor(app).sign_in(), Visitor(app).sign_up("lee@example.com")
    told: list[Any] = []

    def ended(sender: Flask, reason: str, session_ids: Any, **facts: Any) -> None:
        told.append((reason, len(session_ids)))

    with sessions_ended.connected_to(ended, app):
        result = invoke(app, "revoke", "kim@example.com")

    assert (result.exit_code, result.output) == (0, "Ended 2.\n")
    assert told == [("admin", 2)]
    assert [row.revoke_reason for row in session_rows(app)] == ["admin", "admin", None]
    assert [who.get("/guarded").status_code for who in (visitor, second, lee)] == [401, 401, 200]


@pytest.mark.every_database
def test_revoke_ends_one_session(app: Flask, visitor: Visitor) -> None:
    second = Visitor(app).sign_in()
    first_row, _ = session_rows(app)

    result = invoke(app, "revoke", "kim@example.com", "--session", first_row.id)

    assert (result.exit_code, result.output) == (0, "Ended 1.\n")
    assert [who.get("/guarded").status_code for who in (visitor, second)] == [401, 200]


def test_revoke_of_nothing_ends_nothing(app: Flask, visitor: Visitor) -> None:
    visitor.post("/auth/logout")

    assert invoke(app, "revoke", "kim@example.com").output == "Ended 0.\n"


def test_session_of_somebody_else_is_not_ended(app: Flask, visitor: Visitor) -> None:
    lee = Visitor(app).sign_up("lee@example.com")
    of_lee = session_rows(app)[1].id

    for name in (of_lee, "0" * 32, "%", ""):
        result = invoke(app, "revoke", "kim@example.com", "--session", name)
        assert (result.exit_code, result.output) == (
            1,
            f"Error: kim@example.com has no living session {name}; 'list' shows them.\n",
        )
    assert [who.get("/guarded").status_code for who in (visitor, lee)] == [200, 200]


@pytest.mark.parametrize("command", ["list", "revoke"])
@pytest.mark.parametrize("address", ["nobody@example.com", "kim", "", "%", "None"])
def test_unknown_user_is_named_and_nothing_ends(app: Flask, visitor: Visitor, command: str, address: str) -> None:
    result = invoke(app, command, address)

    assert (result.exit_code, result.output) == (1, f"Error: No user has the address {address}.\n")
    assert visitor.get("/guarded").status_code == 200


def test_list_keeps_a_hostile_client_on_its_line(app: Flask) -> None:
    """F20: what a client calls itself must not clear an operator's screen."""
    visitor = Visitor(app)
    visitor.client.environ_base["HTTP_USER_AGENT"] = "\x1b[2J\x9b31m\x85"
    visitor.sign_up()

    output = invoke(app, "list", "kim@example.com").output

    assert output.replace("\n", "").isprintable()
    assert len(output.splitlines()) == 2
