"""How far a run is, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


def note(what: str) -> None:
    """Say what begins now."""
    print(what, file=sys.stderr, flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say what begins now, and afterwards how long it took."""
    note(what)
    began = monotonic()
    yield
    note(f"  took {monotonic() - began:.0f} s")


def count(done: int, total: int) -> None:
    """Show ``done`` of ``total`` in place; nothing when nobody looks at a terminal."""
    if sys.stderr.isatty():
        print(f"\r  {done:,}/{total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)
