"""Our apps and their database: made for one run, thrown away after it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jwt
from flask import Flask
from flask_jwt_extended import create_access_token as create_extended_token
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, create_engine, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool
from werkzeug.security import generate_password_hash

from flask_secureauth import SecureAuth, UserMixin, create_access_token, current_auth, current_user, jwt_required
from flask_secureauth.core.passwords import DEFAULT_METHOD

from . import peers

PASSWORD = "kraken-vulcan-42"
ALIVE, DISABLED, CHEAP = "kim@example.com", "lou@example.com", "max@example.com"
CHEAP_METHOD = "scrypt:128:1:1"
_USERS = 1000


class UnusableDatabase(Exception):
    """The URL names no server on which a database of our own can be created."""


class _Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=_Base)


class User(UserMixin, db.Model):  # type: ignore[name-defined, misc]
    """A user that can be disabled."""

    __tablename__ = "users"

    is_active: Mapped[bool] = mapped_column(default=True)


class BlockedToken(db.Model):  # type: ignore[name-defined, misc]
    """The block list of the documentation of Flask-JWT-Extended."""

    __tablename__ = "blocked_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    jti: Mapped[str] = mapped_column(String(36), index=True)


@contextmanager
def database(given: str | None) -> Iterator[str]:
    """Yield the URL of an empty database: a temporary SQLite file, or one beside that of the URL ``given``."""
    if given is None:
        with TemporaryDirectory(prefix="secureauth-benchmark-") as folder:
            yield f"sqlite:///{Path(folder) / 'benchmark.sqlite3'}"
        return
    engine = create_engine(given, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        raise UnusableDatabase("SQLite is the default and uses a temporary file; --database is for a server")
    name = f"secureauth_benchmark_{os.getpid()}"
    charset = " CHARACTER SET utf8mb4" if engine.dialect.name in ("mysql", "mariadb") else ""
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}{charset}"))
    try:
        yield engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))


class Workbench:
    """Everything that one run measures, on one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._apps: list[Flask] = []
        self.signers = peers.signers(secrets.token_urlsafe(32))
        self.bare = peers.bare_app()
        self.bare_database = self._with_database("benchmark_bare_database")
        self.bare_database.add_url_rule("/", view_func=lambda: "ok", endpoint="view")
        self.unchecked = {name: self._ours(staleness=None, signer=item) for name, item in self.signers.items()}
        self.checked = self._ours(staleness=0, signer=self.signers["HS256"])
        self.cheap = self._ours(
            staleness=0, signer=self.signers["HS256"], TESTING=True, SECUREAUTH_PASSWORD_HASH_METHOD=CHEAP_METHOD
        )
        self.pyjwt = {name: peers.pyjwt_app(item) for name, item in self.signers.items()}
        self.extended = {name: peers.extended_app(item) for name, item in self.signers.items()}
        self.extended_database = peers.extended_database_app(
            self._with_database("benchmark_extended_database"), self.signers["HS256"], db, (User, BlockedToken)
        )
        with self.checked.app_context():
            self.dialect = db.engine.dialect.name
            self.stored_hash = _fill()
            self.user_id: int = db.session.execute(select(User.id).where(User.email == ALIVE)).scalar_one()

    def _with_database(self, name: str, **settings: Any) -> Flask:
        app = Flask(name)
        # As SecureAuth sets it up itself: a server's connection is looked at before each use, a file's is not.
        options = {"pool_pre_ping": not self._url.startswith("sqlite")}
        app.config.update(SQLALCHEMY_DATABASE_URI=self._url, SQLALCHEMY_ENGINE_OPTIONS=options)
        app.config.update(settings)
        db.init_app(app)
        self._apps.append(app)
        return app

    def _ours(self, *, staleness: int | None, signer: peers.Signer, **settings: Any) -> Flask:
        app = self._with_database(
            "benchmark_ours",
            SECUREAUTH_KEYS=[signer.private_material],
            SECUREAUTH_SESSION_STALENESS=staleness,
            # Half of the storm's threads, as the deployment page advises.
            SECUREAUTH_PASSWORD_MAX_WAITING=8,
            **settings,
        )
        SecureAuth(app, db=db, user_model=User)
        app.add_url_rule("/bare", view_func=lambda: "ok", endpoint="bare")
        app.add_url_rule("/", view_func=jwt_required(lambda: "ok"), endpoint="view")
        app.add_url_rule("/user", view_func=jwt_required(lambda: current_user.email), endpoint="user")
        return app

    def token(self, app: Flask) -> str:
        """A token of ours, with a session."""
        with app.test_request_context():
            return create_access_token(self.user_id)

    def minter(self, app: Flask, *, age: int = 0) -> Callable[[], str]:
        """Return a function that makes another token of ours each time, ``age`` seconds old, without a session."""
        with app.app_context():
            issuer = current_auth().issuer

        def mint() -> str:
            now = int(time.time()) - age
            return issuer.issue(
                subject=str(self.user_id), session_id=secrets.token_hex(16), auth_time=now, methods=["pwd"], now=now
            )

        return mint

    def pyjwt_token(self, algorithm: str) -> str:
        """A token for PyJWT by hand, with the claims of ours."""
        now = int(time.time())
        claims = {"iss": "secureauth", "sub": str(self.user_id), "iat": now, "exp": now + 3600, "auth_time": now}
        claims |= {"jti": secrets.token_hex(16), "sid": secrets.token_hex(16), "amr": ["pwd"]}
        return jwt.encode(claims, self.signers[algorithm].private, algorithm=algorithm)

    def extended_token(self, app: Flask, **options: Any) -> str:
        """A token of Flask-JWT-Extended."""
        with app.test_request_context():
            token: str = create_extended_token(identity=str(self.user_id), **options)
            return token

    def close(self) -> None:
        """Close all connections."""
        for app in self._apps:
            with app.app_context():
                db.engine.dispose()


def _fill() -> str:
    """Create the tables and 1,000 users; return the hash of the one who signs in."""
    db.create_all()
    hashed, cheap = generate_password_hash(PASSWORD, DEFAULT_METHOD), generate_password_hash(PASSWORD, CHEAP_METHOD)
    special = [
        {"email": ALIVE, "password_hash": hashed, "is_active": True},
        {"email": DISABLED, "password_hash": hashed, "is_active": False},
        {"email": CHEAP, "password_hash": cheap, "is_active": True},
    ]
    others = [
        {"email": f"user{number}@example.com", "password_hash": hashed, "is_active": True} for number in range(_USERS)
    ]
    db.session.execute(insert(User), others + special)
    db.session.execute(insert(BlockedToken), [{"jti": secrets.token_hex(16)} for _ in range(_USERS)])
    db.session.commit()
    return hashed
