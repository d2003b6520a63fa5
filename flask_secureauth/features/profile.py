"""Profile: the signed-in user's own account."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from marshmallow import Schema, fields, missing
from sqlalchemy import inspect

from ..errors import AuthError
from ..feature import Feature, Guard, Route
from ..web.dispatch import Call
from ..web.state import current_auth


class UserNotFound(AuthError):
    """The token is genuine, and its user is gone."""

    code = HTTPStatus.NOT_FOUND
    error_code = "profile.user_not_found"
    sentence = "User not found"


def _key(user: Any) -> Any:
    (key,) = inspect(user).identity
    return key


def _email_verified(user: Any) -> Any:
    verified = current_auth().mailboxes.find_verified(user)
    return missing if verified is None else verified


class ProfileSchema(Schema):
    """What a user sees of the account. Add a field in a subclass to show a column of the app's own.

    ``email_verified`` is there where users are asked to prove their address.
    """

    id = fields.Function(_key)
    email = fields.String()
    email_verified = fields.Function(_email_verified)
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
