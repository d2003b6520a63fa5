"""Optional dependencies: one clear error when one is missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class MissingExtra(ImportError):
    """Something needs a package that the core install does not bring."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'flask-secureauth[{extra}]'")
        self.extra = extra


def import_extra(module: str, *, what: str, extra: str) -> ModuleType:
    """Import ``module``, or raise :exc:`MissingExtra` that names the extra to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(what, extra) from error
