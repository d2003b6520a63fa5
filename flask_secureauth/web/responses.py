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

    def answer(response: Response) -> Response:
        error = request.routing_exception
        if error is None or response.status_code not in (404, 405):
            return response
        if f"/{request.path.split('/')[1]}" not in roots and not (prefix and request.path.startswith(f"{prefix}/")):
            return response
        return response if _is_handled(app, error) else app.make_response(refuse(_ours(error)))

    return answer


def _is_handled(app: Flask, error: HTTPException) -> bool:
    handlers = app.error_handler_spec[None]
    return any(kind in handlers[code] for code in (error.code, None) for kind in type(error).__mro__)


def _ours(error: HTTPException) -> AuthError:
    if isinstance(error, MethodNotAllowed):
        return NotAllowed(error.valid_methods)
    return UnknownPath()
