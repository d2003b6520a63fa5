"""Run in a new interpreter: imports our dependencies, then us, and prints what each cost.

Without the extras, as after a plain install.
"""

from __future__ import annotations

import sys
from importlib import import_module
from time import perf_counter

OURS = "flask_secureauth"
DEPENDENCIES = ("flask", "flask_sqlalchemy", "sqlalchemy", "werkzeug", "jwt", "marshmallow", "email_validator")
EXTRAS = ("argon2", "bcrypt", "cryptography")


def resident_kib() -> int:
    """Memory of this process; 0 where /proc does not tell."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would count as ours
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    except OSError:
        return 0


def load(names: list[str]) -> tuple[float, int]:
    """Import ``names`` and return seconds and KiB."""
    memory, began = resident_kib(), perf_counter()
    for name in names:
        try:
            import_module(name)
        except ImportError:
            continue
    return perf_counter() - began, resident_kib() - memory


def main(names: list[str]) -> None:
    """Without ``names`` print what else we import; with them measure: dependencies, ``names``, ours."""
    sys.modules.update(dict.fromkeys(EXTRAS))  # type: ignore[arg-type]
    if not names:
        before = set(sys.modules)
        import_module(OURS)
        print(*(name for name in sys.modules if name not in before and name.partition(".")[0] != OURS))
        return
    for seconds, kib in (load(list(DEPENDENCIES)), load(names), load([OURS])):
        print(seconds, kib)


if __name__ == "__main__":
    main(sys.argv[1:])
