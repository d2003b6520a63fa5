"""Requests that a page of another site has a browser send, with the browser's cookies."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from flask_secureauth import get_jwt_identity, jwt_required
from flask_secureauth.core.keys import encode_segment
from tests.attacks import forge
from tests.conftest import PASSWORD
from tests.visitor import ACCESS, ACCESS_COOKIE, COOKIES, CSRF, REFRESH_COOKIE, Visitor, send_cookies

NEW = "walrus-quartz-17"
OWN = "http://localhost"
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "sign in": ("POST", "/auth/login", {"email": "lee@example.com", "password": PASSWORD}),
    "refresh": ("POST", "/auth/refresh", {}),
    "sign out": ("POST", "/auth/logout", {}),
    "sign out others": ("POST", "/auth/logout", {"scope": "others"}),
    "sign out everywhere": ("POST", "/auth/logout", {"scope": "global"}),
    "change the password": ("POST", "/users/me/password", {"current_password": PASSWORD, "new_password": NEW}),
    "step up": ("POST", "/auth/reauthenticate", {"password": PASSWORD}),
    "change the address": ("POST", "/users/me/email", {"email": "kim@new.example"}),
    "delete the account": ("DELETE", "/users/me", None),
    "end a session": ("DELETE", "/auth/sessions/SESSION", None),
    "post to the app": ("POST", "/notes", {"note": "bought"}),
    "put to the app": ("PUT", "/notes", {"note": "bought"}),
    "patch of the app": ("PATCH", "/notes", {"note": "bought"}),
    "delete of the app": ("DELETE", "/notes", None),
}
READABLE = ("/users/me",)
"""Where GET shows something."""
TABLES = ("users", "secureauth_sessions", "secureauth_one_time_tokens", "secureauth_mail")
NOTHING = {"Sec-Fetch-Site": None, "Origin": None}
ORIGINS: dict[str, dict[str, str | None]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a sister": {"Sec-Fetch-Site": "same-site"},
    "nobody's page": {"Sec-Fetch-Site": "none"},
    "nonsense": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "capitals": {"Sec-Fetch-Site": "Same-Origin"},
    "empty site": {"Sec-Fetch-Site": ""},
    "another site that names our origin": {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    "nothing": {},
    "null": {"Origin": "null"},
    "empty": {"Origin": ""},
    "evil": {"Origin": "https://evil.example"},
    "prefix": {"Origin": f"{OWN}.evil.example"},
    "suffix": {"Origin": "http://evil-localhost"},
    "subdomain": {"Origin": "http://www.localhost"},
    "user": {"Origin": "http://localhost@evil.example"},
    "other port": {"Origin": f"{OWN}:8080"},
    "default port": {"Origin": f"{OWN}:80"},
    "other scheme": {"Origin": "https://localhost"},
    "no scheme": {"Origin": "localhost"},
    "capitals of the host": {"Origin": "http://LOCALHOST"},
    "path": {"Origin": f"{OWN}/"},
    "two": {"Origin": f"{OWN}, https://evil.example"},
    "referer alone": {"Referer": f"{OWN}/page"},
}


def add_notes(app: Flask) -> None:
    app.extensions["notes"] = notes = []

    @app.route("/notes", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    @jwt_required
    def write() -> dict[str, Any]:
        if get_jwt_identity():
            notes.append("written")
        return {"notes": notes}

    @jwt_required
    def socket() -> dict[str, Any]:
        return {}

    app.add_url_rule("/socket", view_func=socket, websocket=True)


@pytest.fixture
def make_victim(make_app: Callable[..., Flask]) -> Callable[..., Visitor]:
    """Return a function that builds an app and gives somebody who is signed in there, at two places."""

    def make(transport: dict[str, str]) -> Visitor:
        app = make_app(before=add_notes, SECUREAUTH_KEYS=[{"key": forge.SECRET, "kid": "key-1"}], **transport)
        Visitor(app).sign_up("lee@example.com")
        Visitor(app).sign_up()
        return Visitor(app).sign_in()

    return make


@pytest.fixture
def victim(make_victim: Callable[..., Visitor]) -> Visitor:
    return make_victim(COOKIES)


def state_of(app: Flask) -> list[Any]:
    """Users, sessions, tokens of links and mails in the database, and the app's notes."""
    with app.app_context(), app.extensions["sqlalchemy"].engine.connect() as connection:
        stored = [connection.execute(text(f"SELECT * FROM {table} ORDER BY id")).all() for table in TABLES]
    return [*stored, list(app.extensions["notes"])]


