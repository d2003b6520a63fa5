"""Password change: the new one works, the old one does not, and whoever else was signed in is out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text, update

from flask_secureauth import credentials_changed, login_failed, sessions_ended
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.errors import WrongPassword
from flask_secureauth.events import Client
from flask_secureauth.features.login import LoginService
from flask_secureauth.testing import frozen_clock, mails
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.features.models import model_with_switch, model_with_uuid
from tests.letters import is_refused, reset, reset_token
from tests.visitor import Visitor, session_rows
from tests.web.views import add_views, app_on

PATH = "/users/me/password"
NEW = "walrus-quartz-17"
CHANGE = {"current_password": PASSWORD, "new_password": NEW}


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    add_views(app)
    return Visitor(app).sign_up()


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json["code"]


def signs_in(app: Flask, password: str, email: str = "kim@example.com") -> bool:
    status = app.test_client().post("/auth/login", json={"email": email, "password": password}).status_code
    assert status in (200, 401)
    return status == 200


@pytest.mark.every_database
def test_new_password_replaces_the_old_one(app: Flask, visitor: Visitor) -> None:
    response = visitor.post(PATH, CHANGE)

    assert response.status_code == 200
    assert response.json.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (signs_in(app, NEW), signs_in(app, PASSWORD)) == (True, False)


@pytest.mark.every_database
def test_only_the_tokens_of_the_answer_still_work(app: Flask, visitor: Visitor) -> None:
    """ASVS 7.4.3 and 7.2.4: others end, and so does every token of the own session's past."""
    other, thief, lee = Visitor(app).sign_in(), visitor.copy(), Visitor(app).sign_up("lee@example.com")

    visitor.post(PATH, CHANGE)

    for dead in (other, thief):
        assert refusal(dead.get("/guarded")) == (401, "session_revoked")
        assert dead.refresh().status_code == 401
    assert refusal(other.refresh()) == (401, "session_revoked")
    assert refusal(thief.refresh()) == (401, "refresh_token_invalid")
    assert visitor.get("/guarded").status_code == 200
    assert visitor.refresh().status_code == 200
    assert lee.get("/guarded").status_code == 200


@pytest.mark.every_database
def test_own_session_goes_on_under_another_name(app: Flask, visitor: Visitor) -> None:
    """What its user sees of it is the same: the same place, the same end."""
    (before,) = session_rows(app)

    visitor.post(PATH, CHANGE)

    (after,) = session_rows(app)
    assert after.id != before.id
    assert after.nonce != before.nonce
    assert (after.generation, after.rotated_at) == (0, None)
    assert (after.created_at, after.expires_at, after.address, after.methods) == (
        before.created_at,
        before.expires_at,
        before.address,
        before.methods,
    )


@pytest.mark.every_database
def test_change_is_told_with_the_sessions_that_ended(app: Flask, visitor: Visitor) -> None:
    Visitor(app).sign_in()
    (own, other) = session_rows(app)
    told: list[tuple[str, Any]] = []

    def changed(sender: Flask, **facts: Any) -> None:
        told.append(("changed", facts))

    def ended(sender: Flask, **facts: Any) -> None:
        told.append(("ended", facts))

    with credentials_changed.connected_to(changed, app), sessions_ended.connected_to(ended, app):
        visitor.post(PATH, CHANGE)

    assert sorted(told, key=lambda fact: fact[0]) == [
        ("changed", {"user_id": 1, "reason": "password_change", "session_id": own.id}),
        ("ended", {"user_id": 1, "session_ids": (other.id,), "reason": "password_change"}),
    ]
    assert {row.id: row.revoke_reason for row in session_rows(app)}[other.id] == "password_change"


