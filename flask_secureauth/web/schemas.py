"""What the schemas of all features share."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from ..db.mixins import from_column


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


class StrictBoolean(fields.Boolean):
    """``true`` or ``false``, and nothing that only looks like it. Source: ASVS 15.3.5."""

    default_error_messages = {"invalid": "Must be true or false."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Moment(fields.AwareDateTime):
    """A column's naive UTC time, with its offset, as ISO 8601 has it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="iso", **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> Any:
        return super()._serialize(from_column(value), attr, obj, **options)


class TokensSchema(Schema):
    """The tokens of a sign-in; those that travel in cookies are not here. ``expires_in`` is seconds."""

    access_token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer()
    refresh_token = fields.String()
