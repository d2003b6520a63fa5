"""``flask secureauth``: in process, and as somebody types it for an app that cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import NoAppException, ScriptInfo
from flask.testing import FlaskClient
from sqlalchemy import text

from flask_secureauth import BUILTIN, ConfigurationError
from flask_secureauth.cli import secureauth
from flask_secureauth.core.secrets import weakness
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in, sign_up

ROOT = Path(__file__).parents[1]
MIGRATE = "run 'flask db migrate' and 'flask db upgrade', or db.create_all()."


def invoke(app: Flask, *arguments: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=["secureauth", *arguments], input=typed)


def test_generate_key_prints_a_key_that_is_accepted(app: Flask) -> None:
    first, second = invoke(app, "generate-key"), invoke(app, "generate-key")

    assert first.exit_code == 0
    assert first.output != second.output
    assert weakness(first.output.strip().encode()) is None


def test_check_of_an_app_in_order_says_so(app: Flask) -> None:
    result = invoke(app, "check")

    assert (result.exit_code, result.output) == (0, "Settings and database are in order.\n")


def test_check_names_missing_tables_and_exits_1(make_app: Callable[..., Flask]) -> None:
    app = make_app(before=new_sqlalchemy().init_app)

    result = invoke(app, "check")

    assert result.exit_code == 1
    tables = ["users", *(table.__tablename__ for feature in BUILTIN for table in feature.tables)]
    assert result.output.splitlines() == [
        *(f"- The table {table} is missing: {MIGRATE}" for table in tables),
        f"{len(tables)} to mend.",
    ]


@pytest.mark.every_database
def test_check_names_missing_columns_and_exits_1(app: Flask) -> None:
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.session.execute(text("ALTER TABLE secureauth_sessions DROP COLUMN revoke_reason"))
        db.session.commit()

    result = invoke(app, "check")

    assert result.exit_code == 1
    assert "- The table secureauth_sessions has no column revoke_reason" in result.output


def test_create_user_creates_an_account_that_signs_in(app: Flask, client: FlaskClient) -> None:
    result = invoke(app, "create-user", "kim@example.com", "--password", PASSWORD)

    assert (result.exit_code, result.output) == (0, "Created kim@example.com.\n")
    assert sign_in(client)


def test_create_user_asks_for_the_password_twice_and_does_not_show_it(app: Flask, client: FlaskClient) -> None:
    result = invoke(app, "create-user", "kim@example.com", typed=f"{PASSWORD}\n{PASSWORD}\n")

    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert sign_in(client)


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("kim", PASSWORD, "Error: Not a valid email address."),
        ("kim@example.com", "x-vul42", "Error: Password must be at least 8 characters long."),
        ("kai@example.com", PASSWORD, "Error: User already exists."),
    ],
)
def test_create_user_tells_what_is_wrong_and_exits_1(
    app: Flask, client: FlaskClient, email: str, password: str, message: str
) -> None:
    sign_up(client, "kai@example.com")

    result = invoke(app, "create-user", email, "--password", password)

    assert (result.exit_code, result.output.splitlines()[-1]) == (1, message)


def test_help_lists_the_commands(app: Flask) -> None:
    result = invoke(app, "--help")

    assert result.exit_code == 0
    assert {line.split()[0] for line in result.output.splitlines() if line.startswith("  ")} >= {
        "check",
        "create-user",
        "generate-key",
    }


def broken() -> Flask:
    raise ConfigurationError(["Set A.", "Set B."])


def absent() -> Flask:
    raise NoAppException("There is no app.")


@pytest.mark.parametrize(
    ("create_app", "output"),
    [
        (broken, "- Set A.\n- Set B.\n2 to mend.\n"),
        (absent, "Error: There is no app.\n"),
        (lambda: Flask("bare"), "- This app has no SecureAuth: call SecureAuth(app), or init_app(app).\n1 to mend.\n"),
    ],
    ids=["broken", "absent", "bare"],
)
def test_check_exits_1_for_what_is_no_working_app(create_app: Callable[[], Flask], output: str) -> None:
    result = CliRunner().invoke(secureauth, ["check"], obj=ScriptInfo(create_app=create_app))

    assert (result.exit_code, result.output) == (1, output)


@pytest.mark.parametrize("create_app", [broken, absent, lambda: Flask("bare")], ids=["broken", "absent", "bare"])
def test_help_lists_the_commands_of_our_features_without_an_app(create_app: Callable[[], Flask]) -> None:
    result = CliRunner().invoke(secureauth, ["--help"], obj=ScriptInfo(create_app=create_app))

    assert result.exit_code == 0
    assert "create-user" in result.output


GOOD = """
from flask import Flask
from flask_secureauth import SecureAuth

app = Flask(__name__)
app.config["SECRET_KEY"] = "9dX2mVq7wLr4TzKc8sYbHf3nUj6pEa1G"
app.config["SECUREAUTH_PASSWORD_HASH_METHOD"] = "scrypt:8192:8:10"
app.config["SECUREAUTH_MAIL_TRANSPORT"] = "console"
app.config["SECUREAUTH_PUBLIC_URL"] = "https://app.example"
app.debug = True
SecureAuth(app)
"""
BAD = GOOD.replace('"9dX2mVq7wLr4TzKc8sYbHf3nUj6pEa1G"', '"dev"').replace("HASH_METHOD", "HASH_METHODS")
NO_EXTENSION = GOOD.replace("SecureAuth(app)\n", "")


def flask(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``flask`` for an app in a file, as somebody types it."""
    (folder / "wsgi_app.py").write_text(source)
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi_app", "secureauth", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_of_a_good_app_exits_0(tmp_path: Path) -> None:
    result = flask(tmp_path, GOOD, "check")

    assert (result.returncode, result.stdout, result.stderr) == (0, "Settings and database are in order.\n", "")


def test_check_of_an_app_that_cannot_start_prints_each_problem_and_exits_1(tmp_path: Path) -> None:
    result = flask(tmp_path, BAD, "check")

    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "- SECUREAUTH_PASSWORD_HASH_METHODS is not a setting. Did you mean SECUREAUTH_PASSWORD_HASH_METHOD?",
        "- SECRET_KEY: it has 3 bytes, and a key needs at least 32 random ones; "
        "'flask secureauth generate-key' prints a good one.",
        "2 to mend.",
    ]
    assert "Traceback" not in result.stderr


def test_check_of_an_app_without_the_extension_exits_1(tmp_path: Path) -> None:
    result = flask(tmp_path, NO_EXTENSION, "check")

    assert result.returncode == 1
    assert "- This app has no SecureAuth: call SecureAuth(app), or init_app(app)." in result.stdout


def test_check_without_an_app_says_so_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    result = flask(tmp_path / "empty", "x = 1", "check")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


def test_generate_key_works_for_an_app_that_cannot_start(tmp_path: Path) -> None:
    result = flask(tmp_path, BAD, "generate-key")

    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.strip()) == 43
