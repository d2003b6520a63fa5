"""``SecureAuth``: wiring, and nothing but wiring."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema

from .base_settings import PasswordSettings
from .cli import secureauth as cli_group
from .core.breaches import BreachCheck
from .core.clock import Clock
from .core.jwks import RemoteKeys
from .core.jwt import TokenIssuer, TokenVerifier
from .core.key_ring import KeySource
from .core.password_policy import PasswordPolicy
from .core.passwords import PasswordHasher, PasswordScheme
from .db.build import Models, build_models, build_user_model, check_identifiers, check_user_model
from .db.database import Database
from .db.embedded import create_missing_tables, embed_sqlalchemy
from .db.users import SQLAlchemyUserStore
from .errors import AuthError, ConfigurationError
from .events import BreachCheckFailed, Events
from .feature import Feature, check_features, check_schemas
from .features import BUILTIN, VERIFYING
from .key_sources import read_keys, read_remote_keys
from .password_rules import read_breach_check, read_password_scheme
from .settings import (
    BASE_GROUPS,
    EXTENSION,
    Problems,
    VerificationSettings,
    read_settings,
    read_verification_settings,
)
from .web.blueprint import build_blueprint, check_rules, placed_routes
from .web.default_deny import deny_by_default
from .web.responses import answer_unknown_paths, refuse
from .web.state import AuthState, Verification
from .web.transport import Transport

logger = logging.getLogger("flask_secureauth")


class SecureAuth:
    """JWT authentication for a Flask app.

    ``SecureAuth(app)`` is enough. Without ``db`` it uses the app's Flask-SQLAlchemy if there is
    one, or else brings one, on ``SQLALCHEMY_DATABASE_URI`` or SQLite in the instance folder, and
    creates the tables that are missing. Without ``user_model`` it brings a ``User`` with an int key
    and the table ``users``.

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
        check_features(self._features)
        check_schemas(self._schemas, self._features)
        if db is not None:
            self._models(db)  # In the constructor, so that "flask db migrate" finds the tables.
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add authentication to ``app``. Nothing is kept on this object: each app has its own state."""
        if not isinstance(app, Flask):
            raise ConfigurationError(["SecureAuth takes an app; pass a database by name: SecureAuth(db=db)."])
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                ["This app has a SecureAuth already: call SecureAuth(app) or init_app(app), once."]
            )
        if app.config.get("SECUREAUTH_JWKS_URL") is not None:
            self._verify_only(app)
            return
        clock = Clock()
        configured = _read(app, self._features, now=clock.timestamp())
        existing = self._sqlalchemy(app)
        sqlalchemy = existing or embed_sqlalchemy(app)
        user_model, models = self._models(sqlalchemy)
        with app.app_context():
            engine = sqlalchemy.engines[user_model.metadata.info.get("bind_key")]
        check_identifiers(user_model, dialect=engine.dialect.name)
        events = Events(app)
        database = Database(sqlalchemy, user_model, events)
        general = configured.settings[""]
        rules = general.token_rules()
        state = AuthState(
            app=app,
            testing=app.testing,
            settings=configured.settings,
            features=self._features,
            schemas=self._schemas,
            clock=clock,
            keys=configured.keys,
            hasher=_hasher(configured.settings["password"], configured.scheme),
            policy=_policy(configured, app.name, database),
            issuer=TokenIssuer(configured.keys, rules),
            verifier=TokenVerifier(configured.keys, rules),
            transport=Transport(general, configured.keys, clock),
            sqlalchemy=sqlalchemy,
            database=database,
            users=SQLAlchemyUserStore(user_model, database),
            user_model=user_model,
            models=models,
        )
        _build_features(state, events)
        _register(app, state)
        if existing is None:
            create_missing_tables(app, sqlalchemy)

    def _verify_only(self, app: Flask) -> None:
        if self._db is not None or self._user_model is not None or self._schemas or self._features != BUILTIN:
            raise ConfigurationError(
                ["With SECUREAUTH_JWKS_URL there are no accounts and no routes: SecureAuth(app) takes nothing else."]
            )
        settings, keys = _read_verification(app, self._features)
        state = Verification(
            testing=app.testing,
            settings={"": settings},
            features=(VERIFYING,),
            clock=Clock(),
            keys=keys,
            verifier=TokenVerifier(keys, settings.token_rules()),
        )
        _attach(app, state)

    def _sqlalchemy(self, app: Flask) -> SQLAlchemy | None:
        existing: SQLAlchemy | None = app.extensions.get("sqlalchemy")
        if self._db is not None and existing is not self._db:
            raise ConfigurationError(["Call db.init_app(app) before auth.init_app(app)."])
        if existing is None and self._user_model is not None:
            raise ConfigurationError(["A user_model belongs to a database: SecureAuth(db=db, user_model=...)."])
        return existing

    def _models(self, sqlalchemy: SQLAlchemy) -> tuple[type[Any], Models]:
        user_model = self._user_model or build_user_model(sqlalchemy)
        check_user_model(user_model)
        mixins = [mixin for feature in self._features for mixin in feature.tables]
        return user_model, build_models(sqlalchemy, user_model, mixins)


class _Configured(NamedTuple):
    settings: dict[str, Any]
    keys: KeySource
    scheme: PasswordScheme
    breaches: BreachCheck | None


def _read(app: Flask, features: Sequence[Feature], *, now: float) -> _Configured:
    problems = Problems()
    settings = read_settings(app.config, _groups(features), problems)
    check_rules(features, settings[""].rules, problems)
    keys = read_keys(app.config, settings[""], problems, now=now)
    scheme = read_password_scheme(app.config, settings["password"], problems)
    breaches = read_breach_check(app.config, settings["password"], problems)
    problems.raise_any()
    return _Configured(settings, cast("KeySource", keys), cast("PasswordScheme", scheme), breaches)


def _read_verification(app: Flask, features: Sequence[Feature]) -> tuple[VerificationSettings, RemoteKeys]:
    problems = Problems()
    settings = read_verification_settings(app.config, _groups(features), problems)
    keys = read_remote_keys(app.config, settings, problems)
    problems.raise_any()
    return settings, cast("RemoteKeys", keys)


def _groups(features: Sequence[Feature]) -> dict[str, type]:
    # Those of a built-in feature that is left out mean nothing, and are no mistake: one configuration for two apps.
    return {**BASE_GROUPS, **{item.name: item.settings for item in (*BUILTIN, *features) if item.settings}}


def _build_features(state: AuthState, events: Events) -> None:
    for feature in state.features:
        service = feature.service(state) if feature.service else None
        state.services[feature.name] = service
        state.gates.extend(partial(gate, service) for gate in feature.gates)
        state.claims.extend(partial(claims, service) for claims in feature.claims)
        for event, handler in feature.handlers.items():
            events.subscribe(event, partial(handler, service))
    for remark in state.remarks:
        logger.warning("%s", remark)


def _register(app: Flask, state: AuthState) -> None:
    _attach(app, state)
    app.register_blueprint(build_blueprint(state))
    paths = [path for _, _, path in placed_routes(state.features, state.general.rules)]
    answer_unknown_paths(app, paths, state.general.url_prefix)


def _attach(app: Flask, state: Verification) -> None:
    app.extensions[EXTENSION] = state
    app.register_error_handler(AuthError, refuse)
    app.cli.add_command(cli_group)
    if state.general.default_deny:
        deny_by_default(app)


def _hasher(settings: PasswordSettings, scheme: PasswordScheme) -> PasswordHasher:
    return PasswordHasher(
        scheme,
        concurrency=settings.concurrent_hashes,
        max_waiting=settings.max_waiting,
        max_wait=settings.max_wait.total_seconds(),
        flask_security_salt=settings.flask_security_salt,
    )


def _policy(configured: _Configured, app_name: str, database: Database) -> PasswordPolicy:
    settings: PasswordSettings = configured.settings["password"]
    return PasswordPolicy(
        min_length=settings.min_length,
        refuse_common=settings.refuse_common,
        refuse_context=settings.refuse_context,
        context_words=(*settings.context_words, app_name),
        breaches=configured.breaches,
        on_unavailable=lambda reason: database.announce_at_once(BreachCheckFailed(reason=reason)),
    )
