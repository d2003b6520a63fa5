"""Who the rows of a large table are; imports nothing, so that a probe can know it too."""

from __future__ import annotations

_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835


def address(number: int) -> str:
    """The address of the user whose key is ``number``."""
    return f"user{number:07}@example.com"


def session_id(number: int) -> str:
    """The id of that user's session: spread over all that 128 bits can be, as random ones are."""
    return f"{number * _SPREAD % 2**128:032x}"
