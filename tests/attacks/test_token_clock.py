"""The clock that access tokens are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.attacks.conftest import INVALID, add_guarded_view
from tests.conftest import bearer, sign_in, sign_up


@pytest.fixture
def timed(make_app: Callable[..., Flask]) -> Iterator[tuple[FlaskClient, FrozenClock]]:
    """A client of an app whose clock stands on the end of a leap day, and that clock."""
    app = make_app(before=add_guarded_view)
    with frozen_clock(app, datetime(2028, 2, 29, 23, 30, tzinfo=UTC)) as clock:
        client = app.test_client()
        sign_up(client)
        yield client, clock


LIFE = timedelta(hours=1)
MOMENTS = {
    "at once": (timedelta(0), 200),
    "a second before exp": (LIFE - timedelta(seconds=1), 200),
    "at exp": (LIFE, 200),
    "the last moment of the leeway": (LIFE + timedelta(seconds=4.999), 200),
    "after the leeway": (LIFE + timedelta(seconds=5), 401),
    "a year later": (timedelta(days=366), 401),
    "in the year 9999": (datetime(9999, 12, 31, tzinfo=UTC) - datetime(2028, 2, 29, 23, 30, tzinfo=UTC), 401),
}


@pytest.mark.parametrize("seen", [False, True], ids=["new", "seen before"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_token_lives_until_exp_and_the_leeway(timed: tuple[FlaskClient, FrozenClock], moment: str, seen: bool) -> None:
    """J23, RFC 7519 section 4.1.4: to the second, over a leap day, with and without the cache."""
    client, clock = timed
    headers = bearer(sign_in(client))
    if seen:
        assert client.get("/guarded", headers=headers).status_code == 200

    after, status = MOMENTS[moment]
    clock.advance(after)
    response = client.get("/guarded", headers=headers)

    assert response.status_code == status
    assert response.json.get("code") == (None if status == 200 else "token_expired")


def test_clock_a_little_behind_accepts_a_new_token(timed: tuple[FlaskClient, FrozenClock]) -> None:
    """J23: iat within the leeway is no future."""
    client, clock = timed
    headers = bearer(sign_in(client))

    clock.advance(-5)

    assert client.get("/guarded", headers=headers).status_code == 200


def test_clock_far_behind_refuses_a_new_token(timed: tuple[FlaskClient, FrozenClock]) -> None:
    """J23: an iat beyond the leeway is a future that did not happen yet."""
    client, clock = timed
    headers = bearer(sign_in(client))

    clock.advance(-6)

    assert client.get("/guarded", headers=headers).json == INVALID


@pytest.mark.parametrize("staleness", [0, 30])
def test_clock_set_back_revives_no_revoked_session(make_app: Callable[..., Flask], staleness: int) -> None:
    """J23, ASVS 7.4.1: what has ended stays ended, whatever the clock says."""
    app = make_app(before=add_guarded_view, SECUREAUTH_SESSION_STALENESS=staleness)
    with frozen_clock(app) as clock:
        client = app.test_client()
        sign_up(client)
        headers = bearer(sign_in(client))
        assert client.get("/guarded", headers=headers).status_code == 200
        assert client.post("/auth/logout", headers=headers).status_code == 200

        for step in (-3, 3, 10, -10, 60):
            clock.advance(step)
            assert client.get("/guarded", headers=headers).json["code"] == "session_revoked"


def test_clock_set_back_makes_no_old_look_a_new_one(make_app: Callable[..., Flask]) -> None:
    """J23: with a staleness, a session that another process ended is noticed although the clock went back."""
    app = make_app(before=add_guarded_view, SECUREAUTH_SESSION_STALENESS=30)
    other = make_app(before=add_guarded_view)
    with frozen_clock(app) as clock:
        client = app.test_client()
        sign_up(client)
        headers = bearer(sign_in(client))
        assert client.get("/guarded", headers=headers).status_code == 200
        assert other.test_client().post("/auth/logout", headers=headers).status_code == 200

        clock.advance(-4)

        assert client.get("/guarded", headers=headers).json["code"] == "session_revoked"
