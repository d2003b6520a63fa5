"""What is left behind in caches, histories and logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth import current_user, jwt_required
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, bearer
from tests.visitor import ACCESS, COOKIES, CSRF, REFRESH, TRANSPORTS, Visitor
from tests.web.views import add_views

each_transport = pytest.mark.parametrize("transport", TRANSPORTS)
READS = ("/users/me", "/auth/sessions", "/auth/audit")
"""Where everybody reads the same twice; an export notes down that it was asked for."""
LOGIN = {"email": "kim@example.com", "password": PASSWORD}


@pytest.fixture
def visit(make_app: Callable[..., Flask]) -> Callable[[str], Visitor]:
    def build(transport: str) -> Visitor:
        app = make_app(**TRANSPORTS[transport])
        add_views(app)
        return Visitor(app).sign_up()

    return build


def tour(visitor: Visitor) -> Iterator[tuple[str, Any]]:
    """Every route of ours that is about somebody, with its good and its bad answers."""
    yield "profile", visitor.get("/users/me")
    yield "sessions", visitor.get("/auth/sessions")
    yield "no session", visitor.open("DELETE", f"/auth/sessions/{'0' * 32}")
    yield "audit", visitor.get("/auth/audit")
    yield "export", visitor.get("/users/me/export")
    yield "refused address", visitor.post("/users/me/email", {"email": "kim"})
    yield "address", visitor.post("/users/me/email", {"email": "kim@new.example"})
    yield "refresh", visitor.refresh()
    yield "wrong password", visitor.post("/auth/reauthenticate", {"password": "x"})
    yield "step-up", visitor.post("/auth/reauthenticate", {"password": PASSWORD})
    yield "refused change", visitor.post("/users/me/password", {"current_password": PASSWORD, "new_password": "x"})
    yield "change", visitor.post("/users/me/password", {"current_password": PASSWORD, "new_password": PASSWORD})
    yield "sign-in", visitor.post("/auth/login", LOGIN)
    yield "others out", visitor.post("/auth/logout", {"scope": "others"})
    yield "sign-out", visitor.post("/auth/logout")
    yield "export of nobody", visitor.get("/users/me/export")
    yield "deletion of nobody", visitor.open("DELETE", "/users/me")
    yield "profile of nobody", visitor.get("/users/me")
    yield "refresh of nobody", visitor.refresh()
    yield "crossing", visitor.post("/auth/login", LOGIN, headers={"Sec-Fetch-Site": "cross-site"})
    yield "sign-in to leave", visitor.post("/auth/login", LOGIN)
    yield "deletion", visitor.open("DELETE", "/users/me")
    yield "profile of the deleted", visitor.get("/users/me")


@each_transport
def test_answers_about_somebody_are_kept_by_no_cache(visit: Callable[[str], Visitor], transport: str) -> None:
    """F29, ASVS 14.3.2, RFC 9111 section 5.2.2.5: also those that refuse, and whatever they vary with is named."""
    for name, response in tour(visit(transport)):
        assert response.headers.getlist("Cache-Control") == ["no-store"], name
        assert response.headers.getlist("Vary") == ["Accept, Authorization, Cookie"], name
        assert not {"ETag", "Last-Modified", "Expires", "Age"} & set(response.headers.keys()), name
        assert response.headers["X-Content-Type-Options"] == "nosniff", name


@each_transport
def test_tokens_are_in_no_address_and_no_log(
    visit: Callable[[str], Visitor], transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F29, ASVS 14.2.1 and 16.2.5: no redirect, no link, no refresh by a header, no line with a secret."""
    caplog.set_level(logging.DEBUG)
    visitor = visit(transport)
    secrets = {str(value) for value in visitor.tokens.values()}

    for name, response in tour(visitor):
        for header in ("Location", "Link", "Refresh", "Content-Location", "SourceMap"):
            assert header not in response.headers, name
        secrets |= {str(value) for value in visitor.tokens.values()}
        secrets |= {value for cookie in (ACCESS, REFRESH, CSRF) if (value := visitor.cookie(cookie))}

    assert len(secrets) > 2
    assert [secret for secret in secrets if secret in caplog.text or secret.rpartition(".")[2] in caplog.text] == []


DECEPTIONS = [
    "/users/me/a.css",
    "/users/me/a.js",
    "/users/me.css",
    "/users/me/",
    "/users/me;a.css",
    "/users/me;/a.css",
    "/users/me%2fa.css",
    "/users/me%3fa.css",
    "/users/me%23a.css",
    "/users/me%00.css",
    "/users/me%0aa.css",
    "/users/me%20",
    "/users/me\\a.css",
    "/users//me",
    "//users/me",
    "/USERS/ME",
    "/auth/sessions/a.css",
    "/auth/sessions.css",
    "/auth/sessions/",
    "/auth/sessions;a.png",
    "/auth/audit/a.css",
    "/auth/audit.css",
    "/auth/audit/",
    "/auth/audit;a.png",
    "/users/me/export/a.css",
    "/users/me/export.css",
    "/users/me/export/",
    "/users/me/export;a.png",
]


