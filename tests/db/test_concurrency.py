"""Two at once: M9 and M12 of mysql.md, with the same assertions on every database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text

from flask_secureauth import SessionRevoked
from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.events import user_logged_out
from flask_secureauth.features.registration import RegistrationService, UserExists
from flask_secureauth.features.sessions.service import SessionService
from flask_secureauth.features.sessions.tables import SessionMixin
from tests.conftest import PASSWORD, bearer, sign_in, sign_up
from tests.db.conftest import counted, elsewhere, state_of

pytestmark = pytest.mark.every_database


def test_revocation_in_an_old_snapshot_sees_that_it_came_second(app: Flask) -> None:
    """M9: under REPEATABLE READ a second look still shows the session alive; only the update knows better."""
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    state = state_of(app)
    service, model = state.service(SessionService), state.models[SessionMixin]
    claims = state.verifier.verify(token, state.clock.timestamp())
    with app.app_context():
        row = select(model.revoked_at)
        assert state.database.session.execute(row).all() == [(None,)]

        response = elsewhere(lambda: app.test_client().post("/auth/logout", headers=bearer(token)))
        assert response.status_code == 200

        with pytest.raises(SessionRevoked), state.database.transaction():
            service.logout(claims, scope="local")

    with app.app_context():
        reason = select(model.revoke_reason)
        assert state.database.session.scalars(reason).all() == ["logout"]


def test_ten_logouts_of_one_session_end_it_once(make_app: Callable[..., Flask]) -> None:
    """M9, ASVS 15.4.2: everybody has seen the session alive, and one conditional update decides."""
    app = make_app()
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))
    barrier = threading.Barrier(10)
    ended: list[str] = []

    def receive(sender: Flask, session_id: str, **facts: object) -> None:
        ended.append(session_id)

    def log_out(_: int) -> tuple[int, str | None]:
        own = app.test_client()
        barrier.wait(30)
        response = own.post("/auth/logout", headers=headers)
        return response.status_code, response.json.get("code")

    with user_logged_out.connected_to(receive, app), ThreadPoolExecutor(10) as pool:
        answers = Counter(pool.map(log_out, range(10)))

    assert answers == {(200, None): 1, (401, "session_revoked"): 9}
    assert len(ended) == 1


def test_revocation_is_one_conditional_update(app: Flask) -> None:
    """M9 and M11: the state is tested in WHERE, so that found and changed rows are the same number."""
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)
    state = state_of(app)
    claims = state.verifier.verify(token, state.clock.timestamp())

    with app.app_context(), counted(app) as statements, state.database.transaction():
        state.service(SessionService).logout(claims, scope="local")

    statement, audit = statements
    assert audit.startswith("INSERT INTO secureauth_audit")
    assert statement.startswith("UPDATE")
    assert "revoked_at IS NULL" in statement


def test_password_that_is_changed_while_it_is_hashed_signs_nobody_in(
    app: Flask, raw: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M9, ASVS 7.4.3: the row was read before the hash was computed; it is locked and looked at again after it."""
    sign_up(app.test_client())
    verify = PasswordHasher.verify

    def overtaken(self: PasswordHasher, stored: str | None, password: str) -> bool:
        proven = verify(self, stored, password)
        with raw.begin() as connection:
            connection.execute(text("UPDATE users SET password_hash = 'changed'"))
        return proven

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)
    response = app.test_client().post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD})

    assert (response.status_code, response.json["code"]) == (401, "login.invalid_credentials")
    with raw.connect() as connection:
        assert connection.scalar(text("SELECT password_hash FROM users")) == "changed"
        assert connection.scalar(text("SELECT COUNT(*) FROM secureauth_sessions")) == 0


def test_hash_that_was_changed_meanwhile_is_not_overwritten(app: Flask, raw: Engine) -> None:
    """M9: a sign-in that renews an old hash must not undo a password change that was faster."""
    sign_up(app.test_client())
    state = state_of(app)
    with app.app_context():
        credentials = state.users.find_credentials("kim@example.com")
        with raw.begin() as connection:
            connection.execute(text("UPDATE users SET password_hash = 'changed'"))
        with state.database.transaction():
            state.users.replace_hash(credentials.key, old=credentials.password_hash, new="renewed")

    with raw.connect() as connection:
        assert connection.scalar(text("SELECT password_hash FROM users")) == "changed"


def test_parallel_inserts_of_one_address_raise_the_duplicate(make_app: Callable[..., Flask]) -> None:
    """M12: who loses the race is told that the user exists; nobody deadlocks, and nothing else is raised."""
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=8)
    service = state_of(app).service(RegistrationService)
    barrier = threading.Barrier(8)

    def register(_: int) -> str:
        with app.app_context():
            barrier.wait(30)
            try:
                with state_of(app).database.transaction():
                    service.register(email="kim@example.com", password=PASSWORD)
            except UserExists:
                return "exists"
            return "created"

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(register, range(8))) == {"created": 1, "exists": 7}


def test_duplicate_waits_for_the_first_to_finish(app: Flask, raw: Engine) -> None:
    """M12: while the first insert is not committed nobody knows who wins; when it is undone, the second one does."""
    if raw.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time, and its second one waits at the door")
    insert = text(
        "INSERT INTO users (email, password_hash, created_at, updated_at)"
        " VALUES ('kim@example.com', '!', '2026-01-01', '2026-01-01')"
    )
    with raw.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(insert)
        body = {"email": "kim@example.com", "password": PASSWORD}
        second = pool.submit(lambda: app.test_client().post("/users", json=body).status_code)
        finished, _ = wait([second], timeout=0.5)
        connection.rollback()

        assert not finished
        assert second.result(30) == 201
