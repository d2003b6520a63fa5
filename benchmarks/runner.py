"""Times WSGI calls of many cases in interleaved rounds, in this process."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

from . import progress

Environ = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of request. ``environs`` makes as many as it is told to, before the clock starts."""

    name: str
    app: Flask
    environs: Callable[[int], list[Environ]]
    status: int = 200


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured."""

    rounds: int
    calls: int
    pairs: int
    storms: int
    imports: int


FULL = Effort(rounds=60, calls=50, pairs=15, storms=3, imports=15)
QUICK = Effort(rounds=9, calls=30, pairs=3, storms=1, imports=5)


class WrongAnswer(Exception):
    """A case was not answered as it should, so its time means nothing."""


def get(path: str, token: str | None = None) -> Environ:
    """The environ of a GET request."""
    headers = [("Authorization", f"Bearer {token}")] if token else []
    return EnvironBuilder(path=path, headers=headers).get_environ()


def repeated(environ: Environ) -> Callable[[int], list[Environ]]:
    """The same request again and again; each call gets a copy, since a request writes into it."""
    return lambda calls: [dict(environ) for _ in range(calls)]


def answer(app: Flask, environ: Environ) -> str:
    """Make one call and return its status line."""
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        statuses.append(status)

    body = app.wsgi_app(environ, start_response)
    b"".join(body)
    body.close()  # type: ignore[attr-defined]
    return statuses[0]


def measure(cases: Sequence[Case], effort: Effort) -> Mapping[str, list[float]]:
    """Return the seconds of one call, for each case and round.

    The order changes from round to round, so that no case always follows the same one.
    """
    shuffled, order = list(cases), random.Random(0)
    for case in cases:
        _block(case, effort.calls)
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {case.name: [] for case in cases}
    for done in range(effort.rounds):
        order.shuffle(shuffled)
        for case in shuffled:
            times[case.name].append(_block(case, effort.calls))
        progress.count(done + 1, effort.rounds)
    gc.unfreeze()
    return times


def _block(case: Case, calls: int) -> float:
    environs = case.environs(calls)
    began = perf_counter()
    statuses = [answer(case.app, environ) for environ in environs]
    spent = perf_counter() - began
    if {int(status[:3]) for status in statuses} != {case.status}:
        raise WrongAnswer(f"{case.name}: {set(statuses)} instead of {case.status}")
    return spent / calls


def ratios(times: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each round's time over the same round's base."""
    return [time / of for time, of in zip(times, base, strict=True)]
