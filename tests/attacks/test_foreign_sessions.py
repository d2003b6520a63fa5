"""What belongs to somebody else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask

from flask_secureauth.core.identifiers import new_identifier
from tests.conftest import PASSWORD
from tests.visitor import COOKIES, Visitor, session_rows

NOT_FOUND = {"error": "Session not found", "code": "sessions.not_found"}


@pytest.fixture
def pair(app: Flask) -> tuple[Visitor, Visitor]:
    """Kim and Mallory, with a session each."""
    return Visitor(app).sign_up(), Visitor(app).sign_up("mallory@example.com")


def _answer(response: Any) -> tuple[Any, ...]:
    return response.status_code, response.json, sorted(response.headers.items())


@pytest.mark.every_database
def test_session_of_somebody_else_is_no_different_from_one_that_never_was(
    app: Flask, pair: tuple[Visitor, Visitor]
) -> None:
    """F25, ASVS 8.2.2, CWE-639: same status, body and headers, and it goes on."""
    kim, mallory = pair
    theirs = session_rows(app)[0].id

    foreign = mallory.open("DELETE", f"/auth/sessions/{theirs}")
    random = mallory.open("DELETE", f"/auth/sessions/{new_identifier()}")

    assert _answer(foreign) == _answer(random)
    assert (foreign.status_code, foreign.json) == (404, NOT_FOUND)
    assert session_rows(app)[0].revoked_at is None
    assert kim.get("/users/me").status_code == 200


def test_own_session_that_is_over_is_no_different_either(app: Flask, pair: tuple[Visitor, Visitor]) -> None:
    """F25."""
    _, mallory = pair
    other = Visitor(app).sign_in("mallory@example.com")
    gone = session_rows(app)[-1].id
    other.post("/auth/logout")

    response = mallory.open("DELETE", f"/auth/sessions/{gone}")

    assert (response.status_code, response.json) == (404, NOT_FOUND)


@pytest.mark.every_database
def test_scopes_and_lists_end_at_the_own_account(app: Flask, pair: tuple[Visitor, Visitor]) -> None:
    """F25: whatever ends many ends none of anybody else."""
    kim, mallory = pair
    theirs = session_rows(app)[0].id
    assert theirs not in mallory.get("/auth/sessions").text

    for act in (
        lambda: mallory.post("/auth/logout", {"scope": "others"}),
        lambda: mallory.post("/auth/reauthenticate", {"password": PASSWORD}),
        lambda: mallory.post("/users/me/password", {"current_password": PASSWORD, "new_password": "walrus-quartz-17"}),
        lambda: mallory.post("/auth/logout", {"scope": "global"}),
    ):
        assert act().status_code == 200
        assert kim.get("/users/me").status_code == 200
    assert kim.refresh().status_code == 200


@pytest.mark.parametrize(
    "members", [{"session_id": "ID"}, {"user_id": 1}, {"id": "ID"}, {"scope": "local", "session": "ID"}]
)
def test_body_names_nobody_else(app: Flask, pair: tuple[Visitor, Visitor], members: dict[str, Any]) -> None:
    """F25, F13: whose sessions are meant is in the token, and nowhere else."""
    kim, mallory = pair
    theirs = session_rows(app)[0].id
    body = {name: theirs if value == "ID" else value for name, value in members.items()}

    assert mallory.post("/auth/logout", body).status_code == 400
    assert mallory.get("/auth/sessions", query_string=body).json["sessions"][0]["id"] != theirs
    assert kim.get("/users/me").status_code == 200


INJECTIONS = [
    "' OR '1'='1",
    "0 OR 1=1",
    "%",
    "_" * 32,
    "*",
    "1;DROP TABLE users",
    "..",
    "../../users/me",
    "\u0130" * 32,
]


@pytest.mark.parametrize("name", INJECTIONS)
def test_id_is_no_language(app: Flask, pair: tuple[Visitor, Visitor], name: str) -> None:
    """F25, CWE-89: nothing but 32 hex digits is looked for."""
    _, mallory = pair

    response = mallory.open("DELETE", f"/auth/sessions/{name}")

    assert response.status_code == 404
    assert [row.revoked_at for row in session_rows(app)] == [None, None]


def test_ids_cannot_be_guessed(app: Flask) -> None:
    """F25, ASVS 7.2.3 and 11.5.1: 128 random bits, no counter and no time in them."""
    names = [new_identifier() for _ in range(2000)]

    assert len(set(names)) == 2000
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in names)
    for place in range(32):
        seen = {name[place] for name in names}
        assert len(seen) == 16, f"digit {place} is not random: {sorted(seen)}"
    steps = {int(after, 16) - int(before, 16) for before, after in pairwise(names)}
    assert len(steps) == 1999


def test_refresh_token_works_for_its_own_session_alone(app: Flask, pair: tuple[Visitor, Visitor]) -> None:
    """F25: an access token next to it changes nothing about whose tokens are handed out."""
    kim, mallory = pair
    mixed = kim.copy()
    mixed.tokens["refresh_token"] = mallory.tokens["refresh_token"]

    mixed.refresh()

    assert mixed.get("/users/me").json["email"] == "mallory@example.com"


def test_cookies_of_two_users_are_not_mixed_up(make_app: Callable[..., Flask]) -> None:
    """F25: an access cookie of one, a refresh cookie of the other: each stands for itself, and the proof for one."""
    app = make_app(**COOKIES)
    kim, mallory = Visitor(app).sign_up(), Visitor(app).sign_up("mallory@example.com")
    mixed = kim.copy()
    mixed.plant("__Host-secureauth_refresh", str(mallory.cookie("__Host-secureauth_refresh")))

    assert mixed.get("/users/me").json["email"] == "kim@example.com"
    assert mixed.copy().refresh().json["code"] == "csrf_failed"
    mixed.post("/auth/logout")
    assert kim.get("/users/me").status_code == 401
