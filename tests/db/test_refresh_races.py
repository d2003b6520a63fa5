"""Many uses of one refresh token at once. Source: tokens-and-sessions.md; security.md F6; mysql.md M9, M10, M15."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, bearer, sign_up
from tests.db.served import gunicorn

every_database = pytest.mark.every_database
on_mariadb = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
PARALLEL = 24
ROUNDS = 20
POOL = {"pool_size": PARALLEL, "max_overflow": PARALLEL, "pool_timeout": 60}


def sign_in_for_refresh(app: Flask) -> str:
    body = {"email": "kim@example.com", "password": PASSWORD}
    token: str = app.test_client().post("/auth/login", json=body).json["refresh_token"]
    return token


def all_at_once(app: Flask, tokens: list[str], pool: ThreadPoolExecutor) -> list[tuple[int, Any]]:
    """Send each token in a request of its own, all when the last of them is ready."""
    barrier = threading.Barrier(len(tokens))

    def send(token: str) -> tuple[int, Any]:
        client = app.test_client()
        barrier.wait(30)
        response = client.post("/auth/refresh", json={"refresh_token": token})
        return response.status_code, response.json

    return list(pool.map(send, tokens))


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app whose pool lets every thread of a round have its connections."""
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=POOL)
    sign_up(app.test_client())
    return app


@every_database
def test_24_refreshes_of_one_token_have_one_successor(app: Flask, raw: Engine) -> None:
    """F6: 20 rounds; each has one successor, the generation goes up by one, nobody sees a 500 or a deadlock."""
    race(app, raw)


@on_mariadb
@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "READ COMMITTED", "SERIALIZABLE"])
def test_one_successor_under_every_isolation(make_app: Callable[..., Flask], raw: Engine, isolation: str) -> None:
    """M9, M10: with MariaDB's snapshot isolation, on by default since 11.6, the loser's update is an error (1020)."""
    options = {**POOL, "isolation_level": isolation}
    options["connect_args"] = {"init_command": "SET SESSION innodb_snapshot_isolation = ON"}
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=options)
    sign_up(app.test_client())

    race(app, raw)


@on_mariadb
def test_one_successor_through_gunicorn_with_4_workers(raw: Engine, database_url: str) -> None:
    """F6: the requests of a round meet in processes that share nothing but the database."""
    body = {"email": "kim@example.com", "password": PASSWORD}
    with gunicorn(database_url, workers=4, threads=PARALLEL // 4) as port, ThreadPoolExecutor(PARALLEL) as pool:
        assert post(port, "/users", body)[0] == 201
        token = post(port, "/auth/login", body)[1]["refresh_token"]
        for generation in range(1, ROUNDS + 1):
            barrier = threading.Barrier(PARALLEL)

            def send(_: int, barrier: threading.Barrier = barrier, token: str = token) -> tuple[int, Any]:
                barrier.wait(30)
                return post(port, "/auth/refresh", {"refresh_token": token})

            answers = list(pool.map(send, range(PARALLEL)))

            assert Counter(status for status, _ in answers) == {200: PARALLEL}
            (token,) = {members["refresh_token"] for _, members in answers}
            with raw.connect() as connection:
                row = connection.execute(text("SELECT generation, revoked_at FROM secureauth_sessions")).one()
            assert tuple(row) == (generation, None)


def post(port: int, path: str, body: dict[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def race(app: Flask, raw: Engine) -> None:
    """Send every token of a session 24 times at once, 20 times."""
    token = sign_in_for_refresh(app)
    with ThreadPoolExecutor(PARALLEL) as pool:
        for generation in range(1, ROUNDS + 1):
            answers = all_at_once(app, [token] * PARALLEL, pool)

            assert Counter(status for status, _ in answers) == {200: PARALLEL}
            (token,) = {members["refresh_token"] for _, members in answers}
            with raw.connect() as connection:
                row = connection.execute(text("SELECT generation, revoked_at FROM secureauth_sessions")).one()
            assert tuple(row) == (generation, None)

    for _, members in answers:
        headers = bearer(members["access_token"])
        assert app.test_client().get("/users/me", headers=headers).status_code == 200


@every_database
def test_24_uses_of_an_old_token_end_the_session_once(app: Flask, raw: Engine) -> None:
    """F6: after the grace every one of them is refused, the revocation is there, and the live tokens are dead."""
    ended: list[Any] = []
    with frozen_clock(app) as clock, ThreadPoolExecutor(PARALLEL) as pool:
        old = sign_in_for_refresh(app)
        live = app.test_client().post("/auth/refresh", json={"refresh_token": old}).json
        clock.advance(10)

        answers = all_at_once(app, [old] * PARALLEL, pool)

        with raw.connect() as connection:
            ended = list(connection.scalars(text("SELECT revoke_reason FROM secureauth_sessions")))
        codes = Counter(members["code"] for _, members in answers)
        again = app.test_client().post("/auth/refresh", json={"refresh_token": live["refresh_token"]})
        guarded = app.test_client().get("/users/me", headers=bearer(live["access_token"]))

    assert ended == ["reuse"]
    assert set(codes) <= {"refresh_token_reused", "session_revoked"}
    assert codes["refresh_token_reused"] >= 1
    assert {status for status, _ in answers} == {401}
    assert (again.status_code, again.json["code"]) == (401, "session_revoked")
    assert (guarded.status_code, guarded.json["code"]) == (401, "session_revoked")


@every_database
def test_refreshes_and_a_logout_at_once_leave_the_session_ended(app: Flask, raw: Engine) -> None:
    """F6: whoever comes first, no refresh brings an ended session back."""
    body = {"email": "kim@example.com", "password": PASSWORD}
    with ThreadPoolExecutor(PARALLEL) as pool:
        for _ in range(5):
            tokens = app.test_client().post("/auth/login", json=body).json
            logout = pool.submit(app.test_client().post, "/auth/logout", headers=bearer(tokens["access_token"]))
            answers = all_at_once(app, [tokens["refresh_token"]] * (PARALLEL - 1), pool)

            assert logout.result(30).status_code == 200
            assert {status for status, _ in answers} <= {200, 401}
            last = app.test_client().post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
            assert (last.status_code, last.json["code"]) == (401, "session_revoked")
    with raw.connect() as connection:
        alive = connection.scalar(text("SELECT COUNT(*) FROM secureauth_sessions WHERE revoked_at IS NULL"))
    assert alive == 0
