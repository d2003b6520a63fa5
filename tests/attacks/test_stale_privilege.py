"""Tokens that outlive what they stood for. There are no roles yet, so none is taken away here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, text, update

from flask_secureauth import jwt_required, revoke_sessions, verify_jwt_in_request
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.features.models import model_with_switch
from tests.letters import UNDO, reset, reset_token, send, undo_token
from tests.visitor import ACCESS_COOKIE, COOKIES, REFRESH_COOKIE, Visitor
from tests.web.views import app_on

NEW = "walrus-quartz-17"


@dataclass
class Case:
    """An app, its user at home, and a thief who holds copies of the tokens of one of the user's sessions."""

    app: Flask
    db: Any
    user: type[Any]
    owner: Visitor

    def change(self, statement: Any) -> None:
        with self.app.app_context():
            self.db.session.execute(statement)
            self.db.session.commit()


def _disable(case: Case) -> None:
    case.change(update(case.user).values(is_active=False))


def _delete(case: Case) -> None:
    case.change(delete(case.user))


def _delete_own(case: Case) -> None:
    assert Visitor(case.app).sign_in().open("DELETE", "/users/me").status_code == 200


def _reset_password(case: Case) -> None:
    assert reset(case.app, reset_token(case.app)).status_code == 200


def _undo_email_change(case: Case) -> None:
    token = undo_token(case.app, Visitor(case.app).sign_in())
    assert send(case.app, UNDO, token=token).status_code == 200


def _change_password(case: Case) -> None:
    response = case.owner.post("/users/me/password", {"current_password": PASSWORD, "new_password": NEW})
    assert response.status_code == 200


def _change_password_elsewhere(case: Case) -> None:
    _change_password(Case(case.app, case.db, case.user, Visitor(case.app).sign_in()))


def _step_up(case: Case) -> None:
    assert case.owner.post("/auth/reauthenticate", {"password": PASSWORD}).status_code == 200


def _log_out(scope: str) -> Callable[[Case], None]:
    def act(case: Case) -> None:
        by = Visitor(case.app).sign_in() if scope == "others" else case.owner
        assert by.post("/auth/logout", {"scope": scope}).status_code == 200

    return act


def _log_out_everywhere_from_elsewhere(case: Case) -> None:
    assert Visitor(case.app).sign_in().post("/auth/logout", {"scope": "global"}).status_code == 200


def _end_from_the_list(case: Case) -> None:
    other = Visitor(case.app).sign_in()
    for session in other.get("/auth/sessions").json["sessions"]:
        if not session["current"]:
            assert other.open("DELETE", f"/auth/sessions/{session['id']}").status_code == 200


def _revoke_in_the_app(case: Case) -> None:
    with case.app.app_context():
        assert revoke_sessions(1) == 1


def _revoke_on_the_command_line(case: Case) -> None:
    arguments = ["secureauth", "sessions", "revoke", "kim@example.com"]
    assert case.app.test_cli_runner().invoke(args=arguments).exit_code == 0


def _replay(case: Case) -> None:
    first = case.owner.copy()
    for _ in range(2):
        assert case.owner.refresh().status_code == 200
    assert first.refresh().json["code"] == "refresh_token_reused"


ENDS: dict[str, Callable[[Case], None]] = {
    "disabled": _disable,
    "deleted": _delete,
    "deleted by the user": _delete_own,
    "password reset": _reset_password,
    "e-mail change undone": _undo_email_change,
    "password changed": _change_password,
    "password changed elsewhere": _change_password_elsewhere,
    "stepped up": _step_up,
    "signed out": _log_out("local"),
    "signed out by another session": _log_out("others"),
    "signed out everywhere": _log_out("global"),
    "signed out everywhere from elsewhere": _log_out_everywhere_from_elsewhere,
    "ended from the list": _end_from_the_list,
    "revoked by the app": _revoke_in_the_app,
    "revoked on the command line": _revoke_on_the_command_line,
    "old token came back": _replay,
}
GONE = ("deleted", "deleted by the user")
TRANSPORTS = {"header": {}, "cookie": COOKIES, "refresh cookie": REFRESH_COOKIE, "access cookie": ACCESS_COOKIE}


@pytest.fixture
def make_case(make_app: Callable[..., Flask]) -> Callable[..., Case]:
    def make(**settings: Any) -> Case:
        db = new_sqlalchemy()
        user = model_with_switch(db)
        app = app_on(make_app, db, user, **settings)

        @app.post("/write")
        @jwt_required
        def write() -> dict[str, str]:
            return {}

        return Case(app, db, user, Visitor(app).sign_up())

    return make


READS = ("/guarded", "/async", "/email", "/fresh", "/optional", "/users/me", "/auth/sessions")


def _refused(thief: Visitor) -> set[tuple[str, int]]:
    """What a thief is told, wherever the tokens are shown; nothing must be new to them."""
    answers = [(path, thief.copy().get(path)) for path in READS]
    answers += [(path, thief.copy().post(path)) for path in ("/write", "/auth/logout")]
    answers += [("/auth/reauthenticate", thief.copy().post("/auth/reauthenticate", {"password": PASSWORD}))]
    answers += [("/auth/refresh", thief.copy().refresh()) for _ in range(2)]
    for path, response in answers:
        assert "kim" not in response.text, path
        assert "access_token" not in response.text, path
    return {(path, response.status_code) for path, response in answers}


