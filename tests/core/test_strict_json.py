"""JSON with one reading only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flask_secureauth.core.strict_json import MAX_DEPTH, InvalidJson, loads


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -7,
        1.5,
        "",
        "ü€🐙",
        [],
        {},
        [1, [2, {"a": None}]],
        {"name": "Kim", "ü": [True, False]},
        10**39,
    ],
    ids=repr,
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_is_read_like_any_parser_reads_it(value: Any, ascii_only: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_white_space_around_a_value_is_allowed() -> None:
    assert loads(b' \t\r\n{"a" : 1}\n') == {"a": 1}


@pytest.mark.parametrize("raw", [b'{"a": 1, "a": 1}', b'{"a": 1, "\\u0061": 2}', b'[{"b": {"x": 1, "x": 2}}]'])
def test_member_given_twice_is_refused(raw: bytes) -> None:
    """J9 and F16, RFC 8259 section 4: two parsers may pick different members."""
    with pytest.raises(InvalidJson, match="twice"):
        loads(raw)


@pytest.mark.parametrize("raw", [b"NaN", b"Infinity", b"[-Infinity]", b'{"exp": NaN}'])
def test_what_is_no_json_number_is_refused(raw: bytes) -> None:
    """J10 and F16, RFC 8259 section 6."""
    with pytest.raises(InvalidJson, match="is not a JSON number"):
        loads(raw)


@pytest.mark.parametrize("raw", [b"1e999", b"-1e999", b"1." + b"0" * 39])
def test_float_out_of_range_is_refused(raw: bytes) -> None:
    """J10: 1e999 is infinity to Python."""
    with pytest.raises(InvalidJson, match="out of range"):
        loads(raw)


@pytest.mark.parametrize("raw", [b"9" * 41, b"-" + b"9" * 40, b"9" * 5000])
def test_integer_of_more_than_40_characters_is_refused(raw: bytes) -> None:
    """F16: Python's own limit of 4300 digits is another error, and raised late."""
    with pytest.raises(InvalidJson, match="too long"):
        loads(raw)


@pytest.mark.parametrize(
    "raw",
    [b"\xff", b'"\xc0\x80"', b'"\xed\xa0\x80"', '{"a": 1}'.encode("utf-16"), '{"a": "é"}'.encode("latin-1")],
)
def test_other_encoding_is_refused(raw: bytes) -> None:
    """J15, RFC 8259 section 8.1; overlong NUL and a surrogate are no UTF-8 either."""
    with pytest.raises(InvalidJson, match="not UTF-8"):
        loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16-le"),
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"[1,]",
        b"{'a': 1}",
        b"01",
        b"+1",
        b".5",
        b"nul",
        b'"\n"',
        b"/**/1",
    ],
)
def test_what_is_no_json_is_refused_with_the_place(raw: bytes) -> None:
    """J15 and F16, RFC 8259 section 8.1 for the byte order mark."""
    with pytest.raises(InvalidJson, match=r"at character \d+"):
        loads(raw)


@pytest.mark.parametrize("text", ['"\\ud800"', '["\\udc00\\ud800"]', '{"\\ud800": 1}', '{"a": ["é\\udfff"]}'])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    """J11 and F16: it becomes an encoding error in the database."""
    with pytest.raises(InvalidJson, match="surrogate"):
        loads(text.encode())


def test_whole_surrogate_pair_is_one_character() -> None:
    assert loads(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("text", ['"\\u0000"', '["a\\u0000b"]', '{"a\\u0000": 1}', '{"a": {"b": "é\\u0000"}}'])
def test_nul_is_refused(text: str) -> None:
    """J11 and F16: PostgreSQL cannot store it, and C libraries end the string there."""
    with pytest.raises(InvalidJson, match="NUL"):
        loads(text.encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_ends_at_20_levels(opening: str, closing: str) -> None:
    """F16, CWE-674."""
    loads((opening * (MAX_DEPTH - 1) + opening[0] + closing * MAX_DEPTH).encode())

    with pytest.raises(InvalidJson, match="nested"):
        loads((opening * MAX_DEPTH + opening[0] + closing * (MAX_DEPTH + 1)).encode())


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_nesting_beyond_the_stack_is_refused(raw: bytes) -> None:
    """F16, CWE-674: Python raises RecursionError."""
    with pytest.raises(InvalidJson, match="nested"):
        loads(raw)
