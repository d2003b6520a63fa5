"""Events and their signals: sent after the commit, with the facts, and never for what did not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

import flask_secureauth
from flask_secureauth import BUILTIN, login_failed, user_logged_in, user_logged_out, user_registered
from flask_secureauth.events import Event, Events, UserRegistered
from tests.conftest import PASSWORD, bearer, sign_in, sign_up

GOOD = {"email": "kim@example.com", "password": PASSWORD}


@contextmanager
def received(signal: NamedSignal, app: Flask) -> Iterator[list[dict[str, Any]]]:
    """Collect what ``signal`` sends for ``app``."""
    found: list[dict[str, Any]] = []

    def note(sender: Flask, **facts: Any) -> None:
        assert sender is app
        found.append(facts)

    with signal.connected_to(note, app):
        yield found


def test_registration_sends_user_registered(app: Flask, client: FlaskClient) -> None:
    emails = []

    def note(sender: Flask, user: Any) -> None:
        emails.append(user.email)

    with user_registered.connected_to(note, app):
        sign_up(client)

    assert emails == ["kim@example.com"]


def test_sign_in_sends_user_logged_in_with_session_and_method(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    with received(user_logged_in, app) as facts:
        sign_in(client)

    ((found),) = facts
    assert found.keys() == {"user", "session_id", "methods"}
    assert (len(found["session_id"]), found["methods"]) == (32, ("pwd",))


@pytest.mark.parametrize(
    ("email", "reason", "user_id"),
    [("kim@example.com", "wrong password", 1), ("nobody@example.com", "unknown address", None)],
)
def test_refused_sign_in_sends_login_failed_with_its_reason(
    app: Flask, client: FlaskClient, email: str, reason: str, user_id: int | None
) -> None:
    sign_up(client)
    with received(login_failed, app) as facts:
        client.post("/auth/login", json={"email": email, "password": "x"}, headers={"User-Agent": "test/1"})

    (told,) = facts
    client_of_it = told.pop("client")
    assert (client_of_it.ip, client_of_it.user_agent) == ("127.0.0.1", "test/1")
    assert told == {"email": email, "reason": reason, "user_id": user_id}


def test_logout_sends_user_logged_out_with_the_session(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    with received(user_logged_in, app) as opened:
        token = sign_in(client)
    with received(user_logged_out, app) as ended:
        client.post("/auth/logout", headers=bearer(token))

    assert ended == [{"user_id": 1, "session_id": opened[0]["session_id"]}]


@pytest.mark.parametrize("signal", [user_registered, user_logged_in, user_logged_out])
def test_refusal_sends_no_signal_of_success(app: Flask, client: FlaskClient, signal: NamedSignal) -> None:
    sign_up(client)
    with received(signal, app) as facts:
        client.post("/users", json=GOOD)
        client.post("/auth/login", json=GOOD | {"password": "x"})
        client.post("/auth/logout", headers=bearer("a.b.c"))

    assert facts == []


@pytest.mark.every_database
def test_signal_is_sent_after_the_commit(app: Flask, client: FlaskClient, database_url: str) -> None:
    engine = create_engine(database_url, poolclass=NullPool)
    counts = []

    def count(sender: Flask, **facts: Any) -> None:
        with engine.connect() as connection:
            counts.append(connection.scalar(text("SELECT count(*) FROM users")))

    with user_registered.connected_to(count, app):
        sign_up(client)

    assert counts == [1]


def test_signal_is_not_sent_for_what_was_rolled_back(make_app: Callable[..., Flask]) -> None:
    def fail(service: Any, event: Event) -> None:
        raise RuntimeError("the handler failed")

    health, *others = BUILTIN
    features = (replace(health, handlers={UserRegistered: fail}), *others)
    app = make_app(secure_auth={"features": features})
    client = app.test_client()
    with received(user_registered, app) as facts:
        assert client.post("/users", json=GOOD).status_code == 500
        client.get("/health")

    assert facts == []


def test_receiver_that_fails_is_logged_and_the_others_are_called(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(sender: Flask, **facts: Any) -> None:
        raise RuntimeError("the receiver failed")

    with user_registered.connected_to(fail, app), received(user_registered, app) as facts:
        sign_up(client)

    assert len(facts) == 1
    assert "A receiver of the signal user-registered failed." in caplog.messages


def test_receiver_may_use_the_apps_session(app: Flask, client: FlaskClient) -> None:
    def rename(sender: Flask, user: Any) -> None:
        user.email = "renamed@example.com"
        sender.extensions["sqlalchemy"].session.commit()

    with user_registered.connected_to(rename, app):
        sign_up(client)

    assert sign_in(client, "renamed@example.com")


def test_signal_of_one_app_reaches_no_receiver_of_another(make_app: Callable[..., Flask]) -> None:
    first, second = make_app(), make_app()
    with received(user_registered, second) as facts:
        sign_up(first.test_client())

    assert facts == []


def test_handlers_run_in_order_and_only_for_their_event() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Renamed(Event):
        name: str

    calls: list[str] = []
    events = Events(object())
    events.subscribe(Renamed, lambda event: calls.append(f"1 {event.name}"))
    events.subscribe(Renamed, lambda event: calls.append(f"2 {event.name}"))

    events.handle(Renamed(name="kim"))
    events.handle(UserRegistered(user=None))

    assert calls == ["1 kim", "2 kim"]


@pytest.mark.parametrize("event", Event.__subclasses__())
def test_signal_of_an_event_is_a_public_name(event: type[Event]) -> None:
    name = event.signal.name.replace("-", "_")

    assert getattr(flask_secureauth, name) is event.signal
    assert fields(event)
