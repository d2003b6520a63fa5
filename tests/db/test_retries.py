"""Transactions that get in each other's way: undone, tried again, and never an error of the client's.

Source: mysql.md M10 and M15, security.md F30. Every conflict here is a real one of a real server.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import OperationalError

from flask_secureauth import BUILTIN, sessions_ended, user_logged_out
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.db import database
from flask_secureauth.db.database import TransactionConflict
from flask_secureauth.errors import DatabaseUnavailable
from flask_secureauth.events import UserLoggedOut
from flask_secureauth.features.sessions.tables import SessionMixin
from tests.conftest import PASSWORD
from tests.db.conftest import state_of
from tests.visitor import Visitor, session_rows

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)
on_mariadb = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@contextmanager
def signals(app: Flask) -> Iterator[list[str]]:
    """What the app is told: the signal's name and the session's id."""
    told: list[str] = []

    def ended(sender: Flask, session_ids: Any, reason: str, **facts: Any) -> None:
        told.extend(f"{reason} {session_id}" for session_id in session_ids)

    def logged_out(sender: Flask, session_id: str, **facts: Any) -> None:
        told.append(f"signed out {session_id}")

    with sessions_ended.connected_to(ended, app), user_logged_out.connected_to(logged_out, app):
        yield told


@pytest.fixture
def undone(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    """Return how many transactions the log says were undone."""
    caplog.set_level(logging.INFO, "flask_secureauth")
    return lambda: sum(message.startswith("A transaction was undone") for message in caplog.messages)


def listening(handler: Callable[[UserLoggedOut], None]) -> dict[str, Any]:
    """The features, one of which acts in the transaction of a sign-out."""
    health, *others = BUILTIN
    return {"features": (replace(health, handlers={UserLoggedOut: lambda service, event: handler(event)}), *others)}


@on_servers
def test_deadlock_is_tried_again_and_both_are_answered(
    make_app: Callable[..., Flask], undone: Callable[[], int]
) -> None:
    """M10: two sign-outs, each holds its row and wants the other's: 1213 on MariaDB, 40P01 on PostgreSQL."""
    both_hold_one = threading.Barrier(2)
    crossed: set[str] = set()
    other_of: dict[str, str] = {}

    def want_the_other(event: UserLoggedOut) -> None:
        state = state_of(app)
        if event.session_id not in crossed:
            crossed.add(event.session_id)
            both_hold_one.wait(30)
        model = state.models[SessionMixin]
        wanted = update(model).where(model.id == other_of[event.session_id]).values(user_agent="seen by the other")
        state.database.session.execute(wanted.execution_options(synchronize_session=False))

    app = make_app(secure_auth=listening(want_the_other))
    visitors = [Visitor(app).sign_up(), Visitor(app).sign_in()]
    first, second = (row.id for row in session_rows(app))
    other_of |= {first: second, second: first}

    with signals(app) as told, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda visitor: visitor.post("/auth/logout").status_code, visitors))

    assert answers == [200, 200]
    assert undone() == 1
    assert sorted(told) == sorted(fact for name in (first, second) for fact in (f"logout {name}", f"signed out {name}"))
    assert {(row.revoke_reason, row.user_agent) for row in session_rows(app)} == {("logout", "seen by the other")}


@contextmanager
def row_locked(raw: Engine) -> Iterator[Callable[[], None]]:
    """Hold every session's row on another connection; give a function that lets go."""
    with raw.connect() as connection:
        connection.execute(text("UPDATE secureauth_sessions SET user_agent = 'held'"))
        yield connection.rollback


IMPATIENT = {"connect_args": {"init_command": "SET SESSION innodb_lock_wait_timeout = 1"}}


@on_mariadb
def test_lock_that_is_not_given_in_time_is_waited_for_again(
    make_app: Callable[..., Flask], raw: Engine, monkeypatch: pytest.MonkeyPatch, undone: Callable[[], int]
) -> None:
    """M10: 1205 once, and then the lock is free."""
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=IMPATIENT)
    visitor = Visitor(app).sign_up()
    with row_locked(raw) as let_go, signals(app) as told:
        monkeypatch.setattr(database, "time", SimpleNamespace(sleep=lambda seconds: let_go()))
        response = visitor.post("/auth/logout")

    assert response.status_code == 200
    assert undone() == 1
    assert len(told) == 2


@on_mariadb
def test_three_conflicts_are_answered_503(
    make_app: Callable[..., Flask], raw: Engine, undone: Callable[[], int]
) -> None:
    """M15: no more than three tries, then the client is asked to come back; nothing happened and nobody is told."""
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=IMPATIENT)
    visitor = Visitor(app).sign_up()
    with row_locked(raw), signals(app) as told:
        response = visitor.post("/auth/logout")

    assert (response.status_code, response.json["code"]) == (503, "database_unavailable")
    assert response.headers["Retry-After"] == "5"
    assert undone() == 3
    assert told == []
    assert session_rows(app)[0].revoked_at is None
    assert visitor.post("/auth/logout").status_code == 200


SNAPSHOT = {
    "isolation_level": "REPEATABLE READ",
    "connect_args": {"init_command": "SET SESSION innodb_snapshot_isolation = ON"},
}


