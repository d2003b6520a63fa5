"""Refusals of genuine tokens: the log says why."""

from __future__ import annotations

import logging

import pytest

from tests.attacks.forge import Forger
from tests.conftest import bearer


def test_token_of_a_user_who_is_gone_is_logged(forger: Forger, caplog: pytest.LogCaptureFixture) -> None:
    """J11, ASVS 16.3.1: a genuine token for nobody is refused, and the log says why."""
    caplog.set_level(logging.INFO, "flask_secureauth")

    forger.client.get("/guarded", headers=bearer(forger.token(claims={**forger.claims, "sub": "2"})))

    (record,) = caplog.records
    assert record.getMessage().startswith("token_refused reason='unknown user'")


def test_token_of_a_session_that_has_ended_is_logged(forger: Forger, caplog: pytest.LogCaptureFixture) -> None:
    """J19, ASVS 16.3.1: somebody uses a token after its owner signed out."""
    forger.client.post("/auth/logout", headers=bearer(forger.genuine))
    caplog.set_level(logging.INFO, "flask_secureauth")

    forger.client.get("/guarded", headers=bearer(forger.genuine))

    (record,) = caplog.records
    assert record.getMessage().startswith("token_refused reason='session ended'")
