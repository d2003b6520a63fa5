"""Flask-Security: authentication tokens, on its own user datastore."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, hash_password
from flask_security.models import fsqla_v4 as fsqla
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert
from sqlalchemy.orm import DeclarativeBase

from ..filling import PASSWORD, addresses
from ..runner import expect, post
from ..site import Site

ACCEPT = {"Accept": "application/json"}
LOGIN = "/login?include_auth_token"


class _Base(DeclarativeBase):
    pass


# An SQLAlchemy object of its own: its models have the names that others of an app could want.
db = SQLAlchemy(model_class=_Base)
fsqla.FsModels.set_db_info(
    db, user_table_name="security_users", role_table_name="security_roles", refresh_table_name="security_refresh"
)


class Role(db.Model, fsqla.FsRoleMixin):  # type: ignore[name-defined, misc]
    """No user has one; its default looks for them on every request."""

    __tablename__ = "security_roles"


class User(db.Model, fsqla.FsUserMixin):  # type: ignore[name-defined, misc]
    """The user as it comes."""

    __tablename__ = "security_users"


class FsRefreshTracker(db.Model, fsqla.FsRefreshTrackerMixin):  # type: ignore[name-defined, misc]
    """One family of refresh tokens."""

    __tablename__ = "security_refresh"


def app(site: Site) -> Flask:
    """A guarded view, sign-in and refresh as they come, for a client that sends tokens and no cookies."""
    made = site.app(
        "security",
        sqlalchemy=db,
        SECRET_KEY=site.secret,
        SECURITY_PASSWORD_SALT=site.secret,
        # The hash of microseconds that everybody signs in with here.
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={
            "argon2__memory_cost": 8,
            "argon2__rounds": 1,
            "argon2__parallelism": 1,
        },
        SECURITY_REFRESH_TOKEN=True,
        SECURITY_REFRESH_TOKEN_COOKIE_NAME=None,
        WTF_CSRF_ENABLED=False,
    )
    Security(made, SQLAlchemyUserDatastore(db, User, Role, refresh_tracker_model=FsRefreshTracker))
    made.add_url_rule("/", view_func=auth_required("token")(lambda: "ok"), endpoint="view")
    return made


def fill(made: Flask) -> None:
    """Create the tables and the users."""
    with made.app_context():
        db.create_all()
        hashed = hash_password(PASSWORD)
        rows = [
            {"email": email, "password": hashed, "active": True, "fs_uniquifier": secrets.token_hex(16)}
            for email in addresses()
        ]
        db.session.execute(insert(User), rows)
        db.session.commit()


def sign_in(made: Flask, email: str) -> dict[str, Any]:
    """Sign in and return the tokens: ``authentication_token`` and ``refresh_token``."""
    credentials = {"email": email, "password": PASSWORD}
    tokens: dict[str, Any] = expect(made, post(LOGIN, credentials, ACCEPT)).json["response"]["user"]
    return tokens
