"""Links that were mailed: good once, for one thing, and dead as soon as anything changes."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import MetaData, select

from flask_secureauth.testing import FrozenClock
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.features.models import model_with_switch
from tests.letters import (
    CHANGE_CONFIRM,
    INVALID,
    KIM,
    LEE,
    NEW,
    NEW_KIM,
    RESET_CONFIRM,
    UNDO,
    change_token,
    change_user,
    counted_work,
    is_refused,
    reset,
    reset_token,
    send,
    signs_in,
    undo_token,
    users,
)
from tests.visitor import Visitor, session_rows
from tests.web.views import app_on

every_database = pytest.mark.every_database
CROWD = 20
MEMBERS = {
    path: {"new_password": NEW} if path == RESET_CONFIRM else {} for path in (RESET_CONFIRM, CHANGE_CONFIRM, UNDO)
}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    db = new_sqlalchemy()
    return app_on(make_app, db, model_with_switch(db), SECUREAUTH_PASSWORD_CONCURRENT_HASHES=CROWD)


@pytest.fixture
def kim(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


def follow(app: Flask, path: str, token: str) -> Any:
    return send(app, path, token=token, **MEMBERS[path])


def token_for(app: Flask, kim: Visitor, path: str) -> str:
    """A good token for ``path``."""
    if path == RESET_CONFIRM:
        return reset_token(app)
    return (change_token if path == CHANGE_CONFIRM else undo_token)(app, kim)


@every_database
@pytest.mark.parametrize("path", MEMBERS)
def test_twenty_requests_with_one_token_one_gets_through(app: Flask, kim: Visitor, path: str) -> None:
    """F7, ASVS 15.4.2."""
    token, barrier = token_for(app, kim, path), threading.Barrier(CROWD)

    def use(_: int) -> tuple[int, str | None]:
        barrier.wait(30)
        response = follow(app, path, token)
        return response.status_code, response.json.get("code")

    with ThreadPoolExecutor(CROWD) as pool:
        answers = Counter(pool.map(use, range(CROWD)))

    assert answers == {(200, None): 1, (400, "one_time_token_invalid"): CROWD - 1}


def _use(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    assert reset(app, token, "silver-fjord-12").status_code == 200


def _expire(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    clock.advance(timedelta(minutes=10))


def _ask_again(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    reset_token(app)


def _change_password(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    body = {"current_password": PASSWORD, "new_password": "silver-fjord-12"}
    assert kim.post("/users/me/password", body).status_code == 200


def _change_address(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    undo_token(app, kim)


def _undo_change_of_address(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    assert send(app, UNDO, token=undo_token(app, kim)).status_code == 200


def _change_address_in_the_table(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    change_user(app, email=NEW_KIM)


def _disable(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    change_user(app, is_active=False)


def _delete(app: Flask, kim: Visitor, clock: FrozenClock, token: str) -> None:
    assert kim.open("DELETE", "/users/me").status_code == 200


ENDS = [
    _use, _expire, _ask_again, _change_password, _change_address, _undo_change_of_address,
    _change_address_in_the_table, _disable, _delete,
]  # fmt: skip


@every_database
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__.strip("_"))
def test_reset_link_is_dead_after(app: Flask, kim: Visitor, clock: FrozenClock, end: Callable[..., None]) -> None:
    """F8, ASVS 6.6.3: the same answer for all of them, and nothing has changed."""
    token = reset_token(app)
    clock.advance(1)
    end(app, kim, clock, token)
    before = [user.password_hash for user in users(app)]

    response = reset(app, token)

    assert (response.status_code, response.json) == (400, INVALID)
    assert [user.password_hash for user in users(app)] == before


def test_dead_links_answer_alike_to_the_last_header(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    """F8 and F34: unknown, used, expired and of another purpose cannot be told apart, nor by the work they cost."""
    Visitor(app).sign_up(LEE)
    used, expired = reset_token(app), reset_token(app, LEE)
    reset(app, used)
    clock.advance(timedelta(minutes=10))
    kim.sign_in(password=NEW)
    of_another_purpose = change_token(app, kim)

    answers = [reset(app, token) for token in ("A" * 43, "x", used, expired, of_another_purpose)]

    assert {(answer.status_code, answer.data, str(answer.headers)) for answer in answers} == {
        (400, answers[0].data, str(answers[0].headers))
    }


def test_dead_links_cost_the_same(app: Flask, kim: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """F34: one look by digest, no early exit, and no hash for whoever has no link."""
    used = reset_token(app)
    reset(app, used)
    kim.sign_in(password=NEW)
    of_another_purpose = change_token(app, kim)
    work = []
    for token in ("A" * 43, used, of_another_purpose, used[:-1] + ("A" if used[-1] != "A" else "B")):
        with counted_work(app, monkeypatch) as done:
            reset(app, token)
        work.append(done)

    assert work == [{"hashes": 0, "statements": 1}] * 4


@pytest.mark.parametrize("path", MEMBERS)
def test_token_of_another_purpose_is_refused_and_stays_good(app: Flask, kim: Visitor, path: str) -> None:
    """F8 and J13: one purpose's link opens no other door."""
    token = token_for(app, kim, path)
    others = [other for other in (*MEMBERS, "/auth/refresh") if other != path]

    for other in others:
        if other == "/auth/refresh":
            assert send(app, other, refresh_token=token).status_code == 401
        else:
            assert is_refused(follow(app, other, token))
    assert kim.client.get("/users/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert follow(app, path, token).status_code == 200


def test_access_and_refresh_tokens_are_no_links(app: Flask, kim: Visitor) -> None:
    """J13."""
    for path in MEMBERS:
        for token in (kim.tokens["access_token"], kim.tokens["refresh_token"]):
            assert is_refused(follow(app, path, token))


@every_database
def test_link_of_one_user_changes_no_other(app: Flask, kim: Visitor) -> None:
    """F8: the account is that of the token, whatever the form says."""
    Visitor(app).sign_up(LEE)
    token = reset_token(app, LEE)

    for member in ("email", "user_id", "id", "user", "password"):
        response = send(app, RESET_CONFIRM, token=token, new_password=NEW, **{member: KIM})
        assert response.json["code"] == "invalid_input"
    assert reset(app, token).status_code == 200

    assert (signs_in(app, NEW, KIM), signs_in(app, NEW, LEE), signs_in(app)) == (False, True, True)


@pytest.mark.parametrize("token", ["", 0, True, None, ["x"], {"x": 1}])
@pytest.mark.parametrize("path", MEMBERS)
def test_token_of_another_kind_is_refused(app: Flask, kim: Visitor, path: str, token: Any) -> None:
    """F17: to MySQL the number 0 equals most texts."""
    good = token_for(app, kim, path)

    assert follow(app, path, token).json["code"] == "invalid_input"
    assert follow(app, path, good).status_code == 200


@pytest.mark.parametrize("path", MEMBERS)
def test_token_is_in_no_log_and_in_no_table(
    app: Flask, kim: Visitor, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """F8, ASVS 14.2.1 and 16.2.5: whoever reads the log or the database follows no link."""
    caplog.set_level(logging.DEBUG)
    token = token_for(app, kim, path)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    follow(app, path, wrong)
    follow(app, path, token)
    follow(app, path, token)

    assert not any(token in record.getMessage() or wrong in record.getMessage() for record in caplog.records)
    assert token not in everything_stored(app)


def everything_stored(app: Flask) -> str:
    """All rows of all tables."""
    metadata, engine = MetaData(), None
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
        metadata.reflect(engine)
        with engine.connect() as connection:
            return repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])


def test_mailbox_alone_opens_no_session(app: Flask, kim: Visitor) -> None:
    """F32: whoever reads the mail resets, and is signed in by none of it."""
    before = {row.id for row in session_rows(app)}

    answers = [reset(app, reset_token(app))]
    kim.sign_in(password=NEW)
    before |= {row.id for row in session_rows(app)}
    undo = undo_token(app, kim)
    answers += [send(app, UNDO, token=undo)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert not any("Set-Cookie" in answer.headers or "token" in answer.text for answer in answers)
    assert {row.id for row in session_rows(app)} == before
