"""What a request may cost: function calls and statements, both exact, so that they can be a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_switch
from tests.web.views import add_views, app_on

MAX_CALLS_OF_THE_GUARD = 100


def count_calls(app: Flask, path: str, headers: dict[str, str]) -> int:
    """How many functions, in Python and in C, one WSGI request calls; it must succeed."""
    environ = EnvironBuilder(path=path, headers=headers).get_environ()
    calls = 0

    def count(frame: Any, kind: str, argument: Any) -> None:
        nonlocal calls
        calls += kind in ("call", "c_call")

    sys.setprofile(count)
    try:
        _, status, _ = run_wsgi_app(app, environ, buffered=True)
    finally:
        sys.setprofile(None)
    assert status == "200 OK"
    return calls


def test_guarded_view_with_a_repeated_token_costs_at_most_100_calls(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_STALENESS=None)
    add_views(app)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))
    for path in ("/bare", "/guarded"):
        count_calls(app, path, headers)

    over_bare = count_calls(app, "/guarded", headers) - count_calls(app, "/bare", headers)

    assert 0 < over_bare <= MAX_CALLS_OF_THE_GUARD


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that go to the database."""
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        found.append(statement)

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.every_database
@pytest.mark.parametrize(
    ("staleness", "path", "expected"),
    [
        (0, "/guarded", 1),
        (0, "/email", 1),
        (0, "/fresh", 1),
        (0, "/users/me", 1),
        (None, "/guarded", 0),
        (None, "/email", 1),
        (60, "/guarded", 0),
        (60, "/email", 1),
    ],
)
def test_guarded_request_costs_exactly_these_statements(
    make_app: Callable[..., Flask], staleness: int | None, path: str, expected: int
) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_switch(db), SECUREAUTH_SESSION_STALENESS=staleness)
    client = app.test_client()
    with frozen_clock(app):
        sign_up(client)
        headers = bearer(sign_in(client))
        client.get("/guarded", headers=headers)

        with statements(app) as found:
            response = client.get(path, headers=headers)

    assert response.status_code == 200
    assert len(found) == expected, found


@pytest.mark.every_database
def test_sign_in_costs_at_most_four_statements_and_the_inserts_of_session_and_audit(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app()
    client = app.test_client()
    sign_up(client)

    with statements(app) as found:
        sign_in(client)

    inserts = [statement for statement in found if statement.startswith("INSERT INTO secureauth_sessions")]
    assert len(inserts) == 1
    assert len(found) <= 6, found


@pytest.mark.parametrize("email", ["kim@example.com", "nobody@example.com"])
def test_refused_sign_in_costs_a_look_and_the_audit(make_app: Callable[..., Flask], email: str) -> None:
    app = make_app()
    client = app.test_client()
    sign_up(client)

    with statements(app) as found:
        client.post("/auth/login", json={"email": email, "password": f"{PASSWORD}!"})

    assert [statement.split()[0] for statement in found] == ["SELECT", "INSERT"]


@pytest.mark.parametrize("headers", [{}, bearer("a.b.c"), bearer("x" * 5000)])
def test_refused_token_costs_no_statement(make_app: Callable[..., Flask], headers: dict[str, str]) -> None:
    app = make_app()
    add_views(app)

    with statements(app) as found:
        app.test_client().get("/guarded", headers=headers)

    assert found == []
