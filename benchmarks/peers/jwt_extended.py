"""Flask-JWT-Extended: the token alone, with a look-up of the user, and with a block list as well."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt_identity,
    jwt_required,
)
from sqlalchemy import select

from ..filling import USER_ID
from ..models import BlockedToken, User, db
from ..signers import Signer
from ..site import Site
from .accounts import verified_user


def alone_app(signer: Signer) -> Flask:
    """As it comes: the token decides, nothing is looked up."""
    app = Flask("benchmark_jwt_extended")
    _set_up(app, signer)
    return app


def user_app(site: Site) -> Flask:
    """The user must be there and enabled."""
    app = site.app("jwt_extended_user")
    _load_user(_set_up(app, site.signer))
    return app


def blocked_app(site: Site) -> Flask:
    """What our staleness 0 guarantees: token not revoked, user there and enabled."""
    app = site.app("jwt_extended_blocked")
    manager = _set_up(app, site.signer)
    _load_user(manager)

    @manager.token_in_blocklist_loader
    def is_blocked(header: dict[str, Any], claims: dict[str, Any]) -> bool:
        return db.session.scalar(select(BlockedToken.id).where(BlockedToken.jti == claims["jti"])) is not None

    return app


def token(app: Flask, **options: Any) -> str:
    """An access token."""
    with app.test_request_context():
        made: str = create_access_token(identity=str(USER_ID), **options)
        return made


def refresh_token(app: Flask) -> str:
    """A refresh token. It is never rotated, so it is good for any number of calls."""
    with app.test_request_context():
        made: str = create_refresh_token(identity=str(USER_ID))
        return made


def _set_up(app: Flask, signer: Signer) -> JWTManager:
    app.config["JWT_ALGORITHM"] = signer.algorithm
    if signer.algorithm == "HS256":
        app.config["JWT_SECRET_KEY"] = signer.private_material
    else:
        app.config["JWT_PRIVATE_KEY"] = signer.private_material
        app.config["JWT_PUBLIC_KEY"] = signer.public_material
    app.add_url_rule("/", view_func=jwt_required()(lambda: "ok"), endpoint="view")
    app.add_url_rule("/login", view_func=_login, methods=["POST"])
    app.add_url_rule("/refresh", view_func=jwt_required(refresh=True)(_refresh), endpoint="refresh", methods=["POST"])
    return JWTManager(app)


def _load_user(manager: JWTManager) -> None:
    @manager.user_lookup_loader
    def look_up(header: dict[str, Any], claims: dict[str, Any]) -> Any:
        user = db.session.get(User, int(claims["sub"]))
        return user if user is not None and user.is_active else None


def _login() -> Any:
    user = verified_user()
    if user is None:
        return {"error": "Invalid credentials"}, 401
    identity = str(user.id)
    return {
        "access_token": create_access_token(identity=identity, fresh=True),
        "refresh_token": create_refresh_token(identity=identity),
    }


def _refresh() -> dict[str, str]:
    return {"access_token": create_access_token(identity=get_jwt_identity(), fresh=False)}
