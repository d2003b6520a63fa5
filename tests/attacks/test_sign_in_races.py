"""What happens to an account while its password is being checked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from flask_secureauth.core.passwords import HashingBusy
from flask_secureauth.features.sessions.tables import SessionMixin
from tests.conftest import PASSWORD, sign_in, sign_up

CREDENTIALS = {"email": "kim@example.com", "password": PASSWORD}


def while_hashing(app: Flask, monkeypatch: pytest.MonkeyPatch, act: Callable[[Any], None]) -> None:
    """Have ``act`` happen in another transaction, after the hash was read and before the session is opened."""
    state = app.extensions["secureauth"]
    verify = state.hasher.verify

    def slow(stored: str | None, password: str) -> bool:
        verdict = verify(stored, password)
        with state.sqlalchemy.engine.begin() as connection:
            act(connection)
        return verdict

    monkeypatch.setattr(state.hasher, "verify", slow)


def sessions_of(app: Flask) -> int:
    state = app.extensions["secureauth"]
    with app.app_context():
        return len(state.sqlalchemy.session.scalars(select(state.models[SessionMixin])).all())


@pytest.mark.every_database
def test_password_changed_meanwhile_opens_no_session(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F27, ASVS 7.4.3: the thief's sign-in with the old password must not outlive the change."""
    sign_up(client)
    users = app.extensions["secureauth"].user_model
    while_hashing(
        app, monkeypatch, lambda connection: connection.execute(update(users).values(password_hash="another"))
    )

    response = client.post("/auth/login", json=CREDENTIALS)

    assert (response.status_code, response.json["error"]) == (401, "Invalid credentials")
    assert sessions_of(app) == 0


@pytest.mark.every_database
def test_account_deleted_meanwhile_opens_no_session(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F27: neither a session without a user nor a 500."""
    sign_up(client)
    users = app.extensions["secureauth"].user_model
    while_hashing(app, monkeypatch, lambda connection: connection.execute(delete(users)))

    response = client.post("/auth/login", json=CREDENTIALS)

    assert (response.status_code, response.json["error"]) == (401, "Invalid credentials")
    assert sessions_of(app) == 0


def test_sign_in_leaves_updated_at_alone(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    state = app.extensions["secureauth"]
    with app.app_context():
        before = state.users.find(1).updated_at

    sign_in(client)

    with app.app_context():
        assert state.users.find(1).updated_at == before


def test_busy_renewal_of_a_hash_does_not_refuse_the_right_password(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1: an answer that only the right password gets would tell that it was right."""
    sign_up(make_app(SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:128:1:2").test_client())
    app = make_app()

    def busy(password: str) -> str:
        raise HashingBusy

    monkeypatch.setattr(app.extensions["secureauth"].hasher, "hash", busy)

    assert sign_in(app.test_client())


@pytest.mark.every_database
def test_parallel_sign_ins_of_one_user_all_succeed(app: Flask, client: FlaskClient) -> None:
    """M9, M12: the lock on the user's row makes them wait for each other, and deadlocks nobody."""
    sign_up(client)
    start = Barrier(8)

    def one(_: int) -> int:
        start.wait()
        return app.test_client().post("/auth/login", json=CREDENTIALS).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(one, range(8)))

    assert statuses == [200] * 8
    assert sessions_of(app) == 8
