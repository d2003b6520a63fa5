"""Configuration from ``.env`` and the environment, by the names of the contract."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from example_app import create_app
from example_app.config import read_config, read_environment
from flask_secureauth import ConfigurationError
from tests.conftest import dispose
from tests.example_app.conftest import JWT_SECRET_KEY, SECRET_KEY, SECRETS

MYSQL = {"DB_HOST": "db.example.com", "DB_USER": "shop", "DB_PASSWORD": "p@ss/w:rd", "DB_NAME": "shop"}


def url_of(config: dict[str, Any]) -> str:
    return str(config["SQLALCHEMY_DATABASE_URI"].render_as_string(hide_password=False))


def problems_of(instance: Path, environment: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        create_app(environment, instance_path=str(instance))
    return str(caught.value)


def test_nothing_configured_runs_on_sqlite_in_the_instance_folder(tmp_path: Path) -> None:
    assert url_of(read_config(tmp_path / "instance", {})) == f"sqlite:///{tmp_path}/instance/example.sqlite3"


def test_db_host_runs_on_mysql_through_pymysql(tmp_path: Path) -> None:
    config = read_config(tmp_path, {**SECRETS, **MYSQL})

    assert url_of(config) == "mysql+pymysql://shop:p%40ss%2Fw%3Ard@db.example.com:3306/shop"


def test_mysql_connection_is_strict_utf8mb4_and_checked_before_use(tmp_path: Path) -> None:
    """M4, M5, M17."""
    options = read_config(tmp_path, {**SECRETS, **MYSQL})["SQLALCHEMY_ENGINE_OPTIONS"]

    assert options["pool_pre_ping"] is True
    assert options["connect_args"]["charset"] == "utf8mb4"
    assert "STRICT_TRANS_TABLES" in options["connect_args"]["init_command"]


def test_mysql_on_another_machine_keeps_tls(tmp_path: Path) -> None:
    options = read_config(tmp_path, {**SECRETS, **MYSQL})["SQLALCHEMY_ENGINE_OPTIONS"]

    assert "ssl_disabled" not in options["connect_args"]


def test_mysql_port_can_be_set(tmp_path: Path) -> None:
    assert ":3307/" in url_of(read_config(tmp_path, {**SECRETS, **MYSQL, "DB_PORT": "3307"}))


def test_mysql_password_may_be_empty(tmp_path: Path) -> None:
    config = read_config(tmp_path, {**SECRETS, **MYSQL, "DB_PASSWORD": ""})

    assert url_of(config) == "mysql+pymysql://shop@db.example.com:3306/shop"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("mysql://u:p@h/n", "mysql+pymysql://u:p@h/n"),
        ("mariadb://u:p@h/n", "mysql+pymysql://u:p@h/n"),
        ("mysql+pymysql://u:p@h/n", "mysql+pymysql://u:p@h/n"),
        ("postgres://u:p@h/n", "postgresql+psycopg://u:p@h/n"),
        ("postgresql://u:p@h/n", "postgresql+psycopg://u:p@h/n"),
        ("sqlite:////tmp/x.sqlite3", "sqlite:////tmp/x.sqlite3"),
    ],
)
def test_database_url_names_the_database(tmp_path: Path, given: str, used: str) -> None:
    assert url_of(read_config(tmp_path, {**SECRETS, **MYSQL, "DATABASE_URL": given})) == used


@pytest.mark.parametrize(
    ("value", "debug"),
    [
        ("True", True),
        ("true", True),
        ("1", True),
        ("yes", True),
        (" on ", True),
        ("False", False),
        ("false", False),
        ("0", False),
        ("no", False),
        ("", False),
        ("release", False),
    ],
)
def test_debug_is_on_only_when_it_says_so(tmp_path: Path, value: str, debug: bool) -> None:
    assert read_config(tmp_path, {**SECRETS, "DEBUG": value})["DEBUG"] is debug


def test_debug_is_off_when_nothing_is_said(tmp_path: Path) -> None:
    assert read_config(tmp_path, SECRETS)["DEBUG"] is False


@pytest.mark.parametrize("name", ["DB_USER", "DB_NAME"])
def test_missing_mysql_setting_is_named(tmp_path: Path, name: str) -> None:
    environment = {**SECRETS, **MYSQL}
    del environment[name]

    assert f"DB_HOST is set and {name} is not." in problems_of(tmp_path, environment)


def test_every_missing_mysql_setting_is_named_at_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, {**SECRETS, "DB_HOST": "localhost", "DB_PORT": "http"})

    assert all(name in problems for name in ("DB_USER", "DB_NAME", "DB_PORT"))


def test_wrong_database_url_is_explained_without_showing_it(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, {**SECRETS, "DATABASE_URL": "shop:hunter2@db"})

    assert "DATABASE_URL is not a database URL such as mysql+pymysql://" in problems
    assert "hunter2" not in problems


@pytest.mark.parametrize(
    ("url", "module", "install"),
    [
        ("postgres://u:p@h/n", "psycopg", "flask-secureauth[postgresql]"),
        ("mysql://u:p@h/n", "pymysql", "flask-secureauth[mysql]"),
    ],
)
def test_database_url_without_its_driver_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, module: str, install: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    assert f"DATABASE_URL needs an extra: pip install '{install}'" in problems_of(tmp_path, {"DATABASE_URL": url})


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    environment = {
        "SECRET_KEY": "dev",
        "JWT_SECRET_KEY": "dev",
        "DB_HOST": "localhost",
        "MAIL_SERVER": "localhost",
        "TRUSTED_PROXIES": "all",
    }

    problems = problems_of(tmp_path, environment)

    names = ("SECRET_KEY: ", "JWT_SECRET_KEY: ", "DB_USER", "DB_NAME", "MAIL_DEFAULT_SENDER", "TRUSTED_PROXIES")
    assert all(name in problems for name in names)


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY"])
@pytest.mark.parametrize("value", ["dev", "jwt-dev-secret", "change-me-in-production-please-do-it-now", "a" * 64])
def test_weak_secret_is_refused_and_says_what_to_do(tmp_path: Path, name: str, value: str) -> None:
    """J21: a well-known or short key is found by brute force. Source: RFC 7518 section 3.2."""
    problems = problems_of(tmp_path, {**SECRETS, name: value})

    assert f"- {name}: " in problems
    assert "generate-key" in problems


def test_configured_secrets_are_used_and_nothing_is_written(tmp_path: Path) -> None:
    config = read_config(tmp_path / "instance", {**SECRETS, **MYSQL})

    assert (config["SECRET_KEY"], config["JWT_SECRET_KEY"]) == (SECRET_KEY, JWT_SECRET_KEY)
    assert not (tmp_path / "instance").exists()


def test_secrets_are_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    first = read_config(tmp_path, {})
    second = read_config(tmp_path, {})

    kept = tmp_path / "secrets.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text()) == {name: first[name] for name in SECRETS}
    assert {name: second[name] for name in SECRETS} == {name: first[name] for name in SECRETS}
    assert first["SECRET_KEY"] != first["JWT_SECRET_KEY"]


def test_one_configured_secret_leaves_the_other_to_be_made(tmp_path: Path) -> None:
    config = read_config(tmp_path, {"JWT_SECRET_KEY": JWT_SECRET_KEY})

    assert config["JWT_SECRET_KEY"] == JWT_SECRET_KEY
    assert config["SECRET_KEY"] == json.loads((tmp_path / "secrets.json").read_text())["SECRET_KEY"]


def test_made_secrets_are_good_enough_to_start(tmp_path: Path) -> None:
    app = create_app({}, instance_path=str(tmp_path))

    assert app.test_client().get("/health").json == {"status": "ok"}
    dispose(app)


def test_no_draft_of_the_secrets_stays(tmp_path: Path) -> None:
    read_config(tmp_path, {})

    assert {file.name for file in tmp_path.iterdir()} == {"secrets.json", "example.sqlite3"}


def test_workers_that_start_together_agree_on_the_secrets(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from example_app.config import read_config; sys.stdin.readline();"
        "print(read_config(pathlib.Path(sys.argv[1]), {})['JWT_SECRET_KEY'])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "instance")]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("\n")
        worker.stdin.flush()

    printed = {worker.communicate(timeout=60)[0] for worker in workers}

    assert len(printed) == 1
    assert len(printed.pop().strip()) >= 32


def test_env_file_is_read_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DB_HOST=db.example.com\nDB_USER='shop'\n# a comment\nDEBUG=True\n")
    monkeypatch.chdir(tmp_path)

    values = read_environment()

    assert (values["DB_HOST"], values["DB_USER"], values["DEBUG"]) == ("db.example.com", "shop", "True")


def test_environment_overrules_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DB_HOST=from-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_HOST", "from-environment")

    assert read_environment()["DB_HOST"] == "from-environment"


def test_env_example_starts_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a newcomer copies must not stop the app."""
    example = Path(__file__).parents[2] / ".env.example"
    (tmp_path / ".env").write_text(example.read_text())
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"^(\w+)=", example.read_text(), re.MULTILINE):
        monkeypatch.delenv(name, raising=False)

    config = read_config(tmp_path / "instance", read_environment())

    assert url_of(config).startswith("sqlite:///")
    assert config["DEBUG"] is False
    assert config["SECRET_KEY"]


