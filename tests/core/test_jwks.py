"""The key set of another service: when it is fetched, what of it is trusted, and what happens without it."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_secureauth.core import fetching, jwks
from flask_secureauth.core.extras import MissingExtra
from flask_secureauth.core.fetching import is_loopback
from flask_secureauth.core.jwks import NoKeys, RemoteKeys, fetch_key_set
from flask_secureauth.core.keys import Key, load_key
from tests.core.conftest import new_private_key, private_pem
from tests.loopback import Answer, body, serving

NOW = 1_800_000_000
URL = "https://issuer.example/.well-known/jwks.json"
DAY = 24 * 3600


def new_key(kid: str, algorithm: str = "ES256", *, signs_from: int = 0) -> Key:
    key = load_key({"key": private_pem(new_private_key(algorithm)), "kid": kid})
    return replace(key, signs_from=signs_from)


def key_set(*entries: Any) -> bytes:
    """The document that publishes keys; anything but a key goes in as it is."""
    return json.dumps({"keys": [item.public_jwk() if isinstance(item, Key) else item for item in entries]}).encode()


class Issuer:
    """What is fetched: bytes, or an exception."""

    def __init__(self, *entries: Any) -> None:
        self.answer: bytes | Exception = key_set(*entries)
        self.fetched: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


FIRST, SECOND = new_key("first"), new_key("second")


@pytest.fixture
def issuer() -> Issuer:
    """An issuer with one key."""
    return Issuer(FIRST)


@pytest.fixture
def keys(issuer: Issuer) -> RemoteKeys:
    """Its keys, as another service sees them."""
    return RemoteKeys(URL, fetch=issuer.fetch)


def at(keys: RemoteKeys, now: float) -> list[str]:
    """The kids that are accepted at ``now``, once what that look began is done."""
    keys.ring(now)
    if keys._fetching:
        keys._fetching.join(10)
    return [key.kid for key in keys.ring(now).keys]


def test_nothing_is_fetched_before_it_is_needed(keys: RemoteKeys, issuer: Issuer) -> None:
    assert issuer.fetched == []
    assert at(keys, NOW) == ["first"]
    assert issuer.fetched == [URL]


def test_keys_verify_what_the_issuer_signs(keys: RemoteKeys) -> None:
    key = keys.ring(NOW).find("first")

    assert key
    assert key.verify(b"message", FIRST.sign(b"message"))
    assert key.signing_key is None


def test_set_is_fetched_every_five_minutes(keys: RemoteKeys, issuer: Issuer) -> None:
    for after in (0, 1, 299, 299.9):
        at(keys, NOW + after)
    assert len(issuer.fetched) == 1
    for after in (300, 301, 599):
        at(keys, NOW + after)
    assert len(issuer.fetched) == 2


def test_unknown_kid_fetches_nothing(keys: RemoteKeys, issuer: Issuer) -> None:
    """J20, J4: whoever sends tokens cannot make us send requests."""
    ring = keys.ring(NOW)

    assert [ring.find(f"unknown-{number}") for number in range(1000)] == [None] * 1000
    assert len(issuer.fetched) == 1


def test_rotation_of_the_issuer_is_followed(keys: RemoteKeys, issuer: Issuer) -> None:
    assert at(keys, NOW) == ["first"]
    issuer.answer = key_set(FIRST, SECOND)
    assert at(keys, NOW + 300) == ["second", "first"]
    issuer.answer = key_set(SECOND)
    assert at(keys, NOW + 600) == ["second"]


def test_ring_is_the_same_object_while_nothing_changes(keys: RemoteKeys) -> None:
    """The cache of verified tokens belongs to one ring object."""
    ring = keys.ring(NOW)
    for after in (1, 300, 600, 900):
        at(keys, NOW + after)

    assert keys.ring(NOW + 900) is ring


def test_pending_key_of_the_issuer_is_accepted_when_the_issuer_does(issuer: Issuer, keys: RemoteKeys) -> None:
    """J20: a token signed with it before is refused here as there."""
    issuer.answer = key_set(replace(FIRST, signs_from=NOW - DAY), replace(SECOND, signs_from=NOW + 200))

    assert at(keys, NOW) == ["first"]
    assert at(keys, NOW + 139) == ["first"]
    assert at(keys, NOW + 140) == ["first", "second"]
    assert at(keys, NOW + 200) == ["second", "first"]
    assert len(issuer.fetched) == 1


def test_request_does_not_wait_for_a_refresh(issuer: Issuer) -> None:
    began, may_end = threading.Event(), threading.Event()

    def slow(url: str) -> bytes:
        if issuer.fetched:
            began.set()
            assert may_end.wait(10)
        return issuer.fetch(url)

    keys = RemoteKeys(URL, fetch=slow)
    ring = keys.ring(NOW)
    issuer.answer = key_set(SECOND)

    assert keys.ring(NOW + 300) is ring
    assert began.wait(10)
    assert keys.ring(NOW + 400) is ring  # The fetch that runs is enough.
    may_end.set()
    assert at(keys, NOW + 401) == ["second"]
    assert len(issuer.fetched) == 2


def test_first_requests_wait_for_one_fetch_together(issuer: Issuer) -> None:
    began, may_end = threading.Event(), threading.Event()

    def slow(url: str) -> bytes:
        began.set()
        assert may_end.wait(10)
        return issuer.fetch(url)

    keys, found = RemoteKeys(URL, fetch=slow), []
    threads = [threading.Thread(target=lambda: found.append(at(keys, NOW))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert began.wait(10)
    may_end.set()
    for thread in threads:
        thread.join(10)

    assert found == [["first"]] * 8
    assert len(issuer.fetched) == 1


def test_fetch_that_never_ends_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "_TIMEOUT", -1)
    may_end = threading.Event()
    keys = RemoteKeys(URL, fetch=lambda url: b"{}" if may_end.wait(10) else b"")

    with pytest.raises(NoKeys, match="does not answer in time"):
        keys.ring(NOW)
    may_end.set()
    assert keys._fetching
    keys._fetching.join(10)


OUTAGES: dict[str, bytes | Exception] = {
    "connection": OSError(111, "Connection refused"),
    "time": TimeoutError("timed out"),
    "nothing": b"",
    "page": b"<html>",
    "no set": b"[]",
    "keys no list": b'{"keys": {}}',
    "empty set": b'{"keys": []}',
    "keys no objects": b'{"keys": [1, "a", null]}',
    "secret": json.dumps({"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "use": "sig", "k": "AAAA"}]}).encode(),
    "same kid": key_set(FIRST, FIRST),
    "member twice": b'{"keys": [], "keys": []}',
    "byte order mark": b"\xef\xbb\xbf" + key_set(FIRST),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_without_any_set_nothing_is_verified(
    issuer: Issuer, keys: RemoteKeys, caplog: pytest.LogCaptureFixture, outage: str
) -> None:
    """F30: fail closed, tried again in 30 seconds, one line in the log."""
    issuer.answer = OUTAGES[outage]

    for after in (0, 0.5, 1, 29, 30, 45):
        with pytest.raises(NoKeys):
            keys.ring(NOW + after)

    assert len(issuer.fetched) == 2
    assert [record.levelname for record in caplog.records if "cannot be used" in record.getMessage()] == ["ERROR"]
    issuer.answer = key_set(FIRST)
    assert at(keys, NOW + 60) == ["first"]


@pytest.mark.parametrize("outage", OUTAGES)
def test_set_that_cannot_be_fetched_again_is_good_for_a_day(
    issuer: Issuer, keys: RemoteKeys, caplog: pytest.LogCaptureFixture, outage: str
) -> None:
    """F30: an issuer that is down for an hour signs nobody out, and a stolen key does not live for ever."""
    caplog.set_level(logging.INFO, "flask_secureauth")
    ring = keys.ring(NOW)
    issuer.answer = OUTAGES[outage]

    for after in (300, 330, 3600, DAY - 30, DAY):
        at(keys, NOW + after)
        assert keys.ring(NOW + after) is ring
    with pytest.raises(NoKeys):
        keys.ring(NOW + DAY + 1)
    assert [record.levelname for record in caplog.records if record.levelname == "ERROR"] == ["ERROR"]

    issuer.answer = key_set(SECOND)
    assert at(keys, NOW + DAY + 40) == ["second"]
    assert caplog.records[-1].getMessage() == f"The key set at {URL} is back."


def test_outage_is_retried_every_30_seconds(issuer: Issuer, keys: RemoteKeys) -> None:
    keys.ring(NOW)
    issuer.answer = OSError("down")

    for after in range(300, 400):
        at(keys, NOW + after)

    assert len(issuer.fetched) == 1 + 4


def test_clock_that_was_set_back_fetches_anew(issuer: Issuer, keys: RemoteKeys) -> None:
    """J23: a set of a day ago is not the set of tomorrow."""
    at(keys, NOW)
    at(keys, NOW - DAY)
    assert len(issuer.fetched) == 2

    issuer.answer = OSError("down")
    at(keys, NOW - 2 * DAY)
    assert at(keys, NOW - DAY) == ["first"]
    with pytest.raises(NoKeys):
        keys.ring(NOW - DAY + 1)


def test_reason_is_logged_on_one_line(issuer: Issuer, keys: RemoteKeys, caplog: pytest.LogCaptureFixture) -> None:
    """F20."""
    issuer.answer = OSError("down\nINFO all is well \u202e" + "x" * 1000)

    with pytest.raises(NoKeys):
        keys.ring(NOW)

    (record,) = caplog.records
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 400


def test_other_keys_of_the_set_are_passed_over(issuer: Issuer, keys: RemoteKeys) -> None:
    """An issuer may have keys for encryption, and for other algorithms."""
    jwk = SECOND.public_jwk() or {}
    others = [jwk | change for change in ({"use": "enc"}, {"alg": "ES512"}, {"kid": ""}, {"kid": None}, {"x": "!"})]
    issuer.answer = key_set(*others, {}, FIRST, 5, {"kty": "RSA", "alg": "RS256"})

    assert at(keys, NOW) == ["first"]


def test_key_whose_private_half_is_public_is_not_trusted(
    issuer: Issuer, keys: RemoteKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """J20, F20: anybody can sign with it."""
    shown = (SECOND.public_jwk() or {}) | {"d": "AAAA", "kid": "second\nINFO"}
    issuer.answer = key_set(FIRST, shown)

    assert at(keys, NOW) == ["first"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "'second\\\\nINFO'" in record.getMessage()
    for after in (300, 600):
        at(keys, NOW + after)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_every_algorithm_of_ours_is_accepted(algorithm: str) -> None:
    key = new_key("a", algorithm)
    found = RemoteKeys(URL, fetch=Issuer(key).fetch).ring(NOW).find("a")

    assert found
    assert found.verify(b"message", key.sign(b"message"))


def test_small_rsa_key_is_passed_over(issuer: Issuer) -> None:
    """ASVS appendix C."""
    pem = private_pem(rsa.generate_private_key(65537, 2048))
    small = load_key({"key": pem, "kid": "small"}, allow_insecure=True)
    issuer.answer = key_set(FIRST, small)

    assert at(RemoteKeys(URL, fetch=issuer.fetch), NOW) == ["first"]
    assert at(RemoteKeys(URL, fetch=issuer.fetch, allow_insecure=True), NOW) == ["small", "first"]


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(MissingExtra, match=r"flask-secureauth\[crypto\]"):
        RemoteKeys(URL)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost/x", True),
        ("http://LOCALHOST:5000/x", True),
        ("http://127.0.0.1:80", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:5000/x", True),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://example.com#127.0.0.1", False),
        ("http://user@localhost@example.com", False),
        ("http://", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_else(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], tuple[str, list[BaseHTTPRequestHandler]]]]:
    """Return a function: an answer -> the URL that gives it, and the requests that came."""
    with serving() as start:

        def start_keys(answer: Answer) -> tuple[str, list[BaseHTTPRequestHandler]]:
            origin, requests = start(answer)
            return f"{origin}/keys", requests

        yield start_keys


def test_fetch_returns_the_body(serve: Any) -> None:
    url, requests = serve(body(b'{"keys": []}'))

    assert fetch_key_set(url) == b'{"keys": []}'
    (request,) = requests
    assert request.headers["Accept"] == "application/json"
    assert "Python" not in request.headers["User-Agent"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(serve: Any, status: int) -> None:
    """J5, CWE-918: where the keys are is a matter of the settings alone."""
    other, requests = serve(body(key_set(FIRST)))
    url, _ = serve(body(b"", status=status, Location=other))

    with pytest.raises(ValueError, match=f"answered with {status}"):
        fetch_key_set(url)
    assert requests == []


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_refusal_is_no_set(serve: Any, status: int) -> None:
    url, _ = serve(body(key_set(FIRST), status=status))

    with pytest.raises(ValueError, match=f"answered with {status}"):
        fetch_key_set(url)


def test_body_over_64_kib_is_not_read_to_its_end(serve: Any) -> None:
    """CWE-400."""
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        body(b"")(handler)
        try:
            while len(sent) < 10_000:
                handler.wfile.write(b" " * 4096)
                sent.append(1)
        except OSError:
            return

    url, _ = serve(endless)

    with pytest.raises(ValueError, match="larger than 65536 bytes"):
        fetch_key_set(url)
    assert len(sent) < 10_000


def test_body_of_64_kib_is_the_largest(serve: Any) -> None:
    for size, fits in ((jwks.MAX_BYTES, True), (jwks.MAX_BYTES + 1, False)):
        url, _ = serve(body(b" " * size))
        if fits:
            assert len(fetch_key_set(url)) == size
        else:
            with pytest.raises(ValueError, match="larger"):
                fetch_key_set(url)


def test_body_that_drips_is_given_up(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-400: each byte in time, and all of them never."""
    times = iter(range(0, 1000, 2))
    monkeypatch.setattr(fetching, "monotonic", lambda: next(times))

    def drip(handler: BaseHTTPRequestHandler) -> None:
        body(b"")(handler)
        try:
            for _ in range(100_000):
                handler.wfile.write(b" ")
        except OSError:
            return

    url, _ = serve(drip)

    with pytest.raises(TimeoutError, match="too long"):
        fetch_key_set(url)


def test_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        fetch_key_set(f"http://127.0.0.1:{silent.getsockname()[1]}/keys")


def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(OSError, match="refused"):
        fetch_key_set(f"http://127.0.0.1:{port}/keys")


def test_plain_http_goes_through_no_proxy(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would carry a request to this machine elsewhere, and could answer it."""
    proxy, requests = serve(body(key_set(FIRST)))
    url, _ = serve(body(key_set(SECOND)))
    monkeypatch.setenv("http_proxy", proxy)

    assert fetch_key_set(url) == key_set(SECOND)
    assert requests == []


def test_https_is_asked_for_a_certificate(serve: Any) -> None:
    """A server without TLS cannot pass for one that has it."""
    url, _ = serve(body(key_set(FIRST)))

    with pytest.raises(OSError, match=r"(?i)ssl"):
        fetch_key_set(url.replace("http:", "https:"))
