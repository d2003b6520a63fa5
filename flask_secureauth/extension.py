"""``SecureAuth``: wiring, and nothing but wiring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from sqlalchemy.orm import DeclarativeBase

from .cli import secureauth as cli_group
from .core.clock import Clock
from .core.extras import MissingExtra
from .core.jwt import TokenIssuer, TokenRules, TokenVerifier
from .core.keys import KeyRing
from .core.password_policy import PasswordPolicy
from .core.passwords import PasswordHasher, PasswordScheme
from .db.build import Models, build_models, build_user_model, check_user_model
from .db.database import Database
from .db.parts import Hooks, Parts
from .db.users import SQLAlchemyUserStore
from .errors import AuthError, ConfigurationError
from .events import Event, Events
from .feature import Feature
from .features import BUILTIN
from .features.sessions.service import SessionService
from .settings import (
    BASE_GROUPS,
    GeneralSettings,
    PasswordSettings,
    Problems,
    SessionSettings,
    TokenSettings,
    read_key_ring,
    read_password_scheme,
    read_settings,
)
from .web.blueprint import build_blueprint, placed_routes
from .web.dispatch import Schemas
from .web.responses import answer_unknown_paths, refuse
from .web.state import EXTENSION, AuthState

__all__ = ["SecureAuth"]

EMBEDDED_DATABASE = "sqlite:///secureauth.sqlite3"
DRIVER_EXTRAS = {"pymysql": "mysql", "psycopg": "postgresql"}


class SecureAuth:
    """JWT authentication for a Flask app.

    ``SecureAuth(app)`` is enough. Without ``db`` it uses the app's Flask-SQLAlchemy if there is
    one, or else brings one, with SQLite in the instance folder, and creates the tables that are
    missing. Without ``user_model`` it brings a ``User`` with an int key and the table ``users``.

    ``features`` are what the app offers; ``schemas`` maps a marshmallow schema of ours to the
    subclass that replaces it. What a deployment tunes is in ``app.config``.

    Raises :exc:`~flask_secureauth.ConfigurationError` with every problem.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: SQLAlchemy | None = None,
        user_model: type[Any] | None = None,
        features: Iterable[Feature] = BUILTIN,
        schemas: Mapping[type[Schema], type[Schema]] | None = None,
    ) -> None:
        self._db = db
        self._user_model = user_model
        self._features = tuple(features)
        self._schemas = dict(schemas or {})
        _check_features(self._features)
        _check_schemas(self._schemas, self._features)
        if db is not None:
            self._models(db)  # In the constructor, so that "flask db migrate" finds the tables.
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add authentication to ``app``. Nothing is kept on this object: each app has its own state."""
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                ["This app has a SecureAuth already: call SecureAuth(app) or init_app(app), once."]
            )
        settings = _Settings(app, self._features)
        sqlalchemy, is_embedded = self._sqlalchemy(app)
        user_model, models = self._models(sqlalchemy)
        tables = _Tables(sqlalchemy, user_model, models)
        state = _build_state(app, settings, self._features, tables=tables, schemas=self._schemas)
        app.extensions[EXTENSION] = state
        _register(app, state, self._schemas)
        if is_embedded:
            _create_missing_tables(app, sqlalchemy)

    def _sqlalchemy(self, app: Flask) -> tuple[SQLAlchemy, bool]:
        existing: SQLAlchemy | None = app.extensions.get("sqlalchemy")
        if self._db is not None:
            if existing is not self._db:
                raise ConfigurationError(["Call db.init_app(app) before auth.init_app(app)."])
            return self._db, False
        if existing is not None:
            return existing, False
        if self._user_model is not None:
            raise ConfigurationError(["A user_model belongs to a database: SecureAuth(db=db, user_model=...)."])
        return _embed_sqlalchemy(app), True

    def _models(self, sqlalchemy: SQLAlchemy) -> tuple[type[Any], Models]:
        user_model = self._user_model or build_user_model(sqlalchemy)
        check_user_model(user_model)
        mixins = [mixin for feature in self._features for mixin in feature.tables]
        return user_model, build_models(sqlalchemy, user_model, mixins)


class _Settings:
    """One app's settings, read and checked. Raises ConfigurationError with every problem."""

    def __init__(self, app: Flask, features: Sequence[Feature]) -> None:
        problems = Problems()
        self.groups = {**BASE_GROUPS, **{item.name: item.settings for item in features if item.settings}}
        self.values = read_settings(app.config, self.groups, problems)
        self.general: GeneralSettings = self.values[""]
        self.token: TokenSettings = self.values["token"]
        self.password: PasswordSettings = self.values["password"]
        self.session: SessionSettings = self.values["session"]
        _check_rules(self.general.rules, features, problems)
        ring = read_key_ring(app.config, self.token, problems)
        scheme = read_password_scheme(app.config, self.password, problems)
        problems.raise_any()
        self.ring = cast("KeyRing", ring)
        self.scheme = cast("PasswordScheme", scheme)


class _Tables(NamedTuple):
    sqlalchemy: SQLAlchemy
    user_model: type[Any]
    models: Models


