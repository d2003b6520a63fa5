"""``Database.transaction``: what is kept, what is undone, and when the world is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from flask_secureauth import BUILTIN, AuthError, Feature, user_registered
from flask_secureauth.core.identifiers import new_timed_identifier
from flask_secureauth.db.mixins import to_column
from flask_secureauth.errors import DatabaseUnavailable, FreshLoginRequired, InvalidInput
from flask_secureauth.events import UserRegistered
from flask_secureauth.features.audit.tables import AuditMixin
from tests.conftest import PASSWORD, sign_in, sign_up
from tests.db.conftest import counted, state_of
from tests.features.test_audit import audit_rows

pytestmark = pytest.mark.every_database


def _count(raw: Engine) -> int:
    with raw.connect() as connection:
        found: int = connection.scalar(text("SELECT COUNT(*) FROM users"))
        return found


def _write(app: Flask) -> Any:
    """Add a row in the open transaction, and announce it."""
    state = state_of(app)
    user = state.user_model(email="kim@example.com", password_hash="!")
    state.database.session.add(user)
    state.database.session.flush()
    state.database.announce(UserRegistered(user=user))
    return user


def _write_and_raise(app: Flask, error: BaseException | type[BaseException]) -> None:
    """A transaction that ends with ``error``."""
    with state_of(app).database.transaction():
        _write(app)
        raise error


@pytest.fixture
def told(app: Flask, raw: Engine) -> Iterator[list[int]]:
    """How many rows another connection sees, each time the signal is sent."""
    seen: list[int] = []

    def receive(sender: Flask, **facts: Any) -> None:
        seen.append(_count(raw))

    with user_registered.connected_to(receive, app):
        yield seen


def test_success_is_committed_before_the_signal(app: Flask, raw: Engine, told: list[int]) -> None:
    """A receiver never acts on something that did not happen."""
    with app.app_context(), state_of(app).database.transaction():
        _write(app)
        assert told == []

    assert told == [1]
    assert _count(raw) == 1


@pytest.mark.parametrize("refusal", [FreshLoginRequired(), InvalidInput({})], ids=lambda error: type(error).__name__)
def test_refusal_is_committed(app: Flask, raw: Engine, told: list[int], refusal: AuthError) -> None:
    """Architecture: a counted failure or a revoked session must outlive the 401."""
    with app.app_context(), pytest.raises(type(refusal)):
        _write_and_raise(app, refusal)

    assert told == [1]
    assert _count(raw) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, DatabaseUnavailable, MemoryError])
def test_crash_is_rolled_back(app: Flask, raw: Engine, told: list[int], error: type[BaseException]) -> None:
    """F30: half of a change is no change; nobody is told."""
    with app.app_context(), pytest.raises(error):
        _write_and_raise(app, error)

    assert told == []
    assert _count(raw) == 0


def test_event_of_a_crash_is_not_sent_by_the_next_success(app: Flask, told: list[int]) -> None:
    """What was announced and undone is forgotten."""
    with app.app_context():
        with pytest.raises(ValueError, match="first"):
            _write_and_raise(app, ValueError("first"))
        with state_of(app).database.transaction():
            pass

    assert told == []


def test_commit_that_fails_is_rolled_back(app: Flask, raw: Engine, told: list[int]) -> None:
    """A row that the database refuses at the last moment leaves nothing, and the next transaction works."""
    state = state_of(app)

    def write_nothing_into_a_required_column() -> None:
        with state.database.transaction():
            state.database.announce(UserRegistered(user=None))
            state.database.session.add(state.user_model(email="kim@example.com"))

    with app.app_context():
        with pytest.raises(IntegrityError):
            write_nothing_into_a_required_column()
        with state.database.transaction():
            _write(app)

    assert told == [1]
    assert _count(raw) == 1


def test_failing_receiver_is_logged_and_harms_nobody(
    app: Flask, raw: Engine, told: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """What has happened has happened: the answer stays 201, the other receivers are told, the log has the traceback."""

    def fail(sender: Flask, **facts: Any) -> None:
        raise RuntimeError("the mail server is down")

    with user_registered.connected_to(fail, app):
        sign_up(app.test_client())

    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert record.exc_info
    assert "user-registered" in record.getMessage()
    assert told == [1]
    assert _count(raw) == 1


def _handled(handler: Callable[[Any, Any], None]) -> Any:
    """The features, with one more that listens to registrations."""
    return (*BUILTIN, Feature(name="listener", handlers={UserRegistered: handler}))


def test_handler_acts_in_the_transaction(make_app: Callable[..., Flask], raw: Engine) -> None:
    """A handler that fails takes what it listens to with it."""

    def handle(service: Any, event: UserRegistered) -> None:
        assert event.user.email == "kim@example.com"
        assert _count(raw) == 0
        raise RuntimeError("no")

    app = make_app(secure_auth={"features": _handled(handle)})

    response = app.test_client().post("/users", json={"email": "kim@example.com", "password": PASSWORD})

    assert response.status_code == 500
    assert _count(raw) == 0


def test_gate_that_refuses_keeps_what_it_wrote(make_app: Callable[..., Flask], raw: Engine) -> None:
    """Through HTTP: a gate counts the attempt, refuses, and the count is kept while no session is made."""

    def gate(service: Any, user: Any, method: str) -> None:
        user.email = "counted@example.com"
        raise FreshLoginRequired

    gates = replace(BUILTIN[-1], gates=(gate,))
    app = make_app(secure_auth={"features": (*BUILTIN[:-1], gates)})
    client = app.test_client()
    sign_up(client)

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD})

    assert response.status_code == 403
    with raw.connect() as connection:
        assert connection.scalar(text("SELECT email FROM users")) == "counted@example.com"
        assert connection.scalar(text("SELECT COUNT(*) FROM secureauth_sessions")) == 0


def test_request_after_a_crash_works(make_app: Callable[..., Flask]) -> None:
    """A crash leaves no transaction open for the next request."""
    crashes = [True]

    def handle(service: Any, event: UserRegistered) -> None:
        if crashes.pop():
            raise RuntimeError("once")

    app = make_app(secure_auth={"features": _handled(handle)})
    client = app.test_client()
    body = {"email": "kim@example.com", "password": PASSWORD}
    assert client.post("/users", json=body).status_code == 500
    crashes.append(False)

    assert client.post("/users", json=body).status_code == 201
    assert sign_in(client)


def test_rows_for_the_commit_are_inserted_last_and_in_one_statement(app: Flask) -> None:
    """What only writes down what happened holds no lock while the rest is done."""
    state = state_of(app)
    rows = [_audit_row("first"), _audit_row("second"), _audit_row("third")]
    with counted(app) as statements, app.app_context(), state.database.transaction():
        state.database.insert_at_commit(state.models[AuditMixin], rows[:2])
        state.database.session.execute(text("SELECT 1"))
        state.database.insert_at_commit(state.models[AuditMixin], rows[2:])

    assert [statement.split()[0] for statement in statements] == ["SELECT", "INSERT"]
    assert [row.event for row in audit_rows(app)] == ["first", "second", "third"]


def test_rows_for_the_commit_of_a_crash_are_forgotten(app: Flask) -> None:
    state = state_of(app)

    def crash() -> None:
        with state.database.transaction():
            state.database.insert_at_commit(state.models[AuditMixin], [_audit_row("undone")])
            raise ValueError("crash")

    with app.app_context():
        with pytest.raises(ValueError, match="crash"):
            crash()
        with state.database.transaction():
            state.database.insert_at_commit(state.models[AuditMixin], [_audit_row("undone, too")])
            state.database.undo()
        with state.database.transaction():
            pass

    assert audit_rows(app) == []


def test_row_that_is_refused_at_the_commit_undoes_everything(app: Flask, raw: Engine, told: list[int]) -> None:
    state = state_of(app)
    row = _audit_row("twice")

    def write() -> None:
        with state.database.transaction():
            _write(app)
            state.database.insert_at_commit(state.models[AuditMixin], [row, row])

    with app.app_context(), pytest.raises(IntegrityError):
        write()

    assert (_count(raw), audit_rows(app), told) == (0, [], [])


def _audit_row(event: str) -> dict[str, Any]:
    now = datetime(2026, 5, 31, 12, tzinfo=UTC)
    return {"id": new_timed_identifier(now), "at": to_column(now), "event": event, "user_agent": ""}
