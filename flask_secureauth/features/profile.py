"""Profile: the signed-in user's own account."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from marshmallow import Schema, fields
from sqlalchemy import inspect

from ..errors import AuthError
from ..feature import Feature, Guard, Route
from ..web.dispatch import Call


class UserNotFound(AuthError):
    """The token is genuine, and its user is gone."""

    code = HTTPStatus.NOT_FOUND
    error_code = "profile.user_not_found"
    sentence = "User not found"


def _key(user: Any) -> Any:
    (key,) = inspect(user).identity
    return key


class ProfileSchema(Schema):
    """What a user sees of the account. Add a field in a subclass to show a column of the app's own."""

    id = fields.Function(_key)
    email = fields.String()
    created_at = fields.AwareDateTime(format="iso")


def show(call: Call) -> Any:
    """Show the account."""
    return call.user


FEATURE = Feature(
    name="profile",
    routes=(
        Route(
            "show",
            "GET",
            "/users/me",
            show,
            answer=ProfileSchema,
            guard=Guard(unknown_user=UserNotFound),
            errors=(UserNotFound,),
        ),
    ),
)
