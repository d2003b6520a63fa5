"""Answers that no view gives: refusals, crashes, and unknown paths among ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed, NotFound, SecurityError
from werkzeug.wrappers import Response as PlainResponse

from ..errors import AuthError, InternalError, NotAllowed, UnknownPath, UntrustedHost

_OF_ROUTING: tuple[type[HTTPException], ...] = (NotFound, MethodNotAllowed, SecurityError, BadHost)


def refuse(refusal: AuthError) -> PlainResponse:
    """The app-wide handler of our root class; an app's own handler of a subclass comes first."""
    return refusal.get_response(request.environ)


def crash(error: Exception) -> PlainResponse:
    """A bug, or an app's own schema or listener that failed. Flask has logged the traceback."""
    return refuse(InternalError())


def answer_unknown_paths(app: Flask, paths: Iterable[str], prefix: str) -> None:
    """Answer with JSON for paths among ours that no rule knows, and for hosts that are not ours.

    Among ours is everything below ``prefix``, or without one below the first segment of a route.
    A handler of the app's own comes first: for the status, or for every HTTPException.
    """
    roots = {prefix} if prefix else {_root(path) for path in paths}
    below = tuple(f"{root}/" for root in roots)

    def answer(error: HTTPException) -> ResponseReturnValue:
        own = _handler_of_app(app, error, answer)
        if own is not None:
            return cast("ResponseReturnValue", app.ensure_sync(own)(error))
        is_ours = request.path in roots or request.path.startswith(below)
        return refuse(_ours(error)) if is_ours and request.routing_exception else error

    for kind in _OF_ROUTING:
        if kind not in app.error_handler_spec[None][kind.code]:
            app.register_error_handler(kind, answer)


def _root(path: str) -> str:
    first = f"/{path.split('/')[1]}"
    # Source: RFC 8615, what is below this one belongs to nobody.
    return path if first == "/.well-known" else first


def _handler_of_app(app: Flask, error: HTTPException, ours: Callable[..., Any]) -> Callable[..., Any] | None:
    """Flask looks for a status before it looks for a class, so a handler of HTTPException would be shadowed by ours."""
    of = app.error_handler_spec
    places = [of[name][status] for status in (error.code, None) for name in (*request.blueprints, None)]
    found = (handlers.get(kind) for handlers in places for kind in type(error).__mro__)
    return next((handler for handler in found if handler not in (None, ours)), None)


def _ours(error: HTTPException) -> AuthError:
    if isinstance(error, MethodNotAllowed):
        return NotAllowed(error.valid_methods)
    return UnknownPath() if isinstance(error, NotFound) else UntrustedHost()
