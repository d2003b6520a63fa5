"""From features to blueprints: one parent, a child for each feature, built anew for each app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flask import Blueprint

from ..feature import Feature, Route
from .dispatch import Schemas, endpoint
from .responses import crash
from .state import EXTENSION, AuthState


def build_blueprint(state: AuthState, schemas: Schemas) -> Blueprint:
    """Return the blueprint that answers the routes of ``state.features``."""
    parent = Blueprint(EXTENSION, __name__, url_prefix=state.settings.url_prefix or None)
    parent.register_error_handler(500, crash)
    children: dict[str, Blueprint] = {}
    for feature, route, path in placed_routes(state.features, state.settings.rules):
        child = children.setdefault(feature.name, Blueprint(feature.name, __name__))
        view = endpoint(state, feature, route, schemas)
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