def _build_state(
    app: Flask, settings: _Settings, features: Sequence[Feature], *, tables: _Tables, schemas: Schemas
) -> AuthState:
    handlers: dict[type[Event], list[Callable[[Any], None]]] = {}
    database = Database(tables.sqlalchemy, tables.user_model, Events(app, handlers))
    rules = _token_rules(settings.token)
    parts = Parts(
        testing=app.testing,
        settings=None,
        token_settings=settings.token,
        session_settings=settings.session,
        clock=Clock(),
        hasher=_hasher(settings.password, settings.scheme),
        policy=_policy(settings.password, app.name),
        issuer=TokenIssuer(settings.ring, rules),
        database=database,
        users=SQLAlchemyUserStore(tables.user_model, database),
        user_model=tables.user_model,
        models=tables.models,
        schemas=schemas,
        hooks=Hooks(),
    )
    for feature in features:
        _build_service(feature, replace(parts, settings=settings.values.get(feature.name)), handlers)
    return AuthState(
        settings=settings.general,
        groups=settings.groups,
        features=features,
        services=parts.hooks.services,
        clock=parts.clock,
        issuer=parts.issuer,
        verifier=TokenVerifier(settings.ring, rules),
        sessions=parts.service(SessionService),
        database=database,
        users=parts.users,
        user_model=tables.user_model,
        sqlalchemy=tables.sqlalchemy,
    )


def _build_service(feature: Feature, parts: Parts, handlers: dict[type[Event], list[Callable[[Any], None]]]) -> None:
    service = feature.service(parts) if feature.service else None
    parts.hooks.services[feature.name] = service
    parts.hooks.gates.extend(partial(gate, service) for gate in feature.gates)
    parts.hooks.claims.extend(partial(claim, service) for claim in feature.claims)
    for event, handler in feature.handlers.items():
        handlers.setdefault(event, []).append(partial(handler, service))


def _token_rules(settings: TokenSettings) -> TokenRules:
    return TokenRules(
        issuer=settings.issuer,
        audience=settings.audience,
        lifetime=int(settings.access_token_lifetime.total_seconds()),
        leeway=int(settings.leeway.total_seconds()),
    )


def _hasher(settings: PasswordSettings, scheme: PasswordScheme) -> PasswordHasher:
    return PasswordHasher(
        scheme,
        concurrency=settings.concurrent_hashes,
        max_waiting=settings.max_waiting,
        max_wait=settings.max_wait.total_seconds(),
    )


def _policy(settings: PasswordSettings, app_name: str) -> PasswordPolicy:
    return PasswordPolicy(
        min_length=settings.min_length,
        refuse_common=settings.refuse_common,
        refuse_context=settings.refuse_context,
        context_words=(*settings.context_words, app_name),
    )


def _register(app: Flask, state: AuthState, schemas: Schemas) -> None:
    app.register_blueprint(build_blueprint(state, schemas))
    app.register_error_handler(AuthError, refuse)
    paths = [path for _, _, path in placed_routes(state.features, state.settings.rules)]
    answer_unknown_paths(app, paths, state.settings.url_prefix)
    app.cli.add_command(cli_group)


def _embed_sqlalchemy(app: Flask) -> SQLAlchemy:
    uri = app.config.setdefault("SQLALCHEMY_DATABASE_URI", EMBEDDED_DATABASE)
    try:
        # A file needs no ping before each use; a server may have closed the connection.
        is_server = make_url(uri).get_backend_name() != "sqlite"
        app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", {"pool_pre_ping": is_server})
        return SQLAlchemy(app, model_class=type("Base", (DeclarativeBase,), {}))
    except ArgumentError:
        problem = "SQLALCHEMY_DATABASE_URI is not a database URL such as mysql+pymysql://user:password@host/name."
    except ModuleNotFoundError as error:
        extra = DRIVER_EXTRAS.get(error.name or "")
        problem = str(MissingExtra("SQLALCHEMY_DATABASE_URI", extra)) if extra else f"SQLALCHEMY_DATABASE_URI: {error}."
    raise ConfigurationError([problem])


def _create_missing_tables(app: Flask, sqlalchemy: SQLAlchemy) -> None:
    with app.app_context():
        try:
            sqlalchemy.create_all()
        except (OperationalError, ProgrammingError):
            # Another worker that starts at the same time was quicker; a second look finds its tables.
            sqlalchemy.create_all()


def _check_features(features: Sequence[Feature]) -> None:
    seen: set[str] = set()
    problems = []
    for feature in features:
        missing = [name for name in feature.requires if name not in seen]
        if missing:
            problems.append(f"The feature {feature.name} needs {', '.join(missing)}, before it in features=.")
        if feature.name in BASE_GROUPS:
            problems.append(f"The feature {feature.name} has the name of a group of settings; choose another one.")
        if feature.name in seen:
            problems.append(f"The feature {feature.name} is there twice; leave the other one out.")
        seen.add(feature.name)
    if "sessions" not in seen:
        problems.append("The feature sessions is missing: jwt_required asks it whether a session is alive.")
    if problems:
        raise ConfigurationError(problems)


def _check_schemas(schemas: Schemas, features: Sequence[Feature]) -> None:
    used = {schema for feature in features for route in feature.routes for schema in (route.body, route.answer)}
    problems = [
        f"schemas: {old.__name__} belongs to no route; it must be a schema of a feature."
        for old in schemas
        if old not in used
    ] + [
        f"schemas: {new.__name__} must be a subclass of {old.__name__}."
        for old, new in schemas.items()
        if not issubclass(new, old)
    ]
    if problems:
        raise ConfigurationError(problems)


def _check_rules(rules: Mapping[str, str | None], features: Sequence[Feature], problems: Problems) -> None:
    known = [f"{feature.name}.{route.name}" for feature in features for route in feature.routes]
    for name in rules:
        if name not in known:
            problems.add(f"SECUREAUTH_RULES: {name!r} is not a route. The routes are {', '.join(known)}.")
    taken: dict[tuple[str, str], str] = {}
    for feature, route, path in placed_routes(features, rules):
        name = f"{feature.name}.{route.name}"
        first = taken.setdefault((route.method, path), name)
        if first != name:
            problems.add(f"SECUREAUTH_RULES: {first} and {name} are both {route.method} {path}.")
