"""The rules of the house, read from the syntax trees. Each names what breaks it and where."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from flask_secureauth.features import BUILTIN
from tests.house.source import FILES, MODULES, File, functions

FLOORS = {
    "core": 0,
    "base_settings": 1,
    "errors": 1,
    "events": 1,
    "feature": 1,
    "key_sources": 1,
    "password_rules": 1,
    "setting_kinds": 1,
    "settings": 1,
    "db": 2,
    "web": 3,
    "features": 4,
    "cli": 5,
    "extension": 5,
    "testing": 5,
    "": 6,
}
"""``core`` < ``errors settings events feature`` < ``db`` < ``web`` < ``features`` < ``extension`` < the public list."""
REQUEST_GLOBALS = {"current_app", "g", "request", "session"}
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 500
MAX_PARAMETERS = 4
LONG_FILES = {"errors"}
"""Files over 300 lines, which should be split. The errors are one tree, to be seen at once."""
FORBIDDEN_WORDS = ("data", "helper", "helpers", "info", "manager", "util", "utils")
PUBLIC_OF_A_FEATURE = {"errors", "service", "settings"}


def floor_of(module: str) -> int:
    return FLOORS[module.partition(".")[0]]


def feature_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "features" and len(parts) > 1 else None


each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.module or "__init__")


def test_every_module_stands_on_a_floor() -> None:
    assert {module.partition(".")[0] for module in MODULES} == set(FLOORS)


@each_file
def test_imports_run_down(file: File) -> None:
    assert [
        f"line {line}: {imported}"
        for imported, line in file.own_imports()
        if floor_of(imported) > floor_of(file.module)
    ] == []


@each_file
def test_imports_make_no_circle_inside_a_floor(file: File) -> None:
    """A floor has an order of its own, or one of its files could not be read alone."""
    seen: set[str] = set()
    waiting = [imported for imported, _ in file.own_imports()]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            (found,) = [other for other in FILES if other.module == module]
            waiting += [imported for imported, _ in found.own_imports()]

    assert file.module not in seen


@pytest.mark.parametrize("file", [file for file in FILES if floor_of(file.module) == 0], ids=lambda file: file.module)
def test_core_knows_neither_flask_nor_sqlalchemy(file: File) -> None:
    foreign = {"blinker", "click", "flask", "flask_sqlalchemy", "marshmallow", "sqlalchemy"}

    assert [found for found in file.imports() if found.module.partition(".")[0] in foreign] == []


def may_know_requests(file: File) -> bool:
    top, *rest = file.module.split(".")
    if top == "features":
        return len(rest) == 1 or rest[-1] in ("cli", "feature", "views")
    return top in ("cli", "extension", "testing", "web")


@each_file
def test_request_globals_stay_in_web_and_views(file: File) -> None:
    found = [
        f"line {found.line}: {found.name}"
        for found in file.imports()
        if found.module in ("flask", "flask.globals") and found.name in REQUEST_GLOBALS
    ]

    assert not found or may_know_requests(file)


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.module.startswith("features.")], ids=lambda file: file.module
)
def test_services_never_ask_for_the_current_request(file: File) -> None:
    """A service runs from a test, a shell or a job: what it needs are arguments.

    The handler of the audit asks, outside of its service, for the client of events that name none.
    """
    forbidden = REQUEST_GLOBALS | {"acting_client", "current_auth", "current_client", "current_session", "current_user"}
    forbidden |= {"get_jwt", "get_jwt_identity"}
    imported = {found.name for found in file.imports()} & forbidden
    classes = [node for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef)]
    names = [node for kind in classes for node in ast.walk(kind) if isinstance(node, ast.Name)]

    assert [f"line {name.lineno}: {name.id}" for name in names if name.id in imported] == []


@pytest.mark.parametrize("file", [file for file in FILES if feature_of(file.module)], ids=lambda file: file.module)
def test_features_import_only_what_they_require_and_only_its_public_parts(file: File) -> None:
    own = feature_of(file.module)
    (requires,) = [feature.requires for feature in BUILTIN if feature.name == own]
    others = [(module, line) for module, line in file.own_imports() if feature_of(module) not in (None, own)]

    assert [f"line {line}: {module}" for module, line in others if feature_of(module) not in requires] == []
    assert [
        f"line {line}: {module}"
        for module, line in others
        if module.count(".") > 1 and module.rpartition(".")[2] not in PUBLIC_OF_A_FEATURE
    ] == []


@each_file
def test_imports_stand_at_the_top(file: File) -> None:
    """An import inside a function is for optional extras alone, and those go through ``import_extra``."""
    inside = [
        f"line {node.lineno}"
        for function in functions(file.tree)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert inside == []
    if file.module != "core.extras":
        assert "import_module" not in file.text
        assert "__import__" not in file.text


@each_file
def test_functions_are_short(file: File) -> None:
    lengths = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions(file.tree)}

    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_nine_of_ten_functions_are_under_30_lines() -> None:
    lengths = sorted(
        (function.end_lineno or 0) - function.lineno + 1 for file in FILES for function in functions(file.tree)
    )

    assert lengths[len(lengths) * 9 // 10] < 30


@each_file
def test_files_are_not_long(file: File) -> None:
    assert len(file.text.splitlines()) <= MAX_FILE_LINES


def test_files_over_300_lines_are_listed() -> None:
    assert {file.module for file in FILES if len(file.text.splitlines()) > 300} == LONG_FILES


@each_file
def test_functions_take_at_most_four_positional_parameters(file: File) -> None:
    many = []
    for function in functions(file.tree):
        names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
        if len([name for name in names if name not in ("self", "cls")]) > MAX_PARAMETERS:
            many.append(function.name)

    assert many == []


def test_no_module_is_a_drawer() -> None:
    """``utils`` says nothing about what is inside, so everything ends up there."""
    words = {word for module in MODULES for part in module.split(".") for word in part.split("_")}

    assert words.isdisjoint(FORBIDDEN_WORDS)


def test_no_class_or_function_is_called_a_drawer() -> None:
    names = [
        node.name for file in FILES for node in ast.walk(file.tree) if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    ]

    assert [name for name in names if name.lower().endswith(("helper", "helpers", "manager", "utils"))] == []


@each_file
def test_no_notes_to_self(file: File) -> None:
    assert [word for word in ("TODO", "FIXME", "XXX", "HACK") if word in file.text] == []


def calls(file: File) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the name as it is written."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def is_constant_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@each_file
def test_nothing_runs_text_as_code(file: File) -> None:
    """ASVS 1.3.2 and 1.5.2: no eval, no unpickling, no shell."""
    modules = {"pickle", "marshal", "shelve", "subprocess", "pty", "ctypes", "yaml", "dill"}
    names = {"eval", "exec", "compile", "os.system", "os.popen", "importlib.reload"}

    assert [found for found in file.imports() if found.module.partition(".")[0] in modules] == []
    assert [f"line {call.lineno}: {name}" for call, name in calls(file) if name in names] == []


@each_file
def test_sql_is_never_built_from_strings(file: File) -> None:
    """ASVS 1.2.4: text() takes a constant; values are bound parameters."""
    raw = {"text", "sqlalchemy.text", "literal_column", "exec_driver_sql"}
    found = [
        f"line {call.lineno}"
        for call, name in calls(file)
        if name.rpartition(".")[2] in raw and not all(is_constant_text(item) for item in call.args[:1])
    ]
    named = {
        target.id: node.value
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert found == []
    assert not any("SELECT" in ast.unparse(value) for value in named.values() if isinstance(value, ast.JoinedStr))


@each_file
def test_log_messages_are_constants_with_arguments(file: File) -> None:
    """ASVS 16.4.1: a message that holds a value is a message that a value can forge."""
    methods = {"debug", "info", "warning", "error", "exception", "critical", "log"}
    found = [
        f"line {call.lineno}"
        for call, name in calls(file)
        if name.startswith(("logger.", "logging.", "log.")) and name.rpartition(".")[2] in methods
        if not is_constant_text(call.args[0])
    ]

    assert found == []
    assert "print(" not in "".join(f"{name}(" for _, name in calls(file) if name == "print")


@each_file
def test_randomness_is_for_secrets(file: File) -> None:
    """ASVS 11.5.1: ``random`` and ``uuid1`` can be predicted."""
    assert [found for found in file.imports() if found.module == "random"] == []
    assert [name for _, name in calls(file) if name.rpartition(".")[2] in ("uuid1", "uuid3", "uuid5")] == []


@each_file
def test_weak_digests_are_not_used(file: File) -> None:
    """ASVS 11.4.1. Hashes that other software made are verified with the digest that they name; lists of breached
    passwords are published by their SHA-1."""
    found = [name for _, name in calls(file) if name in ("hashlib.md5", "hashlib.sha1", "hashlib.new")]

    assert found == [] or file.module in ("core.breaches", "core.foreign_hashes")


@each_file
def test_only_the_clock_knows_the_time(file: File) -> None:
    """J23: a second source of time is one that a test cannot stop. A model's default is the one exception."""
    names = {"time.time", "datetime.now", "datetime.utcnow", "datetime.today"}
    found = [name for _, name in calls(file) if name in names]

    assert found == [] or file.module in ("core.clock", "db.mixins", "testing")


