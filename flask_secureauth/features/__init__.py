"""The product's table of contents: the features, in the order in which they are built."""

from __future__ import annotations

from ..feature import Feature
from . import health, login, profile, registration
from .sessions import feature as sessions

BUILTIN: tuple[Feature, ...] = (
    health.FEATURE,
    registration.FEATURE,
    sessions.FEATURE,
    login.FEATURE,
    profile.FEATURE,
)
