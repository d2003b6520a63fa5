"""Throttling, put together."""

from __future__ import annotations

from ...feature import Feature
from ...web.state import AuthState
from ...web.throttles import FAILURES, SPRAYING, NoThrottles, Throttles
from .cli import throttling
from .service import ThrottlingService
from .settings import ThrottlingSettings
from .tables import ThrottlingMixin


def _service(auth: AuthState) -> Throttles:
    return ThrottlingService(auth) if auth.settings["throttling"].enabled else NoThrottles()


FEATURE = Feature(
    name="throttling",
    settings=ThrottlingSettings,
    tables=(ThrottlingMixin,),
    service=_service,
    cli=(throttling,),
    purge=lambda service: service.purgeable(),
    throttles=(FAILURES, SPRAYING),
)