@pytest.mark.parametrize(
    ("database_url", "options"),
    [
        pytest.param("mariadb", SNAPSHOT, id="1020"),
        pytest.param("postgresql", {"isolation_level": "REPEATABLE READ"}, id="40001"),
        pytest.param("postgresql", {"isolation_level": "SERIALIZABLE"}, id="40001-serializable"),
    ],
    indirect=["database_url"],
)
def test_row_that_changed_since_the_snapshot_is_read_again(
    make_app: Callable[..., Flask], raw: Engine, options: dict[str, Any], undone: Callable[[], int]
) -> None:
    """M9, M10: the app has looked at the row in the transaction of the request, and another one changes it."""
    overtaken = threading.Event()

    def add(app: Flask) -> None:
        @app.before_request
        def look() -> None:
            if overtaken.is_set():
                state_of(app).database.session.execute(text("SELECT * FROM secureauth_sessions")).all()
                with raw.begin() as connection:
                    connection.execute(text("UPDATE secureauth_sessions SET user_agent = 'changed'"))

    app = make_app(before=add, SQLALCHEMY_ENGINE_OPTIONS=options)
    visitor = Visitor(app).sign_up()
    overtaken.set()
    with signals(app) as told:
        assert visitor.refresh().status_code == 200
        assert visitor.post("/auth/logout").status_code == 200

    assert undone() == 2
    assert len(told) == 2
    (row,) = session_rows(app)
    assert (row.generation, row.revoke_reason) == (1, "logout")


@on_servers
def test_opposite_orders_in_one_user_all_come_through(
    make_app: Callable[..., Flask], undone: Callable[[], int]
) -> None:
    """M10: sign-ins with the limit reached, refreshes, sign-outs of all and password changes of one user at once."""
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=2, SECUREAUTH_PASSWORD_CONCURRENT_HASHES=8)
    Visitor(app).sign_up()
    start = threading.Barrier(8)

    def act(number: int) -> list[int]:
        start.wait(30)
        statuses = []
        for _ in range(4):
            visitor = Visitor(app)
            statuses.append(visitor.post("/auth/login", {"email": "kim@example.com", "password": PASSWORD}).status_code)
            statuses.append(visitor.refresh().status_code)
            statuses.append(visitor.post("/auth/logout", {"scope": ("global", "others")[number % 2]}).status_code)
            statuses.append(visitor.post("/auth/reauthenticate", {"password": PASSWORD}).status_code)
        return statuses

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(status for found in pool.map(act, range(8)) for status in found)

    assert set(statuses) <= {200, 401}
    assert statuses[200] >= 32


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/reauthenticate", {"password": PASSWORD}),
        ("/users/me/password", {"current_password": PASSWORD, "new_password": "walrus-quartz-17"}),
    ],
)
@pytest.mark.every_database
def test_user_who_is_deleted_between_two_tries_is_refused(
    app: Flask, raw: Engine, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, str]
) -> None:
    """F27: the second try knows nothing of the first one's objects, and nobody sees a 500."""
    visitor = Visitor(app).sign_up()
    verify = PasswordHasher.verify

    def overtaken(self: PasswordHasher, stored: str | None, password: str) -> bool:
        verdict = verify(self, stored, password)
        if stored is None or not verdict:
            return verdict
        with raw.begin() as connection:
            connection.execute(text("DELETE FROM secureauth_sessions"))
            connection.execute(text("DELETE FROM users"))
        raise TransactionConflict

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)
    response = visitor.post(path, body)

    assert (response.status_code, response.json["code"]) == (403, "wrong_password")


@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"])
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_conflict_is_known_by_the_state_that_each_driver_gives(app: Flask, attribute: str, state: str) -> None:
    """psycopg calls it ``sqlstate``, psycopg2 ``pgcode``; an app brings the driver that it has."""
    undone = type("Undone", (Exception,), {attribute: state})
    tries: list[int] = []

    def unit() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("UPDATE", {}, undone("deadlock detected"))
        return "done"

    with app.app_context():
        assert state_of(app).database.run(unit) == "done"


def test_conflict_is_told_apart_from_an_outage(app: Flask) -> None:
    """An app's own unit of work may catch the one and not the other."""
    assert issubclass(TransactionConflict, DatabaseUnavailable)
    tries: list[int] = []

    def unit() -> None:
        tries.append(1)
        raise DatabaseUnavailable

    with app.app_context(), pytest.raises(DatabaseUnavailable):
        state_of(app).database.run(unit)

    assert len(tries) == 1


def test_unit_that_succeeds_runs_once(app: Flask) -> None:
    results = iter(["first", "second"])
    with app.app_context():
        assert state_of(app).database.run(lambda: next(results)) == "first"


def test_pauses_between_tries_are_short_and_differ(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that met must not meet again at once."""
    pauses: list[float] = []
    monkeypatch.setattr(database, "time", SimpleNamespace(sleep=pauses.append))

    def unit() -> None:
        raise TransactionConflict

    with app.app_context():
        for _ in range(20):
            with pytest.raises(TransactionConflict):
                state_of(app).database.run(unit)

    assert len(pauses) == 40
    assert all(0 <= pause <= 0.05 for pause in pauses)
    assert len(set(pauses)) > 30
