"""Sessions, put together."""

from __future__ import annotations

from ...feature import Feature, Guard, Route
from ...web.dispatch import Call
from ...web.schemas import BodySchema
from .service import SessionService
from .tables import SessionMixin


class LogoutSchema(BodySchema):
    """Nothing is needed to sign out; members that mean nothing are refused."""


def logout(call: Call) -> dict[str, str]:
    """End the session of the token."""
    call.service.revoke(call.claims, reason="logout")
    return {"message": "Signed out"}


FEATURE = Feature(
    name="sessions",
    tables=(SessionMixin,),
    service=SessionService,
    routes=(Route("logout", "POST", "/auth/logout", logout, body=LogoutSchema, guard=Guard()),),
)
