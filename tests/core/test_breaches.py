"""Breached passwords: a file that is searched where it lies, and a service that learns next to nothing."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from flask_secureauth.core import breaches
from flask_secureauth.core.breaches import (
    BreachCheckUnavailable,
    BreachFile,
    BreachRange,
    InvalidBreachFile,
)
from tests.loopback import Answer, body, serving

KNOWN = "kraken-vulcan-42"


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


DIGEST = sha1(KNOWN)
PREFIX, SUFFIX = DIGEST[:5], DIGEST[5:]
PASSWORDS = [f"password {number}" for number in range(300)]
SORTED = sorted(map(sha1, PASSWORDS))


def write(path: Path, lines: list[str], *, end: str = "\r\n", last: bool = True) -> Path:
    path.write_bytes((end.join(lines) + (end if last else "")).encode())
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the list is."""
    return tmp_path / "breached.txt"


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "unended"])
@pytest.mark.parametrize("counted", [True, False], ids=["counted", "plain"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 300])
def test_every_hash_of_a_file_is_found_and_no_other(file: Path, size: int, counted: bool, last: bool, end: str) -> None:
    chosen = PASSWORDS[:size]
    lines = [f"{digest}:{10**index % 99991}" if counted else digest for index, digest in enumerate(map(sha1, chosen))]
    check = BreachFile(write(file, sorted(lines), end=end, last=last))

    assert all(check.is_breached(password) for password in chosen)
    assert not any(check.is_breached(f"{password}x") for password in chosen)


def test_hashes_before_the_first_and_after_the_last_are_not_found(file: Path) -> None:
    candidates = sorted((f"candidate {number}" for number in range(99)), key=sha1)
    check = BreachFile(write(file, [sha1(candidate) for candidate in candidates[1:-1]]))

    assert not check.is_breached(candidates[0])
    assert not check.is_breached(candidates[-1])


def test_large_file_is_searched_without_reading_it(file: Path) -> None:
    """The real one has tens of gigabytes: a search may neither load it nor pass over it."""
    digests = sorted({f"{random.Random(number).getrandbits(160):040X}" for number in range(50_000)} | {DIGEST})
    check = BreachFile(write(file, [f"{digest}:1" for digest in digests]))
    assert file.stat().st_size > 2_000_000

    tracemalloc.start()
    try:
        found = check.is_breached(KNOWN), check.is_breached("another")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == (True, False)
    assert peak < 200_000


def test_threads_share_a_file(file: Path) -> None:
    check = BreachFile(write(file, SORTED))
    asked = [password + extra for password in PASSWORDS for extra in ("", "x")]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(check.is_breached, asked))

    assert found == [not password.endswith("x") for password in asked]


def test_newer_file_of_the_same_name_is_followed(file: Path, tmp_path: Path) -> None:
    check = BreachFile(write(file, SORTED))
    assert not check.is_breached(KNOWN)

    write(tmp_path / "newer", [DIGEST]).replace(file)

    assert check.is_breached(KNOWN)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n", "at byte 0 is no line"),
        (b"password\n", "at byte 0 is no line"),
        ("\n".join(SORTED).lower().encode(), "at byte 0 is no line"),
        (("\ufeff" + "\n".join(SORTED)).encode(), "at byte 0 is no line"),
        ("\n".join(f"{digest};5" for digest in SORTED).encode(), "is no line"),
        ("\n".join(f"{digest}:" for digest in SORTED).encode(), "is no line"),
        ("\n".join(f"{digest} " for digest in SORTED).encode(), "is no line"),
        ("\n".join(digest[8:] for digest in SORTED).encode(), "is no line"),
        ("".join(SORTED).encode(), "is no line"),
        ("\n".join(reversed(SORTED)).encode(), "not ordered by hash"),
        ("\n".join(map(sha1, PASSWORDS)).encode(), "not ordered by hash"),
        ("\n".join(SORTED).encode()[:-7], "is no line"),
        ("\n".join(SORTED).encode() + b"\n\n", "is no line"),
    ],
    ids=[
        *("empty", "blank", "words", "lower", "bom", "semicolon", "colon", "space", "ntlm", "one-line"),
        *("backwards", "by-count", "cut", "blank-end"),
    ],
)
def test_file_of_another_form_is_refused(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)

    with pytest.raises(InvalidBreachFile, match=reason):
        BreachFile(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InvalidBreachFile, match="is no file"):
            BreachFile(path)


def test_file_that_went_or_broke_is_unavailable(file: Path) -> None:
    check = BreachFile(write(file, SORTED))

    file.write_bytes(b"x" * 5000)
    with pytest.raises(BreachCheckUnavailable, match="is no line"):
        check.is_breached(KNOWN)
    file.unlink()
    with pytest.raises(BreachCheckUnavailable, match="No such file"):
        check.is_breached(KNOWN)


