"""What the tests of the web share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

MakeDenied = Callable[..., Flask]


@pytest.fixture
def denied(make_app: Callable[..., Flask]) -> MakeDenied:
    """Return a function that builds an app with the setting; ``add`` adds its views."""

    def build(add: Callable[[Flask], Any] = lambda app: None, **settings: Any) -> Flask:
        return make_app(before=add, SECUREAUTH_DEFAULT_DENY=True, **settings)

    return build
