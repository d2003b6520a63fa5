"""One word names everything of a feature: read from the registry, for every feature that will come."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask

from flask_secureauth import BUILTIN, AuthError, Feature
from flask_secureauth.settings import BASE_GROUPS, entries
from tests.house.source import FILES, MODULES, ROOT

REPOSITORY = ROOT.parent
each_feature = pytest.mark.parametrize("feature", BUILTIN, ids=lambda feature: feature.name)


def modules_of(feature: Feature) -> list[ModuleType]:
    """The feature's module, or the files of its package."""
    name = f"features.{feature.name}"
    found = [module for module in MODULES if module == name or module.startswith(f"{name}.")]
    return [import_module(f"flask_secureauth.{module}") for module in sorted(found)]


def errors_of(feature: Feature) -> list[type[AuthError]]:
    """The refusals that the feature's own files define."""
    return [
        value
        for module in modules_of(feature)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, AuthError) and value.__module__ == module.__name__
    ]


def test_names_are_words_and_unique() -> None:
    names = [feature.name for feature in BUILTIN]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_every_module_below_features_is_a_feature() -> None:
    modules = {module.split(".")[1] for module in MODULES if module.startswith("features.")}

    assert modules == {feature.name for feature in BUILTIN}


@each_feature
def test_module_has_the_name_and_holds_the_feature(feature: Feature) -> None:
    held = [vars(module).get("FEATURE") for module in modules_of(feature)]

    assert [value for value in held if value is not None] == [feature]


@each_feature
def test_package_has_the_same_parts_as_files(feature: Feature) -> None:
    parts = {
        "",
        "feature",
        "settings",
        "errors",
        "tables",
        "rows",
        "schemas",
        "service",
        "tokens",
        "views",
        "cli",
        "files",
        "delivery",
        "rendering",
        "transports",
        "worker",
        "storage",
        "lockout",
    }
    name = f"features.{feature.name}"

    assert {module.removeprefix(name).removeprefix(".") for module in MODULES if module.startswith(name)} <= parts


def test_init_of_a_package_is_a_docstring() -> None:
    """A manifest in ``__init__.py`` makes import cycles."""
    inits = [file for file in FILES if file.path.name == "__init__.py" and file.path.parent.parent.name == "features"]

    assert inits
    assert [file.module for file in inits if len(file.tree.body) != 1] == []


@each_feature
def test_module_begins_with_a_docstring(feature: Feature) -> None:
    assert all(module.__doc__ for module in modules_of(feature))


@each_feature
def test_settings_have_the_prefix(feature: Feature) -> None:
    groups = {feature.name: feature.settings} if feature.settings else {}

    prefix = f"SECUREAUTH_{feature.name.upper()}_"
    assert [entry.name for entry in entries(groups) if not entry.name.startswith(prefix)] == []
    assert feature.name not in BASE_GROUPS


@each_feature
def test_endpoints_are_named_after_feature_and_route(app: Flask, feature: Feature) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}

    assert {f"secureauth.{feature.name}.{route.name}" for route in feature.routes} <= endpoints


@each_feature
def test_error_codes_begin_with_the_name(feature: Feature) -> None:
    assert [
        error.error_code for error in errors_of(feature) if not error.error_code.startswith(f"{feature.name}.")
    ] == []


@each_feature
def test_errors_of_a_feature_are_named_by_its_routes(feature: Feature) -> None:
    """The docs list the errors of routes, so one that no route names is in no list."""
    named = {error for route in feature.routes for error in route.errors}

    assert set(errors_of(feature)) <= named


@each_feature
def test_tables_begin_with_the_name(feature: Feature) -> None:
    assert [
        table.__tablename__
        for table in feature.tables
        if not table.__tablename__.startswith(f"secureauth_{feature.name}")
    ] == []


@each_feature
def test_required_features_come_before(feature: Feature) -> None:
    names = [other.name for other in BUILTIN]

    assert all(names.index(name) < names.index(feature.name) for name in feature.requires)


@each_feature
def test_views_are_short(feature: Feature) -> None:
    """A view takes the call apart and hands it to the service; the rules are there."""
    lengths = {route.name: len(inspect.getsource(route.view).splitlines()) for route in feature.routes}

    assert {name: length for name, length in lengths.items() if length > 9} == {}


@each_feature
def test_there_is_a_test_file_of_the_name(feature: Feature) -> None:
    assert (REPOSITORY / f"tests/features/test_{feature.name}.py").is_file()


@each_feature
def test_there_is_a_page_of_the_name(feature: Feature) -> None:
    assert (REPOSITORY / f"docs/features/{feature.name}.md").is_file()


def test_every_page_is_about_a_feature() -> None:
    pages = {path.stem for path in Path(REPOSITORY / "docs/features").glob("*.md")} - {"index"}

    assert pages == {feature.name for feature in BUILTIN}
