"""What databases do to times: M8 of mysql.md, with the same assertions on every database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text

from flask_secureauth.db.mixins import to_column
from flask_secureauth.features.sessions.tables import SessionMixin
from flask_secureauth.testing import frozen_clock
from tests.conftest import bearer, sign_in, sign_up
from tests.db.conftest import kind_of, state_of

pytestmark = pytest.mark.every_database

MOMENTS = {
    "microseconds": datetime(2026, 3, 4, 5, 6, 7, 123457, tzinfo=UTC),
    "half a second": datetime(2026, 3, 4, 5, 6, 7, 500000, tzinfo=UTC),
    "almost the next second": datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "first pass of the hour that comes twice": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    "second pass of the hour that comes twice": datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    "hour that does not exist": datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
    "leap day": datetime(2028, 2, 29, 12, tzinfo=UTC),
    "after the end of TIMESTAMP": datetime(2040, 1, 1, 12, 0, 0, 1, tzinfo=UTC),
}


@pytest.fixture(params=["UTC", "Asia/Karachi", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this process."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def shifted(make_app: Callable[..., Flask], database_url: str) -> Flask:
    """An app whose connections live in another time zone."""
    arguments: dict[str, dict[str, Any]] = {
        "mysql": {"init_command": "SET SESSION time_zone='+05:00'"},
        "postgresql": {"options": "-c timezone=Asia/Karachi"},
        "sqlite": {},
    }
    return make_app(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": arguments[kind_of(database_url)]})


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_time_comes_back_as_it_went_in(shifted: Flask, zone: str, moment: datetime) -> None:
    """M8: aware UTC out, microseconds kept, whatever the zones of the process and of the connection."""
    with frozen_clock(shifted, moment):
        client = shifted.test_client()
        sign_up(client)
        headers = bearer(sign_in(client))

        assert client.get("/users/me", headers=headers).json["created_at"] == moment.isoformat()
        state = state_of(shifted)
        with shifted.app_context():
            user = state.users.find_credentials("kim@example.com")
            assert state.users.attach(user.row).created_at == moment
            assert state.users.attach(user.row).created_at.tzinfo is UTC


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_stored_time_is_utc(shifted: Flask, raw: Engine, moment: datetime) -> None:
    """M8: the app's clock writes, never the database's; another connection reads the same."""
    with frozen_clock(shifted, moment):
        client = shifted.test_client()
        sign_up(client)
        sign_in(client)

    state = state_of(shifted)
    session = state.models[SessionMixin]
    with raw.connect() as connection:
        created, expires = connection.execute(select(session.created_at, session.expires_at)).one()
    assert created == to_column(moment)
    assert expires == to_column(moment + timedelta(hours=24))


@pytest.mark.parametrize("seconds", [-0.001, 0.001])
def test_session_ends_to_the_millisecond(make_app: Callable[..., Flask], zone: str, seconds: float) -> None:
    """M8: a column without fractions would end it up to a second too early or too late."""
    life = timedelta(minutes=30)
    app = make_app(SECUREAUTH_SESSION_LIFETIME=life)
    with frozen_clock(app, datetime(2026, 10, 25, 0, 15, 0, 700000, tzinfo=UTC)) as clock:
        client = app.test_client()
        sign_up(client)
        headers = bearer(sign_in(client))

        clock.advance(life + timedelta(seconds=seconds))
        response = client.get("/users/me", headers=headers)

    assert response.status_code == (200 if seconds < 0 else 401)


def test_naive_time_is_refused(app: Flask) -> None:
    """M8: a time without a zone could mean any hour."""
    state = state_of(app)

    with pytest.raises(ValueError, match="aware"):
        state.user_model(created_at=datetime(2026, 1, 1))


def test_column_has_microseconds_and_no_zone(app: Flask, raw: Engine) -> None:
    """M8: DATETIME(6) and no TIMESTAMP on MySQL, a timestamp without time zone on PostgreSQL."""
    if raw.dialect.name == "sqlite":
        pytest.skip("SQLite has no types of columns")
    statement = text(
        "SELECT data_type, datetime_precision FROM information_schema.columns"
        " WHERE table_name IN ('users', 'secureauth_sessions') AND column_name LIKE '%\\_at' AND table_schema = :name"
    )
    with raw.connect() as connection:
        schema = connection.scalar(
            text("SELECT DATABASE()" if raw.dialect.name == "mysql" else "SELECT current_schema()")
        )
        found = {tuple(row) for row in connection.execute(statement, {"name": schema})}

    expected = {"mysql": ("datetime", 6), "postgresql": ("timestamp without time zone", 6)}
    assert found == {expected[raw.dialect.name]}
