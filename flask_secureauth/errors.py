"""Everything that is raised. One tree:

::

    SecureAuthError
    ├── ConfigurationError          raised once, at start, with every problem
    └── AuthError                   a refusal, which becomes an HTTP answer
        ├── InvalidInput            400
        ├── MalformedBody           400
        ├── OneTimeTokenInvalid     400
        ├── RepeatedCookie          400
        ├── UntrustedHost           400
        ├── BodyTooLarge            413
        ├── UnsupportedContentType  415
        ├── NotAuthenticated        401
        │   ├── TokenMissing
        │   ├── TokenInvalid
        │   ├── TokenExpired
        │   ├── SessionRevoked
        │   ├── RefreshTokenMissing
        │   ├── RefreshTokenInvalid
        │   └── RefreshTokenReused
        ├── FreshLoginRequired      403
        ├── CsrfFailed              403
        ├── WrongPassword           403
        ├── UnknownPath             404
        ├── NotAllowed              405
        ├── TooManyRequests         429
        ├── InternalError           500
        ├── ServiceBusy             503
        ├── DatabaseUnavailable     503
        ├── KeysUnavailable         503
        └── each feature's own, beside its code
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, cast

from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROBLEM_JSON = "application/problem+json"

ANSWER_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Vary", "Accept, Authorization, Cookie"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Headers of every answer of ours. Source: ASVS 3.2.1, 3.4.4, 3.4.6, 14.3.2."""


class SecureAuthError(Exception):
    """The root of what this package raises."""


class ConfigurationError(SecureAuthError):
    """The app cannot start like this: ``problems`` are sentences, ``causes`` the exceptions behind some of them."""

    def __init__(self, problems: Iterable[str], causes: Iterable[Exception] = ()) -> None:
        self.problems = tuple(problems)
        self.causes = tuple(causes)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"flask_secureauth is not configured correctly:{lines}")


class AuthError(SecureAuthError, HTTPException):
    """A refusal. ``code`` is the HTTP status (400 unless said), ``error_code`` what a client's program looks at.

    It is an :exc:`~werkzeug.exceptions.HTTPException`, so an extension that takes over an app's
    error handling still answers with this status and not with 500.
    """

    code: int | None = None  # None here, or Flask would file a handler of all refusals under one status.
    error_code: ClassVar[str]
    sentence: ClassVar[str]
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.code = self.code or HTTPStatus.BAD_REQUEST

    @property
    def data(self) -> dict[str, Any]:
        """The members of the JSON answer. Flask-RESTful reads them under this name."""
        return {"error": self.description, "code": self.error_code}

    def get_body(self, environ: WSGIEnvironment | None = None, scope: dict[str, Any] | None = None) -> str:
        """The answer's JSON; RFC 9457 for a client that asks for it."""
        members = self.data
        if _wants_problem(environ):
            status = HTTPStatus(cast("int", self.code))
            members = {
                "type": "about:blank",
                "title": status.phrase,
                "status": status,
                "detail": self.description,
            } | members
        return json.dumps(members) + "\n"

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """The answer's headers."""
        content_type = PROBLEM_JSON if _wants_problem(environ) else "application/json"
        return [("Content-Type", content_type), *ANSWER_HEADERS, *self.headers]


def _wants_problem(environ: WSGIEnvironment | None) -> bool:
    accept = environ.get("HTTP_ACCEPT", "") if environ else ""
    if PROBLEM_JSON not in accept.lower():
        return False
    return parse_accept_header(accept, MIMEAccept).best_match(["application/json", PROBLEM_JSON]) == PROBLEM_JSON


class InvalidInput(AuthError):
    """The body breaks a rule. ``fields`` maps each member to its sentences."""

    code = HTTPStatus.BAD_REQUEST
    error_code = "invalid_input"
    sentence = "The request is not valid."

    def __init__(self, fields: Mapping[str, list[str]], sentence: str | None = None) -> None:
        messages = [message for of_field in fields.values() for message in of_field]
        super().__init__(sentence or (messages[0] if len(messages) == 1 else None))
        self.fields = fields

    @property
    def data(self) -> dict[str, Any]:
        return {**super().data, "fields": self.fields}


class MalformedBody(AuthError):
    """The body is not a JSON object that every parser reads alike."""

    code = HTTPStatus.BAD_REQUEST
    error_code = "malformed_body"
    sentence = "The body must be a JSON object."


class OneTimeTokenInvalid(AuthError):
    """The token of a mailed link is unknown, used, expired or void: one answer for all."""

    code = HTTPStatus.BAD_REQUEST
    error_code = "one_time_token_invalid"
    sentence = "This link is not valid any more. Ask for a new one."


class BodyTooLarge(AuthError):
    """The body is larger than ``SECUREAUTH_MAX_CONTENT_LENGTH`` or the app's ``MAX_CONTENT_LENGTH``."""

    code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    error_code = "body_too_large"
    sentence = "The body is too large."


class UnsupportedContentType(AuthError):
    """The body is not declared as JSON in UTF-8."""

    code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    error_code = "unsupported_content_type"
    sentence = "Send JSON with Content-Type: application/json."


