"""The audit: what is written of each event, when, and who reads it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from inspect import isclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row, insert, select, text

from flask_secureauth import BUILTIN, create_access_token, events, revoke_sessions
from flask_secureauth.core.identifiers import new_timed_identifier
from flask_secureauth.errors import InvalidInput
from flask_secureauth.events import Client, Event, MailQueued, UserLoggedOut
from flask_secureauth.features.audit.rows import BATCH, owner_text
from flask_secureauth.features.audit.service import ENTRIES, AuditService
from flask_secureauth.features.audit.tables import AuditMixin
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in, sign_up
from tests.db.conftest import counted, state_of
from tests.features.models import model_with_uuid
from tests.visitor import Visitor

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAMPLES = {
    "user_id": 1,
    "session_id": "a" * 32,
    "session_ids": ("a" * 32,),
    "email": "kim@example.com",
    "old_email": "kim@example.com",
    "new_email": "kai@example.com",
    "reason": "a reason",
    "methods": ("pwd",),
    "throttle": "login.client",
    "seconds": 30,
    "template": "password_reset",
    "client": Client(ip="203.0.113.7", user_agent="test/1", request_id="abc"),
}


def audit_rows(app: Flask) -> list[Row[Any]]:
    """What is committed, the oldest first."""
    state = state_of(app)
    table = state.models[AuditMixin].__table__
    with app.app_context(), state.sqlalchemy.engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def told(app: Flask) -> list[tuple[str, str | None]]:
    """Event and reason of each row."""
    return [(row.event, row.reason) for row in audit_rows(app)]


def announce(app: Flask, *happened: Event) -> None:
    database = state_of(app).database
    with app.app_context(), database.transaction():
        for event in happened:
            database.announce(event)


def sample(kind: type[Event], user: Any) -> Event:
    """An event with all its fields filled."""
    given = {**SAMPLES, "user": user}
    return kind(**{item.name: given[item.name] for item in fields(kind) if item.name in given})


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    visitor = Visitor(app)
    visitor.client.environ_base.update({"HTTP_USER_AGENT": FIREFOX, "REMOTE_ADDR": "203.0.113.7"})
    return visitor.sign_up()


def test_every_event_of_the_package_is_written_or_left_out_on_purpose() -> None:
    """A new event stands in ENTRIES, or here. A sign-out is told by the end of its session."""
    kinds = {
        value for value in vars(events).values() if isclass(value) and issubclass(value, Event) and value is not Event
    }

    assert kinds - {MailQueued, UserLoggedOut} == set(ENTRIES)


@pytest.mark.every_database
def test_every_event_makes_a_row(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    state = state_of(app)
    with app.app_context():
        user = state.users.find(1)
        with state.database.transaction():
            for kind in ENTRIES:
                state.database.announce(sample(kind, user))

    rows = audit_rows(app)[1:]
    assert [row.event for row in rows] == [entry.name for entry in ENTRIES.values()]
    for kind, row in zip(ENTRIES, rows, strict=True):
        names = {item.name for item in fields(kind)}
        assert row.user_id == ("1" if {"user", "user_id"} & names else None)
        assert row.session_id == ("a" * 32 if {"session_id", "session_ids"} & names else None)
        assert row.email == ("k***@example.com" if "email" in names else None)
        assert row.request_id == ("abc" if "client" in names else None)


def test_visit_is_told_in_order(app: Flask, visitor: Visitor) -> None:
    Visitor(app).post("/auth/login", {"email": "kim@example.com", "password": "a guess"})
    Visitor(app).post("/auth/login", {"email": "nobody@example.com", "password": "a guess"})
    visitor.post("/users/me/password", {"current_password": PASSWORD, "new_password": "walrus-quartz-17"})
    visitor.post("/auth/logout")

    assert told(app) == [
        ("user_created", None),
        ("authn_login_success", "pwd"),
        ("authn_login_fail", "wrong password"),
        ("authn_login_fail", "unknown address"),
        ("authn_password_change", "password_change"),
        ("session_expired", "logout"),
    ]


@pytest.mark.every_database
def test_row_says_who_where_and_in_which_request(app: Flask, visitor: Visitor) -> None:
    visitor.post(
        "/auth/login", {"email": "kim@example.com", "password": "a guess"}, headers={"X-Request-ID": "req-1.2:3"}
    )

    row = audit_rows(app)[-1]
    assert (row.event, row.reason, row.user_id, row.email) == (
        "authn_login_fail",
        "wrong password",
        "1",
        "k***@example.com",
    )
    assert (row.address, row.user_agent, row.request_id) == ("203.0.113.0/24", FIREFOX, "req-1.2:3")


def test_event_without_a_client_has_that_of_the_request(app: Flask, visitor: Visitor) -> None:
    visitor.post("/auth/logout", {"scope": "global"})

    row = audit_rows(app)[-1]
    assert (row.event, row.address, row.user_agent) == ("session_expired", "203.0.113.0/24", FIREFOX)


def test_rows_of_one_request_have_one_request_id(app: Flask, visitor: Visitor) -> None:
    Visitor(app).sign_in()
    visitor.post("/auth/logout", {"scope": "global"})

    *_, before, first, second = audit_rows(app)
    assert first.event == second.event == "session_expired"
    assert first.session_id != second.session_id
    assert first.request_id == second.request_id != before.request_id


@pytest.mark.parametrize("sent", ["", "a b", "a\tb", "a" * 65, "é", '"', "a,b", "../\\", "{}", "%00", "<b>"], ids=ascii)
def test_request_id_that_is_none_is_replaced(app: Flask, client: FlaskClient, sent: str) -> None:
    overrides = {"HTTP_X_REQUEST_ID": sent}
    client.post("/auth/login", json={"email": "kim@example.com", "password": "x"}, environ_overrides=overrides)

    (row,) = audit_rows(app)
    assert len(row.request_id) == 32
    assert int(row.request_id, 16)


def test_what_a_command_does_has_no_client(app: Flask, visitor: Visitor) -> None:
    app.test_cli_runner().invoke(args=["secureauth", "sessions", "revoke", "kim@example.com"])

    row = audit_rows(app)[-1]
    assert (row.event, row.reason) == ("session_expired", "admin")
    assert (row.address, row.user_agent, row.request_id) == (None, "", None)


def test_what_a_shell_does_is_written(app: Flask, user: Any) -> None:
    with app.app_context():
        create_access_token(user)
        revoke_sessions(user)

    assert told(app)[1:] == [("authn_login_success", "app"), ("session_expired", "admin")]


@pytest.mark.every_database
def test_row_is_undone_with_what_happened(make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture) -> None:
    """ASVS 16.2: one transaction, so neither is there without the other; and no line is logged."""
    caplog.set_level(logging.INFO, "flask_secureauth.audit")

    def fail(service: Any, event: Event) -> None:
        raise RuntimeError("the handler failed")

    *others, last = BUILTIN
    app = make_app(secure_auth={"features": (*others, replace(last, handlers={events.UserRegistered: fail}))})

    assert app.test_client().post("/users", json={"email": "kim@example.com", "password": PASSWORD}).status_code == 500
    assert audit_rows(app) == []
    assert [record for record in caplog.records if record.name == "flask_secureauth.audit"] == []


@pytest.mark.every_database
def test_row_that_cannot_be_written_fails_the_request(app: Flask, client: FlaskClient) -> None:
    """What cannot be accounted for does not happen."""
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.session.execute(text("DROP TABLE secureauth_audit"))
        db.session.commit()

    assert client.post("/users", json={"email": "kim@example.com", "password": PASSWORD}).status_code == 500
    with app.app_context():
        assert state_of(app).users.find_credentials("kim@example.com") is None


def test_line_is_logged_after_the_commit(app: Flask, client: FlaskClient) -> None:
    seen = []

    class Look(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append([row.event for row in audit_rows(app)])

    logger, look = logging.getLogger("flask_secureauth.audit"), Look()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(look)
    try:
        sign_up(client)
    finally:
        logger.removeHandler(look)
        logger.setLevel(level)

    assert seen == [["user_created"]]


def test_line_is_json_and_says_what_the_row_says(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flask_secureauth.audit")
    client.post("/auth/login", json={"email": "kim@example.com", "password": "x"}, headers={"User-Agent": "test/1"})

    (record,), (row,) = caplog.records, audit_rows(app)
    name, _, line = record.getMessage().partition(" ")
    assert (record.levelname, record.name, name) == ("INFO", "flask_secureauth.audit", "audit")
    assert json.loads(line) == vars(record)["audit"]
    assert json.loads(line) == {
        "id": row.id,
        "at": f"{row.at.isoformat()}+00:00",
        "event": "authn_login_fail",
        "reason": "unknown address",
        "email": "k***@example.com",
        "address": "127.0.0.0/24",
        "ip": "127.0.0.1",
        "user_agent": "test/1",
        "request_id": row.request_id,
    }


def test_reuse_of_a_refresh_token_is_a_warning(app: Flask, visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    with frozen_clock(app) as clock:
        old = visitor.copy()
        visitor.refresh()
        clock.advance(60)
        old.refresh()

    assert told(app)[-2:] == [("session_expired", "reuse"), ("authn_token_reuse", None)]
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert '"event": "authn_token_reuse"' in record.getMessage()


def test_app_writes_events_of_its_own(app: Flask) -> None:
    state = state_of(app)
    with app.app_context(), state.database.transaction():
        state.service(AuditService).record("sensitive_delete", user_id=1, reason="invoice\n7", email="kim@example.com")

    (row,) = audit_rows(app)
    assert (row.event, row.user_id, row.reason, row.email) == (
        "sensitive_delete",
        "1",
        "invoice\\n7",
        "k***@example.com",
    )


@pytest.mark.every_database
def test_texts_are_cut_to_what_a_column_holds(app: Flask) -> None:
    """M19: what is too long must fail no request."""
    state = state_of(app)
    client = Client(ip="9" * 900, user_agent="é\u202e" * 900, request_id="r" * 900)
    with app.app_context(), state.database.transaction():
        state.service(AuditService).record(
            "n" * 900, user_id="u" * 900, session_ids=["s" * 900], email="e" * 900, reason="\n" * 900, client=client
        )

    (row,) = audit_rows(app)
    assert [len(value or "") for value in row[2:]] == [64, 64, 32, 3, 0, 255, 64, 255]


@pytest.mark.parametrize("network", ["203.0.113.7", "2001:db8::1"])
def test_throttled_requests_are_written_once_a_minute_for_each_network(app: Flask, network: str) -> None:
    """CWE-779: what costs nothing must not fill the table."""
    with frozen_clock(app) as clock:
        for name in ("login.client", "login.client", "registration.client"):
            for ip in (network, "198.51.100.1"):
                announce(app, events.RequestThrottled(throttle=name, client=Client(ip=ip)))
        assert len(audit_rows(app)) == 4
        clock.advance(60)
        announce(app, events.RequestThrottled(throttle="login.client", client=Client(ip=network)))

    assert [row.reason for row in audit_rows(app)].count("login.client") == 3


def test_throttled_requests_of_many_networks_are_bounded(app: Flask) -> None:
    """CWE-779: a botnet does not fill it either."""
    with frozen_clock(app):
        announce(
            app,
            *(
                events.RequestThrottled(throttle="login.client", client=Client(ip=f"10.{number >> 8}.{number & 255}.1"))
                for number in range(300)
            ),
        )

    assert len(audit_rows(app)) == 100


def test_requests_for_a_reset_are_bounded(app: Flask) -> None:
    """CWE-779: they cost a stranger nothing; the first ones of a network are enough to see it."""
    client = Client(ip="203.0.113.7")
    with frozen_clock(app):
        for _ in range(30):
            announce(app, events.PasswordResetRequested(email="kim@example.com", client=client))

    assert len(audit_rows(app)) == 10


@pytest.mark.every_database
def test_owner_sees_own_events_newest_first(app: Flask, visitor: Visitor) -> None:
    Visitor(app).post("/auth/login", {"email": "KIM@example.com", "password": "a guess"})

    response = visitor.get("/auth/audit")

    assert response.status_code == 200
    found = response.json["events"]
    assert [event["event"] for event in found] == ["authn_login_fail", "authn_login_success", "user_created"]
    assert found[0].keys() == {"at", "event", "reason", "address", "device"}
    assert found[0]["at"].endswith("+00:00")
    assert [event["address"] for event in found] == ["127.0.0.0/24", "203.0.113.0/24", "203.0.113.0/24"]
    assert response.json["next"] is None


def test_device_is_described(visitor: Visitor) -> None:
    pytest.importorskip("ua_parser")

    assert visitor.get("/auth/audit").json["events"][0]["device"] == "Firefox on Linux"


def fill(app: Flask, number: int, clock: FrozenClock, *, key: Any = 1, **values: Any) -> None:
    """Write ``number`` events, a second apart, up to now."""
    state = state_of(app)
    rows = []
    for index in range(number):
        moment = clock.moment - timedelta(seconds=number - index)
        row = {"id": new_timed_identifier(moment), "at": moment.replace(tzinfo=None), "event": "authn_login_fail"}
        rows.append(row | {"user_id": owner_text(key), "user_agent": "", "reason": f"number {index}"} | values)
    with app.app_context():
        state.database.session.execute(insert(state.models[AuditMixin]), rows)
        state.database.session.commit()


@pytest.fixture
def stopped(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as clock:
        clock.moment = clock.moment.replace(microsecond=0)
        yield clock


@pytest.mark.every_database
@pytest.mark.parametrize("number", [48, 49, 98, 120])
def test_pages_follow_each_other_without_gap_and_twice(
    app: Flask, stopped: FrozenClock, visitor: Visitor, number: int
) -> None:
    """The two events of the visit are the newest."""
    fill(app, number, stopped)
    pages, before = [], ""
    while before is not None:
        answer = visitor.get("/auth/audit", query_string={"before": before} if before else {}).json
        pages.append(answer["events"])
        before = answer["next"]

    assert [len(page) for page in pages[:-1]] == [50] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= 50
    reasons = [event["reason"] for page in pages for event in page]
    assert reasons == ["pwd", None, *(f"number {index}" for index in reversed(range(number)))]


@pytest.mark.parametrize("before", ["", "x", "1", "a" * 31, "A" * 32, "a" * 33, "' OR 1=1 --", "\u0661" * 32, "%"])
def test_malformed_cursor_is_invalid_input(visitor: Visitor, before: str) -> None:
    response = visitor.get("/auth/audit", query_string={"before": before})

    assert (response.status_code, response.json["code"]) == (400, InvalidInput.error_code)
    assert response.json["fields"] == {"before": ["Must be the next of an earlier answer."]}


def test_list_needs_a_living_session(app: Flask, visitor: Visitor) -> None:
    stolen = visitor.copy()
    visitor.post("/auth/logout")

    assert stolen.get("/auth/audit").json["code"] == "session_revoked"
    assert Visitor(app).get("/auth/audit").json["code"] == "token_missing"


def test_list_makes_the_look_and_one_select(app: Flask, visitor: Visitor) -> None:
    with counted(app) as statements:
        visitor.get("/auth/audit")

    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT"]


def test_events_of_a_user_with_another_kind_of_key(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": model_with_uuid(db)})
    with app.app_context():
        db.create_all()
    visitor = Visitor(app).sign_up()

    assert len(visitor.get("/auth/audit").json["events"]) == 2
    assert {len(row.user_id) for row in audit_rows(app)} == {36}


@pytest.mark.every_database
def test_rows_outlive_their_user(app: Flask, visitor: Visitor) -> None:
    state = state_of(app)
    with app.app_context():
        state.database.session.execute(text("DELETE FROM users"))
        state.database.session.commit()

    assert [(row.event, row.user_id) for row in audit_rows(app)] == [
        ("user_created", "1"),
        ("authn_login_success", "1"),
    ]


@pytest.mark.every_database
def test_purge_deletes_what_is_older_than_a_year(app: Flask, stopped: FrozenClock, client: FlaskClient) -> None:
    sign_up(client)
    stopped.advance(timedelta(days=365))
    announce(app, events.UserDeleted(user_id=1, email="kim@example.com"))
    assert "secureauth_audit: 0 deleted." in app.test_cli_runner().invoke(args=["secureauth", "purge"]).output

    stopped.advance(0.001)
    result = app.test_cli_runner().invoke(args=["secureauth", "purge"])

    assert "secureauth_audit: 1 deleted." in result.output
    assert [row.event for row in audit_rows(app)] == ["user_deleted"]


def test_retention_is_a_setting(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_AUDIT_RETENTION=timedelta(days=1))
    with frozen_clock(app) as clock:
        sign_up(app.test_client())
        clock.advance(timedelta(days=1, seconds=1))
        app.test_cli_runner().invoke(args=["secureauth", "purge"])

    assert audit_rows(app) == []


def test_app_without_the_feature_signs_in(make_app: Callable[..., Flask]) -> None:
    app = make_app(secure_auth={"features": [feature for feature in BUILTIN if feature.name != "audit"]})
    sign_up(app.test_client())

    assert sign_in(app.test_client())
    assert app.test_client().get("/auth/audit").status_code == 404


def test_event_of_an_app_is_no_business_of_the_audit(app: Flask) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Renamed(Event):
        name: str

    state = state_of(app)
    state.database._events.handle(Renamed(name="kim"))

    assert audit_rows(app) == []


def test_batches_end_where_rows_do(app: Flask, stopped: FrozenClock) -> None:
    fill(app, BATCH * 2, stopped)
    service = state_of(app).service(AuditService)
    with app.app_context():
        for limit, expected in ((1, 1), (BATCH, BATCH), (BATCH + 1, BATCH + 1), (9999, BATCH * 2)):
            assert len(list(service.find(limit=limit))) == expected