def other_session(victim: Visitor) -> str:
    listed = victim.get("/auth/sessions").json["sessions"]
    (other,) = [session["id"] for session in listed if not session["current"]]
    return str(other)


def send(victim: Visitor, request: str, headers: dict[str, str | None], **rest: Any) -> Any:
    method, path, body = REQUESTS[request]
    if "SESSION" in path:
        path = path.replace("SESSION", other_session(victim))
    return victim.open(method, path, headers=headers, **({"json": body} | rest))


def assert_refused(victim: Visitor, response: Any, before: list[Any], request: str) -> None:
    assert (response.status_code, response.json["code"]) == (403, "csrf_failed"), request
    assert "Set-Cookie" not in response.headers
    assert "token" not in response.json
    assert state_of(victim.app) == before


@pytest.mark.parametrize("origin", ORIGINS)
def test_request_of_another_page_is_refused(victim: Visitor, origin: str) -> None:
    """F18, ASVS 3.5.1 and 3.5.3, CWE-352: sign-in and sign-out too; nothing changes, and no cookie goes."""
    before = state_of(victim.app)
    for request in REQUESTS:
        assert_refused(victim, send(victim, request, NOTHING | ORIGINS[origin]), before, request)

    assert victim.get("/notes").status_code == 200
    assert victim.refresh().status_code == 200


TOKENS: dict[str, Callable[[Visitor, Visitor], str | None]] = {
    "missing": lambda victim, other: None,
    "empty": lambda victim, other: "",
    "of another user's session": lambda victim, other: other.cookie(CSRF),
    "truncated": lambda victim, other: str(victim.cookie(CSRF))[:-1],
    "extended": lambda victim, other: f"{victim.cookie(CSRF)}A",
    "other letter case": lambda victim, other: str(victim.cookie(CSRF)).swapcase(),
    "twice": lambda victim, other: f"{victim.cookie(CSRF)}, {victim.cookie(CSRF)}",
    "access token": lambda victim, other: victim.cookie(ACCESS),
    "latin-1": lambda victim, other: "\xe9" * 43,
    "huge": lambda victim, other: "A" * 50_000,
    "made with an empty key": lambda victim, other: _made_with(b"", victim),
    "made with the signing key": lambda victim, other: _made_with(forge.SECRET, victim),
}


def _made_with(secret: bytes, victim: Visitor) -> str:
    current = [session for session in victim.get("/auth/sessions").json["sessions"] if session["current"]]
    return encode_segment(hmac.digest(secret, current[0]["id"].encode(), hashlib.sha256))


@pytest.mark.parametrize("kind", TOKENS)
def test_request_without_the_token_of_its_session_is_refused(victim: Visitor, kind: str) -> None:
    """F18, OWASP CSRF cheat sheet (signed double submit): the header must prove that a page of ours read the cookie."""
    other = Visitor(victim.app).sign_in("lee@example.com")
    sent = TOKENS[kind](victim, other)
    before = state_of(victim.app)
    for request in REQUESTS:
        if request != "sign in":  # There is no session yet that it could be of.
            assert_refused(victim, send(victim, request, {"X-CSRF-Token": sent}), before, request)


