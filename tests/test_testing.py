"""``flask_secureauth.testing``: what the tests of users rely on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth.testing import CONFIG, frozen_clock, signed_in_client
from tests.conftest import bearer, sign_in, sign_up
from tests.web.views import add_views

MOMENT = datetime(2026, 1, 21, 10, 30, tzinfo=UTC)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app()
    add_views(app)
    return app


def test_config_cannot_be_changed_by_one_test_for_another() -> None:
    with pytest.raises(TypeError):
        CONFIG["TESTING"] = False  # type: ignore[index]


def test_signed_in_client_sends_the_requests_of_its_user(app: Flask, user: Any) -> None:
    client = signed_in_client(app, user)

    assert client.get("/email").json == {"email": "kim@example.com"}
    assert client.get("/users/me").status_code == 200


def test_signed_in_client_takes_a_user_object(app: Flask, user: Any) -> None:
    with app.app_context():
        kim = app.extensions["secureauth"].users.find(user)
        client = signed_in_client(app, kim)

    assert client.get("/guarded").json == {"id": str(user)}


def test_signed_in_client_takes_a_user_object_of_an_app_context_that_is_over(app: Flask) -> None:
    with app.app_context():
        state = app.extensions["secureauth"]
        kim = state.user_model(email="kim@example.com", password_hash="")
        state.sqlalchemy.session.add(kim)
        state.sqlalchemy.session.commit()

    assert signed_in_client(app, kim).get("/email").json == {"email": "kim@example.com"}


def test_signed_in_client_is_fresh(app: Flask, user: Any) -> None:
    assert signed_in_client(app, user).get("/fresh").status_code == 200


def test_signed_in_client_that_is_not_fresh_is_refused_by_fresh_views(app: Flask, user: Any) -> None:
    client = signed_in_client(app, user, fresh=False)

    assert client.get("/fresh").status_code == 403
    assert client.get("/guarded").status_code == 200


def test_signed_in_client_can_sign_out(app: Flask, user: Any) -> None:
    client = signed_in_client(app, user)

    assert client.post("/auth/logout").status_code == 200
    assert client.get("/guarded").status_code == 401


def test_two_signed_in_clients_are_two_people(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    sign_up(client, "kai@example.com")
    kim, kai = signed_in_client(app, 1), signed_in_client(app, 2)

    assert [client.get("/email").json["email"] for client in (kim, kai, kim)] == [
        "kim@example.com",
        "kai@example.com",
        "kim@example.com",
    ]
    assert app.test_client().get("/guarded").status_code == 401


def test_signed_in_client_of_nobody_is_refused(app: Flask) -> None:
    with pytest.raises(ValueError, match="no user has the key 99"):
        signed_in_client(app, 99)


def test_frozen_clock_stands_still_at_the_given_moment(app: Flask, client: FlaskClient) -> None:
    with frozen_clock(app, MOMENT):
        sign_up(client)

    created_at = client.get("/users/me", headers=bearer(sign_in(client))).json["created_at"]
    assert created_at == "2026-01-21T10:30:00+00:00"


@pytest.mark.parametrize("delta", [90, 90.0, timedelta(seconds=90), -90])
def test_frozen_clock_moves_when_it_is_told_to(app: Flask, delta: timedelta | float) -> None:
    seconds = delta.total_seconds() if isinstance(delta, timedelta) else delta
    clock = app.extensions["secureauth"].clock
    with frozen_clock(app, MOMENT) as frozen:
        frozen.advance(delta)

        assert clock.now() == MOMENT + timedelta(seconds=seconds)


def test_clock_runs_on_afterwards(app: Flask) -> None:
    clock = app.extensions["secureauth"].clock
    source = clock.source
    with pytest.raises(LookupError), frozen_clock(app, MOMENT):
        raise LookupError

    assert clock.source is source


def test_clock_of_another_app_runs_on(make_app: Callable[..., Flask]) -> None:
    first, second = make_app(), make_app()
    with frozen_clock(first, MOMENT):
        assert second.extensions["secureauth"].clock.now() != MOMENT
