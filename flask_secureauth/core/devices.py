"""What kind of device a client is, guessed from what it calls itself."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from .extras import MissingExtra, import_extra


def describe_device(user_agent: str) -> str | None:
    """Return such as ``Firefox on Linux``; ``None`` for what no rule knows, and without the extra ``devices``.

    A client calls itself what it likes: the text is for its user to recognise, and proves nothing.
    """
    parser = _parser()
    if parser is None or not user_agent:
        return None
    found = parser.parse(user_agent)
    names = [part.family for part in (found.user_agent, found.os) if part and part.family]
    return " on ".join(names) or None


@cache
def _parser() -> ModuleType | None:
    """Loaded when the first list is asked for: its rules take longer to import than all of this package."""
    try:
        return import_extra("ua_parser", what="The device of a session", extra="devices")
    except MissingExtra:
        return None
