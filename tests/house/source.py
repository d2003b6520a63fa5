"""The package as syntax trees: who imports what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import flask_secureauth

ROOT = Path(flask_secureauth.__file__).parent
PACKAGE = "flask_secureauth"


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported name: ``module`` is absolute, ``name`` is ``None`` for ``import module``."""

    module: str
    name: str | None
    line: int


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of the package. ``module`` is its dotted name without the package: ``features.login``."""

    path: Path
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def module(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    def imports(self) -> Iterator[Import]:
        """Every import, with relative ones resolved."""
        parts = self.path.relative_to(ROOT).parts[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(module=alias.name, name=None, line=node.lineno)
            elif isinstance(node, ast.ImportFrom):
                base = [PACKAGE, *parts][: len(parts) + 2 - node.level] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield Import(module=module, name=alias.name, line=node.lineno)

    def own_imports(self) -> Iterator[tuple[str, int]]:
        """Modules of the package that this file imports, as ``features.login``."""
        for found in self.imports():
            if found.module.partition(".")[0] != PACKAGE:
                continue
            inside = found.module.removeprefix(PACKAGE).removeprefix(".")
            deeper = f"{inside}.{found.name}".lstrip(".")
            yield (deeper if deeper in MODULES else inside), found.line


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


FILES = [File(path=path, text=path.read_text()) for path in sorted(ROOT.rglob("*.py"))]
MODULES = {file.module for file in FILES}
