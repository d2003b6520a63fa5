"""Flask-Login: a signed session cookie that names the user, who is looked up on each request."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_login import LoginManager, login_required, login_user

from ..models import User, db
from ..runner import expect, post
from ..site import Site
from .accounts import verified_user


def app(site: Site) -> Flask:
    """A guarded view, and a sign-in as its documentation shows."""
    made = site.app("login", SECRET_KEY=site.secret)
    manager = LoginManager(made)

    @manager.user_loader
    def load(user_id: str) -> Any:
        return db.session.get(User, int(user_id))

    made.add_url_rule("/", view_func=login_required(lambda: "ok"), endpoint="view")
    made.add_url_rule("/login", view_func=_login, methods=["POST"])
    return made


def cookie(made: Flask, credentials: dict[str, str]) -> str:
    """Sign in and return the header ``Cookie`` of what follows."""
    (found,) = (value for name, value in expect(made, post("/login", credentials)).headers if name == "Set-Cookie")
    return found.partition(";")[0]


def _login() -> Any:
    user = verified_user()
    if user is None:
        return {"error": "Invalid credentials"}, 401
    login_user(user)
    return {"message": "Signed in"}
