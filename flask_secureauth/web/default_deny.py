"""``SECUREAUTH_DEFAULT_DENY``: a view that nobody thought of is closed, not open. Source: ASVS 8.1.1, 8.2.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, request
from werkzeug.routing import Rule

from ..feature import Guard
from .guard import GUARD, PUBLIC, authenticate
from .state import current_verification

_DENIED = Guard()


def describe_guard(rule: Rule) -> str:
    """Return in words who is let into a route of the current app."""
    guard = getattr(current_app.view_functions.get(rule.endpoint), GUARD, None)
    if guard is None:
        return "token (by default)" if current_verification().general.default_deny else "not guarded"
    if not isinstance(guard, Guard):
        return "public"
    extras = [
        "optional" if guard.optional else "",
        f"fresh {guard.fresh.total_seconds():.0f} s" if guard.fresh else "",
        f"in {' or '.join(guard.locations)}" if guard.locations else "",
    ]
    return ", ".join(["token", *filter(None, extras)])


def deny_by_default(app: Flask) -> None:
    """Ask for an access token before anything of ``app`` runs, unless the view has a guard or is public."""
    app.before_request_funcs.setdefault(None, []).insert(0, _deny)


def _deny() -> None:
    view = _view()
    if view is None:
        return
    # Asked here and once more by the view, which costs nothing: a decorator in between, a cache say, may have
    # been handed the mark of a guard that it does not always call.
    guard = getattr(view, GUARD, None)
    if guard is not PUBLIC:
        authenticate(guard if isinstance(guard, Guard) else _DENIED)


def _view() -> Callable[..., Any] | None:
    """The view that will answer; none for an unknown path, and for OPTIONS, which Flask answers by itself."""
    rule = request.url_rule
    if rule is None or (request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)):
        return None
    return current_app.view_functions.get(rule.endpoint)
