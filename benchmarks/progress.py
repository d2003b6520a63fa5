"""How far a run is, on stderr."""

from __future__ import annotations

import sys


def note(what: str) -> None:
    """Say what begins now."""
    print(what, file=sys.stderr, flush=True)


def count(done: int, total: int) -> None:
    """Show ``done`` of ``total`` in place; nothing when nobody looks at a terminal."""
    if sys.stderr.isatty():
        print(f"\r  {done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
