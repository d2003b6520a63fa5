"""Cookies that are dead are deleted by the answer that says so, and no answer deletes a living one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, redirect
from sqlalchemy import text
from werkzeug.wrappers import Response

from flask_secureauth import AuthError, NotAuthenticated, SessionRevoked, verify_jwt_in_request
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.db.database import Database, TransactionConflict
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD
from tests.visitor import ACCESS, COOKIES, CSRF, REFRESH, REFRESH_COOKIE, Visitor, send_cookies, set_cookies
from tests.web.views import add_views

LOGIN = {"email": "kim@example.com", "password": PASSWORD}
ALL = {ACCESS, REFRESH, CSRF}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(**COOKIES)
    add_views(app)
    return app


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


def deleted(response: Any) -> set[str]:
    found = set_cookies(response)
    assert all(value == "" and attributes["max-age"] == "0" for value, attributes in found.values()), found
    return set(found)


def end_elsewhere(app: Flask) -> None:
    """End every session as another process would."""
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        db.session.execute(text("UPDATE secureauth_sessions SET revoked_at = created_at"))
        db.session.commit()


def test_expired_access_cookie_deletes_itself_and_nothing_else(app: Flask) -> None:
    """The refresh token next to it lives, and brings the next one."""
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        clock.advance(3606)
        response = visitor.get("/guarded")

        assert (response.status_code, response.json["code"]) == (401, "token_expired")
        assert deleted(response) == {ACCESS}
        assert visitor.refresh().status_code == 200
        assert visitor.get("/guarded").status_code == 200


def test_invalid_access_cookie_deletes_itself_and_nothing_else(app: Flask, visitor: Visitor) -> None:
    visitor.plant(ACCESS, "a.b.c")

    assert deleted(visitor.get("/guarded")) == {ACCESS}
    assert visitor.refresh().status_code == 200


@pytest.mark.parametrize("path", ["/guarded", "/optional", "/users/me", "/auth/sessions"])
def test_cookies_of_an_ended_session_are_deleted(app: Flask, visitor: Visitor, path: str) -> None:
    end_elsewhere(app)

    response = visitor.get(path)

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")
    assert deleted(response) == ALL
    assert deleted(visitor.get(path)) == set()


def test_only_cookies_that_came_are_deleted(app: Flask, visitor: Visitor) -> None:
    end_elsewhere(app)
    response = send_cookies(app, f"{ACCESS}={visitor.cookie(ACCESS)}", "/guarded")

    assert deleted(response) == {ACCESS}


def test_refused_refresh_deletes_what_is_dead(app: Flask, visitor: Visitor) -> None:
    end_elsewhere(app)
    response = visitor.refresh()

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")
    assert deleted(response) == ALL


def test_token_that_comes_back_deletes_the_cookies_of_its_session(app: Flask) -> None:
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        thief = visitor.copy()
        visitor.refresh()
        clock.advance(10)
        response = thief.refresh()

    assert (response.status_code, response.json["code"]) == (401, "refresh_token_reused")
    assert deleted(response) == ALL


def test_refresh_cookie_of_another_form_is_deleted(visitor: Visitor) -> None:
    visitor.plant(REFRESH, "planted")
    response = visitor.refresh()

    assert (response.status_code, response.json["code"]) == (401, "refresh_token_invalid")
    assert deleted(response) == ALL


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/reauthenticate", {"password": PASSWORD}),
        ("/users/me/password", {"current_password": PASSWORD, "new_password": "walrus-quartz-17"}),
    ],
)
def test_answer_that_comes_late_takes_no_newer_cookies_away(visitor: Visitor, path: str, body: Any) -> None:
    """A request of another tab was under way when the session got another name; its 401 comes after the new cookies."""
    late = visitor.copy()
    assert visitor.post(path, body).status_code == 200

    answers = [late.copy().refresh(), late.copy().get("/guarded"), late.copy().post(path, body)]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert not {REFRESH, CSRF} & set().union(*map(deleted, answers))


def test_session_that_gets_another_name_during_a_request_keeps_its_cookies(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tabs step up at once; the answer to the one that comes second must not sign the first one out."""
    verify = PasswordHasher.verify

    def overtaken(self: PasswordHasher, stored: str | None, password: str) -> bool:
        with app.extensions["sqlalchemy"].engine.begin() as connection:
            connection.execute(text("UPDATE secureauth_sessions SET id = 'f00d'"))
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)
    response = visitor.post("/auth/reauthenticate", {"password": PASSWORD})

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")
    assert deleted(response) == set()


