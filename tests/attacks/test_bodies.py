"""Bodies that parsers choke on, and bodies that databases misread."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.attacks.conftest import add_guarded_view
from tests.conftest import PASSWORD, bearer, sign_in, sign_up

PATHS = ["/users", "/auth/login", "/auth/logout"]
GOOD = {"/users": b'{"email":"new@example.com","password":"kraken-vulcan-42"', "/auth/logout": b"{"}
GOOD["/auth/login"] = b'{"email":"kim@example.com","password":"kraken-vulcan-42"'
JSON = "application/json"


class Visitor:
    """Somebody who is signed in, and what stands in the database."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        sign_up(self.client)
        self.headers = bearer(sign_in(self.client))

    def post(self, path: str, raw: bytes, content_type: str | None = JSON, **options: Any) -> TestResponse:
        """Send a body as it is."""
        return self.client.post(path, data=raw, content_type=content_type, headers=self.headers, **options)

    def assert_nothing_happened(self) -> None:
        """One user, one session, and it lives."""
        state = self.app.extensions["secureauth"]
        with self.app.app_context():
            tables = (state.user_model, state.sessions._model)
            counts = [state.database.session.scalar(select(func.count()).select_from(table)) for table in tables]
        assert counts == [1, 1]
        assert self.client.get("/guarded", headers=self.headers).status_code == 200


@pytest.fixture
def visitor(make_app: Callable[..., Flask]) -> Visitor:
    """A signed-in user."""
    return Visitor(make_app(before=add_guarded_view))


@pytest.fixture
def patient(make_app: Callable[..., Flask]) -> Visitor:
    """A signed-in user of an app that reads up to 4 MB."""
    return Visitor(make_app(before=add_guarded_view, SECUREAUTH_MAX_CONTENT_LENGTH=4_000_000))


def _member(raw: bytes) -> Callable[[str], bytes]:
    """A body that is complete, and one member more."""

    def build(path: str) -> bytes:
        start = GOOD[path]
        return start + (b"," if len(start) > 1 else b"") + raw + b"}"

    return build


def _whole(raw: bytes) -> Callable[[str], bytes]:
    return lambda path: raw


def _recoded(encoding: str) -> Callable[[str], bytes]:
    return lambda path: (GOOD[path] + b"}").decode().encode(encoding)