@pytest.mark.parametrize("path", DECEPTIONS)
@pytest.mark.parametrize("transport", ["bodies", "cookies"])
def test_address_that_looks_like_a_file_shows_nobody(
    visit: Callable[[str], Visitor], transport: str, path: str
) -> None:
    """F29, ASVS 14.2.5, web cache deception (Gil, 2017): a cache that goes by the ending keeps a 404, at most."""
    visitor = visit(transport)

    response = visitor.get(path)

    assert response.status_code in (404, 405, 308)
    assert "kim@example.com" not in response.text
    if response.status_code != 308 and path.startswith(("/users/", "/auth/")):
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", READS)
def test_query_changes_nothing_about_an_answer(visit: Callable[[str], Visitor], path: str) -> None:
    """F29: a parameter that a cache puts into its key, or leaves out of it, makes no other answer."""
    visitor = visit("cookies")
    plain = visitor.get(path)

    for query in ("?a.css", "?callback=alert", "?_format=css", "?access_token=x", "?utm_source=x"):
        response = visitor.get(f"{path}{query}")
        assert (response.json, response.headers["Cache-Control"]) == (plain.json, "no-store")


class SharedCache:
    """A proxy that keeps what RFC 9111 section 3 lets a shared cache keep, and more: it guesses a lifetime."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._kept: dict[tuple[str, tuple[str | None, ...]], Any] = {}
        self._vary: dict[str, list[str]] = {}

    def get(self, path: str, headers: dict[str, str]) -> Any:
        key = (path, tuple(headers.get(name) for name in self._vary.get(path, ())))
        if key in self._kept:
            return self._kept[key]
        environ = {"HTTP_COOKIE": headers["Cookie"]} if "Cookie" in headers else {}
        plain = {name: value for name, value in headers.items() if name != "Cookie"}
        response = self._client.get(path, headers=plain, environ_overrides=environ)
        control = response.headers.get("Cache-Control", "")
        private = "no-store" in control or "private" in control
        if response.status_code == 200 and not private and "Authorization" not in headers:
            self._vary[path] = [name.strip() for name in response.headers.get("Vary", "").split(",") if name.strip()]
            self._kept[path, tuple(headers.get(name) for name in self._vary[path])] = response
        return response


@pytest.mark.parametrize("own", [None, "public, max-age=60"])
def test_second_visitor_never_gets_the_answer_of_the_first(make_app: Callable[..., Flask], own: str | None) -> None:
    """F29, ASVS 14.2.2: through a proxy that keeps all it may, also for a view whose author let it be kept."""
    app = make_app(**COOKIES)
    add_views(app)

    @app.get("/mine")
    @jwt_required
    def mine() -> tuple[dict[str, str], dict[str, str]]:
        return {"email": current_user.email}, {"Cache-Control": own} if own else {}

    kim, lee = Visitor(app).sign_up(), Visitor(app).sign_up("lee@example.com")
    proxy = SharedCache(app.test_client(use_cookies=False))

    def through(visitor: Visitor | None, path: str) -> Any:
        cookie = {"Cookie": f"{ACCESS}={visitor.cookie(ACCESS)}"} if visitor else {}
        return proxy.get(path, cookie)

    for path in ("/mine", "/email", "/users/me"):
        assert through(kim, path).json["email"] == "kim@example.com"
        assert through(lee, path).json["email"] == "lee@example.com"
        assert through(None, path).status_code == 401
    assert proxy.get("/bare", {}) is proxy.get("/bare", {}), "the proxy keeps nothing at all"
    assert through(kim, "/optional").json["email"] == "kim@example.com"
    assert through(None, "/optional").json["email"] is None
    assert through(lee, "/optional").json["email"] == "lee@example.com"


@each_transport
def test_nothing_is_shown_after_the_sign_out(visit: Callable[[str], Visitor], transport: str) -> None:
    """F29, ASVS 7.4.1 and 14.3.1: back button, second tab, restored session: the answer is 401 and kept by nobody."""
    visitor = visit(transport)
    before = visitor.copy()
    visitor.post("/auth/logout")

    for who in (visitor, before):
        for path in (*READS, "/users/me/export", "/guarded"):
            response = who.get(path)
            assert response.status_code == 401
            assert "kim" not in response.text
    assert [visitor.cookie(name) for name in (ACCESS, REFRESH, CSRF)] == [None] * 3


def test_token_in_the_query_is_never_read(visit: Callable[[str], Visitor]) -> None:
    """F29, RFC 6750 section 5.3: of none of the kinds, at none of the routes."""
    visitor = visit("bodies")
    query = {"access_token": visitor.tokens["access_token"], "refresh_token": visitor.tokens["refresh_token"]}
    client = visitor.app.test_client()

    assert client.get("/users/me", query_string=query).json["code"] == "token_missing"
    assert client.post("/auth/refresh", query_string=query).json["code"] == "refresh_token_missing"
    assert client.post("/auth/logout", query_string=query).json["code"] == "token_missing"
    assert client.post("/auth/refresh", data=query).json["code"] == "unsupported_content_type"
    assert visitor.refresh().status_code == 200


def test_expired_token_in_a_history_opens_nothing(visit: Callable[[str], Visitor]) -> None:
    """F29: what somebody finds later in a dump of headers."""
    visitor = visit("bodies")
    with frozen_clock(visitor.app) as clock:
        clock.advance(3606)
        response = visitor.app.test_client().get("/users/me", headers=bearer(visitor.tokens["access_token"]))

    assert (response.status_code, response.json["code"]) == (401, "token_expired")
