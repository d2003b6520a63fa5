"""The product's table of contents: the features, in the order in which they are built."""

from __future__ import annotations

from dataclasses import replace

from ..feature import Feature
from . import (
    account_deletion,
    account_export,
    email_change,
    email_verification,
    health,
    keys,
    login,
    one_time_tokens,
    password_change,
    password_reset,
    profile,
    reauthentication,
    registration,
)
from .audit import feature as audit
from .mail import feature as mail
from .sessions import feature as sessions
from .throttling import feature as throttling
from .user_import import feature as user_import

BUILTIN: tuple[Feature, ...] = (
    health.FEATURE,
    audit.FEATURE,
    throttling.FEATURE,
    registration.FEATURE,
    sessions.FEATURE,
    keys.FEATURE,
    login.FEATURE,
    one_time_tokens.FEATURE,
    mail.FEATURE,
    email_verification.FEATURE,
    reauthentication.FEATURE,
    password_change.FEATURE,
    password_reset.FEATURE,
    email_change.FEATURE,
    account_deletion.FEATURE,
    profile.FEATURE,
    account_export.FEATURE,
    user_import.FEATURE,
)

VERIFYING: Feature = replace(keys.FEATURE, requires=(), service=None, routes=())
"""What is left of them for an app that only verifies the tokens of another service: a look at its keys."""
