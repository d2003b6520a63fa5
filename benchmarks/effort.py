"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured. Times are seconds, ``sizes`` are rows of users and of sessions."""

    rounds: int
    calls: int
    pairs: int
    storms: int
    imports: int
    memories: int
    server_rounds: int
    server_time: int
    sizes: tuple[int, ...]
    growth_rounds: int


FULL = Effort(
    rounds=60,
    calls=50,
    pairs=15,
    storms=3,
    imports=15,
    memories=3,
    server_rounds=4,
    server_time=1,
    sizes=(1_000, 10_000, 100_000, 1_000_000),
    growth_rounds=60,
)
QUICK = Effort(
    rounds=9,
    calls=30,
    pairs=3,
    storms=1,
    imports=5,
    memories=1,
    server_rounds=1,
    server_time=1,
    sizes=(1_000, 10_000, 100_000),
    growth_rounds=15,
)
