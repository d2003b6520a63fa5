"""A bare view, and a decorator as people write it with PyJWT."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import jwt
from flask import Flask, request

from ..filling import USER_ID
from ..signers import Signer
from ..site import Site


def bare_app() -> Flask:
    """Flask and nothing else."""
    app = Flask("benchmark_bare")
    app.add_url_rule("/", view_func=lambda: "ok", endpoint="view")
    return app


def bare_session_app(site: Site) -> Flask:
    """Flask with a ``SECRET_KEY``: it looks for its own session cookie on every request."""
    app = bare_app()
    app.config["SECRET_KEY"] = site.secret
    return app


def bare_database_app(site: Site) -> Flask:
    """Flask and Flask-SQLAlchemy, which nobody asks anything."""
    app = site.app("bare_database")
    app.add_url_rule("/", view_func=lambda: "ok", endpoint="view")
    return app


def pyjwt_app(signer: Signer) -> Flask:
    """PyJWT checks the token; nothing is looked up."""
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


def pyjwt_token(signer: Signer) -> str:
    """A token with the claims of ours."""
    now = int(time.time())
    claims = {"iss": "secureauth", "sub": str(USER_ID), "iat": now, "exp": now + 3600, "auth_time": now}
    claims |= {"jti": secrets.token_hex(16), "sid": secrets.token_hex(16), "amr": ["pwd"]}
    return jwt.encode(claims, signer.private, algorithm=signer.algorithm)
