"""What an export shows of the mails to a user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from ...web.schemas import Moment

_OF_LINKS = ("token_id", "lifetime")
"""Parameters that come and go when a mail is composed."""


class MailExportSchema(Schema):
    """One mail. ``values`` are what it shows."""

    mail = fields.String(attribute="template")
    address = fields.String()
    queued_at = Moment(attribute="created_at")
    values = fields.Function(lambda row: _shown(json.loads(row.params)))


def _shown(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if name not in _OF_LINKS}
