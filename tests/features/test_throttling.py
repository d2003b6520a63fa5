"""Throttles: what is counted together, what is refused, and what is not."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from flask_secureauth import BUILTIN, ConfigurationError, Feature, Guard, Route, Throttle, request_throttled
from flask_secureauth.errors import TooManyRequests
from flask_secureauth.events import Client
from flask_secureauth.features.throttling.tables import ThrottlingMixin
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import PASSWORD, THROTTLED, bearer, sign_in, sign_up
from tests.visitor import Visitor

PINGS = Throttle(name="pings.client", limits=("2 per minute", "3 per hour"), by="client")
PAGES = Throttle(name="pings.session", limits=("1 per minute",), by="session")
REFUSED = {"error": "Too many attempts. Try again later.", "code": "too_many_requests"}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app that counts."""
    return make_app(**THROTTLED)


@pytest.fixture
def clock(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as frozen:
        yield frozen


def _admit(app: Flask, throttle: Throttle, subject: str | None) -> bool:
    with app.app_context():
        return app.extensions["secureauth"].throttles.admit(throttle, subject)


def _pings(app: Flask, *subjects: str | None) -> list[bool]:
    return [_admit(app, PINGS, subject) for subject in subjects]


def _rows(app: Flask) -> int:
    with app.app_context():
        state = app.extensions["secureauth"]
        count: int = state.database.session.scalar(select(func.count()).select_from(state.models[ThrottlingMixin]))
        return count


def _with_pings(make_app: Callable[..., Flask], **settings: Any) -> Flask:
    feature = Feature(name="pings", throttles=(PINGS, PAGES))
    return make_app(secure_auth={"features": (*BUILTIN, feature)}, **THROTTLED, **settings)


@pytest.fixture(params=["database", "memory", "redis"])
def pinged(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Flask:
    """An app with each of the storages."""
    kind = request.param
    return _with_pings(
        make_app, SECUREAUTH_THROTTLING_STORAGE=request.getfixturevalue("redis_url") if kind == "redis" else kind
    )


def test_every_storage_admits_as_many_as_the_limits_say(pinged: Flask) -> None:
    """An exact moving window: never more in any span of its length."""
    with frozen_clock(pinged) as clock:
        admitted = []
        for second in (0, 59, 1, 1, 57, 1, 3540, 1, 59):
            clock.advance(second)
            admitted.append(_admit(pinged, PINGS, "192.0.2.1"))

    # At 0, 59, 60, 61, 118, 119, 3659, 3660 and 3719 seconds.
    assert admitted == [True, True, True, False, False, False, True, True, True]


def test_every_storage_counts_nothing_of_what_it_refuses(pinged: Flask) -> None:
    """Who keeps knocking is let in as soon as who does not."""
    with frozen_clock(pinged) as clock:
        assert _pings(pinged, "192.0.2.1", "192.0.2.1") == [True, True]
        for _ in range(5):
            clock.advance(11)
            assert _pings(pinged, "192.0.2.1") == [False]
        clock.advance(5)
        assert _pings(pinged, "192.0.2.1") == [True]


def test_every_storage_takes_back_one_hit(pinged: Flask) -> None:
    state = pinged.extensions["secureauth"]
    with frozen_clock(pinged), pinged.app_context():
        attempt = state.throttles.begin_attempt("kim@example.com", client=_client("192.0.2.1"))
        for name in "abcdefghi":
            state.throttles.begin_attempt(f"{name}@example.com", client=_client("192.0.2.1"))
        state.throttles.take_back(attempt)
        state.throttles.begin_attempt("j@example.com", client=_client("192.0.2.1"))
        with pytest.raises(TooManyRequests):
            state.throttles.begin_attempt("k@example.com", client=_client("192.0.2.1"))


def test_apps_with_one_redis_admit_together_as_many_as_the_limits_say(
    make_app: Callable[..., Flask], redis_url: str
) -> None:
    """ASVS 15.4.2: workers that share nothing else, all at once."""
    apps = [_with_pings(make_app, SECUREAUTH_THROTTLING_STORAGE=redis_url) for _ in range(2)]
    barrier = threading.Barrier(40)

    def hit(number: int) -> bool:
        barrier.wait(30)
        return _admit(apps[number % 2], PINGS, "203.0.113.9")

    with ThreadPoolExecutor(40) as pool:
        assert Counter(pool.map(hit, range(40))) == {True: 2, False: 38}


def _client(ip: str | None) -> Client:
    return Client(ip=ip)


def test_redis_is_told_no_name_and_no_network(make_app: Callable[..., Flask], redis_url: str) -> None:
    """ASVS 14.2: whoever reads the store learns neither who has an account nor who was there."""
    app = _with_pings(make_app, SECUREAUTH_THROTTLING_STORAGE=redis_url)
    with app.app_context():
        app.extensions["secureauth"].throttles.begin_attempt("kim@example.com", client=_client("192.0.2.1"))
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        keys = connection.keys()

    assert keys
    assert not [key for key in keys if "kim" in key or "192.0" in key]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "::ffff:c000:201", True),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:0DB8:0:0::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_addresses_of_one_line_are_one_client(
    make_app: Callable[..., Flask], one: str, other: str, together: bool
) -> None:
    """F21: an IPv6 line has 2^64 addresses, and every IPv4 address a second spelling."""
    app = _with_pings(make_app)
    with frozen_clock(app):
        assert _pings(app, one, one, other) == [True, True, not together]


@pytest.mark.parametrize("subject", [None, "", "unix:", "a proxy"])
def test_client_without_an_address_shares_no_bucket(make_app: Callable[..., Flask], subject: str | None) -> None:
    """Or a server behind a socket would refuse everybody at once."""
    assert _pings(_with_pings(make_app), *[subject] * 5) == [True] * 5


def test_session_is_its_own_bucket(make_app: Callable[..., Flask]) -> None:
    app = _with_pings(make_app)
    assert [_admit(app, PAGES, name) for name in ("a", "b", "a", "b")] == [True, True, False, False]


def test_address_is_counted_by_its_one_spelling(make_app: Callable[..., Flask]) -> None:
    """F23: variants of case count once."""
    throttle = Throttle(name="mails", limits=("1 per minute",), by="address", silent=True)
    app = make_app(secure_auth={"features": (*BUILTIN, Feature(name="mails", throttles=(throttle,)))}, **THROTTLED)

    found = [_admit(app, throttle, text) for text in ("Kim@Example.com", "kim@example.com", "lee@example.com")]

    assert found == [True, False, True]


def _register(app: Flask, number: int, **environ: Any) -> TestResponse:
    body = {"email": f"k{number}@example.com", "password": PASSWORD}
    return app.test_client().post("/users", json=body, **environ)


@pytest.mark.every_database
def test_eleventh_registration_in_an_hour_is_429(app: Flask, clock: FrozenClock) -> None:
    assert [_register(app, number).status_code for number in range(10)] == [201] * 10
    clock.advance(90)
    response = _register(app, 10)

    assert (response.status_code, response.json) == (429, REFUSED)
    assert response.headers["Retry-After"] == "3510"
    assert response.headers["Cache-Control"] == "no-store"
    clock.advance(3509)
    assert _register(app, 10).status_code == 429
    clock.advance(1)
    assert _register(app, 10).status_code == 201


@pytest.mark.parametrize("json", [{"email": "kim"}, None, "no object"])
def test_request_counts_whatever_its_body(app: Flask, json: Any) -> None:
    """It is counted before anything of it is read."""
    client = app.test_client()
    assert [client.post("/users", json=json).status_code for _ in range(11)] == [400] * 10 + [429]


def test_hundred_and_first_request_with_a_password_in_a_minute_is_429(app: Flask, clock: FrozenClock) -> None:
    """One bucket for all routes that take a password."""
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))
    for _ in range(33):
        assert client.post("/auth/login", json={}).status_code == 400
        assert client.post("/auth/reauthenticate", json={}, headers=headers).status_code == 400
        assert client.post("/users/me/password", json={}, headers=headers).status_code == 400

    for path in ("/auth/login", "/auth/reauthenticate", "/users/me/password"):
        assert client.post(path, json={}, headers=headers).json == REFUSED


