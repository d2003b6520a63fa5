"""What the schemas of all features share."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields, validate


class BodySchema(Schema):
    """What a client may send: the declared members and no others. Source: ASVS 15.3.3."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "This member is not known."}


def required_text(label: str, **options: Any) -> fields.String:
    """A string that must be there and not be empty; its messages start with ``label``."""
    missing = f"{label} is required."
    return fields.String(
        required=True,
        validate=validate.Length(min=1, error=missing),
        error_messages={"required": missing, "null": missing, "invalid": f"{label} must be a string."},
        **options,
    )


class TokensSchema(Schema):
    """The tokens of a sign-in. ``expires_in`` is seconds."""

    access_token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer()
