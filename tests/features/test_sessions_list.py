"""The sessions of a user as the user sees them, and ends one of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import sessions_ended, user_logged_out
from flask_secureauth.core import devices
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.visitor import Visitor, session_rows
from tests.web.views import add_views

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    add_views(app)
    return Visitor(app).sign_up()


@pytest.fixture
def stopped(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as clock:
        yield clock


def listed(visitor: Visitor) -> list[dict[str, Any]]:
    response = visitor.get("/auth/sessions")
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json["sessions"]
    return found


def sign_in_from(app: Flask, address: str | None = "127.0.0.1", agent: str = "curl/8") -> Visitor:
    visitor = Visitor(app)
    visitor.client.environ_base.update({"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent})
    return visitor.sign_in()


@pytest.mark.every_database
def test_list_shows_a_session_in_full(app: Flask, stopped: FrozenClock) -> None:
    visitor = Visitor(app).sign_up()
    (session,) = listed(visitor)
    (row,) = session_rows(app)

    moment = stopped.moment.isoformat()
    assert session == {
        "id": row.id,
        "current": True,
        "device": None,
        "address": "127.0.0.0/24",
        "methods": ["pwd"],
        "created_at": moment,
        "last_used_at": moment,
        "expires_at": (stopped.moment + timedelta(days=1)).isoformat(),
    }


def test_list_tells_no_secret(app: Flask, visitor: Visitor) -> None:
    """ASVS 7.5.2, 14.2.6: neither a nonce nor a token, nor what the client calls itself."""
    text = visitor.get("/auth/sessions").text
    (row,) = session_rows(app)

    assert row.nonce not in text
    assert row.key_id not in text
    assert visitor.tokens["refresh_token"].rpartition(".")[2] not in text
    assert "agent" not in text


@pytest.mark.every_database
def test_last_used_session_comes_first(app: Flask, visitor: Visitor, stopped: FrozenClock) -> None:
    others = []
    for _ in range(3):
        stopped.advance(10)
        others.append(Visitor(app).sign_in())
    stopped.advance(100)
    others[0].get("/guarded")
    stopped.advance(1)

    found = listed(visitor)

    used = [session["last_used_at"] for session in found]
    assert used == sorted(used, reverse=True)
    assert len(set(used)) == 4
    assert [session["current"] for session in found] == [True, False, False, False]


def test_list_holds_living_sessions_of_the_own_user_alone(app: Flask, visitor: Visitor) -> None:
    Visitor(app).sign_up("lee@example.com")
    gone = Visitor(app).sign_in()
    gone.post("/auth/logout")

    assert [session["current"] for session in listed(visitor)] == [True]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1234:5678:9abc:def0:1234:5678", "2001:db8:1234::/48"),
        ("::1", "::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", None),
        ("unix:", None),
        ("203.0.113.77:80", None),
        ("203.0.113.077", None),
        ("not-an-address", None),
        ("x" * 1000, None),
    ],
)
def test_address_is_a_network(app: Flask, visitor: Visitor, address: str, network: str | None) -> None:
    """Enough to recognise one's own, too little to follow a person; what is no address is none."""
    other = sign_in_from(app, address)

    assert {session["address"] for session in listed(other) if session["current"]} == {network}


def test_forwarded_address_is_not_believed(app: Flask, visitor: Visitor) -> None:
    """F21: anybody can write such a header."""
    visitor.client.environ_base.update({"HTTP_X_FORWARDED_FOR": "203.0.113.77", "HTTP_FORWARDED": "for=203.0.113.77"})
    visitor.sign_in()

    assert {session["address"] for session in listed(visitor)} == {"127.0.0.0/24"}


def test_device_is_told_from_what_the_client_calls_itself(app: Flask, visitor: Visitor) -> None:
    pytest.importorskip("ua_parser")
    other = sign_in_from(app, agent=FIREFOX)

    assert [session["device"] for session in listed(other) if session["current"]] == ["Firefox on Linux"]


