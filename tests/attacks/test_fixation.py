"""Cookies that somebody else put into a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import PASSWORD
from tests.visitor import (
    ACCESS,
    ACCESS_COOKIE,
    COOKIES,
    CSRF,
    REFRESH,
    REFRESH_COOKIE,
    SAME_ORIGIN,
    Visitor,
    send_cookies,
    session_rows,
    set_cookies,
)
from tests.web.views import add_views

LOGIN = {"email": "kim@example.com", "password": PASSWORD}
TRANSPORTS = {"cookies": COOKIES, "refresh cookie": REFRESH_COOKIE, "access cookie": ACCESS_COOKIE}
each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def make_attacker(make_app: Callable[..., Flask]) -> Callable[..., Visitor]:
    """Return a function that builds an app and gives the attacker, who has an account and a session there."""

    def make(transport: str, **settings: Any) -> Visitor:
        app = make_app(**TRANSPORTS[transport], **settings)
        add_views(app)
        Visitor(app).sign_up()
        return Visitor(app).sign_up("mallory@example.com")

    return make


def plant(attacker: Visitor) -> Visitor:
    """A victim's browser that holds the attacker's cookies."""
    victim = attacker.copy()
    victim.tokens = {}
    return victim


@each_transport
def test_planted_cookies_are_replaced_by_a_sign_in_and_dead(
    make_attacker: Callable[..., Visitor], transport: str
) -> None:
    """F12, ASVS 7.2.4, CWE-384: nothing that was there before opens what comes after."""
    attacker = make_attacker(transport)
    victim = plant(attacker)
    planted = {name: victim.cookie(name) for name in (ACCESS, REFRESH, CSRF) if victim.cookie(name)}
    assert planted

    found = set_cookies(victim.post("/auth/login", LOGIN))

    assert set(found) == set(planted)
    for name, value in planted.items():
        assert victim.cookie(name) == found[name][0] != value
    assert victim.get("/guarded").json == {"id": "1"}
    assert attacker.get("/guarded").status_code == 401
    assert attacker.refresh().status_code == 401
    assert [row.revoke_reason for row in session_rows(attacker.app)] == [None, "replaced", None]


@each_transport
def test_sign_in_of_somebody_else_ends_the_session_before(
    make_attacker: Callable[..., Visitor], transport: str
) -> None:
    """F12, ASVS 7.2.4: a browser that changes hands leaves no session behind that its cookies could bring back."""
    app = make_attacker(transport).app
    browser = Visitor(app).sign_in()
    before = browser.copy()

    browser.sign_in("mallory@example.com")

    assert browser.get("/guarded").json == {"id": "2"}
    assert before.get("/guarded").json["code"] == "session_revoked"
    assert before.refresh().status_code in (401, 403)
    assert before.get("/guarded").status_code == 401


def test_sign_in_again_ends_the_own_session_before(make_attacker: Callable[..., Visitor]) -> None:
    app = make_attacker("cookies").app
    browser = Visitor(app).sign_in()
    before = browser.copy()
    browser.sign_in()

    assert before.get("/guarded").json["code"] == "session_revoked"
    assert browser.get("/guarded").status_code == 200


def test_sign_in_that_is_refused_ends_nothing(make_attacker: Callable[..., Visitor]) -> None:
    app = make_attacker("cookies").app
    browser = Visitor(app).sign_in()

    assert browser.post("/auth/login", {**LOGIN, "password": "x"}).status_code == 401
    assert browser.get("/guarded").status_code == 200


@pytest.mark.parametrize("value", ["", "planted", "a.b.c", "0" * 32, f"{'0' * 32}.0.key.{'A' * 43}", "x" * 4000])
def test_planted_nonsense_does_not_disturb_a_sign_in(make_attacker: Callable[..., Visitor], value: str) -> None:
    """F12: and is replaced by it."""
    victim = Visitor(make_attacker("cookies").app)
    for name in (ACCESS, REFRESH, CSRF):
        victim.plant(name, value)

    assert victim.post("/auth/login", LOGIN).status_code == 200
    assert victim.get("/guarded").status_code == 200
    assert victim.refresh().status_code == 200


@pytest.mark.parametrize("transport", ["cookies", "refresh cookie"])
def test_stranger_with_a_session_id_ends_nobodys_session_by_signing_in(
    make_attacker: Callable[..., Visitor], transport: str
) -> None:
    """F12, F6: a sign-in ends the session of a genuine cookie alone, and not of one that names somebody's session."""
    attacker = make_attacker(transport)
    victim = Visitor(attacker.app).sign_in()
    session_id, generation, key, _ = str(victim.cookie(REFRESH)).split(".")
    attacker.plant(REFRESH, f"{session_id}.{generation}.{key}.{'A' * 43}")

    assert attacker.sign_in("mallory@example.com")
    assert victim.refresh().status_code == 200