@pytest.mark.every_database
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("transport", ["header", "cookie"])
def test_next_request_with_a_token_of_before_is_refused(
    make_case: Callable[..., Case], transport: str, end: str
) -> None:
    """J19, F27, ASVS 7.4.1 to 7.4.5: an access token and a refresh token, in headers and bodies and in cookies."""
    case = make_case(**TRANSPORTS[transport])
    thief = case.owner.copy()
    for path in READS:
        assert thief.get(path).status_code == 200
    assert thief.copy().post("/write").status_code == 200

    ENDS[end](case)

    not_found = {("/users/me", 404 if end in GONE else 401)}
    expected = {(path, 401) for path in (*READS, "/write", "/auth/logout", "/auth/reauthenticate", "/auth/refresh")}
    assert _refused(thief) == (expected - {("/users/me", 401)}) | not_found


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("transport", ["refresh cookie", "access cookie"])
def test_mixed_transports_refuse_the_same(make_case: Callable[..., Case], transport: str, end: str) -> None:
    """J19, F27: one token in a cookie, the other one not."""
    case = make_case(**TRANSPORTS[transport])
    thief = case.owner.copy()
    ENDS[end](case)

    assert {status for _, status in _refused(thief)} <= ({401, 404} if end in GONE else {401})


OWN_PROCESS = [name for name in ENDS if name not in ("disabled", "deleted")]


@pytest.mark.parametrize("end", OWN_PROCESS)
@pytest.mark.parametrize("transport", ["header", "cookie"])
def test_own_process_forgets_at_once_whatever_the_staleness(
    make_case: Callable[..., Case], transport: str, end: str
) -> None:
    """F27, tokens-and-sessions.md: seconds of staleness are for other processes."""
    case = make_case(SECUREAUTH_SESSION_STALENESS=3600, **TRANSPORTS[transport])
    thief = case.owner.copy()
    assert thief.get("/guarded").status_code == 200
    ENDS[end](case)

    told = _refused(thief)
    assert {status for path, status in told if path != "/users/me" or end not in GONE} == {401}


@pytest.mark.parametrize("staleness", [3600, None])
@pytest.mark.parametrize("end", ["disabled", *GONE, "password reset", "e-mail change undone", "signed out"])
def test_staleness_never_delays_what_changes_credentials(
    make_case: Callable[..., Case], staleness: int | None, end: str
) -> None:
    """F27: whoever accepts that views learn late of an end has not accepted it for the keys to the account."""
    case = make_case(SECUREAUTH_SESSION_STALENESS=staleness)
    thief = case.owner.copy()
    assert thief.get("/guarded").status_code == 200
    ENDS[end](case)

    answers = [
        thief.copy().refresh(),
        thief.copy().get("/auth/sessions"),
        thief.copy().post("/auth/logout", {"scope": "global"}),
        thief.copy().post("/auth/reauthenticate", {"password": PASSWORD}),
        thief.copy().post("/users/me/password", {"current_password": PASSWORD, "new_password": NEW}),
        thief.copy().open("DELETE", f"/auth/sessions/{'0' * 32}"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 6


@pytest.mark.parametrize("staleness", [3600, None])
def test_early_look_of_the_app_does_not_stand_for_the_later_one(
    make_app: Callable[..., Flask], staleness: int | None
) -> None:
    """F27: the app has asked who it is and was satisfied with an old look; the route that follows is not."""
    app = make_app(
        before=lambda app: app.before_request(lambda: verify_jwt_in_request(optional=True)),
        SECUREAUTH_SESSION_STALENESS=staleness,
    )
    visitor = Visitor(app).sign_up()
    assert visitor.get("/users/me").status_code == 200
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        db.session.execute(text("UPDATE secureauth_sessions SET revoked_at = created_at"))
        db.session.commit()

    assert visitor.get("/users/me").status_code == 200
    assert visitor.get("/auth/sessions").json["code"] == "session_revoked"
    assert visitor.post("/auth/logout", {"scope": "global"}).json["code"] == "session_revoked"


@pytest.mark.every_database
def test_account_that_is_enabled_again_does_not_bring_ended_sessions_back(make_case: Callable[..., Case]) -> None:
    """F27: disabled and revoked in one transaction, as the docs show it."""
    case = make_case()
    thief = case.owner.copy()
    with case.app.app_context():
        user = case.db.session.get(case.user, 1)
        user.is_active = False
        revoke_sessions(user)
    case.change(update(case.user).values(is_active=True))

    assert {status for _, status in _refused(thief)} == {401}
    assert Visitor(case.app).sign_in().get("/guarded").status_code == 200


def test_session_of_a_deleted_user_is_not_the_next_users(make_case: Callable[..., Case]) -> None:
    """F27, ASVS 7.2.3: the address and perhaps the number come back, the session does not."""
    case = make_case()
    thief = case.owner.copy()
    _delete(case)
    Visitor(case.app).sign_up()

    assert {status for path, status in _refused(thief) if path != "/users/me"} == {401}


@pytest.mark.every_database
def test_clock_that_steps_back_revives_nothing(make_case: Callable[..., Case]) -> None:
    """J23: neither a session that was ended nor the grace of a spent token."""
    case = make_case()
    clock = case.app.extensions["secureauth"].clock
    source = clock.source
    old = case.owner.copy()
    case.owner.refresh()
    clock.source = lambda: source() - 3600

    assert old.refresh().status_code == 401
    assert case.owner.refresh().status_code == 401
    assert case.owner.get("/guarded").status_code == 401
    clock.source = source
    assert case.owner.refresh().status_code == 401