def test_device_is_unknown_without_the_extra(app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_parser", lambda: None)
    other = sign_in_from(app, agent=FIREFOX)

    assert {session["device"] for session in listed(other)} == {None}


AGENTS = {
    "long": "Mozilla/5.0 " + "x" * 5000,
    "controls": "\x1b[31m\x7f\x85",
    "latin-1": "\xe9t\xe9 \xff",
    "utf-8": "\U0001f98a".encode().decode("latin-1") * 100,
    "markup": "<script>alert(1)</script>",
    "sql": "'; DROP TABLE users; --",
}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.every_database
def test_client_may_call_itself_anything(app: Flask, visitor: Visitor, agent: str) -> None:
    """F20, M5: it neither breaks the sign-in nor the list."""
    other = sign_in_from(app, agent=AGENTS[agent])

    assert other.refresh().status_code == 200
    assert len(listed(other)) == 2
    assert all(len(row.user_agent) <= 255 and row.user_agent.isprintable() for row in session_rows(app))


def test_list_wants_a_token(app: Flask) -> None:
    response = app.test_client().get("/auth/sessions")

    assert (response.status_code, response.json["code"]) == (401, "token_missing")


@pytest.mark.every_database
def test_user_ends_another_session(app: Flask, visitor: Visitor) -> None:
    other = Visitor(app).sign_in()
    (target,) = [session["id"] for session in listed(visitor) if not session["current"]]
    ended: list[Any] = []

    def receive(sender: Flask, **facts: Any) -> None:
        ended.append(facts)

    with sessions_ended.connected_to(receive, app):
        response = visitor.open("DELETE", f"/auth/sessions/{target}")

    assert (response.status_code, response.json) == (200, {"message": "Session ended"})
    assert [(facts["session_ids"], facts["reason"]) for facts in ended] == [((target,), "ended")]
    assert {row.id: row.revoke_reason for row in session_rows(app)}[target] == "ended"
    assert other.get("/guarded").json["code"] == "session_revoked"
    assert other.refresh().json["code"] == "session_revoked"
    assert visitor.get("/guarded").status_code == 200


def test_user_may_end_the_own_session(app: Flask, visitor: Visitor) -> None:
    (own,) = listed(visitor)

    assert visitor.open("DELETE", f"/auth/sessions/{own['id']}").status_code == 200
    assert visitor.get("/guarded").json["code"] == "session_revoked"


def test_ended_session_cannot_be_ended_again(app: Flask, visitor: Visitor) -> None:
    Visitor(app).sign_in()
    (target,) = [session["id"] for session in listed(visitor) if not session["current"]]
    visitor.open("DELETE", f"/auth/sessions/{target}")
    before = session_rows(app)

    response = visitor.open("DELETE", f"/auth/sessions/{target}")

    assert (response.status_code, response.json["code"]) == (404, "sessions.not_found")
    assert session_rows(app) == before


@pytest.mark.parametrize("name", ["0" * 32, "0", "me", "all", "%", "*", "F" * 32, "0" * 1000, "..", "%00"])
def test_unknown_session_is_not_found(app: Flask, visitor: Visitor, name: str) -> None:
    response = visitor.open("DELETE", f"/auth/sessions/{name}")

    assert response.status_code == 404
    assert visitor.get("/guarded").status_code == 200


@pytest.mark.every_database
def test_id_is_matched_exactly(app: Flask, visitor: Visitor) -> None:
    """M4: a collation that ignores case must not find it."""
    (own,) = listed(visitor)

    for name in (own["id"].upper(), f"{own['id']}%20", f"{own['id']}%00", own["id"][:-1], f"{own['id'][:-1]}%25"):
        assert visitor.open("DELETE", f"/auth/sessions/{name}").status_code == 404, name
    assert visitor.get("/guarded").status_code == 200


def test_signing_out_is_not_told_when_a_session_is_ended_from_the_list(app: Flask, visitor: Visitor) -> None:
    told: list[Any] = []

    def receive(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    Visitor(app).sign_in()
    (target,) = [session["id"] for session in listed(visitor) if not session["current"]]
    with user_logged_out.connected_to(receive, app):
        visitor.open("DELETE", f"/auth/sessions/{target}")

    assert told == []


def test_times_have_an_offset(visitor: Visitor) -> None:
    (session,) = listed(visitor)

    for name in ("created_at", "last_used_at", "expires_at"):
        assert session[name].endswith("+00:00"), name
