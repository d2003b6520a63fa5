"""``flask secureauth check``: what is wrong with a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from flask_secureauth import BUILTIN, UserMixin
from flask_secureauth.db.doctor import examine
from tests.conftest import new_sqlalchemy
from tests.db.conftest import TABLES, kind_of, state_of

MARIADB = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
PING = {"pool_pre_ping": True}


def _examine(app: Flask) -> list[str]:
    state = state_of(app)
    with app.app_context():
        return examine(state.user_model, state.sqlalchemy)


def _execute(raw: Engine, *statements: str) -> None:
    with raw.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.every_database
def test_new_database_has_no_problems(make_app: Callable[..., Flask]) -> None:
    assert _examine(make_app(SQLALCHEMY_ENGINE_OPTIONS=PING)) == []


@pytest.mark.every_database
def test_check_exits_with_0_when_all_is_well(make_app: Callable[..., Flask]) -> None:
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=PING)

    result = app.test_cli_runner().invoke(args=["secureauth", "check"])

    assert (result.exit_code, result.output) == (0, "Settings and database are in order.\n")


@pytest.mark.every_database
def test_missing_table_is_named(make_app: Callable[..., Flask], raw: Engine) -> None:
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=PING)
    _execute(raw, "DROP TABLE secureauth_sessions")

    (problem,) = _examine(app)

    assert problem.startswith("The table secureauth_sessions is missing: ")
    assert "flask db upgrade" in problem


@pytest.mark.every_database
def test_check_exits_with_1_on_a_problem(make_app: Callable[..., Flask], raw: Engine) -> None:
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=PING)
    _execute(raw, *(f"DROP TABLE {table}" for table in (*TABLES, "users")))

    result = app.test_cli_runner().invoke(args=["secureauth", "check"])

    assert result.exit_code == 1
    assert "The table users is missing" in result.output
    assert f"{len(TABLES) + 1} to mend." in result.output


@pytest.mark.every_database
def test_missing_columns_are_named(make_app: Callable[..., Flask], raw: Engine) -> None:
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=PING)
    _execute(
        raw,
        "ALTER TABLE users DROP COLUMN updated_at",
        "ALTER TABLE users DROP COLUMN created_at",
        "ALTER TABLE secureauth_sessions DROP COLUMN revoked_at",
    )

    problems = _examine(app)

    assert [problem.partition(":")[0] for problem in problems] == [
        "The table users has no column created_at, updated_at",
        "The table secureauth_sessions has no column revoked_at",
    ]


@pytest.mark.every_database
def test_lost_connections_are_foreseen_on_servers(make_app: Callable[..., Flask], database_url: str) -> None:
    """M17: without pool_pre_ping the first request after a pause meets a dead connection."""
    db = new_sqlalchemy()
    app = make_app(before=db.init_app, secure_auth={"db": db})
    with app.app_context():
        db.create_all()

    problems = _examine(app)

    assert len(problems) == (0 if kind_of(database_url) == "sqlite" else 1)
    assert all("pool_pre_ping" in problem for problem in problems)


@MARIADB
def test_table_without_transactions_is_named(make_app: Callable[..., Flask], raw: Engine) -> None:
    """M16: MyISAM ignores transactions and foreign keys."""
    features = tuple(feature for feature in BUILTIN if feature.name == "sessions")
    app = make_app(secure_auth={"features": features}, SQLALCHEMY_ENGINE_OPTIONS=PING)
    _execute(
        raw,
        "CREATE TABLE copied LIKE secureauth_sessions",
        "DROP TABLE secureauth_sessions",
        "ALTER TABLE users ENGINE=MyISAM",
        "RENAME TABLE copied TO secureauth_sessions",
        "ALTER TABLE secureauth_sessions ENGINE=Aria",
    )

    problems = _examine(app)

    assert [problem.partition(",")[0] for problem in problems] == [
        "The table users is MyISAM",
        "The table secureauth_sessions is Aria",
    ]
    _execute(raw, *(problem.partition(": ")[2].rstrip(".") for problem in problems))
    assert _examine(app) == []


@MARIADB
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "ascii"])
def test_table_of_a_small_character_set_is_named(make_app: Callable[..., Flask], raw: Engine, charset: str) -> None:
    """M4: what such a table cannot hold is refused or altered. The advice works as it is written."""
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS=PING)
    _execute(raw, f"ALTER TABLE users CONVERT TO CHARACTER SET {charset}")

    (problem,) = _examine(app)

    assert problem.startswith("The table users is not utf8mb4: ALTER TABLE users ")
    _execute(raw, problem.partition(": ")[2].rstrip("."))
    assert _examine(app) == []


@MARIADB
@pytest.mark.parametrize("mode", ["", "ANSI", "NO_ENGINE_SUBSTITUTION"])
def test_lax_mode_is_named(make_app: Callable[..., Flask], mode: str) -> None:
    """M5: without its strict mode MySQL cuts what does not fit."""
    connect = {"init_command": f"SET SESSION sql_mode='{mode}'"}
    app = make_app(SQLALCHEMY_ENGINE_OPTIONS={**PING, "connect_args": connect})

    (problem,) = _examine(app)

    assert problem == "MySQL cuts values that do not fit: add STRICT_TRANS_TABLES to sql_mode."


@MARIADB
@pytest.mark.parametrize("mode", ["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "TRADITIONAL"])
def test_strict_mode_is_no_problem(make_app: Callable[..., Flask], mode: str) -> None:
    """M5: every strict mode will do."""
    connect = {"init_command": f"SET SESSION sql_mode='{mode}'"}

    assert _examine(make_app(SQLALCHEMY_ENGINE_OPTIONS={**PING, "connect_args": connect})) == []


@MARIADB
def test_connection_of_a_small_character_set_is_named(make_app: Callable[..., Flask], database_url: str) -> None:
    """M4: the connection has a character set of its own."""
    url = f"{database_url}?charset=latin1"
    app = make_app(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=PING)

    (problem,) = _examine(app)

    assert "charset=utf8mb4" in problem


@MARIADB
def test_tables_of_a_user_model_with_another_name_are_examined(make_app: Callable[..., Flask], raw: Engine) -> None:
    """The table is the model's, whatever it is called."""
    db = new_sqlalchemy()

    class Member(UserMixin, db.Model):
        __tablename__ = "Club Members"

    secure_auth: dict[str, Any] = {"db": db, "user_model": Member}
    app = make_app(before=db.init_app, secure_auth=secure_auth, SQLALCHEMY_ENGINE_OPTIONS=PING)
    with app.app_context():
        db.create_all()
    assert _examine(app) == []
    _execute(raw, "ALTER TABLE `Club Members` CONVERT TO CHARACTER SET utf8mb3")

    (problem,) = _examine(app)

    assert problem.startswith("The table Club Members is not utf8mb4")


@pytest.mark.parametrize(
    "url", ["mysql+pymysql://root@127.0.0.1:1/none", "postgresql+psycopg://postgres@127.0.0.1:1/none"]
)
def test_server_that_does_not_answer_is_the_only_problem(make_app: Callable[..., Flask], url: str) -> None:
    """The check says so, and shows no traceback."""
    db = new_sqlalchemy()
    app = make_app(before=db.init_app, secure_auth={"db": db}, SQLALCHEMY_DATABASE_URI=url)

    (problem,) = _examine(app)

    assert problem.startswith("The database does not answer: ")
