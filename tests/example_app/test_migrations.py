"""The schema: built from nothing, taken down and up again, and equal to what the models declare."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import inspect
from sqlalchemy.schema import CreateTable

from example_app.models import db
from tests.conftest import sign_in, sign_up
from tests.example_app.conftest import run_command


def tables(app: Flask) -> set[str]:
    with app.app_context():
        return set(inspect(db.engine).get_table_names())


@pytest.mark.every_database
def test_upgrade_from_nothing_leaves_nothing_to_migrate(example: Flask) -> None:
    assert tables(example) == {"alembic_version", *db.metadata.tables}
    run_command(example, "db", "check")


@pytest.mark.every_database
def test_upgrade_from_nothing_passes_the_check(example: Flask) -> None:
    assert "in order" in run_command(example, "secureauth", "check")


@pytest.mark.every_database
def test_upgrade_again_keeps_what_is_there(example: Flask) -> None:
    sign_up(example.test_client())

    run_command(example, "db", "upgrade")

    assert sign_in(example.test_client())


@pytest.mark.every_database
def test_downgrade_takes_everything_down(example: Flask) -> None:
    run_command(example, "db", "downgrade", "base")

    assert tables(example) == {"alembic_version"}


@pytest.mark.every_database
def test_upgrade_after_downgrade_leaves_nothing_to_migrate(example: Flask) -> None:
    run_command(example, "db", "downgrade", "base")
    run_command(example, "db", "upgrade")

    run_command(example, "db", "check")
    sign_up(example.test_client())


@pytest.mark.every_database
def test_downgrade_by_one_keeps_the_users(example: Flask) -> None:
    sign_up(example.test_client())

    run_command(example, "db", "downgrade", "0001")
    run_command(example, "db", "upgrade")

    assert sign_in(example.test_client())


@pytest.mark.every_database
@pytest.mark.parametrize(("reached", "noted"), [("0001", "base"), ("0002", "0001"), ("0002", "base")])
def test_interrupted_upgrade_can_be_run_again(make_example: Callable[..., Flask], reached: str, noted: str) -> None:
    """MySQL commits after each statement, so a crash leaves tables that no revision is noted for (M16)."""
    app = make_example()
    run_command(app, "db", "upgrade", reached)
    run_command(app, "db", "stamp", noted)

    run_command(app, "db", "upgrade")

    run_command(app, "db", "check")


@pytest.mark.every_database
def test_interrupted_upgrade_makes_a_missing_index(make_example: Callable[..., Flask]) -> None:
    app = make_example()
    run_command(app, "db", "upgrade", "0001")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(CreateTable(db.metadata.tables["secureauth_sessions"]))

    run_command(app, "db", "upgrade")

    run_command(app, "db", "check")


@pytest.mark.every_database
def test_upgrade_without_a_connection_prints_the_schema(make_example: Callable[..., Flask]) -> None:
    app = make_example()

    printed = run_command(app, "db", "upgrade", "--sql")

    assert "CREATE TABLE users" in printed
    assert "CREATE TABLE secureauth_sessions" in printed
    assert tables(app) == set()
