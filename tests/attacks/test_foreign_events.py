"""What happened to somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flask_secureauth.features.audit.service import AuditService
from tests.db.conftest import state_of
from tests.features.test_audit import audit_rows
from tests.visitor import Visitor


@pytest.fixture
def pair(app: Flask) -> tuple[Visitor, Visitor]:
    """Kim and Mallory."""
    return Visitor(app).sign_up(), Visitor(app).sign_up("mallory@example.com")


@pytest.mark.every_database
def test_events_end_at_the_own_account(app: Flask, pair: tuple[Visitor, Visitor]) -> None:
    """F25, ASVS 8.2.2, CWE-639: neither another user's events, nor those of addresses without an account."""
    kim, mallory = pair
    kim.post("/auth/login", {"email": "nobody@example.com", "password": "a guess"})
    kim.post("/auth/login", {"email": "kim@example.com", "password": "a guess"})

    names = [event["event"] for event in mallory.get("/auth/audit").json["events"]]

    assert names == ["authn_login_success", "user_created"]


@pytest.mark.parametrize("query", [{"user_id": 1}, {"user": "kim@example.com"}, {"email": "kim@example.com"}])
def test_query_names_nobody_else(pair: tuple[Visitor, Visitor], query: dict[str, Any]) -> None:
    """F25, F13: whose events are meant is in the token, and nowhere else."""
    _, mallory = pair

    assert mallory.get("/auth/audit", query_string=query).json == mallory.get("/auth/audit").json


@pytest.mark.every_database
def test_cursor_of_somebody_else_opens_nothing(app: Flask, pair: tuple[Visitor, Visitor]) -> None:
    """F25: a cursor says from when on, and not whose."""
    kim, mallory = pair
    of_mallory = audit_rows(app)[-1].id

    assert kim.get("/auth/audit", query_string={"before": of_mallory}).json == kim.get("/auth/audit").json
    last = mallory.get("/auth/audit", query_string={"before": "f" * 32}).json["events"]
    assert [event["event"] for event in last] == ["authn_login_success", "user_created"]


@pytest.mark.every_database
@pytest.mark.parametrize("other", ["BOB", "bob ", "b\u00f3b", "bob\u200b", "\uff42ob"])
def test_keys_that_a_collation_calls_equal_are_two_users(app: Flask, other: str) -> None:
    """F14, F25, M1, M2: where keys are texts, a database that ignores case or accents shows nobody another's events."""
    state = state_of(app)
    service = state.service(AuditService)
    with app.app_context():
        with state.database.transaction():
            service.record("user_created", user_id="bob")

        assert len(service.page_of("bob", before=None, limit=9)) == len(service.export("bob")) == 1
        assert len(service.page_of(other, before=None, limit=9)) == len(service.export(other)) == 0
