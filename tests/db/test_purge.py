"""``flask secureauth purge``: what ended long ago goes, whatever lives stays, and two at once do no harm."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import insert

from flask_secureauth.core.identifiers import new_identifier
from flask_secureauth.db import purge
from flask_secureauth.features.sessions.service import SessionService
from flask_secureauth.features.sessions.tables import SessionMixin
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.db.conftest import counted, state_of
from tests.visitor import Visitor, session_rows

DAY = timedelta(days=1)


@pytest.fixture
def stopped(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as clock:
        clock.moment = clock.moment.replace(microsecond=0)
        yield clock


def run(app: Flask) -> Result:
    return app.test_cli_runner().invoke(args=["secureauth", "purge"])


def fill(app: Flask, number: int, **values: Any) -> None:
    """Copy the first session ``number`` times, with other values."""
    first = session_rows(app)[0]._asdict()
    rows = [{**first, **values, "id": new_identifier()} for _ in range(number)]
    state = state_of(app)
    with app.app_context():
        state.database.session.execute(insert(state.models[SessionMixin]), rows)
        state.database.session.commit()


@pytest.mark.every_database
def test_purge_keeps_what_lives_and_what_ended_not_long_ago(app: Flask, stopped: FrozenClock) -> None:
    """ASVS 14.2.4: each end has its day: revoked, out of its lifetime, at rest."""
    visitor = Visitor(app).sign_up()
    now = stopped.moment.replace(tzinfo=None)
    month, second = 30 * DAY, timedelta(seconds=1)
    ends: dict[str, dict[str, Any]] = {
        "revoked, kept": {"revoked_at": now - month + second},
        "revoked, gone": {"revoked_at": now - month},
        "expired, kept": {"expires_at": now - month + second},
        "expired, gone": {"expires_at": now - month},
        "rested, kept": {"last_used_at": now - month - 14 * DAY + second, "expires_at": now + DAY},
        "rested, gone": {"last_used_at": now - month - 14 * DAY, "expires_at": now + DAY},
        "at rest just now, kept": {"last_used_at": now - 14 * DAY, "expires_at": now + DAY},
        "alive, kept": {},
    }
    original = session_rows(app)[0]._asdict()
    for name, values in ends.items():
        fill(app, 1, **{**original, **values, "user_agent": name})

    result = run(app)

    assert result.exit_code == 0
    assert "secureauth_sessions: 3 deleted." in result.output.splitlines()
    kept = {row.user_agent for row in session_rows(app)}
    assert {name for name in ends if name.endswith("kept")} <= kept
    assert {name for name in ends if name.endswith("gone")} & kept == set()
    assert visitor.refresh().status_code == 200


@pytest.mark.every_database
def test_purge_goes_in_batches_by_primary_key(
    app: Flask, stopped: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M14: no statement deletes by a range, and no transaction holds more than a batch."""
    monkeypatch.setattr(purge, "BATCH", 10)
    Visitor(app).sign_up()
    fill(app, 35, revoked_at=session_rows(app)[0].created_at - 31 * DAY)

    with counted(app) as statements:
        result = run(app)

    assert "secureauth_sessions: 35 deleted." in result.output.splitlines()
    assert len(session_rows(app)) == 1
    deletes = [statement for statement in statements if statement.startswith("DELETE FROM secureauth_sessions")]
    assert len(deletes) == 4
    assert all("secureauth_sessions.id IN (" in statement and "revoked_at <=" in statement for statement in deletes)


@pytest.mark.parametrize("number", [0, 9, 10, 11, 20])
def test_last_batch_may_be_full_or_empty(
    app: Flask, stopped: FrozenClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(purge, "BATCH", 10)
    Visitor(app).sign_up()
    if number:
        fill(app, number, revoked_at=session_rows(app)[0].created_at - 31 * DAY)

    assert f"secureauth_sessions: {number} deleted." in run(app).output.splitlines()
    assert "secureauth_sessions: 0 deleted." in run(app).output.splitlines()
    assert len(session_rows(app)) == 1


def test_progress_is_told_after_each_batch(app: Flask, stopped: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 10)
    Visitor(app).sign_up()
    fill(app, 25, revoked_at=session_rows(app)[0].created_at - 31 * DAY)
    state = state_of(app)
    with app.app_context():
        condition = state.service(SessionService).purgeable()
        model = state.models[SessionMixin]

        assert purge.count(model, condition, state.database) == 25
        left = [(batch, len(session_rows(app))) for batch in purge.purge(model, condition, state.database)]

    assert left == [(10, 16), (10, 6), (5, 1)]


@pytest.mark.parametrize(("retention", "left"), [(0, 1), (timedelta(days=1), 2)])
def test_retention_is_a_setting(make_app: Callable[..., Flask], retention: Any, left: int) -> None:
    app = make_app(SECUREAUTH_SESSION_RETENTION=retention)
    with frozen_clock(app) as clock:
        Visitor(app).sign_up()
        Visitor(app).sign_in().post("/auth/logout")
        clock.advance(60)
        run(app)

        assert len(session_rows(app)) == left


@pytest.mark.every_database
def test_two_at_once_share_the_work(app: Flask, stopped: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have found the same rows before either deletes one; each row is counted once and nobody fails."""
    monkeypatch.setattr(purge, "BATCH", 50)
    Visitor(app).sign_up()
    fill(app, 200, revoked_at=session_rows(app)[0].created_at - 31 * DAY)
    meet = threading.Barrier(2)
    delete = purge._delete

    def together(*arguments: Any) -> int:
        with suppress(threading.BrokenBarrierError):  # The other one is through already.
            meet.wait(10)
        return delete(*arguments)

    def work(_: int) -> int:
        state = state_of(app)
        with app.app_context():
            condition = state.service(SessionService).purgeable()
            try:
                return sum(purge.purge(state.models[SessionMixin], condition, state.database))
            finally:
                meet.abort()

    monkeypatch.setattr(purge, "_delete", together)
    with ThreadPoolExecutor(2) as pool:
        deleted = list(pool.map(work, range(2)))

    assert sum(deleted) == 200
    assert len(session_rows(app)) == 1


@pytest.mark.every_database
def test_purge_disturbs_nobody_who_signs_in_and_refreshes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """M10: sign-ins insert and refreshes update while rows go, and each is answered."""
    monkeypatch.setattr(purge, "BATCH", 20)
    visitor = Visitor(app).sign_up()
    Visitor(app).sign_up("lee@example.com")
    fill(app, 300, revoked_at=session_rows(app)[0].created_at - 31 * DAY)
    start = threading.Barrier(3)

    def sign_in(_: int) -> list[int]:
        start.wait(30)
        return [Visitor(app).sign_in("lee@example.com").refresh().status_code for _ in range(5)]

    def purge_meanwhile() -> Result:
        start.wait(30)
        return run(app)

    with ThreadPoolExecutor(3) as pool:
        purged = pool.submit(purge_meanwhile)
        answers = Counter(status for statuses in pool.map(sign_in, range(2)) for status in statuses)
        result = purged.result(60)

    assert answers == {200: 10}
    assert result.exit_code == 0
    assert "secureauth_sessions: 300 deleted." in result.output.splitlines()
    assert visitor.refresh().status_code == 200


def test_users_are_left_alone(app: Flask) -> None:
    assert [line for line in run(app).output.splitlines() if line.startswith("users")] == []
