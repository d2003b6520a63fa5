"""Configuration from ``.env`` and the environment; with neither, SQLite and secrets made once."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from sqlalchemy import URL

from flask_secureauth import ConfigurationError
from flask_secureauth.core.secrets import weakness
from flask_secureauth.db.embedded import database_url as parse_url
from flask_secureauth.db.embedded import engine_options, keep_private
from flask_secureauth.setting_kinds import PUBLIC_URL, InvalidSetting

SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY")
PAGES = {
    "SECUREAUTH_EMAIL_CHANGE_PAGE": "/change-email.html",
    "SECUREAUTH_EMAIL_CHANGE_UNDO_PAGE": "/undo-email-change.html",
    "SECUREAUTH_EMAIL_VERIFICATION_PAGE": "/verify.html",
    "SECUREAUTH_PASSWORD_RESET_PAGE": "/reset-password.html",
    "SECUREAUTH_PASSWORD_RESET_REQUEST_PAGE": "/forgot.html",
}
"""Where the links in mails lead."""

_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_VERIFICATION = ("off", "optional", "required")


def read_config(instance: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the Flask configuration. ``environment`` stands in for ``.env`` and ``os.environ``."""
    values = read_environment() if environment is None else environment
    problems = [*_weak_secrets(values), *_mail_problems(values), *_visitor_problems(values)]
    try:
        url = database_url(values, instance)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return {
        **PAGES,
        **_mail(values),
        **_visitors(values),
        **_secrets(values, instance),
        "DEBUG": _word(values, "DEBUG") in _YES,
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url),
        # The contract's only password rule is its length, so the pages warn instead of refusing.
        "SECUREAUTH_PASSWORD_REFUSE_COMMON": False,
        "SECUREAUTH_PASSWORD_REFUSE_CONTEXT": False,
        # Scripts keep the access token; none of them can read the long-lived one.
        "SECUREAUTH_REFRESH_TRANSPORT": "cookie",
        "SECUREAUTH_MAIL_APP_NAME": "flask_secureauth",  # As the pages call it.
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
    if not _is_number(port, below=65536):
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


def _word(values: Mapping[str, str], name: str) -> str:
    return values.get(name, "").strip().lower()


def _is_number(text: str, *, below: int) -> bool:
    return text.isascii() and text.isdigit() and int(text) < below


def _mail(values: Mapping[str, str]) -> dict[str, Any]:
    """Mail through ``MAIL_SERVER``, by the names of Flask-Mail; without one it is printed, links and all."""
    if not values.get("MAIL_SERVER"):
        return {"SECUREAUTH_MAIL_TRANSPORT": "console"}
    use_ssl = _word(values, "MAIL_USE_SSL") in _YES
    port = values.get("MAIL_PORT") or ("465" if use_ssl else "587" if _word(values, "MAIL_USE_TLS") in _YES else "25")
    return {
        "SECUREAUTH_MAIL_TRANSPORT": "flask_mail",
        "MAIL_SERVER": values["MAIL_SERVER"],
        "MAIL_PORT": int(port),
        "MAIL_USERNAME": values.get("MAIL_USERNAME") or None,
        "MAIL_PASSWORD": values.get("MAIL_PASSWORD") or None,
        "MAIL_USE_TLS": _word(values, "MAIL_USE_TLS") in _YES,
        "MAIL_USE_SSL": use_ssl,
        "MAIL_DEFAULT_SENDER": values["MAIL_DEFAULT_SENDER"],
    }


def _mail_problems(values: Mapping[str, str]) -> Iterator[str]:
    if not values.get("MAIL_SERVER"):
        return
    if not values.get("MAIL_DEFAULT_SENDER"):
        yield "MAIL_SERVER is set and MAIL_DEFAULT_SENDER, the address that mails come from, is not."
    if not _is_number(values.get("MAIL_PORT") or "25", below=65536):
        yield "MAIL_PORT must be a number from 0 to 65535."
    if bool(values.get("MAIL_USERNAME")) != bool(values.get("MAIL_PASSWORD")):
        yield "MAIL_USERNAME and MAIL_PASSWORD go together: set both or none."
    # A typing error must not send a password in clear.
    for name in ("MAIL_USE_TLS", "MAIL_USE_SSL"):
        if _word(values, name) not in _YES + _NO:
            yield f"{name} must be True or False."
    if all(_word(values, name) in _YES for name in ("MAIL_USE_TLS", "MAIL_USE_SSL")):
        yield "MAIL_USE_TLS and MAIL_USE_SSL exclude each other: port 587 mostly wants the first, 465 the second."


def _visitors(values: Mapping[str, str]) -> dict[str, Any]:
    """Where visitors find the app, how they come to it, and whether they have to show that their address is theirs."""
    return {
        "SECUREAUTH_PUBLIC_URL": values.get("PUBLIC_URL") or _local_url(values.get("PORT", "")),
        "SECUREAUTH_TRUSTED_PROXIES": int(values.get("TRUSTED_PROXIES") or 0),
        "SECUREAUTH_EMAIL_VERIFICATION_MODE": _word(values, "EMAIL_VERIFICATION") or "off",
    }


def _local_url(port: str) -> str:
    # Port 0 is one that nobody knows yet.
    is_known = _is_number(port, below=65536) and int(port) > 0
    return f"http://127.0.0.1:{port if is_known else 5000}"


def _visitor_problems(values: Mapping[str, str]) -> Iterator[str]:
    try:
        PUBLIC_URL.read(values.get("PUBLIC_URL") or _local_url(""))
    except InvalidSetting as error:
        yield f"PUBLIC_URL must be {error}."
    if not _is_number(values.get("TRUSTED_PROXIES") or "0", below=17):
        yield "TRUSTED_PROXIES must be the number of proxies in front of the app, from 0 to 16."
    if (_word(values, "EMAIL_VERIFICATION") or "off") not in _VERIFICATION:
        yield f"EMAIL_VERIFICATION must be one of {', '.join(_VERIFICATION)}."


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
