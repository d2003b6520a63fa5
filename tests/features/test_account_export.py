"""What is held about a user, for that user."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, DateTime, LargeBinary, Numeric, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import BUILTIN, ConfigurationError, Feature, UserMixin, account_exported
from flask_secureauth.features.account_export import _plain
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, new_sqlalchemy
from tests.db.conftest import state_of
from tests.features.test_audit import audit_rows
from tests.visitor import Visitor, session_rows

EXPORT = "/users/me/export"


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


@pytest.mark.every_database
def test_export_holds_the_account_and_a_part_for_each_feature(app: Flask, visitor: Visitor) -> None:
    response = visitor.get(EXPORT)

    assert response.status_code == 200
    found = response.json
    assert found.keys() == {"account", *(feature.name for feature in BUILTIN if feature.export)}
    assert {"sessions", "audit", "one_time_tokens"} <= found.keys()
    assert found["account"].keys() == {"id", "email", "created_at", "updated_at"}
    assert (found["account"]["id"], found["account"]["email"]) == (1, "kim@example.com")
    assert datetime.fromisoformat(found["account"]["created_at"]).tzinfo
    assert [event["event"] for event in found["audit"]] == ["authn_login_success", "user_created"]


def test_export_is_a_file_that_nobody_keeps_but_its_user(visitor: Visitor) -> None:
    headers = visitor.get(EXPORT).headers

    assert headers["Content-Disposition"] == 'attachment; filename="account.json"'
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_sessions_are_there_as_long_as_their_rows(app: Flask, visitor: Visitor) -> None:
    Visitor(app).sign_in().post("/auth/logout")

    first, second = visitor.get(EXPORT).json["sessions"]

    assert (first["revoked_at"], first["methods"], first["address"]) == (None, "pwd", "127.0.0.0/24")
    assert second["revoke_reason"] == "logout"
    assert datetime.fromisoformat(second["revoked_at"]).utcoffset() == timedelta(0)


@pytest.mark.every_database
def test_export_holds_no_secret(app: Flask, visitor: Visitor) -> None:
    """ASVS 14.2: nothing that proves who a user is, or that a token is made of."""
    state = state_of(app)
    with app.app_context():
        stored = state.users.find_credentials("kim@example.com").password_hash
    visitor.refresh()
    row = session_rows(app)[0]

    text = visitor.get(EXPORT).text

    for secret in (PASSWORD, stored, stored.split("$")[-1], row.nonce, row.key_id, *visitor.tokens.values()):
        assert secret not in text
    for word in ("password_hash", "nonce", "key_id", "scrypt", "generation"):
        assert word not in text


@pytest.mark.every_database
def test_export_ends_at_the_own_account(app: Flask, visitor: Visitor) -> None:
    """F25, CWE-639."""
    other = Visitor(app)
    other.client.environ_base.update({"HTTP_USER_AGENT": "of-mallory/1", "REMOTE_ADDR": "198.51.100.1"})
    other.sign_up("mallory@example.com")
    other.post("/auth/login", {"email": "mallory@example.com", "password": "a guess"})
    other.post("/auth/login", {"email": "nobody@example.com", "password": "a guess"})

    text = visitor.get(EXPORT, query_string={"user_id": 2, "id": 2}).text

    assert "mallory" not in text
    assert "198.51.100" not in text
    assert session_rows(app)[1].id not in text


def test_stale_session_is_asked_for_the_password_first(app: Flask, visitor: Visitor) -> None:
    """A stolen access token does not carry everything away."""
    with frozen_clock(app) as clock:
        clock.advance(301)
        response = visitor.get(EXPORT)
        assert (response.status_code, response.json["code"]) == (403, "fresh_login_required")
        visitor.post("/auth/reauthenticate", {"password": PASSWORD})
        assert visitor.get(EXPORT).status_code == 200


def test_export_needs_a_living_session(app: Flask, visitor: Visitor) -> None:
    stolen = visitor.copy()
    visitor.post("/auth/logout")

    assert stolen.get(EXPORT).json["code"] == "session_revoked"
    assert Visitor(app).get(EXPORT).json["code"] == "token_missing"


def test_export_is_announced_and_written_down(app: Flask, visitor: Visitor) -> None:
    told = []

    def note(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    with account_exported.connected_to(note, app):
        visitor.get(EXPORT)

    assert told == [{"user_id": 1}]
    assert (audit_rows(app)[-1].event, audit_rows(app)[-1].user_id) == ("sensitive_read", "1")


class Colour(enum.Enum):
    RED = "red"


def model_with_columns(db: SQLAlchemy) -> type[Any]:
    class Person(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "people"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        display: Mapped[str] = mapped_column("display_name", String(20), default="Kim")
        balance: Mapped[Decimal] = mapped_column(Numeric(8, 2), default=Decimal("1.50"))
        born: Mapped[date] = mapped_column(default=date(2000, 2, 29))
        seen: Mapped[datetime] = mapped_column(DateTime(), default=datetime(2026, 5, 31, 12))
        photo: Mapped[bytes] = mapped_column(LargeBinary(4), default=b"\x00\xff")
        colour: Mapped[Colour] = mapped_column(default=Colour.RED)
        tags: Mapped[Any] = mapped_column(JSON, default=lambda: {"b": [1, None], "a": True})
        device: Mapped[uuid.UUID] = mapped_column(Uuid, default=lambda: uuid.UUID(int=7))
        middle: Mapped[str | None] = mapped_column(String(5))
        notes: Mapped[str] = mapped_column(String(20), default="of an operator")
        api_key: Mapped[str] = mapped_column(String(20), default="a-secret-key", deferred=True)

    return Person


def columns_app(make_app: Callable[..., Flask], **settings: Any) -> Flask:
    db = new_sqlalchemy()
    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": model_with_columns(db)}, **settings)
    with app.app_context():
        db.create_all()
    return app


@pytest.mark.every_database
def test_columns_of_the_app_are_there_by_attribute_name(make_app: Callable[..., Flask]) -> None:
    app = columns_app(make_app, SECUREAUTH_ACCOUNT_EXPORT_WITHOUT=["notes"])

    account = Visitor(app).sign_up().get(EXPORT).json["account"]

    assert uuid.UUID(account.pop("id"))
    assert {name: account[name] for name in account if not name.endswith("_at")} == {
        "email": "kim@example.com",
        "display": "Kim",
        "balance": "1.50",
        "born": "2000-02-29",
        "seen": "2026-05-31T12:00:00",
        "photo": "00ff",
        "colour": "red",
        "tags": {"b": [1, None], "a": True},
        "device": str(uuid.UUID(int=7)),
        "middle": None,
    }


def test_hash_that_is_not_deferred_is_left_out_as_well(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()

    class Eager(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "eager"
        password_hash: Mapped[str] = mapped_column(String(255))

    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": Eager})
    with app.app_context():
        db.create_all()

    assert "password_hash" not in Visitor(app).sign_up().get(EXPORT).json["account"]


def test_attribute_to_leave_out_that_is_none_is_told_at_start(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError, match="SECUREAUTH_ACCOUNT_EXPORT_WITHOUT: User has no attribute nots"):
        make_app(SECUREAUTH_ACCOUNT_EXPORT_WITHOUT=["nots"])


def test_created_at_can_be_left_out_by_its_public_name(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_ACCOUNT_EXPORT_WITHOUT=["created_at"])

    assert Visitor(app).sign_up().get(EXPORT).json["account"].keys() == {"id", "email", "updated_at"}


def test_feature_of_the_app_adds_its_part(make_app: Callable[..., Flask]) -> None:
    notes = Feature(name="notes", export=lambda service, user_id: [{"of": user_id, "price": Decimal("0.5")}])
    app = make_app(secure_auth={"features": (*BUILTIN, notes)})

    assert Visitor(app).sign_up().get(EXPORT).json["notes"] == [{"of": 1, "price": "0.5"}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (0.5, 0.5),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (timedelta(hours=1), "1:00:00"),
        ((1, {2}), [1, [2]]),
        ({1: b"a"}, {"1": "61"}),
    ],
)
def test_values_become_json(value: Any, expected: Any) -> None:
    assert _plain(value) == expected
