"""What is sent to the routes of sessions, and what they show."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ...core.devices import describe_device
from ...web.schemas import BodySchema, Moment

SCOPES = ("local", "others", "global")


class LogoutSchema(BodySchema):
    """Which sessions a sign-out ends."""

    scope = fields.String(
        load_default="local",
        validate=validate.OneOf(SCOPES, error=f"One of {', '.join(SCOPES)}."),
        error_messages={"invalid": "Scope must be a string."},
    )


class RefreshSchema(BodySchema):
    """A refresh token, where it does not travel in a cookie."""

    refresh_token = fields.String(load_default=None, error_messages={"invalid": "Refresh token must be a string."})


class SessionSchema(Schema):
    """One sign-in as its user sees it. ``device`` is a guess from what the client calls itself."""

    id = fields.String()
    current = fields.Boolean()
    device = fields.Function(lambda session: describe_device(session.user_agent))
    address = fields.String()
    methods = fields.Function(lambda session: session.methods.split())
    created_at = Moment()
    last_used_at = Moment()
    expires_at = Moment()


class SessionsSchema(Schema):
    """All sessions of a user."""

    sessions = fields.Nested(SessionSchema, many=True)


class SessionExportSchema(Schema):
    """What a session's row says of its user: no nonce and no name of a key."""

    id = fields.String()
    created_at = Moment()
    authenticated_at = Moment()
    last_used_at = Moment()
    expires_at = Moment()
    revoked_at = Moment()
    revoke_reason = fields.String()
    methods = fields.String()
    remembered = fields.Boolean()
    address = fields.String()
    user_agent = fields.String()
