"""Cookies: what they are set with, and which views read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.http import parse_options_header

from flask_secureauth import jwt_required
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD
from tests.visitor import ACCESS, COOKIES, CSRF, REFRESH, Visitor, set_cookies
from tests.web.views import add_views

LOGIN = {"email": "kim@example.com", "password": PASSWORD}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(**COOKIES)
    add_views(app)
    return app


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


@pytest.mark.parametrize("remember", [False, True])
def test_cookies_are_bound_to_this_host_and_kept_from_scripts(app: Flask, visitor: Visitor, remember: bool) -> None:
    """ASVS 3.3.1 to 3.3.4, RFC 6265bis: Secure, no Domain, Path=/, and HttpOnly but for the proof against CSRF."""
    found = set_cookies(visitor.post("/auth/login", {**LOGIN, "remember": remember}))

    common = {"secure": "", "path": "/"} | ({"max-age": str(14 * 86_400)} if remember else {})
    expected = {
        ACCESS: {**common, "httponly": "", "samesite": "Lax"},
        REFRESH: {**common, "httponly": "", "samesite": "Strict"},
        CSRF: {**common, "samesite": "Strict"},
    }
    for name, attributes in expected.items():
        sent = {key: value for key, value in found[name][1].items() if key != "expires"}
        assert sent == attributes, name
        assert ("expires" in found[name][1]) == remember
        assert name.startswith("__Host-")


def test_cookies_are_kept_no_longer_than_the_session(make_app: Callable[..., Flask]) -> None:
    app = make_app(**COOKIES, SECUREAUTH_SESSION_LIFETIME=5000)
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up().sign_in(remember=True)
        clock.advance(2000)
        found = set_cookies(visitor.refresh())

    assert (found[REFRESH][1]["max-age"], found[CSRF][1]["max-age"]) == ("3000", "3000")


def test_refresh_keeps_what_was_asked_for_at_the_sign_in(visitor: Visitor) -> None:
    assert all("max-age" not in attributes for _, attributes in set_cookies(visitor.refresh()).values())
    visitor.sign_in(remember=True)
    assert all("max-age" in attributes for _, attributes in set_cookies(visitor.refresh()).values())


def test_proof_against_csrf_lasts_as_long_as_the_session(visitor: Visitor) -> None:
    """Two tabs do not take it from each other."""
    before = visitor.cookie(CSRF)
    visitor.refresh()
    assert visitor.cookie(CSRF) == before
    visitor.sign_in()
    assert visitor.cookie(CSRF) != before


def test_insecure_cookies_are_for_development_and_have_other_names(make_app: Callable[..., Flask]) -> None:
    """A browser takes no Secure cookie over plain HTTP; without the setting nobody gets an insecure one."""
    app = make_app(**COOKIES, SECUREAUTH_ALLOW_INSECURE_COOKIES=True)
    add_views(app)
    visitor = Visitor(app)
    visitor.post("/users", LOGIN)

    found = set_cookies(visitor.post("/auth/login", LOGIN))

    assert set(found) == {"secureauth_access", "secureauth_refresh", "secureauth_csrf"}
    assert all("secure" not in attributes for _, attributes in found.values())
    assert {name: "httponly" in attributes for name, (_, attributes) in found.items()} == {
        "secureauth_access": True,
        "secureauth_refresh": True,
        "secureauth_csrf": False,
    }
    assert visitor.get("/guarded").status_code == 200
    visitor.plant(CSRF, visitor.cookie("secureauth_csrf") or "")
    assert visitor.refresh().status_code == 200


@pytest.mark.parametrize("locations", ["header", "cookie", ("header", "cookie")])
def test_view_may_choose_where_its_token_is(make_app: Callable[..., Flask], locations: Any) -> None:
    app = make_app(**COOKIES)

    @app.get("/here")
    @jwt_required(locations=locations)
    def here() -> dict[str, str]:
        return {}

    @app.get("/perhaps")
    @jwt_required(locations=locations, optional=True)
    def perhaps() -> dict[str, str]:
        return {}

    visitor = Visitor(app).sign_up()
    header = {"Authorization": f"Bearer {visitor.cookie(ACCESS)}"}
    cookie, by_header, nothing = visitor.get("/here"), app.test_client().get("/here", headers=header), app.test_client()

    assert cookie.status_code == (200 if "cookie" in locations else 401)
    assert by_header.status_code == (200 if "header" in locations else 401)
    assert {response.json["code"] for response in (cookie, by_header) if response.status_code == 401} <= {
        "token_missing"
    }
    assert nothing.get("/perhaps").status_code == 200
    assert visitor.get("/perhaps").status_code == cookie.status_code


@pytest.mark.parametrize("locations", [(), [], "query", "headers", ("header", "body"), {"cookies"}, ""])
def test_location_that_does_not_exist_is_refused_where_it_is_written(locations: Any) -> None:
    with pytest.raises(TypeError, match="locations are 'header' and 'cookie'"):
        jwt_required(locations=locations)


def test_media_type_of_answers_with_cookies_is_json(visitor: Visitor) -> None:
    response = visitor.refresh()

    assert parse_options_header(response.headers["Content-Type"])[0] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