def test_thirty_first_refresh_of_a_session_in_a_minute_is_429(app: Flask, clock: FrozenClock) -> None:
    visitor, other = Visitor(app).sign_up(), Visitor(app).sign_in()

    assert [visitor.refresh().status_code for _ in range(31)] == [200] * 30 + [429]
    assert other.refresh().status_code == 200
    clock.advance(60)
    assert visitor.refresh().status_code == 200


def test_refresh_token_that_is_not_genuine_counts_for_no_session(app: Flask, clock: FrozenClock) -> None:
    """Everybody who sees an access token knows the id of its session, and must not end its refreshing."""
    visitor = Visitor(app).sign_up()
    session_id, generation, key, _ = visitor.tokens["refresh_token"].split(".")
    forged = {"refresh_token": f"{session_id}.{generation}.{key}.{'x' * 43}"}
    client = app.test_client()

    assert {client.post("/auth/refresh", json=forged).status_code for _ in range(40)} == {401}
    assert visitor.refresh().status_code == 200


def test_route_of_a_feature_is_throttled_by_session(make_app: Callable[..., Flask]) -> None:
    route = Route("show", "GET", "/pings", lambda call: {}, guard=Guard(), throttles=(PAGES,))
    app = make_app(secure_auth={"features": (*BUILTIN, Feature(name="pings", routes=(route,)))}, **THROTTLED)
    client = app.test_client()
    sign_up(client)
    first, second = bearer(sign_in(client)), bearer(sign_in(client))

    answers = [client.get("/pings", headers=headers).status_code for headers in (first, second, first, second)]

    assert answers == [200, 200, 429, 429]


