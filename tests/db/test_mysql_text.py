"""What databases do to texts: M1 to M5 of mysql.md, with the same assertions on every database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import Engine, String, inspect, text
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import generate_password_hash

from flask_secureauth import ProfileSchema, RegistrationSchema, UserMixin
from flask_secureauth.base_settings import PasswordSettings
from flask_secureauth.core.passwords import parse_scheme
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in, sign_up
from tests.db.conftest import engine_of, kind_of, state_of

pytestmark = pytest.mark.every_database

COLLATIONS = [
    "utf8mb4_general_ci",
    "utf8mb4_unicode_ci",
    "utf8mb4_unicode_520_ci",
    "utf8mb4_uca1400_ai_ci",
    "utf8mb4_bin",
]


def _recollate(raw: Engine, collation: str) -> None:
    """What an adopted table may look like; only MySQL has such a thing."""
    if raw.dialect.name != "mysql":
        return
    with raw.begin() as connection:
        known = connection.scalar(
            text("SELECT COUNT(*) FROM information_schema.collations WHERE collation_name = :name"), {"name": collation}
        )
        if not known:
            pytest.skip(f"this server has no {collation}")
        connection.execute(text(f"ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}"))


def _add_row(app: Flask, email: str, password: str = PASSWORD) -> None:
    """An account that another application made, with any spelling."""
    state = state_of(app)
    with app.app_context():
        state.database.session.add(
            state.user_model(email=email, password_hash=generate_password_hash(password, "scrypt:128:1:1"))
        )
        state.database.session.commit()


def _status(client: FlaskClient, email: str, password: str = PASSWORD) -> int:
    return client.post("/auth/login", json={"email": email, "password": password}).status_code


STORED = [
    ("jos\u00e9@example.com", "jose@example.com"),
    ("wei\u00df@example.com", "weiss@example.com"),
    ("m\u0131ke@example.com", "mike@example.com"),
    ("\u212aim@example.com", "kim@example.com"),
    ("\uff4bim@example.com", "kim@example.com"),
    ("k\u200bim@example.com", "kim@example.com"),
    ("k\u00adim@example.com", "kim@example.com"),
    ("\u202ekim@example.com", "kim@example.com"),
    ("\U0001f600kim@example.com", "\U0001f601kim@example.com"),
    ("\u00e6on@example.com", "aeon@example.com"),
    ("kim@example.com  ", "kim@example.com"),
    ("kim@example.com\t", "kim@example.com"),
]  # fmt: skip


@pytest.mark.parametrize("collation", COLLATIONS)
def test_row_that_only_a_collation_calls_equal_is_not_found(
    make_app: Callable[..., Flask], raw: Engine, collation: str
) -> None:
    """M1 and M2: what a query finds is compared again in Python, so an adopted table lends nobody another's account."""
    app = make_app()
    client = app.test_client()
    _recollate(raw, collation)
    for stored, typed in STORED:
        _add_row(app, stored)

        assert _status(client, typed) == 401, ascii(typed)
        assert _status(client, stored) == 200, ascii(stored)
        with raw.begin() as connection:
            connection.execute(text("DELETE FROM secureauth_sessions"))
            connection.execute(text("DELETE FROM users"))


@pytest.mark.parametrize("collation", COLLATIONS)
def test_address_that_a_collation_calls_taken_makes_no_crash_and_no_theft(
    make_app: Callable[..., Flask], raw: Engine, collation: str
) -> None:
    """M1: the unique index follows the collation; registering beside such a row is refused or makes a new account."""
    app = make_app()
    client = app.test_client()
    _recollate(raw, collation)
    _add_row(app, "jos\u00e9@example.com")

    response = client.post("/users", json={"email": "jose@example.com", "password": "the-attackers-own-77"})

    assert response.status_code in (201, 409)
    assert _status(client, "jos\u00e9@example.com") == 200
    assert _status(client, "jos\u00e9@example.com", "the-attackers-own-77") == 401
    assert _status(client, "jose@example.com", "the-attackers-own-77") == (200 if response.status_code == 201 else 401)


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_bin"])
def test_row_in_capitals_is_found_by_its_own_spelling(
    make_app: Callable[..., Flask], raw: Engine, collation: str
) -> None:
    """M1: an adopted account that was stored as typed signs in as typed, whatever the collation."""
    app = make_app()
    _recollate(raw, collation)
    _add_row(app, "Kim.Lee@Example.COM")

    assert _status(app.test_client(), "Kim.Lee@Example.COM") == 200


