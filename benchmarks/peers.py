"""What the package is measured beside: a bare view, PyJWT by hand, Flask-JWT-Extended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from flask import Flask, request
from flask_jwt_extended import JWTManager, get_current_user, jwt_required
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A key of one algorithm, new for each run: the same for every peer."""

    algorithm: str
    private: Any
    public: Any

    @property
    def private_material(self) -> str:
        """The secret, or the private key as PEM."""
        if isinstance(self.private, str):
            return self.private
        pem: bytes = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.decode()

    @property
    def public_material(self) -> str:
        """The secret, or the public key as PEM."""
        if isinstance(self.public, str):
            return self.public
        pem: bytes = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()


def signers(secret: str) -> dict[str, Signer]:
    """A key for each algorithm."""
    p256, ed = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    return {
        "HS256": Signer(algorithm="HS256", private=secret, public=secret),
        "ES256": Signer(algorithm="ES256", private=p256, public=p256.public_key()),
        "EdDSA": Signer(algorithm="EdDSA", private=ed, public=ed.public_key()),
    }


def bare_app() -> Flask:
    """Flask and nothing else."""
    app = Flask("benchmark_bare")
    app.add_url_rule("/", view_func=lambda: "ok")
    return app


def pyjwt_app(signer: Signer) -> Flask:
    """A decorator as people write it: PyJWT, the claims on the request, no look-up."""
    app = Flask("benchmark_pyjwt")

    def guarded(view: Callable[[], str]) -> Callable[[], Any]:
        @wraps(view)
        def check() -> Any:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer":
                return {"error": "Missing token"}, 401
            try:
                jwt.decode(token, signer.public, algorithms=[signer.algorithm], options={"require": ["exp", "sub"]})
            except jwt.InvalidTokenError:
                return {"error": "Invalid token"}, 401
            return view()

        return check

    app.add_url_rule("/", view_func=guarded(lambda: "ok"), endpoint="view")
    return app


def extended_app(signer: Signer) -> Flask:
    """Flask-JWT-Extended as it comes: the token alone decides."""
    app = Flask("benchmark_flask_jwt_extended")
    _configure(app, signer)
    JWTManager(app)
    app.add_url_rule("/", view_func=jwt_required()(lambda: "ok"), endpoint="view")
    return app


def extended_database_app(app: Flask, signer: Signer, db: SQLAlchemy, models: tuple[Any, Any]) -> Flask:
    """Flask-JWT-Extended with what our staleness 0 guarantees: token not revoked, user there and enabled.

    Written as its documentation shows: a look-up of the user and a block list, through the session.
    """
    user_model, blocked_model = models
    _configure(app, signer)
    manager = JWTManager(app)

    @manager.token_in_blocklist_loader
    def is_blocked(header: dict[str, Any], claims: dict[str, Any]) -> bool:
        return db.session.scalar(select(blocked_model.id).where(blocked_model.jti == claims["jti"])) is not None

    @manager.user_lookup_loader
    def look_up(header: dict[str, Any], claims: dict[str, Any]) -> Any:
        user = db.session.get(user_model, int(claims["sub"]))
        return user if user is not None and user.is_active else None

    app.add_url_rule("/", view_func=jwt_required()(lambda: "ok"), endpoint="view")
    app.add_url_rule("/user", view_func=jwt_required()(lambda: get_current_user().email), endpoint="user")
    return app


def _configure(app: Flask, signer: Signer) -> None:
    app.config["JWT_ALGORITHM"] = signer.algorithm
    if signer.algorithm == "HS256":
        app.config["JWT_SECRET_KEY"] = signer.private_material
    else:
        app.config["JWT_PRIVATE_KEY"] = signer.private_material
        app.config["JWT_PUBLIC_KEY"] = signer.public_material
