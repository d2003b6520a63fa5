"""How tokens travel: in headers and bodies, in cookies, and in both mixtures of the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import get_jwt_identity, jwt_required
from tests.conftest import PASSWORD, bearer
from tests.visitor import (
    ACCESS,
    ACCESS_COOKIE,
    COOKIES,
    CSRF,
    REFRESH,
    REFRESH_COOKIE,
    TRANSPORTS,
    Visitor,
    send_cookies,
)
from tests.web.views import add_views

BODIES = {
    "bodies": {"access_token", "token_type", "expires_in", "refresh_token"},
    "cookies": {"expires_in"},
    "refresh cookie": {"access_token", "token_type", "expires_in"},
    "access cookie": {"expires_in", "refresh_token"},
}
NAMES = {
    "bodies": set(),
    "cookies": {ACCESS, REFRESH, CSRF},
    "refresh cookie": {REFRESH, CSRF},
    "access cookie": {ACCESS, CSRF},
}
LOGIN = {"email": "kim@example.com", "password": PASSWORD}
each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


def cookie_names(response: Any) -> set[str]:
    return {line.partition("=")[0] for line in response.headers.getlist("Set-Cookie")}


@pytest.fixture
def visit(make_app: Callable[..., Flask]) -> Callable[[str], Visitor]:
    """Return a function: the name of a transport -> a visitor who has signed in."""

    def build(transport: str, **settings: Any) -> Visitor:
        app = make_app(**TRANSPORTS[transport], **settings)
        add_views(app)

        @app.post("/write")
        @jwt_required
        def write() -> dict[str, Any]:
            return {"id": get_jwt_identity()}

        return Visitor(app).sign_up()

    return build


@each_transport
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/login", LOGIN),
        ("/auth/refresh", {}),
        ("/auth/reauthenticate", {"password": PASSWORD}),
        ("/users/me/password", {"current_password": PASSWORD, "new_password": "walrus-quartz-17"}),
    ],
)
def test_tokens_are_handed_out_where_the_settings_say(
    visit: Callable[[str], Visitor], transport: str, path: str, body: dict[str, str]
) -> None:
    """What travels in a cookie that no script can read is not in the body, where one can."""
    visitor = visit(transport)
    held = {name: visitor.cookie(name) for name in NAMES[transport]}
    if path == "/auth/refresh" and "refresh_token" in visitor.tokens:
        body = {"refresh_token": visitor.tokens["refresh_token"]}

    response = visitor.post(path, body)

    assert response.status_code == 200
    assert set(response.json) == BODIES[transport]
    assert cookie_names(response) == NAMES[transport]
    for name in {ACCESS, REFRESH} & NAMES[transport]:
        assert visitor.cookie(name) not in (None, held[name])
        assert str(visitor.cookie(name)) not in response.text


@each_transport
def test_signed_in_visitor_reads_writes_and_refreshes(visit: Callable[[str], Visitor], transport: str) -> None:
    visitor = visit(transport)
    for _ in range(3):
        assert visitor.get("/guarded").json == {"id": "1"}
        assert visitor.post("/write").json == {"id": "1"}
        assert visitor.get("/auth/sessions").status_code == 200
        assert visitor.refresh().status_code == 200


@each_transport
def test_signed_out_visitor_holds_nothing(visit: Callable[[str], Visitor], transport: str) -> None:
    """ASVS 7.4.1; an answer that signs out never sets a cookie that lives."""
    visitor = visit(transport)
    thief = visitor.copy()

    response = visitor.post("/auth/logout")

    assert response.status_code == 200
    assert cookie_names(response) == NAMES[transport]
    assert all("Max-Age=0" in line for line in response.headers.getlist("Set-Cookie"))
    assert [visitor.cookie(name) for name in (ACCESS, REFRESH, CSRF)] == [None] * 3
    assert thief.get("/guarded").status_code == 401
    assert thief.refresh().status_code == 401


@pytest.mark.parametrize("transport", ["bodies", "refresh cookie"])
def test_access_cookie_is_not_read_where_the_header_is_the_way(visit: Callable[[str], Visitor], transport: str) -> None:
    visitor = visit(transport)
    visitor.plant(ACCESS, visitor.tokens.pop("access_token"))

    assert visitor.get("/guarded").json["code"] == "token_missing"


@pytest.mark.parametrize("transport", ["bodies", "access cookie"])
def test_refresh_cookie_is_not_read_where_the_body_is_the_way(visit: Callable[[str], Visitor], transport: str) -> None:
    visitor = visit(transport)
    visitor.plant(REFRESH, visitor.tokens.pop("refresh_token"))

    assert visitor.refresh().json["code"] == "refresh_token_missing"


@pytest.mark.parametrize("transport", ["cookies", "refresh cookie"])
def test_refresh_token_in_a_body_is_refused_where_the_cookie_is_the_way(
    visit: Callable[[str], Visitor], transport: str
) -> None:
    """A page that holds it in a script has not understood the setting; better that it shows."""
    visitor = visit(transport)

    response = visitor.post("/auth/refresh", {"refresh_token": visitor.cookie(REFRESH)})

    assert (response.status_code, list(response.json["fields"])) == (400, ["refresh_token"])
    assert visitor.refresh().status_code == 200


@each_transport
def test_header_is_always_a_way(visit: Callable[[str], Visitor], transport: str) -> None:
    """A client that is no browser calls an app whose pages use cookies, too; it needs no proof against CSRF."""
    visitor = visit(transport)
    token = visitor.tokens.get("access_token") or visitor.cookie(ACCESS) or ""

    response = visitor.app.test_client().post("/write", headers=bearer(token))

    assert response.json == {"id": "1"}


@pytest.mark.parametrize("path", ["/guarded", "/optional", "/users/me"])
@pytest.mark.parametrize("header", ["Bearer bad", "Bearer ", "Bearer", "Bearer\tx", "bearer bad"])
def test_bad_header_next_to_a_good_cookie_is_refused(visit: Callable[[str], Visitor], header: str, path: str) -> None:
    """J22: a header that is there decides alone; a page of another site may be able to send one, and not the other."""
    visitor = visit("cookies")
    assert visitor.get(path).status_code == 200

    response = visitor.get(path, headers={"Authorization": header})

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("header", ["Basic a2ltOmtpbQ==", "Digest x", "", "Negotiate x"])
def test_header_of_another_scheme_next_to_a_good_cookie_is_anonymous(
    visit: Callable[[str], Visitor], header: str
) -> None:
    """J22."""
    visitor = visit("cookies")

    assert visitor.get("/guarded", headers={"Authorization": header}).json["code"] == "token_missing"
    assert visitor.get("/optional", headers={"Authorization": header}).json["id"] is None


def test_good_header_decides_over_a_cookie_of_somebody_else(visit: Callable[[str], Visitor]) -> None:
    visitor = visit("cookies")
    lee = Visitor(visitor.app).sign_up("lee@example.com")

    assert visitor.get("/guarded", headers=bearer(lee.cookie(ACCESS) or "")).json == {"id": "2"}


@pytest.mark.parametrize("value", ["", "bad", "a.b.c", '"', "%22", "x" * 5000, "\x7f", "\xe9"])
def test_bad_access_cookie_is_a_bad_token_and_no_anonymous_visitor(visit: Callable[[str], Visitor], value: str) -> None:
    visitor = visit("cookies")

    for path in ("/guarded", "/optional"):
        response = send_cookies(visitor.app, f"{ACCESS}={value}", path)
        assert (response.status_code, response.json["code"]) == (401, "token_invalid")


@pytest.mark.parametrize(("transport", "settings"), [("cookies", COOKIES), ("refresh cookie", REFRESH_COOKIE)])
def test_client_that_is_no_browser_gets_what_travels_in_bodies(
    make_app: Callable[..., Flask], transport: str, settings: dict[str, str]
) -> None:
    """It says nothing about where it comes from, so no cookie is planted, and with two of them nothing is left."""
    client = make_app(**settings).test_client()
    client.post("/users", json=LOGIN)

    response = client.post("/auth/login", json=LOGIN)

    if transport == "cookies":
        assert (response.status_code, response.json["code"]) == (403, "csrf_failed")
    else:
        assert (response.status_code, set(response.json)) == (200, BODIES[transport])
    assert "Set-Cookie" not in response.headers


def test_client_that_holds_a_refresh_cookie_says_where_it_comes_from(visit: Callable[[str], Visitor]) -> None:
    """Else a step-up would end the cookie's session and hand out nothing in its place."""
    visitor = visit("refresh cookie")

    response = visitor.post("/auth/reauthenticate", {"password": PASSWORD}, headers={"Sec-Fetch-Site": None})

    assert (response.status_code, response.json["code"]) == (403, "csrf_failed")
    assert visitor.refresh().status_code == 200


@pytest.mark.parametrize("settings", [COOKIES, ACCESS_COOKIE])
def test_view_of_the_app_says_that_its_answer_is_for_one_visitor(
    make_app: Callable[..., Flask], settings: dict[str, str]
) -> None:
    """F29, RFC 9111 section 3.5: caches keep off answers to an Authorization header, and not off those to a cookie."""
    app = make_app(**settings)
    add_views(app)

    @app.get("/kept")
    @jwt_required
    def kept() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {"Cache-Control": "private, max-age=60", "Vary": "Accept-Language"}

    visitor = Visitor(app).sign_up()

    plain, own, bare = (visitor.get(path).headers for path in ("/guarded", "/kept", "/bare"))

    assert (plain["Cache-Control"], plain["Vary"]) == ("no-store", "Cookie")
    assert (own["Cache-Control"], own["Vary"]) == ("private, max-age=60", "Accept-Language, Cookie")
    assert "Cache-Control" not in bare
    assert visitor.get("/users/me").headers.getlist("Vary") == ["Accept, Authorization, Cookie"]
    refused = app.test_client().get("/guarded").headers
    assert refused.getlist("Cache-Control") == ["no-store"]
