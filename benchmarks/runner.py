"""Times WSGI calls of many cases in interleaved rounds, in this process."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from . import progress

Environ = dict[str, Any]
# As a server on loopback sets it; Flask-Login binds a session to it.
_BASE = {"REMOTE_ADDR": "127.0.0.1"}


class Answer(NamedTuple):
    """What a call returned."""

    status: str
    headers: Headers
    body: bytes

    @property
    def code(self) -> int:
        """The status as a number."""
        return int(self.status[:3])

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of request. ``environs`` makes as many as it is told to, before the clock starts.

    ``learn`` gets the bodies after the clock has stopped: a token that was rotated is good for one call.
    """

    name: str
    app: Flask
    environs: Callable[[int], list[Environ]]
    status: int = 200
    learn: Callable[[list[Any]], None] | None = None


class WrongAnswer(Exception):
    """A case was not answered as it should, so its time means nothing."""


def get(path: str, headers: Mapping[str, str] | None = None) -> Environ:
    """The environ of a GET request."""
    return EnvironBuilder(path=path, headers=Headers(headers), environ_base=_BASE).get_environ()


def post(path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Environ:
    """The environ of a POST request, with ``body`` as JSON; it can be read once."""
    path, _, query = path.partition("?")
    builder = EnvironBuilder(
        path=path, query_string=query, method="POST", json=body, headers=Headers(headers), environ_base=_BASE
    )
    return builder.get_environ()


def repeated(environ: Environ) -> Callable[[int], list[Environ]]:
    """The same request without a body again and again; each call gets a copy, since a request writes into it."""
    return lambda calls: [dict(environ) for _ in range(calls)]


def answer(app: Flask, environ: Environ) -> Answer:
    """Make one call."""
    started: list[tuple[str, Any]] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append((status, headers))

    iterable = app.wsgi_app(environ, start_response)
    body = b"".join(iterable)
    iterable.close()  # type: ignore[attr-defined]
    status, headers = started[0]
    return Answer(status, headers, body)


def expect(app: Flask, environ: Environ, status: int = 200) -> Answer:
    """Make one call; raise :exc:`WrongAnswer` when its status is another one."""
    found = answer(app, environ)
    if found.code != status:
        raise WrongAnswer(f"{environ['PATH_INFO']} answered {found.status} instead of {status}: {found.body[:200]!r}")
    return found


def measure(cases: Sequence[Case], *, rounds: int, calls: int) -> Mapping[str, list[float]]:
    """Return the seconds of one call, for each case and round.

    The order changes from round to round, so that no case always follows the same one.
    """
    shuffled, order = list(cases), random.Random(0)
    for case in cases:
        _block(case, calls)
    times: dict[str, list[float]] = {case.name: [] for case in cases}
    with _collected():
        for done in range(rounds):
            order.shuffle(shuffled)
            for case in shuffled:
                times[case.name].append(_block(case, calls))
            progress.count(done + 1, rounds)
    return times


@contextmanager
def _collected() -> Iterator[None]:
    """Keep what is there already out of the garbage collector's way."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _block(case: Case, calls: int) -> float:
    environs = case.environs(calls)
    began = perf_counter()
    answers = [answer(case.app, environ) for environ in environs]
    spent = perf_counter() - began
    wrong = {item.status for item in answers if item.code != case.status}
    if wrong:
        raise WrongAnswer(f"{case.name}: {', '.join(wrong)} instead of {case.status}")
    if case.learn:
        case.learn([item.json for item in answers])
    return spent / calls


def ratios(times: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each round's time over the same round's base."""
    return [time / of for time, of in zip(times, base, strict=True)]
