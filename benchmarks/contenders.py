"""Who answers the guarded request: ours and those of peers, in this process or in those of a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

from . import ours
from .filling import PASSWORD, addresses
from .peers import by_hand, jwt_extended, login, security
from .site import Site

Headers = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """An app with a view, and what a client must send to be let in."""

    name: str
    build: Callable[[Site], Flask]
    credentials: Callable[[Site, Flask], Headers] = lambda site, app: {}
    path: str = "/"


def bearer(token: str) -> Headers:
    """The header that carries a JWT."""
    return {"Authorization": f"Bearer {token}"}


def security_headers(token: str) -> Headers:
    """The headers of a client of Flask-Security that wants JSON."""
    return {"Authentication-Token": token, **security.ACCEPT}


def bare(site: Site) -> Flask:
    """Flask and nothing else."""
    return by_hand.bare_app()


def unchecked(site: Site) -> Flask:
    """Ours at staleness ``None``."""
    return ours.app(site, staleness=None)


def remembering(site: Site) -> Flask:
    """Ours at staleness 60 s."""
    return ours.app(site, staleness=60)


def checked(site: Site) -> Flask:
    """Ours at staleness 0."""
    return ours.app(site, staleness=0)


def pyjwt(site: Site) -> Flask:
    """PyJWT by hand."""
    return by_hand.pyjwt_app(site.signer)


def extended(site: Site) -> Flask:
    """Flask-JWT-Extended as it comes."""
    return jwt_extended.alone_app(site.signer)


def _our_token(site: Site, app: Flask) -> Headers:
    return bearer(ours.token(app))


def _extended_token(site: Site, app: Flask) -> Headers:
    return bearer(jwt_extended.token(app))


def _login_cookie(site: Site, app: Flask) -> Headers:
    return {"Cookie": login.cookie(app, {"email": addresses()[0], "password": PASSWORD})}


def _security_token(site: Site, app: Flask) -> Headers:
    return security_headers(security.sign_in(app, addresses()[0])["authentication_token"])


BARE = "bare Flask view"
BARE_OURS = "bare view, app with Flask-SQLAlchemy and SecureAuth"
SEEN = "staleness None"
CHECKED = "staleness 0"
CHECKED_USER = "staleness 0, with current_user"
PYJWT = "PyJWT by hand, token alone"
EXTENDED = "Flask-JWT-Extended, token alone"
EXTENDED_USER = "Flask-JWT-Extended, user look-up"
EXTENDED_BLOCKED = "Flask-JWT-Extended, user look-up and block list"
LOGIN = "Flask-Login, session cookie and user look-up"
SECURITY = "Flask-Security, token and user look-up"

CONTENDERS = {
    item.name: item
    for item in (
        Contender(name=BARE, build=bare),
        Contender(name="bare view, app with a SECRET_KEY", build=by_hand.bare_session_app),
        Contender(name="bare view, app with Flask-SQLAlchemy", build=by_hand.bare_database_app),
        Contender(name=BARE_OURS, build=unchecked, path="/bare"),
        Contender(name=SEEN, build=unchecked, credentials=_our_token),
        Contender(name="staleness 60 s", build=remembering, credentials=_our_token),
        Contender(name=CHECKED, build=checked, credentials=_our_token),
        Contender(name=CHECKED_USER, build=checked, credentials=_our_token, path="/user"),
        Contender(name=PYJWT, build=pyjwt, credentials=lambda site, app: bearer(by_hand.pyjwt_token(site.signer))),
        Contender(name=EXTENDED, build=extended, credentials=_extended_token),
        Contender(name=EXTENDED_USER, build=jwt_extended.user_app, credentials=_extended_token),
        Contender(name=EXTENDED_BLOCKED, build=jwt_extended.blocked_app, credentials=_extended_token),
        Contender(name=LOGIN, build=login.app, credentials=_login_cookie),
        Contender(name=SECURITY, build=security.app, credentials=_security_token),
    )
}