def test_session_ids_are_hex_of_one_case(app: Flask, client: FlaskClient, raw: Engine) -> None:
    """M3: base64 under a case-insensitive collation loses a third of its entropy; hex of one case loses nothing."""
    sign_up(client)
    for _ in range(5):
        sign_in(client)

    with raw.connect() as connection:
        ids = connection.scalars(text("SELECT id FROM secureauth_sessions")).all()
    assert len(set(ids)) == 5
    assert all(len(value) == 32 and set(value) <= set("0123456789abcdef") for value in ids)


class NamedRegistrationSchema(RegistrationSchema):
    """Registration with a name."""

    name = fields.String()


class NamedProfileSchema(ProfileSchema):
    """A profile with a name."""

    name = fields.String()


@pytest.fixture
def named(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Return a function that builds an app whose users have a name of at most 10 characters."""

    def make(**settings: Any) -> Flask:
        db = new_sqlalchemy()

        class User(UserMixin, db.Model):
            __tablename__ = "users"
            name: Mapped[str | None] = mapped_column(String(10))

        schemas = {RegistrationSchema: NamedRegistrationSchema, ProfileSchema: NamedProfileSchema}
        secure_auth = {"db": db, "user_model": User, "schemas": schemas}
        app = make_app(before=db.init_app, secure_auth=secure_auth, **settings)
        with app.app_context():
            db.create_all()
        return app

    return make


def _lax(database_url: str) -> dict[str, Any]:
    """A connection of an old server: MySQL without its strict mode."""
    if kind_of(database_url) != "mysql":
        return {}
    return {"SQLALCHEMY_ENGINE_OPTIONS": {"connect_args": {"init_command": "SET SESSION sql_mode=''"}}}


def test_emoji_is_kept_or_refused(named: Callable[..., Flask], raw: Engine) -> None:
    """M4: a utf8mb3 column refuses an emoji with 400 and never with 500; no database changes the text."""
    app = named()
    client = app.test_client()
    if raw.dialect.name == "mysql":
        with raw.begin() as connection:
            connection.execute(text("ALTER TABLE users CONVERT TO CHARACTER SET utf8mb3"))
    body = {"email": "kim@example.com", "password": PASSWORD, "name": "adm\U0001f600in"}

    response = client.post("/users", json=body)

    if raw.dialect.name == "mysql":
        assert (response.status_code, response.json["code"]) == (400, "invalid_input")
        assert client.post("/users", json={**body, "name": "admin"}).status_code == 201
    else:
        assert response.status_code == 201
        assert client.get("/users/me", headers=bearer(sign_in(client))).json["name"] == "adm\U0001f600in"


@pytest.mark.parametrize("charset", ["utf8mb3", "latin1", "ascii"])
def test_sign_in_with_characters_that_the_table_lacks_is_refused(
    make_app: Callable[..., Flask], raw: Engine, charset: str
) -> None:
    """M4: comparing an emoji with a column of a smaller character set is no crash and no match."""
    app = make_app()
    client = app.test_client()
    sign_up(client)
    if raw.dialect.name == "mysql":
        with raw.begin() as connection:
            connection.execute(text(f"ALTER TABLE users CONVERT TO CHARACTER SET {charset}"))

    for email in ("\U0001f600@example.com", "\u0142im@example.com", "?@example.com", "k\u0131m@example.com"):
        assert _status(client, email) == 401, ascii(email)
    assert _status(client, "kim@example.com") == 200


LONGEST = "k" * 64 + "@" + ".".join(["d" * 61] * 3) + ".exa"
TOO_LONG = [LONGEST + "m", LONGEST + " ", "kim@example.com" + " " * 300, "k@" + "a." * 125 + "example", "k" * 60_000]


@pytest.mark.parametrize("email", TOO_LONG, ids=lambda email: f"{email[:8]} {len(email)}")
def test_address_that_does_not_fit_is_refused_and_not_cut(
    make_app: Callable[..., Flask], raw: Engine, database_url: str, email: str
) -> None:
    """M5: MySQL without its strict mode cuts, and the cut address is somebody else's; Python counts first."""
    client = make_app(**_lax(database_url)).test_client()

    response = client.post("/users", json={"email": email, "password": PASSWORD})

    assert (response.status_code, list(response.json["fields"])) == (400, ["email"])
    with raw.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM users")) == 0


def test_longest_address_is_stored_whole(make_app: Callable[..., Flask], database_url: str) -> None:
    """M5: 254 characters are the longest, and come back as they went in."""
    assert len(LONGEST) == 254
    client = make_app(**_lax(database_url)).test_client()

    sign_up(client, LONGEST)

    assert client.get("/users/me", headers=bearer(sign_in(client, LONGEST))).json["email"] == LONGEST


def test_cut_address_is_refused_by_a_short_column(make_app: Callable[..., Flask], raw: Engine) -> None:
    """M5: where a table is shorter than its model, a strict server refuses, and the answer is 400."""
    app = make_app()
    client = app.test_client()
    sign_up(client, "kim@example.com")
    _shorten(raw, 15)

    response = client.post("/users", json={"email": "kim@example.community", "password": PASSWORD})

    assert response.status_code == (201 if raw.dialect.name == "sqlite" else 400)
    assert _status(client, "kim@example.com") == 200


def test_cut_address_takes_over_nobody(make_app: Callable[..., Flask], raw: Engine, database_url: str) -> None:
    """M5: where the server cuts as well, the owner of the cut address keeps the account."""
    app = make_app(**_lax(database_url))
    client = app.test_client()
    sign_up(client, "kim@example.com")
    _shorten(raw, 15)

    response = client.post("/users", json={"email": "kim@example.community", "password": "the-attackers-own-77"})

    assert response.status_code in (201, 400, 409)
    assert _status(client, "kim@example.com") == 200
    assert _status(client, "kim@example.com", "the-attackers-own-77") == 401


def _shorten(raw: Engine, length: int) -> None:
    statements = {
        "mysql": f"ALTER TABLE users MODIFY email VARCHAR({length}) NOT NULL",
        "postgresql": f"ALTER TABLE users ALTER email TYPE VARCHAR({length})",
    }
    if raw.dialect.name in statements:
        with raw.begin() as connection:
            connection.execute(text(statements[raw.dialect.name]))


def test_value_of_the_apps_own_that_does_not_fit_is_refused(named: Callable[..., Flask]) -> None:
    """M5: a name above the column's length is 400 with a strict server; SQLite has no lengths."""
    app = named()

    body = {"email": "kim@example.com", "password": PASSWORD, "name": "n" * 11}
    response = app.test_client().post("/users", json=body)

    assert response.status_code == (201 if engine_of(app).dialect.name == "sqlite" else 400)


def test_hashes_fit_into_their_column(app: Flask, raw: Engine) -> None:
    """M5: a hash that is cut signs nobody in; the longest of ours leaves room."""
    for method in (PasswordSettings().hash_method, "pbkdf2:sha512:210000", "argon2id"):
        assert len(parse_scheme(method).hash(PASSWORD)) < 255
    columns = {column["name"]: column["type"] for column in inspect(raw).get_columns("users")}
    assert columns["password_hash"].length == 255
