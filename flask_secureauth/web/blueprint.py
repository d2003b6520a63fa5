"""From features to blueprints: one parent, a child for each feature, built anew for each app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from flask import Blueprint

from ..feature import Feature, Route
from ..settings import EXTENSION, Problems
from .dispatch import endpoint
from .responses import crash
from .state import AuthState


def build_blueprint(state: AuthState) -> Blueprint:
    """Return the blueprint that answers the routes of ``state.features``."""
    # Flask asks the app's own folder first, so a template of the same path there is the one that counts.
    parent = Blueprint(EXTENSION, __name__, url_prefix=state.general.url_prefix or None, template_folder="../templates")
    parent.register_error_handler(500, crash)
    children: dict[str, Blueprint] = {}
    for feature, route, path in placed_routes(state.features, state.general.rules):
        child = children.setdefault(feature.name, Blueprint(feature.name, __name__))
        view = endpoint(state, feature, route)
        child.add_url_rule(path, route.name, view, methods=[route.method])
    for child in children.values():
        parent.register_blueprint(child)
    return parent


def placed_routes(features: Sequence[Feature], rules: Mapping[str, str | None]) -> Iterator[tuple[Feature, Route, str]]:
    """Every route with the path that ``SECUREAUTH_RULES`` gives it; removed ones are left out."""
    for feature in features:
        for route in feature.routes:
            path = rules.get(f"{feature.name}.{route.name}", route.path)
            if path is not None:
                yield feature, route, path


def _parameters(path: str) -> set[str]:
    return set(re.findall(r"(\w+)>", path))


def check_rules(features: Sequence[Feature], rules: Mapping[str, str | None], problems: Problems) -> None:
    """Note rules that move no route, or two routes to one place."""
    known = [f"{feature.name}.{route.name}" for feature in features for route in feature.routes]
    for name in rules:
        if name not in known:
            problems.add(f"SECUREAUTH_RULES: {name!r} is not a route. The routes are {', '.join(known)}.")
    taken: dict[tuple[str, str], str] = {}
    for feature, route, path in placed_routes(features, rules):
        name = f"{feature.name}.{route.name}"
        if _parameters(path) != _parameters(route.path):
            problems.add(f"SECUREAUTH_RULES: {name} must keep the parameters of {route.path}.")
        first = taken.setdefault((route.method, path), name)
        if first != name:
            problems.add(f"SECUREAUTH_RULES: {first} and {name} are both {route.method} {path}.")
