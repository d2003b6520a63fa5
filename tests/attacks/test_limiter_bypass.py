"""Ways around a limit: another name for the same client, the same account, the same route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from flask_secureauth.core.passwords import PasswordHasher
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, THROTTLED, sign_up

WRONG = "a-wrong-password"
FORWARDING = (
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Remote-Addr",
    "Client-IP",
)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(**THROTTLED)
    sign_up(app.test_client())
    return app


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that reach the check."""
    found: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: Any, stored: str | None, password: str) -> bool:
        found.append(password)
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    return found


def _guess(app: Flask, email: str = "kim@example.com", *, ip: str = "192.0.2.1", **rest: Any) -> int:
    body = {"email": email, "password": WRONG}
    return app.test_client().post("/auth/login", json=body, environ_base={"REMOTE_ADDR": ip}, **rest).status_code


@pytest.mark.parametrize("header", FORWARDING)
@pytest.mark.parametrize("trusted", [0, 1])
def test_rotating_a_header_makes_no_other_client(
    make_app: Callable[..., Flask], hashed: list[str], header: str, trusted: int
) -> None:
    """F21, CWE-290: with a trusted proxy, too, whatever stands left of what it wrote itself."""
    app = make_app(**THROTTLED, SECUREAUTH_TRUSTED_PROXIES=trusted)

    for number in range(30):
        headers = [(header, f"203.0.113.{number}")]
        if trusted:
            headers.append(("X-Forwarded-For", f"203.0.113.{number}, 198.51.100.7"))
        _guess(app, f"k{number}@example.com", headers=headers[-1:] if header == "X-Forwarded-For" else headers)

    assert len(hashed) == 10


@pytest.mark.parametrize(
    "address", ["2001:db8:0:7::{:x}", "2001:db8:0:7:{0:x}:{0:x}:{0:x}:{0:x}", "2001:0db8:0000:0007::0{:x}"]
)
def test_rotating_an_address_within_a_line_makes_no_other_client(app: Flask, hashed: list[str], address: str) -> None:
    """F21: an IPv6 line is given 2^64 addresses."""
    for number in range(1, 31):
        _guess(app, f"k{number}@example.com", ip=address.format(number))

    assert len(hashed) == 10


def test_mapped_address_is_the_same_client(app: Flask, hashed: list[str]) -> None:
    """F21: a server that listens on both protocols sees one IPv4 client under two spellings."""
    for number in range(30):
        _guess(app, f"k{number}@example.com", ip="::ffff:192.0.2.1" if number % 2 else "192.0.2.1")

    assert len(hashed) == 10


@pytest.mark.parametrize(
    ("email", "variants"),
    [
        ("kim@example.com", ["KIM@example.com", "Kim@Example.COM", "kim@EXAMPLE.com", "kiM@example.com"]),
        ("kim@münchen.example", ["kim@xn--mnchen-3ya.example", "KIM@MÜNCHEN.example", "Kim@xn--mnchen-3YA.Example"]),
        ("kim@localhost", ["KIM@localhost", "kim@LOCALHOST", "Kim@Localhost"]),
    ],
)
def test_spelling_of_an_address_makes_no_other_account(
    app: Flask, hashed: list[str], email: str, variants: list[str]
) -> None:
    """F21, F14: what is counted is what is looked up."""
    spellings = [email, *variants] * 8

    for number, spelling in enumerate(spellings):
        _guess(app, spelling, ip=f"192.0.2.{number}")

    assert len(hashed) == 5


@pytest.mark.parametrize("text", [" kim@example.com", "k.im@example.com", "kim+tag@example.com", "kim@example.com "])
def test_address_that_is_another_one_is_counted_apart_and_opens_nothing(app: Flask, text: str) -> None:
    """F21: a dot, a tag or a space is another address here, for counting as for signing in."""
    for number in range(5):
        _guess(app, ip=f"192.0.2.{number}")
    body = {"email": text, "password": PASSWORD}

    assert app.test_client().post("/auth/login", json=body).status_code == 401


@pytest.mark.parametrize("email", ["k" * 5000 + "@example.com", "\u202e\U0001f600@@", "", "kim", "a\x00b@example.com"])
def test_address_that_is_none_is_counted_like_any_other(app: Flask, hashed: list[str], email: str) -> None:
    """F21: an unknown, an over-long and an impossible address have their buckets."""
    codes = [_guess(app, email, ip=f"192.0.2.{number}") for number in range(10)]

    assert len(hashed) in (0, 5)
    assert set(codes) in ({400}, {401, 429})


def test_other_spelling_of_the_path_reaches_no_password(app: Flask, hashed: list[str]) -> None:
    """F21: one route has one path."""
    body = {"email": "kim@example.com", "password": WRONG}
    client = app.test_client()
    for path in ("/auth/login/", "//auth/login", "/auth//login", "/AUTH/login", "/auth/login;x", "/auth/./login"):
        client.post(path, json=body)
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        client.open("/auth/login", method=method, json=body)
    client.post("/auth/login", data=body)
    client.post("/auth/login?email=kim@example.com&password=x")

    assert hashed == []


@pytest.mark.parametrize(
    "path", ["/auth/login", "/auth/login?x={}", "/auth/login#{}", "/auth%2flogin", "/auth/log%69n"]
)
def test_query_and_escapes_make_no_other_bucket(app: Flask, hashed: list[str], path: str) -> None:
    for number in range(20):
        body = {"email": "kim@example.com", "password": WRONG}
        environ = {"REMOTE_ADDR": f"192.0.2.{number}"}
        app.test_client().post(path.format(number), json=body, environ_base=environ)

    assert len(hashed) <= 5


@pytest.mark.parametrize("with_form", [True, False])
def test_kind_of_body_makes_no_other_bucket(app: Flask, with_form: bool) -> None:
    """F21: what is refused for its form counts as well."""
    client = app.test_client()
    body = {"email": "lee@example.com"}
    with frozen_clock(app):
        for _ in range(100):
            client.post("/auth/login", **{"data" if with_form else "json": body})

        assert _guess(app, ip="127.0.0.1") == 429


def test_moved_route_keeps_its_bucket(make_app: Callable[..., Flask], hashed: list[str]) -> None:
    app = make_app(**THROTTLED, SECUREAUTH_URL_PREFIX="/api", SECUREAUTH_RULES={"login.login": "/sign-in"})
    for number in range(10):
        body = {"email": "kim@example.com", "password": WRONG}
        app.test_client().post("/api/sign-in", json=body, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})

    assert len(hashed) == 5


def test_twenty_at_once_are_not_more_than_the_limit(app: Flask, hashed: list[str]) -> None:
    """F21: a burst between look and count; tests/db/test_throttling_races.py does it on every database."""
    with ThreadPoolExecutor(20) as pool:
        answers = Counter(pool.map(lambda number: _guess(app, ip=f"192.0.2.{number}"), range(20)))

    assert answers == {401: 5, 429: 15}
    assert len(hashed) == 5
