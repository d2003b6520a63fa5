"""What naming a device costs in a new process: the import, the first look and a later one. Prints milliseconds."""

from __future__ import annotations

import time
from importlib import import_module
from itertools import pairwise

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"


def main() -> None:
    """Import, and look twice."""
    times = [time.perf_counter()]
    parser = import_module("ua_parser")
    times.append(time.perf_counter())
    for version in (140, 141):
        parser.parse(AGENT.format(version))
        times.append(time.perf_counter())
    imported, first, later = ((after - before) * 1e3 for before, after in pairwise(times))
    print(f"import {imported:.0f} ms, first look {first:.0f} ms, later {later:.2f} ms")


if __name__ == "__main__":
    main()
