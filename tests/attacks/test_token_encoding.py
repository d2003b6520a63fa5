"""Forged encodings of access tokens: base64, character sets and sizes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.attacks import forge
from tests.attacks.conftest import assert_accepted
from tests.attacks.forge import Case, Forger

Refused = Callable[[FlaskClient, str], None]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _replace(number: int, change: Callable[[str], str]) -> Case:
    """A token one segment of which is spelled otherwise; what the bytes say is the same."""

    def case(forger: Forger) -> str:
        parts = forger.genuine.split(".")
        parts[number] = change(parts[number])
        return ".".join(parts)

    return case


def _signed_text(header: Callable[[str], str] = str, payload: Callable[[str], str] = str) -> Case:
    """A token whose first two segments are spelled otherwise and signed in that spelling."""

    def case(forger: Forger) -> str:
        head, _, body = forger.message().partition(".")
        message = f"{header(head)}.{payload(body)}"
        return f"{message}.{forge.segment(forger.signer(message.encode('latin-1')))}"

    return case


def _last_character_turned(text: str) -> str:
    """Another last character that decodes to the same bytes."""
    assert len(text) % 4
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) ^ 1]


def _standard_alphabet(forger: Forger) -> str:
    for number in range(10_000):
        token = forger.token(claims={**forger.claims, "n": number})
        message, _, signature = token.rpartition(".")
        if "-" in signature or "_" in signature:
            return f"{message}.{signature.replace('-', '+').replace('_', '/')}"
    raise AssertionError("no signature with a special character")


def _two_of_three(text: str) -> str:
    """Characters until the last one carries bits that nobody reads."""
    while len(text) % 4 in (0, 1):
        text = forge.segment(forge.unpack(text)[:-1] + b" }")
    return text


ENCODINGS: dict[str, Case] = {
    "padded signature": _replace(2, lambda text: text + "="),
    "padded header": _replace(0, lambda text: text + "=" * (-len(text) % 4 or 4)),
    "padded payload": _replace(1, lambda text: text + "=" * (-len(text) % 4 or 4)),
    "padded header, signed": _signed_text(header=lambda text: text + "=" * (-len(text) % 4 or 4)),
    "padded payload, signed": _signed_text(payload=lambda text: text + "=" * (-len(text) % 4 or 4)),
    "turned signature": _replace(2, _last_character_turned),
    "turned payload, signed": _signed_text(payload=lambda text: _last_character_turned(_two_of_three(text))),
    "standard alphabet": _standard_alphabet,
    "one character too many, signed": _signed_text(payload=lambda text: text + "A" * ((1 - len(text)) % 4 or 4)),
    "space at the end": lambda forger: forger.genuine + " ",
    "space at the start": lambda forger: " " + forger.genuine,
    "space inside": _replace(1, lambda text: text[:4] + " " + text[4:]),
    "space inside, signed": _signed_text(payload=lambda text: text[:4] + " " + text[4:]),
    "newline at the end": lambda forger: forger.genuine + "\n",
    "newline inside, signed": _signed_text(payload=lambda text: text[:4] + "\n" + text[4:]),
    "tab at the end": lambda forger: forger.genuine + "\t",
    "nul at the end": lambda forger: forger.genuine + "\0",
    "nul inside, signed": _signed_text(payload=lambda text: text[:4] + "\0" + text[4:]),
    "exclamation mark": _replace(2, lambda text: "!" + text),
    "exclamation mark, signed": _signed_text(payload=lambda text: text[:4] + "!" + text[4:]),
    "latin-1": _replace(2, lambda text: text + "\xe9"),
    "latin-1, signed": _signed_text(header=lambda text: text + "\xff"),
    "full-width in utf-8": _replace(2, lambda text: text + "\uff21".encode().decode("latin-1")),
    "empty": lambda forger: "",
    "space": lambda forger: " ",
    "dot": lambda forger: ".",
    "two dots": lambda forger: "..",
    "three dots": lambda forger: "...",
    "one segment": lambda forger: forger.genuine.split(".")[0],
    "two segments": lambda forger: forger.message(),
    "two segments and a dot": lambda forger: forger.message() + ".",
    "no header": lambda forger: "." + forger.genuine.partition(".")[2],
    "no payload": _replace(1, lambda text: ""),
    "four segments": lambda forger: forger.genuine + ".e30",
    "empty fourth segment": lambda forger: forger.genuine + ".",
    "five segments": lambda forger: forger.genuine + ".e30.e30",
    "encrypted": lambda forger: _encrypted(b'{"alg":"dir","enc":"A256GCM"}'),
    "encrypted with a costly password": lambda forger: _encrypted(
        b'{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AAAA","enc":"A128GCM"}'
    ),
    "json serialisation": lambda forger: _json_serialisation(forger, flat=False),
    "flat json serialisation": lambda forger: _json_serialisation(forger, flat=True),
    "json in the first segment": lambda forger: _json_serialisation(forger, flat=True) + ".e30.e30",
    "quoted": lambda forger: f'"{forger.genuine}"',
    "url-encoded": lambda forger: forger.genuine.replace(".", "%2E"),
}


def _encrypted(header: bytes) -> str:
    return f"{forge.segment(header)}.AAAA.AAAA.AAAA.AAAA"


def _json_serialisation(forger: Forger, *, flat: bool) -> str:
    protected, payload, signature = forger.genuine.split(".")
    signed = {"protected": protected, "signature": signature}
    return forge.compact({"payload": payload, **(signed if flat else {"signatures": [signed]})}).decode()


@pytest.mark.parametrize("case", ENCODINGS)
def test_other_spelling_of_a_token_is_refused(forger: Forger, assert_refused: Refused, case: str) -> None:
    """J14, RFC 7515 section 2, CVE-2022-39227: one token has one spelling, and one form."""
    assert_refused(forger.client, ENCODINGS[case](forger))


CHARSETS = {
    "utf-16": lambda raw: raw.decode().encode("utf-16"),
    "utf-16-le": lambda raw: raw.decode().encode("utf-16-le"),
    "utf-32": lambda raw: raw.decode().encode("utf-32"),
    "byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "invalid utf-8": lambda raw: raw[:-1] + b',"x":"\xff\xfe"}',
    "overlong utf-8": lambda raw: raw[:-1] + b',"x":"\xc0\xaf"}',
    "surrogate in utf-8": lambda raw: raw[:-1] + b',"x":"\xed\xa0\x80"}',
    "escaped surrogate": lambda raw: raw[:-1] + b',"x":"\\udc00"}',
    "nul": lambda raw: raw + b"\0",
    "trailing text": lambda raw: raw + b"{}",
    "comment": lambda raw: raw + b"//",
    "list": lambda raw: b"[" + raw + b"]",
    "string": lambda raw: forge.compact(raw.decode()),
    "null": lambda raw: b"null",
    "number": lambda raw: b"1",
    "true": lambda raw: b"true",
    "empty object": lambda raw: b"{}",
    "space": lambda raw: b" ",
}  # fmt: skip


@pytest.mark.parametrize("place", ["header", "payload"])
@pytest.mark.parametrize("case", CHARSETS)
def test_segment_that_is_no_plain_json_is_refused(
    forger: Forger, assert_refused: Refused, case: str, place: str
) -> None:
    """J15, RFC 8259 section 8.1, RFC 7519 section 7.2: UTF-8 without a mark, and an object."""
    raw = CHARSETS[case](forge.compact(forger.header if place == "header" else forger.claims))

    assert_refused(forger.client, forger.token(raw, None) if place == "header" else forger.token(None, raw))


def _nested(depth: int) -> Case:
    return lambda forger: forger.token(claims=forge.with_raw(forger.claims, "x", "[" * depth + "]" * depth))


SIZES: dict[str, Case] = {
    "5 MB of a": lambda forger: "a" * 5_000_000,
    "5 MB payload, signed": lambda forger: forger.token(claims={**forger.claims, "x": "a" * 3_750_000}),
    "5 MB header, signed": lambda forger: forger.token({**forger.header, "x": "a" * 3_750_000}),
    "5 MB signature": lambda forger: forger.genuine + "A" * 5_000_000,
    "5 MB of dots": lambda forger: "." * 5_000_000,
    "100,000 levels": _nested(100_000),
}


@pytest.mark.parametrize("case", SIZES)
def test_giant_token_is_refused_before_it_is_decoded(
    forger: Forger, assert_refused: Refused, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """J16, ASVS 15.2.2: above 4096 characters nothing is decoded."""
    token = SIZES[case](forger)
    decoded: list[int] = []
    original = base64.b64decode

    def spy(text: Any, *args: Any, **kwargs: Any) -> bytes:
        decoded.append(len(text))
        return original(text, *args, **kwargs)

    monkeypatch.setattr(base64, "b64decode", spy)

    assert_refused(forger.client, token)
    assert decoded == []


@pytest.mark.parametrize("depth", [21, 1300])
def test_deep_nesting_below_the_limit_is_refused(forger: Forger, assert_refused: Refused, depth: int) -> None:
    """J16: what fits into 4096 characters is bounded too, and no RecursionError becomes a 500."""
    token = _nested(depth)(forger)
    assert len(token) <= 4096

    assert_refused(forger.client, token)


def test_token_of_4096_characters_is_the_longest(forger: Forger, assert_refused: Refused) -> None:
    """J16: the limit itself."""
    lengths = {}
    for filler in range(2400, 2900):
        token = forger.token(claims={**forger.claims, "x": "a" * filler})
        lengths[len(token)] = token

    assert_accepted(forger.client, lengths[4096])
    assert_refused(forger.client, lengths[4098] if 4097 not in lengths else lengths[4097])