SISTERS = {
    "no prefix": "{name}",
    "other prefix": "__Secure-{name}",
    "small letters": "__host-{name}",
    "capitals": "__HOST-{name}",
    "space": "__Host- {name}",
    "white space in front": "\x0b__Host-{name}",
    "next line in front": "\xc2\x85__Host-{name}",
    "no-break space in front": "\xc2\xa0__Host-{name}",
    "en quad in front": "\xe2\x80\x80__Host-{name}",
    "ideographic space in front": "\xe3\x80\x80__Host-{name}",
    "latin-1 no-break space in front": "\xa0__Host-{name}",
    "white space behind": "__Host-{name}\xe2\x80\x80",
    "null in front": "\x00__Host-{name}",
    "quotes": '"__Host-{name}"',
    "no name": "=__Host-{name}",
    "comma in front": ",__Host-{name}",
    "encoded": "%5F%5FHost-{name}",
    "old syntax": "$Version=1,__Host-{name}",
}


def jar(visitor: Visitor, name: str) -> str:
    """A Cookie header with the three cookies under other names."""
    return "; ".join(
        f"{name.format(name=own.removeprefix('__Host-'))}={visitor.cookie(own)}" for own in (ACCESS, REFRESH, CSRF)
    )


@pytest.mark.parametrize("sister", SISTERS)
def test_cookie_that_a_sister_domain_can_set_is_not_ours(make_attacker: Callable[..., Visitor], sister: str) -> None:
    """F12, RFC 6265bis section 4.1.3.2: whoever controls a sister may set any name but those with the prefix.

    What browsers take for another name, and a server that strips white space for ours, would be a way around it.
    """
    attacker = make_attacker("cookies")
    planted = jar(attacker, SISTERS[sister])
    headers = {**SAME_ORIGIN, "X-CSRF-Token": str(attacker.cookie(CSRF))}
    app = attacker.app

    assert send_cookies(app, planted, "/guarded").json["code"] == "token_missing"
    assert send_cookies(app, planted, "/auth/refresh", method="POST", headers=headers).json["code"] == (
        "refresh_token_missing"
    )
    both = f"{planted}; {jar(Visitor(app).sign_in(), '__Host-{name}')}"
    assert send_cookies(app, both, "/guarded").json == {"id": "1"}
    first = f"{jar(Visitor(app).sign_in(), '__Host-{name}')}; {planted}"
    assert send_cookies(app, first, "/guarded").json == {"id": "1"}


@pytest.mark.parametrize("space", ["{}={}", " {}={} ", "\t{}\t=\t{}\t", "a=b;{}={};c=d", "a;{}={};;", 'q="x";{}={}'])
def test_spaces_that_the_standard_allows_are_no_part_of_a_cookie(
    make_attacker: Callable[..., Visitor], space: str
) -> None:
    """RFC 6265 section 5.2: a space and a tab."""
    attacker = make_attacker("cookies")

    response = send_cookies(attacker.app, space.format(ACCESS, attacker.cookie(ACCESS)), "/guarded")

    assert response.json == {"id": "2"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0)])
@pytest.mark.parametrize("name", [ACCESS, REFRESH])
def test_cookie_that_comes_twice_is_refused(
    make_attacker: Callable[..., Visitor], name: str, order: tuple[int, int]
) -> None:
    """F12: one of the two was planted, and nobody can tell which; so neither is believed, and neither is ended."""
    attacker = make_attacker("cookies")
    victim = Visitor(attacker.app).sign_in()
    values = [str(victim.cookie(name)), str(attacker.cookie(name))]
    twice = "; ".join(f"{name}={values[place]}" for place in order)
    headers = {**SAME_ORIGIN, "X-CSRF-Token": str(victim.cookie(CSRF))}
    before = session_rows(attacker.app)
    requests: list[tuple[str, str, Any]] = [("POST", "/auth/login", LOGIN)]
    requests += [("GET", "/guarded", None), ("GET", "/optional", None), ("POST", "/auth/logout", {})]
    if name == REFRESH:
        requests = [requests[0], ("POST", "/auth/refresh", {})]

    for method, path, body in requests:
        response = send_cookies(attacker.app, twice, path, method=method, json=body, headers=headers)
        assert (response.status_code, response.json["code"]) == (400, "repeated_cookie"), path
        assert "Set-Cookie" not in response.headers

    assert session_rows(attacker.app) == before


def test_cookie_of_another_app_on_this_host_is_left_alone(make_attacker: Callable[..., Visitor]) -> None:
    victim = Visitor(make_attacker("cookies").app).sign_in()
    victim.plant("session", "theirs")
    victim.plant("__Host-theirs", "theirs")
    victim.post("/auth/logout")

    assert [victim.cookie(name) for name in ("session", "__Host-theirs")] == ["theirs", "theirs"]


def test_session_gets_a_new_name_wherever_a_password_was_typed(make_attacker: Callable[..., Visitor]) -> None:
    """F12, ASVS 7.2.4: sign-in, step-up and password change."""
    app = make_attacker("cookies").app
    victim = Visitor(app).sign_in()
    names = {victim.get("/claims").json["sid"]}
    for path, body in (
        ("/auth/reauthenticate", {"password": PASSWORD}),
        ("/users/me/password", {"current_password": PASSWORD, "new_password": "walrus-quartz-17"}),
    ):
        assert victim.post(path, body).status_code == 200
        names.add(victim.get("/claims").json["sid"])
    victim.sign_in(password="walrus-quartz-17")
    names.add(victim.get("/claims").json["sid"])

    assert len(names) == 4
