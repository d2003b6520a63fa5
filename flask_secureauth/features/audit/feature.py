"""The audit, put together."""

from __future__ import annotations

from typing import Any

from flask import request

from ...core.identifiers import is_identifier
from ...errors import InvalidInput
from ...events import Event
from ...feature import Feature, Guard, Route
from ...web.dispatch import Call
from ...web.logs import acting_client
from .cli import audit
from .schemas import AuditSchema
from .service import ENTRIES, AuditService
from .settings import AuditSettings
from .tables import AuditMixin

PAGE = 50


def show(call: Call) -> dict[str, Any]:
    """List what happened to the account of the token's user; the query's ``before`` is ``next`` of another answer."""
    before = request.args.get("before")
    if before is not None and not is_identifier(before):
        raise InvalidInput({"before": ["Must be the next of an earlier answer."]})
    found = call.service.page_of(call.user_id, before=before, limit=PAGE + 1)
    return {"events": found[:PAGE], "next": found[PAGE - 1].id if len(found) > PAGE else None}


def write(service: AuditService, event: Event) -> None:
    """Write an event down. One that names no client was caused by the request that is going on, if any."""
    service.add(event, client=getattr(event, "client", None) or acting_client())


FEATURE = Feature(
    name="audit",
    settings=AuditSettings,
    tables=(AuditMixin,),
    service=AuditService,
    routes=(Route("list", "GET", "/auth/audit", show, answer=AuditSchema, guard=Guard(live=True)),),
    handlers=dict.fromkeys(ENTRIES, write),
    cli=(audit,),
    purge=lambda service: {AuditMixin: service.purgeable()},
    export=AuditService.export,
)