@each_file
def test_only_core_jwt_and_keys_see_pyjwt(file: File) -> None:
    seen = [found for found in file.imports() if found.module.partition(".")[0] == "jwt"]

    assert not seen or file.module in ("core.jwt", "core.keys")


def offends(rule: Callable[[File], None], source: str, module: str) -> bool:
    """Whether ``rule`` fails for a file with this text."""
    example = next(file for file in FILES if file.module == module)
    try:
        rule(File(path=example.path, text=source))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (test_imports_run_down, "core.clock", "from ..errors import AuthError"),
        (test_imports_run_down, "errors", "from .db import users"),
        (test_imports_run_down, "features.login", "from ..extension import SecureAuth"),
        (test_imports_make_no_circle_inside_a_floor, "errors", "from .events import Event\nfrom .feature import Route"),
        (test_core_knows_neither_flask_nor_sqlalchemy, "core.jwt", "import flask"),
        (test_core_knows_neither_flask_nor_sqlalchemy, "core.jwt", "from sqlalchemy.orm import Session"),
        (test_request_globals_stay_in_web_and_views, "db.users", "from flask import request"),
        (test_request_globals_stay_in_web_and_views, "features.sessions.service", "from flask import g"),
        (
            test_services_never_ask_for_the_current_request,
            "features.login",
            "from ..web.state import current_auth\nclass A:\n    def f(self): current_auth()",
        ),
        (
            test_features_import_only_what_they_require_and_only_its_public_parts,
            "features.profile",
            "from .login import LoginService",
        ),
        (
            test_features_import_only_what_they_require_and_only_its_public_parts,
            "features.login",
            "from .sessions.tables import SessionMixin",
        ),
        (test_imports_stand_at_the_top, "core.jwt", "def f():\n    import json"),
        (test_imports_stand_at_the_top, "core.jwt", "import importlib\nimportlib.import_module('json')"),
        (test_functions_are_short, "core.jwt", "def f():\n" + "    f()\n" * 50),
        (test_files_are_not_long, "core.jwt", "f()\n" * 501),
        (test_functions_take_at_most_four_positional_parameters, "core.jwt", "def f(a, b, c, d, e): ..."),
        (test_no_notes_to_self, "core.jwt", "# TODO: later"),
        (test_nothing_runs_text_as_code, "core.jwt", "eval('1')"),
        (test_nothing_runs_text_as_code, "core.jwt", "import pickle"),
        (test_sql_is_never_built_from_strings, "db.users", "text(f'SELECT {x}')"),
        (test_sql_is_never_built_from_strings, "db.users", "text('SELECT ' + x)"),
        (test_sql_is_never_built_from_strings, "db.users", "statement = f'SELECT {x}'"),
        (test_log_messages_are_constants_with_arguments, "web.logs", "logger.info(f'{x}')"),
        (test_log_messages_are_constants_with_arguments, "web.logs", "logger.info('a' % x)"),
        (test_log_messages_are_constants_with_arguments, "web.logs", "print('a')"),
        (test_randomness_is_for_secrets, "core.jwt", "import random"),
        (test_weak_digests_are_not_used, "core.jwt", "hashlib.md5(b'')"),
        (test_only_the_clock_knows_the_time, "core.jwt", "time.time()"),
        (test_only_core_jwt_and_keys_see_pyjwt, "web.guard", "import jwt"),
    ],
)
def test_rule_catches_what_it_is_for(rule: Callable[[File], None], module: str, source: str) -> None:
    assert offends(rule, source, module)
