"""What the feature refuses with."""

from __future__ import annotations

from http import HTTPStatus

from ...errors import AuthError


class SessionNotFound(AuthError):
    """The user has no living session of this id; somebody else's is no different from one that never was."""

    code = HTTPStatus.NOT_FOUND
    error_code = "sessions.not_found"
    sentence = "Session not found"
