"""The guarded request through a real server: gunicorn with two processes, wrk on loopback."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from . import progress, served
from .contenders import BARE, CHECKED, EXTENDED, EXTENDED_BLOCKED, LOGIN, SECURITY, SEEN, Headers
from .effort import Effort
from .report import Row, Section, ratio_row
from .runner import WrongAnswer
from .workbench import Workbench

_TITLE = "gunicorn with 2 workers, under wrk"
_NAMES = (BARE, SEEN, CHECKED, EXTENDED, EXTENDED_BLOCKED, LOGIN, SECURITY)
_THREADS = 4
_WORKERS = {"gthread": ("--worker-class", "gthread", "--threads", str(_THREADS)), "sync": ("--worker-class", "sync")}
_APP = "benchmarks.served:create()"
_CONNECTIONS = 8
_PATIENCE = 60
_ROOT = Path(__file__).parent.parent
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_NOTES = (
    f"Ratios are requests a second, of {_CONNECTIONS} connections: more is better. With sync workers each request is a"
    " connection of its own, which is most of what it costs.",
)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk saw. ``p99`` is milliseconds."""

    throughput: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Target:
    """A contender behind gunicorn."""

    port: int
    headers: Headers


def servers(bench: Workbench, effort: Effort) -> Section:
    """Measure both kinds of workers."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return Section(title=_TITLE, notes=["Left out: wrk is not here (apt-get install wrk)."])
    rows = [row for kind in _WORKERS for row in _rows(kind, _loads(bench, effort, kind, wrk))]
    return Section(title=_TITLE, rows=rows, notes=_NOTES)


def _loads(bench: Workbench, effort: Effort, kind: str, wrk: str) -> dict[str, list[Load]]:
    """All servers run; the load goes from one to the next, round after round."""
    progress.note(f"  {kind} workers")
    loads: dict[str, list[Load]] = {name: [] for name in _NAMES}
    with _serving(bench, kind) as targets:
        for done in range(effort.server_rounds):
            for name, target in targets.items():
                loads[name].append(_load(wrk, target, seconds=effort.server_time))
            progress.count(done + 1, effort.server_rounds)
    return loads


def _rows(kind: str, loads: dict[str, list[Load]]) -> Iterator[Row]:
    base = loads[BARE]
    for name, found in loads.items():
        throughput, p99 = median(load.throughput for load in found), median(load.p99 for load in found)
        shares = [load.throughput / of.throughput for load, of in zip(found, base, strict=True)]
        yield ratio_row(f"{kind}: {name}", f"{throughput:.0f} /s, p99 {p99:.1f} ms", shares, of="bare")


@contextmanager
def _serving(bench: Workbench, kind: str) -> Iterator[dict[str, Target]]:
    """Run gunicorn for each contender, on a free port, until the block ends."""
    started = {name: _start(bench, name, kind) for name in _NAMES}
    try:
        targets = {name: Target(port=port, headers=bench.headers(name)) for name, (_, port) in started.items()}
        for target in targets.values():
            _wait_for(target)
        yield targets
    finally:
        processes = [process for process, _ in started.values()]
        for process in processes:
            process.terminate()
        for process in processes:
            _end(process)


def _start(bench: Workbench, name: str, kind: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server whose socket listens before it is up, so that early requests just wait."""
    # Preloaded, both workers are there as soon as one is.
    options = ("--preload", "--workers", "2", *_WORKERS[kind], "--no-control-socket", "--log-level", "error")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options, "--bind", f"fd://{listener.fileno()}", _APP],
            cwd=_ROOT,
            env={**os.environ, **served.environment(bench.site, name)},
            pass_fds=[listener.fileno()],
        )
        return process, listener.getsockname()[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a server that was asked to end; its workers end when they see that it is gone."""
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_for(target: Target) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=_PATIENCE)
    connection.request("GET", "/", headers=target.headers)
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise WrongAnswer(f"gunicorn answered {status}")


def _load(wrk: str, target: Target, *, seconds: int) -> Load:
    headers = [part for name, value in target.headers.items() for part in ("--header", f"{name}: {value}")]
    options = ["--latency", "--threads", "1", "--connections", str(_CONNECTIONS), "--duration", f"{seconds}s"]
    done = subprocess.run(
        [wrk, *options, "--timeout", f"{_PATIENCE}s", *headers, f"http://127.0.0.1:{target.port}/"],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 2 * _PATIENCE,
    )
    return _read(done.stdout)


def _read(text: str) -> Load:
    """Parse what wrk prints. Raises :exc:`~.runner.WrongAnswer` when something was refused or broken."""
    throughput, p99 = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if "Non-2xx" in text or "Socket errors" in text or not (throughput and p99) or float(throughput[1]) == 0:
        raise WrongAnswer(f"wrk says:\n{text}")
    return Load(throughput=float(throughput[1]), p99=float(p99[1]) * _UNITS[p99[2]])
