"""The resident memory that the package adds to a process."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from . import bulk, ours, progress
from .effort import Effort
from .memory_probe import SESSIONS, TOKENS
from .report import Row, Section
from .site import Site
from .startup import ROOT
from .workbench import Workbench


def memory(bench: Workbench, effort: Effort) -> Section:
    """Measure in new interpreters, on a database of their own."""
    site = Site(bench.create(), bench.site.secret)
    try:
        bulk.fill(ours.cheap_app(site), SESSIONS)
    finally:
        site.close()
    runs = []
    for done in range(effort.memories):
        runs.append([*_probe("bare", site.url), *_probe("ours", site.url)])
        progress.count(done + 1, effort.memories)
    return Section(title="Resident memory of a process", rows=_rows(runs))


def _rows(runs: list[list[float]]) -> list[Row]:
    names = (
        "ours as well, after a few requests",
        f"{TOKENS:,} tokens in the cache, where it ends",
        f"{SESSIONS:,} sessions seen at staleness 60 s, where that ends",
    )
    rows = [Row(case="app with Flask and Flask-SQLAlchemy", figure=_mib(median(run[0] for run in runs)))]
    for step, name in enumerate(names, 1):
        added = median(run[step] - run[step - 1] for run in runs)
        rows.append(Row(case=name, figure=f"+ {_mib(added)}", value=round(added, 1)))
    return rows


def _mib(amount: float) -> str:
    return f"{amount:.1f} MiB"


def _probe(kind: str, url: str) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.memory_probe", kind, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return [int(line) / 1024 for line in done.stdout.split()]
