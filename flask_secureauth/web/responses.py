"""Answers that no view gives: refusals, crashes, and unknown paths among ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as PlainResponse

from ..errors import AuthError, InternalError, NotAllowed, UnknownPath


def refuse(refusal: AuthError) -> PlainResponse:
    """The app-wide handler of our root class; an app's own handler of a subclass comes first."""
    return refusal.get_response(request.environ)


def crash(error: Exception) -> PlainResponse:
    """A bug, or an app's own schema or listener that failed. Flask has logged the traceback."""
    return refuse(InternalError())


def unknown_paths(app: Flask, paths: Iterable[str], prefix: str) -> Callable[[Response], Response]:
    """Return an ``after_request`` function: JSON for paths among ours that no rule knows.

    Among ours is everything below ``prefix``, or without one below the first segment of a route.
    An app that handles 404 or 405 itself keeps its own answers.
    """
    roots = {prefix} if prefix else {f"/{path.split('/')[1]}" for path in paths}
    below = tuple(f"{root}/" for root in roots)

    def answer(response: Response) -> Response:
        if response.status_code not in (404, 405):
            return response
        error = request.routing_exception
        is_ours = request.path in roots or request.path.startswith(below)
        if error is None or not is_ours or _is_handled(app, error):
            return response
        return app.make_response(refuse(_ours(error)))

    return answer


def _is_handled(app: Flask, error: HTTPException) -> bool:
    handlers = app.error_handler_spec[None]
    return any(kind in handlers[code] for code in (error.code, None) for kind in type(error).__mro__)


def _ours(error: HTTPException) -> AuthError:
    if isinstance(error, MethodNotAllowed):
        return NotAllowed(error.valid_methods)
    return UnknownPath()