MALFORMED: dict[str, Callable[[str], bytes]] = {
    "100,000 levels of lists": _whole(b"[" * 100_000 + b"]" * 100_000),
    "100,000 levels of objects": _whole(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "100,000 levels in a member": _member(b'"x":' + b"[" * 100_000 + b"]" * 100_000),
    "unclosed levels": _whole(b'[{"a":' * 100_000),
    "21 levels": _member(b'"x":' + b"[" * 21 + b"]" * 21),
    "lone surrogate": _member(b'"x":"\\ud800"'),
    "reversed surrogates": _member(b'"x":"\\udc00\\ud800"'),
    "surrogate in a name": _member(b'"\\udfff":1'),
    "surrogate in utf-8": _member(b'"x":"\xed\xa0\x80"'),
    "nul": _member(b'"x":"a\\u0000"'),
    "nul in a name": _member(b'"\\u0000":1'),
    "raw nul": _member(b'"x":"\0"'),
    "raw newline": _member(b'"x":"\n"'),
    "nan": _member(b'"x":NaN'),
    "infinity": _member(b'"x":-Infinity'),
    "1e999": _member(b'"x":1e999'),
    "5000 digits": _member(b'"x":' + b"9" * 5000),
    "5000 decimals": _member(b'"x":0.' + b"9" * 5000),
    "email twice": _member(b'"email":"eve@example.com","email":"kim@example.com"'),
    "escaped name twice": _member(b'"x":1,"\\u0078":2'),
    "utf-16": _recoded("utf-16"),
    "utf-16-be": _recoded("utf-16-be"),
    "utf-32": _recoded("utf-32"),
    "byte order mark": _recoded("utf-8-sig"),
    "latin-1": _member(b'"x":"\xe9"'),
    "truncated": _whole(b'{"email":"kim@example.com"'),
    "two objects": _whole(b"{}{}"),
    "trailing comma": _whole(b'{"x":1,}'),
    "single quotes": _whole(b"{'x':1}"),
    "comment": _whole(b"{}//"),
    "space": _whole(b" "),
    "form": _whole(b"email=kim%40example.com&password=kraken-vulcan-42"),
    "xml": _whole(b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><x>&a;</x>"),
    "pickle": _whole(b"\x80\x04\x95."),
    "gzip": _whole(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
    "list": _whole(b"[]"),
    "list of an object": _whole(b'[{"email":"kim@example.com","password":"kraken-vulcan-42"}]'),
    "null": _whole(b"null"),
    "true": _whole(b"true"),
    "number": _whole(b"0"),
    "string": _whole(b'"kim@example.com"'),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_body_is_refused(patient: Visitor, path: str, case: str) -> None:
    """F16, ASVS 1.5.2, 1.5.3 and 2.2.1: 400 with a sentence, and nothing is written."""
    response = patient.post(path, MALFORMED[case](path))

    assert (response.status_code, response.json["code"]) == (400, "malformed_body")
    assert response.json["error"]
    patient.assert_nothing_happened()


@pytest.mark.parametrize("path", PATHS)
def test_deep_nesting_is_too_large_by_default(visitor: Visitor, path: str) -> None:
    """F16: 100,000 levels are more than 64 KiB."""
    assert visitor.post(path, b"[" * 100_000).status_code == 413
    visitor.assert_nothing_happened()


@pytest.mark.parametrize("path", PATHS)
def test_member_that_nobody_knows_is_refused(visitor: Visitor, path: str) -> None:
    """F16 and F13: unknown members are an error and are named."""
    response = visitor.post(path, _member(b'"x":"\\ud83d\\ude00"')(path))

    assert (response.status_code, response.json["code"]) == (400, "invalid_input")
    assert "x" in response.json["fields"]
    visitor.assert_nothing_happened()


TYPES: list[str | None] = [
    "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16", "application/json; charset=latin-1", "application/json; charset=utf-7",
    "application/jsonp", "application/octet-stream", "json", "", None, "application/json/x",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("content_type", TYPES, ids=str)
def test_other_content_type_is_refused(visitor: Visitor, path: str, content_type: str | None) -> None:
    """F16 and F18, ASVS 4.1.1: what a cross-site form can send is no JSON."""
    response = visitor.post(path, GOOD[path] + b"}", content_type)

    assert (response.status_code, response.json["code"]) == (415, "unsupported_content_type")
    visitor.assert_nothing_happened()


@pytest.mark.parametrize("path", PATHS)
def test_method_override_is_not_read(visitor: Visitor, path: str) -> None:
    """F18: neither a header nor a query changes the method."""
    headers = {**visitor.headers, "X-HTTP-Method-Override": "POST", "Content-Type": JSON}

    response = visitor.client.get(f"{path}?_method=POST", data=GOOD[path] + b"}", headers=headers)

    assert response.status_code == 405
    visitor.assert_nothing_happened()


class _Counted(io.BytesIO):
    """A body that knows how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        self.taken += len(chunk)
        return chunk

    def readinto(self, buffer: Any) -> int:
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


@pytest.mark.parametrize("path", PATHS)
def test_body_of_ten_megabytes_is_refused_unread(visitor: Visitor, path: str) -> None:
    """F15, ASVS 4.3.1: 413 at the sight of the length, soon, with nothing read and nothing hashed."""
    raw = GOOD[path] + b',"x":"' + b"a" * 10_000_000 + b'"}'
    body = _Counted(raw)
    began = time.process_time()

    response = visitor.client.post(
        path, input_stream=body, content_length=len(raw), content_type=JSON, headers=visitor.headers
    )

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")
    assert body.taken == 0
    assert time.process_time() - began < 1
    visitor.assert_nothing_happened()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1])
def test_limit_of_a_body_is_exact(visitor: Visitor, path: str, size: int) -> None:
    """F15: 64 KiB are read, one byte more is too large."""
    raw = GOOD[path] + b"}"
    response = visitor.post(path, raw[:-1] + b" " * (size - len(raw)) + b"}")

    if size > 64 * 1024:
        assert response.status_code == 413
    else:
        assert response.status_code in (200, 201)


STRINGS = {"email": "k" * 1_000_000 + "@example.com", "password": "p" * 1_000_000}


@pytest.mark.parametrize("name", STRINGS)
def test_megabyte_in_a_member_is_refused(patient: Visitor, name: str) -> None:
    """F15 and F16: also where an app allows large bodies, a member has its own bound."""
    body = {"email": "new@example.com", "password": PASSWORD, name: STRINGS[name]}

    registered, signed_in = (
        patient.client.post(path, json=body, headers=patient.headers) for path in ("/users", "/auth/login")
    )

    assert (registered.status_code, list(registered.json["fields"])) == (400, [name])
    # Not 400: a sign-in is refused in one way only, see F1.
    assert (signed_in.status_code, signed_in.json["code"]) == (401, "login.invalid_credentials")
    patient.assert_nothing_happened()


JUGGLED: list[Any] = [
    0, 1, -1, 0.0, True, False, [], {}, ["kim@example.com"], [["kim@example.com"]], {"$ne": ""}, {"$gt": ""},
    {"kim@example.com": 1}, None, "",
]  # fmt: skip


@pytest.mark.every_database
@pytest.mark.parametrize("name", ["email", "password"])
@pytest.mark.parametrize("path", ["/users", "/auth/login"])
def test_value_of_another_type_matches_nobody(make_app: Callable[..., Flask], path: str, name: str) -> None:
    """F17 and M6, CWE-843: in MySQL 0 equals every text that starts with no digit; we ask for strings."""
    visitor = Visitor(make_app(before=add_guarded_view))

    for value in JUGGLED:
        body = {"email": "kim@example.com", "password": PASSWORD, name: value}
        response = visitor.client.post(path, json=body)
        assert (response.status_code, response.json["code"]) == (400, "invalid_input"), value
        assert name in response.json["fields"], value
    visitor.assert_nothing_happened()


@pytest.mark.every_database
@pytest.mark.parametrize("text", ["0", "1", "kim", "' OR '1'='1", "%", "_", "kim@example.com' -- ", "\\", "0e0"])
def test_text_that_a_database_could_misread_matches_nobody(make_app: Callable[..., Flask], text: str) -> None:
    """F17, M6 and M7, CWE-89: what looks like a number, a query or a pattern is a text."""
    visitor = Visitor(make_app(before=add_guarded_view))

    response = visitor.client.post("/auth/login", json={"email": text, "password": PASSWORD})

    assert (response.status_code, response.json["code"]) == (401, "login.invalid_credentials")
    visitor.assert_nothing_happened()
