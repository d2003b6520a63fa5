"""The public list: complete, sorted, documented."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest
from blinker import NamedSignal
from werkzeug.local import LocalProxy

import flask_secureauth

PACKAGE = Path(flask_secureauth.__file__).parent
MODULES = ["flask_secureauth", *(item.name for item in walk_packages([str(PACKAGE)], "flask_secureauth."))]


def imported_names() -> set[str]:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def test_list_holds_what_the_package_imports_and_nothing_else() -> None:
    assert set(flask_secureauth.__all__) == imported_names()


def test_list_names_everything_once() -> None:
    assert len(set(flask_secureauth.__all__)) == len(flask_secureauth.__all__)


def test_package_file_holds_no_code() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())

    assert {type(node) for node in tree.body} == {ast.Expr, ast.ImportFrom, ast.Assign}


def test_names_of_the_contract_are_public() -> None:
    assert {
        "SecureAuth",
        "create_access_token",
        "current_session",
        "current_user",
        "get_jwt",
        "get_jwt_identity",
        "jwt_required",
        "verify_jwt_in_request",
    } <= set(flask_secureauth.__all__)


@pytest.mark.parametrize("name", flask_secureauth.__all__)
def test_public_name_exists_and_is_documented(name: str) -> None:
    value: Any = vars(flask_secureauth)[name]

    if isinstance(value, type) or inspect.isfunction(value):
        assert inspect.cleandoc(value.__doc__ or "")
    else:
        # A value: its sentence stands below it, or it is one of the documented values.
        assert isinstance(value, (LocalProxy, NamedSignal, tuple))


def undocumented(tree: ast.Module) -> list[str]:
    """Functions and classes without an underscore and without a docstring."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [
        node.name
        for node in tree.body
        if isinstance(node, kinds)
        and not node.name.startswith("_")
        and "overload" not in map(ast.unparse, node.decorator_list)
        and not ast.get_docstring(node)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_module_has_a_docstring(module: str) -> None:
    assert isinstance(import_module(module), ModuleType)
    assert import_module(module).__doc__


@pytest.mark.parametrize("module", MODULES)
def test_public_definitions_have_docstrings(module: str) -> None:
    source = Path(import_module(module).__file__ or "").read_text()

    assert undocumented(ast.parse(source)) == []


def test_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