@pytest.mark.parametrize("value", ["planted", "A" * 43, ""])
def test_cookie_and_header_that_agree_prove_nothing(victim: Visitor, value: str) -> None:
    """F18: a sister domain that can plant a cookie plants the header's twin; only we can sign one."""
    victim.plant(CSRF, value)
    before = state_of(victim.app)
    for request in REQUESTS:
        if request != "sign in":
            assert_refused(victim, send(victim, request, {"X-CSRF-Token": value}), before, request)


def test_token_in_another_place_is_not_read(victim: Visitor) -> None:
    """F18: a form can send a member and a query, and no header."""
    token = victim.cookie(CSRF)
    body = {"csrf_token": token, "X-CSRF-Token": token}
    before = state_of(victim.app)

    for headers in ({"X-CSRFToken": token}, {"X-XSRF-TOKEN": token}, {"Csrf-Token": token}, {}):
        response = victim.open(
            "POST", "/auth/logout", query_string=body, json=body, headers={"X-CSRF-Token": None, **headers}
        )
        assert_refused(victim, response, before, "sign out")


TYPES: dict[str, dict[str, Any]] = {
    "text": {"data": '{"scope": "global"}', "content_type": "text/plain"},
    "form": {"data": {"scope": "global"}},
    "form that is JSON": {"data": '{"scope":"', "content_type": "application/x-www-form-urlencoded"},
    "multipart": {"data": {"scope": "global"}, "content_type": "multipart/form-data"},
    "no type": {"data": '{"scope": "global"}', "headers": {"Content-Type": ""}},
    "JSON in a parameter": {"data": "{}", "content_type": "text/plain; charset=application/json"},
    "JSON in the boundary": {"data": "{}", "content_type": "multipart/form-data; boundary=application/json"},
}
OURS = [name for name, (_, path, body) in REQUESTS.items() if path != "/notes" and body is not None]


@pytest.mark.parametrize("kind", TYPES)
def test_body_that_a_form_can_send_is_refused(victim: Visitor, kind: str) -> None:
    """F18, ASVS 4.1.1: what another site sends without a preflight is no JSON; and it is refused before that."""
    before = state_of(victim.app)
    for request in OURS:
        method, path, _ = REQUESTS[request]
        sent = {**TYPES[kind]}
        headers = sent.pop("headers", {})
        from_here = victim.open(method, path, headers=headers, **sent)
        assert (from_here.status_code, from_here.json["code"]) == (415, "unsupported_content_type"), request
        crossing = victim.open(method, path, headers={**headers, "Sec-Fetch-Site": "cross-site"}, **sent)
        assert_refused(victim, crossing, before, request)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "override",
    [
        {"query_string": {"_method": "DELETE"}},
        {"headers": {"X-HTTP-Method-Override": "DELETE"}},
        {"headers": {"X-HTTP-Method": "DELETE"}},
        {"headers": {"X-Method-Override": "DELETE"}},
    ],
)
def test_method_is_what_the_request_line_says(victim: Visitor, method: str, override: dict[str, Any]) -> None:
    """F18: no parameter turns a harmless request into another one."""
    target = other_session(victim)
    before = state_of(victim.app)

    response = victim.open(method, f"/auth/sessions/{target}", **override)

    assert response.status_code == 405
    assert state_of(victim.app) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_harmless_method_changes_nothing_of_ours(victim: Visitor, method: str) -> None:
    """F18: what needs no proof must not act; a link or an image is enough to send it."""
    before = state_of(victim.app)
    for _, path, _ in REQUESTS.values():
        if path != "/notes":
            path = path.replace("SESSION", "0" * 32)
            response = victim.open(method, path, headers={"Sec-Fetch-Site": "cross-site"})
            assert response.status_code == (200 if method == "OPTIONS" or path in READABLE else 405), path
            assert "Access-Control-Allow-Origin" not in response.headers

    assert state_of(victim.app) == before