def test_nothing_is_counted_when_throttling_is_off(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_THROTTLING_ENABLED=False)
    assert {_register(app, number).status_code for number in range(20)} == {201}
    assert _rows(app) == 0


def test_app_without_the_feature_works(make_app: Callable[..., Flask]) -> None:
    features = tuple(feature for feature in BUILTIN if feature.name != "throttling")
    client = make_app(secure_auth={"features": features}).test_client()
    sign_up(client)
    body = {"email": "kim@example.com", "password": "a-wrong-password"}

    assert {client.post("/auth/login", json=body).status_code for _ in range(30)} == {401}
    assert sign_in(client)


def test_throttling_is_on_by_default() -> None:
    (feature,) = [feature for feature in BUILTIN if feature.name == "throttling"]
    assert feature.settings
    assert feature.settings().enabled


def test_limits_can_be_changed_and_switched_off(make_app: Callable[..., Flask]) -> None:
    limits = {"registration.client": "1 per hour", "login.spraying": None}
    app = make_app(**THROTTLED, SECUREAUTH_THROTTLING_LIMITS=limits)
    client = app.test_client()

    assert [_register(app, number).status_code for number in range(2)] == [201, 429]
    bodies = [{"email": f"k{number}@example.com", "password": "a-wrong-password"} for number in range(21)]
    assert [client.post("/auth/login", json=body).status_code for body in bodies] == [401] * 20 + [429]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"LIMITS": {"registration.clients": "1 per hour"}}, "Did you mean 'registration.client'?"),
        ({"LIMITS": {"x": None}}, "'x' is no throttle. The throttles are login.failures, "),
        ({"LIMITS": {"registration.client": "often"}}, "'often' is no limit"),
        ({"LIMITS": {"registration.client": "0 per hour"}}, "'0 per hour' is not from 1 to 1000 in a time"),
        ({"LIMITS": {"registration.client": "1001 per hour"}}, "not from 1 to 1000"),
        ({"LIMITS": {"registration.client": 10}}, "10 is no limit"),
        ({"LIMITS": "10 per hour"}, "SECUREAUTH_THROTTLING_LIMITS must be a mapping"),
        ({"STORAGE": "memcached://localhost"}, 'SECUREAUTH_THROTTLING_STORAGE must be "database", "memory"'),
        ({"STORAGE": "redis://localhost:port"}, "SECUREAUTH_THROTTLING_STORAGE: "),
        ({"STORAGE": None}, "SECUREAUTH_THROTTLING_STORAGE must be"),
        ({"ENABLED": "no"}, "SECUREAUTH_THROTTLING_ENABLED must be True or False"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    make_app: Callable[..., Flask], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_app(**THROTTLED | {f"SECUREAUTH_THROTTLING_{name}": value for name, value in settings.items()})

    assert problem in str(raised.value)


def test_redis_without_the_extra_names_it(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'flask-secureauth\[redis\]'"):
        make_app(**THROTTLED, SECUREAUTH_THROTTLING_STORAGE="redis://127.0.0.1:1/0")


def test_throttles_of_one_name_must_be_one(make_app: Callable[..., Flask]) -> None:
    """Two limits under a name would share a bucket and differ about it."""
    mine = Feature(name="mine", throttles=(replace(PINGS, name="registration.client"),))
    with pytest.raises(ConfigurationError, match=r"Two throttles are called registration\.client"):
        make_app(secure_auth={"features": (*BUILTIN, mine)}, **THROTTLED)


def test_throttle_counts_by_something_that_is_known(make_app: Callable[..., Flask]) -> None:
    mine = Feature(name="mine", throttles=(replace(PINGS, name="mine.sent", by="user"),))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"mine\.sent is by 'user'; choose one of client, session, address"):
        make_app(secure_auth={"features": (*BUILTIN, mine)}, **THROTTLED)


def test_route_cannot_be_throttled_silently_or_by_address(make_app: Callable[..., Flask]) -> None:
    """Only a service knows what the usual answer is, and whose address it is."""
    for wrong in (replace(PINGS, silent=True), replace(PINGS, by="address"), replace(PINGS, by="session")):
        route = Route("show", "GET", "/pings", lambda call: {}, throttles=(wrong,))
        with pytest.raises(ConfigurationError, match=r"pings\.show"):
            make_app(secure_auth={"features": (*BUILTIN, Feature(name="pings", routes=(route,)))}, **THROTTLED)


def test_refusal_is_signalled_once_a_minute_for_each_client(app: Flask, clock: FrozenClock) -> None:
    """Who is refused must cause no flood of logs and rows. Source: ASVS 16.3.1, CWE-779."""
    seen: list[tuple[str, str]] = []

    def receive(sender: Flask, throttle: str, client: Any) -> None:
        seen.append((throttle, client.ip))

    with request_throttled.connected_to(receive, app):
        for number in range(30):
            _register(app, number)
        for number in range(30):
            _register(app, number, environ_base={"REMOTE_ADDR": "192.0.2.1"})
        clock.advance(60)
        _register(app, 99)

    assert seen == [("registration.client", ip) for ip in ("127.0.0.1", "192.0.2.1", "127.0.0.1")]


@pytest.mark.every_database
def test_purge_deletes_what_limits_nothing_any_more(app: Flask, clock: FrozenClock) -> None:
    _register(app, 1)
    clock.advance(timedelta(minutes=30))
    _register(app, 2, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    clock.advance(timedelta(minutes=30))

    result = app.test_cli_runner().invoke(args=["secureauth", "purge"])

    assert "secureauth_throttling: 1 deleted." in result.output
    assert _rows(app) == 1


def test_rows_hold_no_address(app: Flask) -> None:
    """What is counted is stored under a digest."""
    client = app.test_client()
    client.post("/auth/login", json={"email": "kim@example.com", "password": "a-wrong-password"})
    with app.app_context():
        state = app.extensions["secureauth"]
        rows = state.database.session.execute(select(state.models[ThrottlingMixin].__table__)).all()

    assert len(rows) == 5
    assert not any("kim" in str(row) or "127.0.0" in str(row) for row in rows)