def test_change_is_a_proof_of_the_password(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    add_views(app)
    with frozen_clock(app) as clock:
        visitor = Visitor(app).sign_up()
        clock.advance(301)
        assert visitor.get("/fresh").status_code == 403
        visitor.post(PATH, CHANGE)

        assert visitor.get("/fresh").status_code == 200


@pytest.mark.every_database
def test_wrong_password_changes_nothing(app: Flask, visitor: Visitor) -> None:
    """ASVS 6.2.3: a stolen session alone does not take the account over."""
    other = Visitor(app).sign_in()
    before = session_rows(app)
    told: list[str] = []

    def failed(sender: Flask, reason: str, **facts: Any) -> None:
        told.append(reason)

    with login_failed.connected_to(failed, app):
        response = visitor.post(PATH, {**CHANGE, "current_password": "kraken-vulcan-43"})

    assert refusal(response) == (403, "wrong_password")
    assert told == ["wrong password"]
    assert session_rows(app) == before
    assert (signs_in(app, NEW), signs_in(app, PASSWORD)) == (False, True)
    assert other.refresh().status_code == 200
    assert visitor.refresh().status_code == 200


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        ("x-vul42", "Password must be at least 8 characters long."),
        ("", "New password is required."),
        (None, "New password is required."),
        (12345678, "New password must be a string."),
        ("password1", None),
        ("kim@example.com", None),
        ("k" * 257, None),
    ],
)
def test_new_password_obeys_the_rules_of_registration(
    app: Flask, visitor: Visitor, new: Any, sentence: str | None
) -> None:
    response = visitor.post(PATH, {**CHANGE, "new_password": new})

    assert (response.status_code, list(response.json["fields"])) == (400, ["new_password"])
    if sentence:
        assert response.json["fields"]["new_password"] == [sentence]
    assert signs_in(app, PASSWORD)


@pytest.mark.parametrize(
    "members",
    [
        {"current_password": ""},
        {"current_password": None},
        {"current_password": True},
        {"email": "lee@example.com"},
        {"user_id": 2},
        {"id": 2},
        {"password_hash": "x"},
    ],
)
def test_body_has_two_members_and_no_other(app: Flask, visitor: Visitor, members: dict[str, Any]) -> None:
    """F13."""
    response = visitor.post(PATH, CHANGE | members)

    assert (response.status_code, list(response.json["fields"])) == (400, list(members))
    assert signs_in(app, PASSWORD)