Serve = Callable[[Answer], tuple[str, list[BaseHTTPRequestHandler]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function: an answer -> the origin that gives it, and the requests that came."""
    with serving() as start:
        yield start


def entries(*own: str) -> bytes:
    """A range as the service answers it, with ``own`` in the middle."""
    others = [f"{sha1(password)[5:]}:{index + 1}" for index, password in enumerate(PASSWORDS)]
    return "\r\n".join([*others[:150], *own, *others[150:]]).encode()


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([f"{SUFFIX}:3"], True),
        ([f"{SUFFIX.lower()}:3"], True),
        ([f"{SUFFIX}:0"], False),
        ([f"{SUFFIX}:0", f"{SUFFIX}:7"], True),
        ([], False),
    ],
    ids=["known", "lower-case", "padding", "padding-too", "unknown"],
)
def test_suffix_in_the_answer_with_a_count_is_a_breach(serve: Serve, own: list[str], expected: bool) -> None:
    """A count of 0 is padding."""
    url, _ = serve(body(entries(*own)))

    assert BreachRange(f"{url}/range").is_breached(KNOWN) is expected


@pytest.mark.parametrize("end", ["", "/"])
def test_five_characters_leave_and_nothing_else(serve: Serve, end: str) -> None:
    """The whole of what the other side sees: neither the password nor the rest of its hash."""
    url, requests = serve(body(entries()))
    BreachRange(f"{url}/range{end}").is_breached(KNOWN)

    (request,) = requests
    assert request.requestline == f"GET /range/{PREFIX} HTTP/1.1"
    assert dict(request.headers) == {
        "Accept-Encoding": "identity",
        "Host": url.removeprefix("http://"),
        "User-Agent": "flask-secureauth",
        "Add-Padding": "true",
        "Connection": "close",
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (body(b"", status=500), "answered with 500"),
        (body(entries(f"{SUFFIX}:3"), status=404), "answered with 404"),
        (body(b"", status=302, Location="http://127.0.0.1:1/"), "answered with 302"),
        (body(b""), "not one of lines"),
        (body(b"<html>Sign in to the network</html>"), "not one of lines"),
        (body(entries("garbage")), "not one of lines"),
        (body(entries(f"{SUFFIX}:{'9' * 5000}")), "not one of lines"),
        (body(entries(f"{SUFFIX}:٣")), "not one of lines"),
        (body(b"A" * (breaches.MAX_BYTES + 1)), "larger than"),
        (lambda handler: handler.wfile.write(f"nonsense {PREFIX} {SUFFIX}\r\n".encode()), "BadStatusLine"),
    ],
    ids=["500", "404", "redirect", "empty", "html", "mixed", "huge-count", "arabic", "huge", "no-http"],
)
def test_answer_that_is_none_is_unavailable_and_tells_nothing(serve: Serve, answer: Answer, reason: str) -> None:
    url, _ = serve(answer)

    with pytest.raises(BreachCheckUnavailable, match=reason) as raised:
        BreachRange(url).is_breached(KNOWN)
    assert PREFIX not in str(raised.value)


def test_redirect_is_not_followed(serve: Serve) -> None:
    """CWE-918: who is asked is a matter of the settings alone."""
    other, requests = serve(body(entries(f"{SUFFIX}:3")))
    url, _ = serve(body(b"", status=302, Location=f"{other}/range/{PREFIX}"))

    with pytest.raises(BreachCheckUnavailable):
        BreachRange(url).is_breached(KNOWN)
    assert requests == []


def test_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check = BreachRange(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
        with pytest.raises(BreachCheckUnavailable, match="time"):
            check.is_breached(KNOWN)


def test_name_server_that_takes_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out of a socket does not bound the look-up of a name."""
    looking, over = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        if host != "breaches.invalid":  # A thread that another test left behind.
            return real(host, *arguments, **options)
        looking.set()
        over.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with pytest.raises(BreachCheckUnavailable, match="does not answer in time"):
        BreachRange("http://breaches.invalid", timeout=0.05).is_breached(KNOWN)
    assert looking.wait(30)
    over.set()


def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(BreachCheckUnavailable, match="refused"):
        BreachRange(f"http://127.0.0.1:{port}").is_breached(KNOWN)


def test_server_without_tls_cannot_pass_for_one_that_has_it(serve: Serve) -> None:
    url, _ = serve(body(entries(f"{SUFFIX}:3")))

    with pytest.raises(BreachCheckUnavailable, match=r"(?i)ssl"):
        BreachRange(url.replace("http:", "https:")).is_breached(KNOWN)


def test_no_more_questions_are_under_way_than_allowed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-400: a service that hangs must not fill the process with threads."""
    monkeypatch.setattr(breaches, "_MAX_UNDER_WAY", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check = BreachRange(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=5)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(check.is_breached, KNOWN)
            connection, _ = silent.accept()
            with pytest.raises(BreachCheckUnavailable, match="too many questions"):
                check.is_breached(KNOWN)
            connection.close()
            assert isinstance(first.exception(), BreachCheckUnavailable)
