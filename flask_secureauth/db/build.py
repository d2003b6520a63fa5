"""From the mixins of features to models on the app's own ``db.Model``, so that its migrations see them."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isfunction
from types import new_class
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, Integer, inspect
from sqlalchemy.orm import mapped_column

from ..errors import ConfigurationError
from .mixins import UserMixin, UserOwned

_BUILT = "flask_secureauth"
_OWNER = "user_model"
Models = dict[type, type[Any]]


def build_user_model(sqlalchemy: SQLAlchemy) -> type[Any]:
    """Return the default model: an int ``id``, the table ``users``, nothing but what the mixin brings."""
    built = sqlalchemy.metadata.info.setdefault(_BUILT, {})
    if UserMixin not in built:
        if "users" in sqlalchemy.metadata.tables:
            raise ConfigurationError(["The app already has a table users: pass its model, SecureAuth(user_model=...)."])
        built[UserMixin] = _model("User", UserMixin, sqlalchemy, {"__tablename__": "users", "__module__": __name__})
    model: type[Any] = built[UserMixin]
    return model


def check_user_model(model: type[Any]) -> None:
    """Raise :exc:`~flask_secureauth.errors.ConfigurationError` for a model that cannot hold accounts."""
    if not (isinstance(model, type) and issubclass(model, UserMixin) and hasattr(model, "__mapper__")):
        name = getattr(model, "__name__", repr(model))
        raise ConfigurationError([f"user_model={name} is not a user model: write class {name}(UserMixin, db.Model)."])
    if isfunction(getattr(model, "is_active", None)):
        raise ConfigurationError([f"{model.__name__}.is_active is a method; make it a column or a property."])
    size = len(inspect(model).primary_key)
    if size != 1:
        raise ConfigurationError([f"{model.__name__} has a primary key of {size} columns; it needs a single one."])


def build_models(sqlalchemy: SQLAlchemy, user_model: type[Any], mixins: Iterable[type]) -> Models:
    """Return a model for each mixin; those built before for the same user model are returned again."""
    built = user_model.metadata.info.setdefault(_BUILT, {})
    if built.setdefault(_OWNER, user_model) is not user_model:
        names = f"{built[_OWNER].__name__} and {user_model.__name__}"
        raise ConfigurationError([f"{names} share a database: the users of one SQLAlchemy object are of one model."])
    for mixin in mixins:
        if mixin not in built:
            built[mixin] = _build(sqlalchemy, user_model, mixin)
    return {mixin: built[mixin] for mixin in mixins}


def _build(sqlalchemy: SQLAlchemy, user_model: type[Any], mixin: type) -> type[Any]:
    (key,) = inspect(user_model).primary_key
    namespace: dict[str, Any] = {"__module__": mixin.__module__, "__table_args__": _mysql_options(user_model)}
    if issubclass(mixin, UserOwned):
        owner = ForeignKey(key, ondelete="CASCADE")
        single = mixin.one_per_user
        namespace["user_id"] = mapped_column(
            key.type, owner, nullable=False, primary_key=single, autoincrement=False, index=not single
        )
    if hasattr(user_model, "__bind_key__"):
        namespace["__bind_key__"] = user_model.__bind_key__
    return _model(mixin.__name__.removesuffix("Mixin"), mixin, sqlalchemy, namespace)


def _mysql_options(user_model: type[Any]) -> dict[str, Any]:
    """A foreign key of text wants the character set of the users' table."""
    options = {name: value for name, value in user_model.__table__.kwargs.items() if name.startswith("mysql_")}
    return {"mysql_engine": "InnoDB", **options}


def _model(name: str, mixin: type, sqlalchemy: SQLAlchemy, namespace: dict[str, Any]) -> type[Any]:
    return new_class(name, (mixin, sqlalchemy.Model), exec_body=lambda body: body.update(namespace))


def built_models(user_model: type[Any]) -> list[type[Any]]:
    """The models that were built around ``user_model``."""
    return [model for model in user_model.metadata.info[_BUILT].values() if model is not user_model]


def owned_models(user_model: type[Any]) -> list[type[Any]]:
    """Those of them whose rows go with their user."""
    return [model for model in built_models(user_model) if issubclass(model, UserOwned)]


def check_identifiers(user_model: type[Any], *, dialect: str) -> None:
    """Raise :exc:`~flask_secureauth.errors.ConfigurationError` where a deleted user's id would come back."""
    table = user_model.__table__
    is_number = isinstance(table.primary_key.columns[0].type, Integer)
    if dialect == "sqlite" and is_number and not table.dialect_options["sqlite"]["autoincrement"]:
        raise ConfigurationError(
            [
                "SQLite gives the id of a deleted user, and the sessions that name it, to the next one: "
                f'add "sqlite_autoincrement": True to {user_model.__name__}.__table_args__.'
            ]
        )
