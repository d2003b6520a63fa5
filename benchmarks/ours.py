"""Our own apps, and what they hand out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import Flask

from flask_secureauth import SecureAuth, current_auth, current_user, jwt_required

from .filling import CHEAP_METHOD, USER_ID
from .identity import session_id
from .models import User, db
from .signers import Signer
from .site import Site


def app(site: Site, *, staleness: int | None, signer: Signer | None = None, **settings: Any) -> Flask:
    """An app with ``SecureAuth``, a guarded view and a bare one. It counts no sign-ins unless ``settings`` say so."""
    ours = {
        "SECUREAUTH_KEYS": [(signer or site.signer).private_material],
        "SECUREAUTH_SESSION_STALENESS": staleness,
        # None of the others counts, and a storm comes from one address.
        "SECUREAUTH_THROTTLING_ENABLED": False,
        # Half of the storm's threads, as the deployment page advises.
        "SECUREAUTH_PASSWORD_MAX_WAITING": 8,
    }
    made = site.app("ours", **{**ours, **settings})
    SecureAuth(made, db=db, user_model=User)
    made.add_url_rule("/bare", view_func=lambda: "ok", endpoint="bare")
    made.add_url_rule("/", view_func=jwt_required(lambda: "ok"), endpoint="view")
    made.add_url_rule("/user", view_func=jwt_required(lambda: current_user.email), endpoint="user")
    return made


def limited_app(site: Site) -> Flask:
    """The same at staleness 0, with the limits that are the default."""
    return app(site, staleness=0, SECUREAUTH_THROTTLING_ENABLED=True)


def cheap_app(site: Site, **settings: Any) -> Flask:
    """The same at staleness 0, with a hash of microseconds: what signs in costs, without what hashes."""
    return app(site, staleness=0, TESTING=True, SECUREAUTH_PASSWORD_HASH_METHOD=CHEAP_METHOD, **settings)


def cheap_limited_app(site: Site) -> Flask:
    """That with the limits."""
    return cheap_app(site, SECUREAUTH_THROTTLING_ENABLED=True)


def token(made: Flask) -> str:
    """An access token of the one session that is there from the start."""
    return minter(made)()


def minter(made: Flask, *, age: int = 0) -> Callable[[], str]:
    """Return a function that makes another token of that session each time, ``age`` seconds old."""
    with made.app_context():
        issuer = current_auth().issuer

    def mint() -> str:
        now = int(time.time()) - age
        return issuer.issue(
            subject=str(USER_ID), session_id=session_id(USER_ID), auth_time=now, methods=["pwd"], now=now
        )

    return mint
