"""What the owner of an account sees."""

from __future__ import annotations

from marshmallow import Schema, fields

from ...core.devices import describe_device
from ...web.schemas import Moment


class AuditEventSchema(Schema):
    """One event. ``device`` is a guess from what the client calls itself, ``address`` its network."""

    at = Moment()
    event = fields.String()
    reason = fields.String()
    address = fields.String()
    device = fields.Function(lambda row: describe_device(row.user_agent))


class AuditSchema(Schema):
    """A page of events, newest first. ``next`` is the ``before`` of the next page, ``None`` on the last one."""

    events = fields.Nested(AuditEventSchema, many=True)
    next = fields.String()
