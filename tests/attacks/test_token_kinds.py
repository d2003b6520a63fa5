"""One kind of token in the place of another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.conftest import PASSWORD, bearer
from tests.visitor import ACCESS, COOKIES, CSRF, REFRESH, REFRESH_COOKIE, Visitor, session_rows
from tests.web.views import add_views

KINDS: dict[str, Callable[[Visitor], str]] = {
    "access token": lambda owner: str(owner.cookie(ACCESS)),
    "refresh token": lambda owner: str(owner.cookie(REFRESH)),
    "csrf token": lambda owner: str(owner.cookie(CSRF)),
    "session id": lambda owner: session_rows(owner.app)[0].id,
    "nonce": lambda owner: session_rows(owner.app)[0].nonce,
    "mac of the refresh token": lambda owner: str(owner.cookie(REFRESH)).rpartition(".")[2],
    "signature of the access token": lambda owner: str(owner.cookie(ACCESS)).rpartition(".")[2],
}


@pytest.fixture
def owner(make_app: Callable[..., Flask]) -> Visitor:
    """Somebody with all three in cookies."""
    app = make_app(**COOKIES)
    add_views(app)
    return Visitor(app).sign_up()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "access token"])
@pytest.mark.parametrize("path", ["/guarded", "/optional", "/users/me"])
def test_only_an_access_token_opens_a_view(owner: Visitor, path: str, kind: str) -> None:
    """J13, RFC 8725 section 2.8: in the header and in the cookie."""
    value = KINDS[kind](owner)
    thief = Visitor(owner.app)
    thief.plant(ACCESS, value)

    for response in (owner.app.test_client().get(path, headers=bearer(value)), thief.get(path)):
        assert (response.status_code, response.json["code"]) == (401, "token_invalid")
    assert owner.get("/guarded").status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "refresh token"])
def test_only_a_refresh_token_is_traded(owner: Visitor, make_app: Callable[..., Flask], kind: str) -> None:
    """J13: in the cookie, with every other proof, and in the body; nothing is consumed and nobody's session ends."""
    value = KINDS[kind](owner)
    thief = owner.copy()
    thief.plant(REFRESH, value)
    bodies = make_app(SECUREAUTH_REFRESH_TRANSPORT="body").test_client()
    before = session_rows(owner.app)

    for response in (thief.refresh(), bodies.post("/auth/refresh", json={"refresh_token": value})):
        assert (response.status_code, response.json["code"]) == (401, "refresh_token_invalid")
    assert session_rows(owner.app) == before
    assert owner.refresh().status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "csrf token"])
def test_only_the_csrf_token_proves_that_a_page_was_here(owner: Visitor, kind: str) -> None:
    """J13."""
    for path in ("/auth/refresh", "/auth/logout"):
        response = owner.post(path, headers={"X-CSRF-Token": KINDS[kind](owner)})
        assert (response.status_code, response.json["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_is_a_password_or_an_address(owner: Visitor, kind: str) -> None:
    """J13: what a thief of tokens has opens neither the account nor its password."""
    value = KINDS[kind](owner)
    requests = {
        "/auth/reauthenticate": {"password": value},
        "/users/me/password": {"current_password": value, "new_password": "walrus-quartz-17"},
    }

    for path, body in requests.items():
        assert owner.post(path, body).json["code"] == "wrong_password"
    for email, password in (("kim@example.com", value), (value, PASSWORD)):
        response = owner.post("/auth/login", {"email": email, "password": password})
        assert response.json["code"] == "login.invalid_credentials"


def test_refresh_token_of_a_cookie_is_the_one_of_a_body(make_app: Callable[..., Flask]) -> None:
    """A switch of the transport signs nobody out: it is one kind, wherever it travels."""
    owner = Visitor(make_app(**REFRESH_COOKIE)).sign_up()
    bodies = make_app().test_client()

    response = bodies.post("/auth/refresh", json={"refresh_token": owner.cookie(REFRESH)})

    assert response.status_code == 200
