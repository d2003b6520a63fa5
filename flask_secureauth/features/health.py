"""Health: whether the app answers. For load balancers; it says nothing else and touches nothing."""

from __future__ import annotations

from ..feature import Feature, Route
from ..web.dispatch import Call


def show(call: Call) -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


FEATURE = Feature(name="health", routes=(Route("show", "GET", "/health", show),))