def test_csrf_failure_deletes_nothing(visitor: Visitor) -> None:
    """Or any page of another site could sign a visitor out."""
    for path in ("/auth/refresh", "/auth/logout", "/auth/login"):
        response = visitor.post(path, LOGIN if "login" in path else {}, headers={"Sec-Fetch-Site": "cross-site"})
        assert response.status_code == 403
        assert "Set-Cookie" not in response.headers


def test_wrong_password_deletes_nothing(visitor: Visitor) -> None:
    for path, body in (("/auth/login", {**LOGIN, "password": "x"}), ("/auth/reauthenticate", {"password": "x"})):
        response = visitor.post(path, body)
        assert response.status_code in (401, 403)
        assert "Set-Cookie" not in response.headers


def test_ending_the_own_session_from_the_list_deletes_the_cookies(app: Flask, visitor: Visitor) -> None:
    Visitor(app).sign_in()
    own, other = sorted(visitor.get("/auth/sessions").json["sessions"], key=lambda session: not session["current"])

    assert deleted(visitor.open("DELETE", f"/auth/sessions/{other['id']}")) == set()
    assert deleted(visitor.open("DELETE", f"/auth/sessions/{own['id']}")) == ALL


def test_signing_out_elsewhere_keeps_the_cookies(visitor: Visitor) -> None:
    assert deleted(visitor.post("/auth/logout", {"scope": "others"})) == set()
    assert visitor.refresh().status_code == 200


def _fail_to_commit(self: Database) -> None:
    self.session.rollback()
    raise TransactionConflict


@pytest.mark.parametrize("path", ["/auth/logout", "/auth/refresh"])
def test_transaction_that_fails_deletes_nothing(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Whoever is told to come again is still signed in."""
    with monkeypatch.context() as patched:
        patched.setattr(Database, "_commit", _fail_to_commit)
        response = visitor.post(path)

    assert response.status_code == 503
    assert "Set-Cookie" not in response.headers
    assert visitor.post(path).status_code == 200


def test_refusal_that_is_not_committed_deletes_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the session was undone with it."""
    with frozen_clock(app) as clock, monkeypatch.context() as patched:
        visitor = Visitor(app).sign_up()
        thief = visitor.copy()
        visitor.refresh()
        clock.advance(10)
        patched.setattr(Database, "_commit", _fail_to_commit)
        response = thief.refresh()
        patched.undo()

        assert response.status_code == 503
        assert "Set-Cookie" not in response.headers
        assert visitor.refresh().status_code == 200


def _login_page(error: Exception) -> Response:
    return redirect("/sign-in")


@pytest.mark.parametrize("kind", [NotAuthenticated, SessionRevoked, AuthError])
def test_app_that_words_refusals_itself_deletes_dead_cookies_all_the_same(
    make_app: Callable[..., Flask], kind: type[AuthError]
) -> None:
    """Pages answer a 401 with a redirect to their login; the dead cookies would come back for ever."""
    app = make_app(**COOKIES)
    add_views(app)
    app.register_error_handler(kind, _login_page)
    visitor = Visitor(app).sign_up()
    end_elsewhere(app)

    answers = {"guard": visitor.copy().get("/guarded"), "refresh": visitor.copy().refresh()}

    for response in answers.values():
        assert (response.status_code, response.location) == (302, "/sign-in")
        assert deleted(response) == ALL


def test_app_that_catches_a_refusal_deletes_dead_cookies_all_the_same(make_app: Callable[..., Flask]) -> None:
    app = make_app(**COOKIES)

    @app.get("/soft")
    def soft() -> dict[str, str]:
        try:
            verify_jwt_in_request()
        except NotAuthenticated as refusal:
            return {"caught": refusal.error_code}
        return {"caught": ""}

    visitor = Visitor(app).sign_up()
    end_elsewhere(app)
    response = visitor.get("/soft")

    assert response.json == {"caught": "session_revoked"}
    assert deleted(response) == ALL


def test_refresh_cookie_alone_is_deleted_when_its_session_ends(make_app: Callable[..., Flask]) -> None:
    app = make_app(**REFRESH_COOKIE)
    visitor = Visitor(app).sign_up()

    assert deleted(visitor.post("/auth/logout")) == {REFRESH, CSRF}


def test_bodies_alone_never_touch_a_cookie(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    visitor = Visitor(app).sign_up()
    for name in ALL:
        visitor.plant(name, "of another app")

    answers = [visitor.refresh(), visitor.post("/auth/logout"), visitor.get("/users/me"), visitor.refresh()]

    assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
    assert not any("Set-Cookie" in answer.headers for answer in answers)
