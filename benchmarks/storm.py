"""What a storm of sign-ins leaves to everybody else: waitress on loopback, clients in threads of this process."""

from __future__ import annotations

import http.client
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from threading import Thread
from time import monotonic, perf_counter, sleep
from typing import Any

from flask import Flask
from waitress.server import create_server

from . import goals, ours, progress
from .contenders import CHECKED
from .effort import Effort
from .filling import PASSWORD, visitors
from .report import Row, Section
from .workbench import Workbench

THREADS = 16
_READERS = 2
_CALM_SECONDS = 3.0
_STORM_SECONDS = 6.0
_PATIENCE = 30.0
_UNANSWERED = "unanswered"


@dataclass
class Load:
    """What clients saw."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return self.statuses["200"] / self.seconds

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 requests were answered."""
        return quantiles(self.times, n=100)[98] if len(self.times) > 1 else float("inf")


def storms(bench: Workbench, effort: Effort) -> Section:
    """Measure guarded requests with and without sign-ins beside them."""
    app = bench.app(CHECKED)
    token = ours.token(app)
    rows: list[Row] = []
    with _serving(app) as port:
        for size in (THREADS // 2, THREADS * 2):
            progress.note(f"  storm of {size} sign-ins at a time")
            rows += _rows(size, [_round(port, token, size) for _ in range(effort.storms)])
    return Section(title=f"Guarded requests (staleness 0) during sign-ins, waitress with {THREADS} threads", rows=rows)


Round = tuple[Load, Load, Load]


def _round(port: int, token: str, size: int) -> Round:
    """Undisturbed, disturbed, and what disturbed."""
    readers = [_reader(port, token)] * _READERS
    calm = _run(readers, _CALM_SECONDS)
    with ThreadPoolExecutor(1) as pool:
        storm = pool.submit(_run, [_visitor(port, email) for email in visitors()[:size]], _STORM_SECONDS)
        disturbed = _run(readers, _STORM_SECONDS)
        return calm, disturbed, storm.result()


def _rows(size: int, rounds: list[Round]) -> list[Row]:
    name = f"{size} sign-ins at a time"
    kept = round(median(100 * disturbed.throughput / calm.throughput for calm, disturbed, _ in rounds), 1)
    p99 = round(median(1000 * disturbed.p99 for _, disturbed, _ in rounds), 1)
    answers = sum((storm.statuses for _, _, storm in rounds), Counter[str]())
    lost = sum(count for status, count in answers.items() if status not in ("200", "503"))
    calm = median(calm.throughput for calm, _, _ in rounds)
    return [
        Row(
            case=f"undisturbed, before {size} sign-ins at a time",
            figure=f"{calm:.0f} /s",
            ratio=f"p99 {1000 * median(c.p99 for c, _, _ in rounds):.1f} ms",
        ),
        Row(case=f"{name}: throughput kept", figure=f"{kept:.1f} %", goal=goals.STORM_THROUGHPUT, value=kept),
        Row(case=f"{name}: p99", figure=f"{p99:.1f} ms", goal=goals.STORM_P99, value=p99),
        Row(
            case=f"{name}: neither answered nor told 503",
            figure=f"{lost} of {answers.total()}",
            ratio=f"{answers['200']} signed in, {answers['503']} told 503",
            goal=goals.STORM_UNANSWERED,
            value=lost,
        ),
    ]


@contextmanager
def _serving(app: Flask) -> Iterator[int]:
    """Serve ``app`` on a free port of the loopback address until the block ends."""
    # More sign-ins than threads wait in waitress's queue, as they are meant to; it warns of each.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server: Any = create_server(app, map={}, host="127.0.0.1", port=0, threads=THREADS)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.effective_port
    finally:
        server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
        thread.join(_PATIENCE)
        server.task_dispatcher.shutdown()


Ask = Callable[[http.client.HTTPConnection], tuple[str, float]]


Client = Callable[[Load, float], None]


def _reader(port: int, token: str) -> Client:
    def ask(connection: http.client.HTTPConnection) -> tuple[str, float]:
        connection.request("GET", "/", headers={"Authorization": f"Bearer {token}"})
        return _answer(connection)

    return lambda load, end: _ask_until(port, ask, load, end)


def _visitor(port: int, email: str) -> Client:
    body = json.dumps({"email": email, "password": PASSWORD})

    def ask(connection: http.client.HTTPConnection) -> tuple[str, float]:
        connection.request("POST", "/auth/login", body, {"Content-Type": "application/json"})
        return _answer(connection)

    return lambda load, end: _ask_until(port, ask, load, end)


def _answer(connection: http.client.HTTPConnection) -> tuple[str, float]:
    """The status, and for how many seconds the server wants to be left alone."""
    response = connection.getresponse()
    response.read()
    return str(response.status), float(response.headers.get("Retry-After", 0))


def _ask_until(port: int, ask: Ask, load: Load, end: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    while monotonic() < end:
        began = perf_counter()
        try:
            status, retry_after = ask(connection)
        except (OSError, http.client.HTTPException):
            status, retry_after = _UNANSWERED, 0.0
            connection.close()
        load.times.append(perf_counter() - began)
        load.statuses[status] += 1
        sleep(max(0.0, min(retry_after, end - monotonic())))
    connection.close()


def _run(clients: Sequence[Client], seconds: float) -> Load:
    """Let the clients ask for that long, and add up what they saw."""
    loads = [Load() for _ in clients]
    end = monotonic() + seconds
    threads = [Thread(target=client, args=(load, end)) for client, load in zip(clients, loads, strict=True)]
    began = monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(
        seconds=monotonic() - began,
        times=[time for load in loads for time in load.times],
        statuses=sum((load.statuses for load in loads), Counter[str]()),
    )
