"""Configuration from ``.env`` and the environment; with neither, SQLite and secrets made once."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from sqlalchemy import URL

from flask_secureauth import ConfigurationError
from flask_secureauth.core.keys import weakness
from flask_secureauth.db.embedded import database_url as parse_url
from flask_secureauth.db.embedded import engine_options, keep_private

SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY")


def read_config(instance: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the Flask configuration. ``environment`` stands in for ``.env`` and ``os.environ``."""
    values = read_environment() if environment is None else environment
    problems = _weak_secrets(values)
    try:
        url = database_url(values, instance)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return {
        **_secrets(values, instance),
        "DEBUG": values.get("DEBUG", "").strip().lower() in ("1", "true", "yes", "on"),
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url),
        # The contract's only password rule is its length, so the pages warn instead of refusing.
        "SECUREAUTH_PASSWORD_REFUSE_COMMON": False,
        "SECUREAUTH_PASSWORD_REFUSE_CONTEXT": False,
    }


def database_url(values: Mapping[str, str], instance: Path) -> URL:
    """``DATABASE_URL``, or MySQL on ``DB_HOST``, or SQLite in the instance folder."""
    if values.get("DATABASE_URL"):
        return parse_url(values["DATABASE_URL"], setting="DATABASE_URL")
    if values.get("DB_HOST"):
        return _mysql_url(values)
    file = instance / "example.sqlite3"
    keep_private(file)
    return URL.create("sqlite", database=str(file))


def _mysql_url(values: Mapping[str, str]) -> URL:
    problems = [f"DB_HOST is set and {name} is not." for name in ("DB_USER", "DB_NAME") if not values.get(name)]
    port = values.get("DB_PORT") or "3306"
    if not port.isascii() or not port.isdigit():
        problems.append("DB_PORT must be a number.")
    if problems:
        raise ConfigurationError(problems)
    return URL.create(
        "mysql+pymysql",
        username=values["DB_USER"],
        password=values.get("DB_PASSWORD") or None,
        host=values["DB_HOST"],
        port=int(port),
        database=values["DB_NAME"],
    )


def read_environment() -> dict[str, str]:
    """Return ``.env`` of the current folder, overruled by the environment."""
    from_file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return {**from_file, **os.environ}


def _weak_secrets(values: Mapping[str, str]) -> list[str]:
    weak = {name: weakness(values[name].encode()) for name in SECRETS if values.get(name)}
    return [f"{name}: {why}; 'flask secureauth generate-key' prints a good one." for name, why in weak.items() if why]


def _secrets(values: Mapping[str, str], instance: Path) -> dict[str, str]:
    """Both secrets as configured; those that are not are made once and kept in the instance folder."""
    configured = {name: values[name] for name in SECRETS if values.get(name)}
    if len(configured) == len(SECRETS):
        return configured
    return {**_kept_secrets(instance / "secrets.json"), **configured}


def _kept_secrets(file: Path) -> dict[str, str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        made = json.dumps({name: secrets.token_urlsafe(32) for name in SECRETS})
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            output.write(made)
        try:
            # A link either appears whole or not at all, so two workers that start together agree.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    kept: dict[str, str] = json.loads(file.read_text())
    return kept
