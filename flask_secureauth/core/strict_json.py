"""JSON with one reading only: for request bodies and for the segments of a token.

Python's parser accepts duplicate members, ``NaN``, byte order marks, UTF-16 and lone surrogates.
Two parsers that disagree on such a text are how checks are bypassed, and a lone surrogate or a
NUL becomes a database error later. Source: ASVS 1.5.3, RFC 8259 section 8.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_DEPTH = 20
_MAX_NUMBER_LENGTH = 40


class InvalidJson(ValueError):
    """The bytes are not JSON that every parser reads alike; the message says where it fails."""


def loads(raw: bytes) -> Any:
    """Parse UTF-8 JSON of at most 20 levels, or raise :exc:`InvalidJson`."""
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidJson("not UTF-8") from None
    except RecursionError:
        raise InvalidJson("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at character {error.pos}") from None
    _check(value, MAX_DEPTH)
    return value


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, (dict, list)):
        if depth == 0:
            raise InvalidJson("nested too deeply")
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise InvalidJson("a string holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidJson("a string holds half a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJson("a member is given twice")
    for name in members:
        _check_text(name)
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_NUMBER_LENGTH:
        raise InvalidJson("a number is too long")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits) if len(digits) <= _MAX_NUMBER_LENGTH else float("inf")
    if number in (float("inf"), float("-inf")):
        raise InvalidJson("a number is out of range")
    return number


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