class RepeatedCookie(AuthError):
    """A cookie of ours came twice: one of the two was planted, and nobody can tell which."""

    code = HTTPStatus.BAD_REQUEST
    error_code = "repeated_cookie"
    sentence = "A cookie was sent twice. Delete this site's cookies and sign in again."


class NotAuthenticated(AuthError):
    """The request does not prove who sends it."""

    code = HTTPStatus.UNAUTHORIZED
    headers = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)


class TokenMissing(NotAuthenticated):
    """No access token came with the request."""

    error_code = "token_missing"
    sentence = "Missing access token"
    # Source: RFC 6750 section 3.1: no error attribute when no credentials came.
    headers = (("WWW-Authenticate", "Bearer"),)


class TokenInvalid(NotAuthenticated):
    """The access token is not one of ours, or names a user who is gone."""

    error_code = "token_invalid"
    sentence = "Invalid access token"


class TokenExpired(NotAuthenticated):
    """The access token was genuine and its time is over: refresh and retry."""

    error_code = "token_expired"
    sentence = "Access token has expired"


class SessionRevoked(NotAuthenticated):
    """The session behind the access token has ended: sign in again."""

    error_code = "session_revoked"
    sentence = "Session has ended"


class RefreshTokenMissing(NotAuthenticated):
    """No refresh token came with the request."""

    error_code = "refresh_token_missing"
    sentence = "Missing refresh token"
    headers = (("WWW-Authenticate", "Bearer"),)


class RefreshTokenInvalid(NotAuthenticated):
    """The refresh token is not one of ours, or names a session or user who is gone."""

    error_code = "refresh_token_invalid"
    sentence = "Invalid refresh token"


class RefreshTokenReused(NotAuthenticated):
    """The refresh token was used before, so two parties hold it: its session has been ended.

    Source: RFC 9700 section 4.14.2.
    """

    error_code = "refresh_token_reused"
    sentence = "Refresh token was used before. The session has been ended; please sign in again."


class CsrfFailed(AuthError):
    """A request with a cookie does not prove that a page of this site sent it. Source: ASVS 3.5.1, 3.5.3."""

    code = HTTPStatus.FORBIDDEN
    error_code = "csrf_failed"
    sentence = "This request must come from this site, with the CSRF token of its session."


class FreshLoginRequired(AuthError):
    """The view wants a recent sign-in. Source: RFC 9470."""

    code = HTTPStatus.FORBIDDEN
    error_code = "fresh_login_required"
    sentence = "Please sign in again to do this"
    headers = (("WWW-Authenticate", 'Bearer error="insufficient_user_authentication"'),)


class WrongPassword(AuthError):
    """A signed-in user was asked for the password and gave another one. The session goes on, so this is no 401."""

    code = HTTPStatus.FORBIDDEN
    error_code = "wrong_password"
    sentence = "Wrong password"


class UntrustedHost(AuthError):
    """The ``Host`` of the request is not among Flask's ``TRUSTED_HOSTS``, or not the name of any host."""

    code = HTTPStatus.BAD_REQUEST
    error_code = "untrusted_host"
    sentence = "This site is not served under that host name."


class UnknownPath(AuthError):
    """No route has this path."""

    code = HTTPStatus.NOT_FOUND
    error_code = "not_found"
    sentence = "Not found"


class NotAllowed(AuthError):
    """The path is known, the method is not."""

    code = HTTPStatus.METHOD_NOT_ALLOWED
    error_code = "method_not_allowed"
    sentence = "Method not allowed"

    def __init__(self, methods: Iterable[str] | None) -> None:
        super().__init__()
        self.headers = (("Allow", ", ".join(sorted(methods or ()))),)


class TooManyRequests(AuthError):
    """Something was tried too often. Source: RFC 6585 section 4; ``Retry-After`` is seconds, from 1 on."""

    code = HTTPStatus.TOO_MANY_REQUESTS
    error_code = "too_many_requests"
    sentence = "Too many attempts. Try again later."

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.headers = (("Retry-After", str(max(1, ceil(seconds)))),)


class InternalError(AuthError):
    """A crash. The traceback is in the log, never in an answer."""

    code = HTTPStatus.INTERNAL_SERVER_ERROR
    error_code = "internal_error"
    sentence = "Internal Server Error"


class ServiceBusy(AuthError):
    """Too many passwords are being checked at once."""

    code = HTTPStatus.SERVICE_UNAVAILABLE
    error_code = "service_busy"
    sentence = "Too many requests with a password at once. Try again in a moment."
    headers = (("Retry-After", "2"),)


class DatabaseUnavailable(AuthError):
    """The database, or the store of the throttles, does not answer."""

    code = HTTPStatus.SERVICE_UNAVAILABLE
    error_code = "database_unavailable"
    sentence = "The service is unavailable for the moment. Try again shortly."
    headers = (("Retry-After", "5"),)


class KeysUnavailable(AuthError):
    """A service that only verifies tokens cannot get the keys to verify them with."""

    code = HTTPStatus.SERVICE_UNAVAILABLE
    error_code = "keys_unavailable"
    sentence = "The service is unavailable for the moment. Try again shortly."
    headers = (("Retry-After", "30"),)
