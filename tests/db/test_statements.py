"""How many statements a request costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.security import generate_password_hash

from flask_secureauth import current_user, get_jwt_identity, jwt_required
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, THROTTLED, bearer, sign_in, sign_up
from tests.db.conftest import counted, engine_of, state_of

pytestmark = pytest.mark.every_database
Visit = Callable[..., tuple[FlaskClient, dict[str, str]]]


def add_views(app: Flask) -> None:
    """A guarded view that asks for its user, and one that does not."""

    @app.get("/with-user")
    @jwt_required
    def with_user() -> dict[str, str]:
        return {"email": current_user.email}

    @app.get("/without-user")
    @jwt_required
    def without_user() -> dict[str, Any]:
        return {"sub": get_jwt_identity()}


@pytest.fixture
def visit(make_app: Callable[..., Flask]) -> Visit:
    """Return a function that builds an app and signs somebody in."""

    def start(**settings: Any) -> tuple[FlaskClient, dict[str, str]]:
        client = make_app(before=add_views, **settings).test_client()
        sign_up(client)
        return client, bearer(sign_in(client))

    return start


@pytest.mark.parametrize("path", ["/with-user", "/without-user", "/users/me"])
def test_guarded_request_makes_one_statement(visit: Visit, path: str) -> None:
    """Issue 2, performance.md: session and user in one select, whether the view asks for the user or not."""
    client, headers = visit()
    for _ in range(2):
        with counted(client.application) as statements:
            assert client.get(path, headers=headers).status_code == 200
        assert len(statements) == 1, statements
        assert statements[0].startswith("SELECT")


def test_guarded_request_at_staleness_none_makes_no_statement(
    visit: Visit,
) -> None:
    """Issue 2: signature and expiry only."""
    client, headers = visit(SECUREAUTH_SESSION_STALENESS=None)
    with counted(client.application) as statements:
        assert client.get("/without-user", headers=headers).status_code == 200
    assert statements == []


def test_guarded_request_makes_one_statement_per_staleness(
    visit: Visit,
) -> None:
    """tokens-and-sessions.md: one look in N seconds."""
    client, headers = visit(SECUREAUTH_SESSION_STALENESS=10)
    with frozen_clock(client.application) as clock, counted(client.application) as statements:
        for seconds, expected in ((0, 1), (5, 1), (4.9, 1), (0.2, 2), (9, 2)):
            clock.advance(seconds)
            assert client.get("/without-user", headers=headers).status_code == 200
            assert len(statements) == expected


@pytest.mark.parametrize("token", [None, "garbage", "a.b.c"])
def test_refused_token_makes_no_statement(visit: Visit, token: str | None) -> None:
    """ASVS 2.4.1: what was not signed by us costs the database nothing."""
    client, _ = visit()
    with counted(client.application) as statements:
        headers = {} if token is None else bearer(token)
        assert client.get("/without-user", headers=headers).status_code == 401
    assert statements == []


@pytest.mark.parametrize("old_method", [None, "pbkdf2:sha256:10"], ids=["current hash", "hash to renew"])
def test_sign_in_makes_six_statements(visit: Visit, old_method: str | None) -> None:
    """Issue 2: the look, the hash that is still the same or renewed, the lock, the session, the count; the audit."""
    client, _ = visit()
    if old_method:
        table = state_of(client.application).user_model.__table__
        with engine_of(client.application).begin() as connection:
            old = generate_password_hash(PASSWORD, old_method)
            connection.execute(update(table).values(password_hash=old))
    with counted(client.application) as statements:
        sign_in(client)
    words = [statement.split()[0] for statement in statements]
    assert words == ["SELECT", "UPDATE", "UPDATE", "INSERT", "SELECT", "INSERT"]


def test_sign_in_that_is_counted_makes_six_more(visit: Visit) -> None:
    """Request, failures of the client, the account for spraying, spraying, the address; and all taken back by one."""
    client, _ = visit(**THROTTLED)
    with counted(client.application) as statements:
        sign_in(client)
    words = [statement.split()[0] for statement in statements]
    ours = [statement for statement in statements if "secureauth_throttling" in statement]
    assert words == ["INSERT", "SELECT", *["INSERT"] * 4, *["UPDATE"] * 2, "INSERT", "SELECT", "UPDATE", "INSERT"]
    assert len(ours) == 6


def test_registration_inserts_before_it_looks(visit: Visit) -> None:
    """mysql.md M12: nobody looks before. Afterwards: whether the address is kept for who gave it up lately."""
    client, _ = visit()
    with counted(client.application) as statements:
        sign_up(client, "lee@example.com")
    assert [statement.split()[0] for statement in statements] == ["INSERT", "SELECT", "INSERT"]


def test_logout_makes_the_look_one_update_and_the_audit(visit: Visit) -> None:
    """mysql.md M9: the update decides, no second look."""
    client, headers = visit()
    with counted(client.application) as statements:
        assert client.post("/auth/logout", headers=headers).status_code == 200
    assert [statement.split()[0] for statement in statements] == ["SELECT", "UPDATE", "INSERT"]


def test_sessions_that_end_together_make_one_insert(visit: Visit) -> None:
    """Each is a row of the audit, and all rows of a transaction are one statement."""
    client, headers = visit()
    for _ in range(3):
        sign_in(client)
    with counted(client.application) as statements:
        assert client.post("/auth/logout", json={"scope": "others"}, headers=headers).status_code == 200
    assert [statement.split()[0] for statement in statements] == ["SELECT", "UPDATE", "SELECT", "INSERT"]


def test_health_makes_no_statement(client: FlaskClient, app: Flask) -> None:
    """Health says that the app answers, and touches nothing."""
    with counted(app) as statements:
        assert client.get("/health").status_code == 200
    assert statements == []


def test_connection_is_back_in_the_pool_while_a_password_is_hashed(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """performance.md: a storm of sign-ins holds hashes, and no connections."""
    client, _ = visit()
    pool = engine_of(client.application).pool
    held: list[int] = []
    verify = PasswordHasher.verify

    def spy(self: Any, stored: str | None, password: str) -> bool:
        held.append(pool.checkedout())
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    sign_in(client)
    assert held == [0]
