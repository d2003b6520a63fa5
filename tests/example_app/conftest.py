"""What the tests of the example app share: apps on an empty database, and its command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from example_app import create_app
from flask_secureauth.testing import CONFIG
from tests.conftest import dispose

SECRET_KEY = "kJ4vQ0cYx1Tn8mZr5uLw2sEa7bHd9fGp-first"
JWT_SECRET_KEY = "pX6yB3nRt0Vk9qWj2eMs8zCf5hUa1dLg-second"
SECRETS = {"SECRET_KEY": SECRET_KEY, "JWT_SECRET_KEY": JWT_SECRET_KEY}
CHEAP_HASH = {**CONFIG, "PROPAGATE_EXCEPTIONS": False}


@pytest.fixture
def make_example(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return a function that builds the example app on the empty database; ``cheap=False`` hashes as in earnest."""
    apps: list[Flask] = []

    def make(*, cheap: bool = True, **settings: Any) -> Flask:
        app = create_app(
            {**SECRETS, "DATABASE_URL": database_url},
            instance_path=str(tmp_path / "instance"),
            **{**(CHEAP_HASH if cheap else {}), **settings},
        )
        apps.append(app)
        return app

    yield make
    for app in apps:
        dispose(app)


@pytest.fixture
def example(make_example: Callable[..., Flask]) -> Flask:
    """The example app, its database migrated."""
    app = make_example()
    run_command(app, "db", "upgrade")
    return app


@pytest.fixture
def example_client(example: Flask) -> FlaskClient:
    """A client of ``example``."""
    return example.test_client()


def run_command(app: Flask, *arguments: str, exit_code: int = 0) -> str:
    """Run a ``flask`` command on ``app`` and return what it prints."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == exit_code, (result.output, result.exception)
    return str(result.output)
