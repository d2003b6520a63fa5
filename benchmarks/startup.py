"""What ``import flask_secureauth`` costs beyond the import of its dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from . import goals, progress
from .effort import Effort
from .report import Row, Section, duration
from .workbench import Workbench

ROOT = Path(__file__).parent.parent


def imports(bench: Workbench, effort: Effort) -> Section:
    """Import in new interpreters, one after the other."""
    # As pip leaves them: compiled. A tree that forbids it would have each interpreter compile anew.
    with TemporaryDirectory() as compiled:
        others = _probe(compiled).split()
        _probe(compiled, *others)
        runs = []
        for done in range(effort.imports):
            runs.append([tuple(map(float, line.split())) for line in _probe(compiled, *others).splitlines()])
            progress.count(done + 1, effort.imports)
    return Section(title="Import, without the extras", rows=_rows(runs))


def _rows(runs: list[list[tuple[float, ...]]]) -> list[Row]:
    needed, rest, ours = ([run[step][0] for run in runs] for step in range(3))
    memory = [median(run[step][1] for run in runs) / 1024 for step in range(3)]
    share = _percent(median(own / (base + more) for own, base, more in zip(ours, needed, rest, strict=True)))
    whole = _percent(median((own + more) / base for own, base, more in zip(ours, needed, rest, strict=True)))
    return [
        Row(case="dependencies", figure=duration(median(needed)), ratio=f"{memory[0]:.1f} MiB"),
        Row(case="modules of theirs that only we import", figure=duration(median(rest)), ratio=f"{memory[1]:.1f} MiB"),
        Row(
            case="our own modules, time",
            figure=duration(median(ours)),
            ratio=f"{share:.1f} % of the above",
            goal=goals.IMPORT_TIME,
            value=share,
        ),
        Row(
            case="our own modules, memory",
            figure=f"{memory[2]:.1f} MiB",
            goal=goals.IMPORT_MEMORY,
            value=round(memory[2], 1),
        ),
        Row(case="our own modules and those that only we import", figure="", ratio=f"{whole:.1f} % of dependencies"),
    ]


def _percent(share: float) -> float:
    return round(100 * share, 1)


def _probe(compiled: str, *names: str) -> str:
    command = [sys.executable, "-m", "benchmarks.import_probe", *names]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