@pytest.mark.parametrize("origin", [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": None, "Origin": OWN}])
@pytest.mark.parametrize("request_name", REQUESTS)
def test_page_of_this_site_is_let_in(victim: Visitor, request_name: str, origin: dict[str, str | None]) -> None:
    """What the others are refused for is where they come from: a browser that says only one of the two is served."""
    assert send(victim, request_name, origin).status_code == (202 if request_name == "change the address" else 200)


@pytest.mark.parametrize(
    ("base", "origin", "status"),
    [
        ("https://shop.example", "https://shop.example", 200),
        ("https://shop.example:8443", "https://shop.example:8443", 200),
        ("https://shop.example:8443", "https://shop.example", 403),
        ("https://shop.example", "http://shop.example", 403),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example", 200),
        ("https://xn--bcher-kva.example", "https://b\xfccher.example", 403),
        ("http://[::1]:5000", "http://[::1]:5000", 200),
    ],
)
def test_origin_is_scheme_host_and_port(victim: Visitor, base: str, origin: str, status: int) -> None:
    """F18, RFC 6454 section 6.2: as browsers write it, also for a domain in another script."""
    cookies = "; ".join(f"{name}={victim.cookie(name)}" for name in (ACCESS, CSRF))
    headers = {"Origin": origin, "X-CSRF-Token": str(victim.cookie(CSRF))}

    response = send_cookies(victim.app, cookies, "/notes", method="POST", base_url=base, headers=headers)

    assert response.status_code == status


@pytest.mark.parametrize("transport", [REFRESH_COOKIE, ACCESS_COOKIE])
def test_mixed_transports_are_protected_where_a_cookie_has_authority(
    make_victim: Callable[..., Visitor], transport: dict[str, str]
) -> None:
    """F18: the refresh cookie alone, and the access cookie alone."""
    victim = make_victim(transport)
    guarded_by_cookie = ["refresh"] if transport is REFRESH_COOKIE else [name for name in REQUESTS if name != "refresh"]
    before = state_of(victim.app)

    for request in guarded_by_cookie:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, NOTHING):
            response = send(victim, request, {**headers, "Authorization": None})
            assert_refused(victim, response, before, request)
        if request != "sign in":
            response = send(victim, request, {"X-CSRF-Token": None, "Authorization": None})
            assert_refused(victim, response, before, request)


@pytest.mark.parametrize("transport", [COOKIES, REFRESH_COOKIE, ACCESS_COOKIE])
@pytest.mark.parametrize("origin", ["another site", "a sister", "null", "evil"])
def test_stranger_cannot_be_signed_in_by_another_site(
    make_victim: Callable[..., Visitor], transport: dict[str, str], origin: str
) -> None:
    """F18, login CSRF: a visitor who is signed in as the attacker hands the attacker what is typed next."""
    visitor = Visitor(make_victim(transport).app)
    before = state_of(visitor.app)

    assert_refused(visitor, send(visitor, "sign in", NOTHING | ORIGINS[origin]), before, "sign in")


def test_token_lives_and_dies_with_the_session(victim: Visitor) -> None:
    """F18: the token of a session that has ended opens no other one."""
    before = victim.cookie(CSRF)
    victim.post("/auth/logout")
    victim.sign_in()

    assert victim.post("/notes", headers={"X-CSRF-Token": before}).json["code"] == "csrf_failed"
    assert victim.post("/notes").status_code == 200


def test_handshake_of_a_socket_comes_from_this_site(victim: Visitor) -> None:
    """F18, CWE-1385: a WebSocket opens with a GET that carries the cookies, from any page."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}

    for origin in ("another site", "nothing", "null", "evil"):
        response = victim.get("/socket", headers={**NOTHING, **ORIGINS[origin], **upgrade})
        assert response.json["code"] == "csrf_failed"
    assert victim.get("/socket", headers={**NOTHING, "Origin": OWN, **upgrade}).status_code == 200