def test_password_rule_is_the_length_alone(tmp_path: Path) -> None:
    config = read_config(tmp_path, SECRETS)

    assert config["SECUREAUTH_PASSWORD_REFUSE_COMMON"] is False
    assert config["SECUREAUTH_PASSWORD_REFUSE_CONTEXT"] is False


MAIL = {"MAIL_SERVER": "mail.example.com", "MAIL_DEFAULT_SENDER": "app@example.com"}


def test_mail_is_printed_without_a_server(tmp_path: Path) -> None:
    assert read_config(tmp_path, SECRETS)["SECUREAUTH_MAIL_TRANSPORT"] == "console"


def test_mail_goes_to_the_server(tmp_path: Path) -> None:
    account = {"MAIL_USERNAME": "app", "MAIL_PASSWORD": "p@ss", "MAIL_USE_TLS": "True"}

    config = read_config(tmp_path, {**SECRETS, **MAIL, **account})

    assert config["SECUREAUTH_MAIL_TRANSPORT"] == "flask_mail"
    assert {name: value for name, value in config.items() if name.startswith("MAIL_")} == {
        **MAIL,
        **account,
        "MAIL_PORT": 587,
        "MAIL_USE_TLS": True,
        "MAIL_USE_SSL": False,
    }


@pytest.mark.parametrize(
    ("given", "port"),
    [({}, 25), ({"MAIL_USE_TLS": "yes"}, 587), ({"MAIL_USE_SSL": "1"}, 465), ({"MAIL_PORT": "2525"}, 2525)],
)
def test_port_of_the_mail_server_follows_its_encryption(tmp_path: Path, given: dict[str, str], port: int) -> None:
    assert read_config(tmp_path, {**SECRETS, **MAIL, **given})["MAIL_PORT"] == port


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"MAIL_DEFAULT_SENDER": ""}, "MAIL_DEFAULT_SENDER, the address that mails come from, is not."),
        ({"MAIL_PORT": "smtp"}, "MAIL_PORT must be a number"),
        ({"MAIL_USERNAME": "app"}, "MAIL_USERNAME and MAIL_PASSWORD go together"),
        ({"MAIL_PASSWORD": "app"}, "MAIL_USERNAME and MAIL_PASSWORD go together"),
        ({"MAIL_USE_TLS": "tls"}, "MAIL_USE_TLS must be True or False."),
        ({"MAIL_USE_SSL": "ssl"}, "MAIL_USE_SSL must be True or False."),
        ({"MAIL_USE_TLS": "1", "MAIL_USE_SSL": "1"}, "MAIL_USE_TLS and MAIL_USE_SSL exclude each other"),
        ({"PUBLIC_URL": "http://app.example"}, "PUBLIC_URL must be a URL such as https://app.example"),
        ({"PUBLIC_URL": "app.example"}, "PUBLIC_URL must be a URL such as https://app.example"),
        ({"TRUSTED_PROXIES": "-1"}, "TRUSTED_PROXIES must be the number of proxies"),
        ({"TRUSTED_PROXIES": "17"}, "TRUSTED_PROXIES must be the number of proxies"),
        ({"TRUSTED_PROXIES": "10.0.0.1"}, "TRUSTED_PROXIES must be the number of proxies"),
        ({"EMAIL_VERIFICATION": "yes"}, "EMAIL_VERIFICATION must be one of off, optional, required."),
    ],
)
def test_wrong_setting_for_mail_or_visitors_is_explained(tmp_path: Path, given: dict[str, str], problem: str) -> None:
    assert problem in problems_of(tmp_path, {**SECRETS, **MAIL, **given})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"PORT": "8080"}, "http://127.0.0.1:8080"),
        ({"PORT": "0"}, "http://127.0.0.1:5000"),
        ({"PORT": "8080", "PUBLIC_URL": "https://app.example"}, "https://app.example"),
    ],
)
def test_links_begin_where_visitors_find_the_app(tmp_path: Path, given: dict[str, str], url: str) -> None:
    assert read_config(tmp_path, {**SECRETS, **given})["SECUREAUTH_PUBLIC_URL"] == url


def test_visitors_are_trusted_as_far_as_it_is_said(tmp_path: Path) -> None:
    config = read_config(tmp_path, {**SECRETS, "TRUSTED_PROXIES": "2", "EMAIL_VERIFICATION": " Required "})

    assert config["SECUREAUTH_TRUSTED_PROXIES"] == 2
    assert config["SECUREAUTH_EMAIL_VERIFICATION_MODE"] == "required"


def test_nothing_said_keeps_the_contract_of_registration(tmp_path: Path) -> None:
    config = read_config(tmp_path, SECRETS)

    assert (config["SECUREAUTH_TRUSTED_PROXIES"], config["SECUREAUTH_EMAIL_VERIFICATION_MODE"]) == (0, "off")


def test_secureauth_check_reports_a_weak_secret(tmp_path: Path) -> None:
    """The command works for an app that cannot start."""
    environment = {**os.environ, **SECRETS, "JWT_SECRET_KEY": "secret", "DATABASE_URL": f"sqlite:///{tmp_path}/x"}
    command = [sys.executable, "-m", "flask", "--app", "example_app", "secureauth", "check"]

    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert result.returncode == 1
    assert "JWT_SECRET_KEY" in result.stdout
    assert "Traceback" not in result.stderr