def test_passwords_are_in_no_answer_and_no_log(app: Flask, visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """ASVS 16.2.5."""
    caplog.set_level("DEBUG")
    wrong = visitor.post(PATH, {"current_password": NEW, "new_password": "ostrich-nebula-5"})
    right = visitor.post(PATH, CHANGE)

    for password in (PASSWORD, NEW, "ostrich-nebula-5"):
        assert password not in wrong.text + right.text + caplog.text


def test_request_without_a_token_is_refused(app: Flask, visitor: Visitor) -> None:
    assert refusal(app.test_client().post(PATH, json=CHANGE)) == (401, "token_missing")
    assert signs_in(app, PASSWORD)


@pytest.mark.parametrize("staleness", [3600, None])
def test_ended_session_changes_no_password(make_app: Callable[..., Flask], staleness: int | None) -> None:
    """What changes credentials reads the row, whatever the staleness."""
    app = make_app(SECUREAUTH_SESSION_STALENESS=staleness)
    visitor = Visitor(app).sign_up()
    visitor.get("/users/me")
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        db.session.execute(text("UPDATE secureauth_sessions SET revoked_at = created_at"))
        db.session.commit()

    assert refusal(visitor.post(PATH, CHANGE)) == (401, "session_revoked")
    assert signs_in(app, PASSWORD)


def test_disabled_user_changes_no_password(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    visitor = Visitor(app).sign_up()
    with app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()

    assert refusal(visitor.post(PATH, CHANGE)) == (401, "session_revoked")


def test_user_with_another_kind_of_key_changes_the_password(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_uuid(db))
    visitor = Visitor(app).sign_up()
    other = Visitor(app).sign_in()

    assert visitor.post(PATH, CHANGE).status_code == 200
    assert visitor.get("/guarded").status_code == 200
    assert other.get("/guarded").status_code == 401


@pytest.mark.every_database
def test_session_that_ends_while_the_password_is_hashed_changes_nothing(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 15.4.2: signed out elsewhere in that very moment. What is refused has not happened, and nobody is told."""
    verify = PasswordHasher.verify
    told: list[Any] = []

    def overtaken(self: PasswordHasher, stored: str | None, password: str) -> bool:
        verdict = verify(self, stored, password)
        with app.extensions["sqlalchemy"].engine.begin() as connection:
            connection.execute(text("UPDATE secureauth_sessions SET revoked_at = created_at WHERE id = :id"), own)
        return verdict

    def note(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    own = {"id": session_rows(app)[0].id}
    other, thief = Visitor(app).sign_in(), visitor.copy()
    with monkeypatch.context() as patched, credentials_changed.connected_to(note, app):
        patched.setattr(PasswordHasher, "verify", overtaken)
        response = visitor.post(PATH, CHANGE)

    assert refusal(response) == (401, "session_revoked")
    assert told == []
    assert thief.refresh().status_code == 401
    assert other.refresh().status_code == 200
    assert (signs_in(app, NEW), signs_in(app, PASSWORD)) == (False, True)


@pytest.mark.every_database
def test_two_changes_at_once_leave_one_of_the_two_passwords(make_app: Callable[..., Flask]) -> None:
    """M9, ASVS 15.4.2: who comes second is told that the password was another one, or that the session ended."""
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=8)
    add_views(app)
    visitor = Visitor(app).sign_up()
    tabs = [visitor.copy(), Visitor(app).sign_in()]
    start = threading.Barrier(2)
    passwords = ["walrus-quartz-17", "ostrich-nebula-5"]

    def change(tab: Visitor, password: str) -> tuple[int, str | None]:
        start.wait(30)
        response = tab.post(PATH, {"current_password": PASSWORD, "new_password": password})
        return response.status_code, response.json.get("code")

    with ThreadPoolExecutor(2) as pool:
        answers = Counter(pool.map(change, tabs, passwords))

    assert answers[(200, None)] == 1
    assert set(answers) <= {(200, None), (403, "wrong_password"), (401, "session_revoked")}
    assert [signs_in(app, password) for password in (PASSWORD, *passwords)].count(True) == 1
    assert not signs_in(app, PASSWORD)
    assert sorted(tab.get("/guarded").status_code for tab in tabs) == [200, 401]


@pytest.mark.every_database
def test_password_of_another_account_is_not_changed(app: Flask) -> None:
    """CWE-367: the address may have become another user's since the guard looked; a refusal commits."""
    Visitor(app).sign_up()
    state = app.extensions["secureauth"]
    with app.app_context(), pytest.raises(WrongPassword), state.database.transaction():
        state.service(LoginService).confirm(
            "2", "kim@example.com", PASSWORD, client=Client(), replace_by="amber-tundra-77"
        )

    assert signs_in(app, PASSWORD)


def test_owner_is_told(app: Flask, visitor: Visitor) -> None:
    """ASVS 6.3.7."""
    visitor.post(PATH, CHANGE, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"})

    (mail,) = mails(app)
    assert (mail.to, mail.subject) == ("kim@example.com", "Your password was changed")
    assert "Firefox" in mail.text
    assert "https://app.example/forgot-password" in mail.text


def test_refused_change_tells_nobody(app: Flask, visitor: Visitor) -> None:
    visitor.post(PATH, {"current_password": "a guess of mine", "new_password": NEW})

    assert mails(app) == []


def test_change_makes_mailed_links_void(app: Flask, visitor: Visitor) -> None:
    """ASVS 6.6.3."""
    token = reset_token(app)

    visitor.post(PATH, CHANGE)

    assert is_refused(reset(app, token))
