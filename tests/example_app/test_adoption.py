"""A database that the original application filled becomes this app's own, with every user and every password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect
from werkzeug.security import generate_password_hash

from example_app.config import read_config
from example_app.models import db
from flask_secureauth.core.passwords import DEFAULT_METHOD
from tests.conftest import bearer, sign_in
from tests.example_app import originals
from tests.example_app.conftest import run_command
from tests.example_app.originals import PASSWORD, PLAIN, VARIANTS, Original

ANN = {"email": "Ann@Example.com", "created_at": "2026-01-21 10:30:00", "updated_at": "2026-03-29 02:30:00"}
USERS = [
    ANN,
    {"email": "bob@localhost"},
    {"email": "josé@example.com"},
    {"email": "late@example.com", "created_at": None, "updated_at": None},
]
every_original = pytest.mark.parametrize(
    ("database_url", "original"),
    [
        pytest.param(kind, original, id=f"{kind}-{original.name.replace(' ', '-')}")
        for kind, variants in VARIANTS.items()
        for original in variants
    ],
    indirect=["database_url"],
)


def me(client: FlaskClient, email: str) -> dict[str, Any]:
    """Sign in with the old password and return the profile."""
    profile: dict[str, Any] = client.get("/users/me", headers=bearer(sign_in(client, email, PASSWORD))).json
    return profile


def hashes(url: str) -> list[str]:
    return [row.password_hash for row in originals.run(url, "SELECT password_hash FROM users ORDER BY id")]


@every_original
def test_adopted_users_keep_ids_and_passwords(
    make_example: Callable[..., Flask], database_url: str, original: Original
) -> None:
    originals.create(database_url, original)
    originals.fill(database_url, USERS, original)
    app = make_example()

    run_command(app, "db", "upgrade")

    client = app.test_client()
    assert [me(client, user["email"])["id"] for user in USERS] == [1, 2, 3, 4]


@every_original
def test_adopted_times_are_utc(make_example: Callable[..., Flask], database_url: str, original: Original) -> None:
    originals.create(database_url, original)
    originals.fill(database_url, [ANN], original)
    app = make_example()

    run_command(app, "db", "upgrade")

    # Only a TIMESTAMP knows the zone of its writer, where 10:30 was 05:30 UTC.
    (row,) = originals.run(database_url, "SELECT created_at, updated_at FROM users")
    hour = "05" if original.zone else "10"
    assert [str(moment) for moment in row] == (
        [f"2026-01-21 {hour}:30:00", "2026-03-28 21:30:00" if original.zone else "2026-03-29 02:30:00"]
    )
    assert me(app.test_client(), "ann@example.com")["created_at"] == f"2026-01-21T{hour}:30:00+00:00"


@every_original
def test_adopted_user_without_times_gets_the_present(
    make_example: Callable[..., Flask], database_url: str, original: Original
) -> None:
    originals.create(database_url, original)
    originals.fill(database_url, [{"email": "late@example.com", "created_at": None, "updated_at": None}], original)
    app = make_example()

    run_command(app, "db", "upgrade")

    created = datetime.fromisoformat(me(app.test_client(), "late@example.com")["created_at"])
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60


@every_original
def test_adopted_database_has_nothing_left_to_do(
    make_example: Callable[..., Flask], database_url: str, original: Original
) -> None:
    originals.create(database_url, original)
    originals.fill(database_url, USERS, original)
    app = make_example()

    run_command(app, "db", "upgrade")

    run_command(app, "db", "check")
    assert "in order" in run_command(app, "secureauth", "check")


@every_original
def test_adopted_addresses_stay_unique(
    make_example: Callable[..., Flask], database_url: str, original: Original
) -> None:
    originals.create(database_url, original)
    originals.fill(database_url, USERS, original)
    app = make_example()

    run_command(app, "db", "upgrade")

    response = app.test_client().post("/users", json={"email": "ANN@example.com", "password": PASSWORD})
    assert (response.status_code, response.json["error"]) == (409, "User already exists")


@every_original
def test_adoption_can_be_run_again(make_example: Callable[..., Flask], database_url: str, original: Original) -> None:
    """MySQL commits after each statement, so a crash leaves an adopted table that no revision is noted for (M16)."""
    originals.create(database_url, original)
    originals.fill(database_url, USERS, original)
    app = make_example()
    run_command(app, "db", "upgrade", "0001")
    adopted = originals.run(database_url, "SELECT * FROM users ORDER BY id")
    run_command(app, "db", "stamp", "base")

    run_command(app, "db", "upgrade", "0001")

    assert originals.run(database_url, "SELECT * FROM users ORDER BY id") == adopted


@pytest.mark.every_database
@pytest.mark.parametrize("method", ["scrypt:32768:8:1", "pbkdf2:sha256:1000"])
def test_adopted_hash_is_upgraded_by_signing_in(
    make_example: Callable[..., Flask], database_url: str, method: str
) -> None:
    originals.create(database_url)
    old = generate_password_hash(PASSWORD, method=method)
    originals.fill(database_url, [{"email": "ann@example.com", "password_hash": old}])
    app = make_example(cheap=False)
    run_command(app, "db", "upgrade")
    assert hashes(database_url) == [old]

    sign_in(app.test_client(), "ann@example.com", PASSWORD)

    (upgraded,) = hashes(database_url)
    assert upgraded.startswith(f"{DEFAULT_METHOD}$")
    assert sign_in(app.test_client(), "ann@example.com", PASSWORD)


@pytest.mark.every_database
def test_wrong_password_leaves_an_adopted_hash_alone(make_example: Callable[..., Flask], database_url: str) -> None:
    originals.create(database_url)
    originals.fill(database_url, [ANN])
    app = make_example()
    run_command(app, "db", "upgrade")
    before = hashes(database_url)

    response = app.test_client().post("/auth/login", json={"email": "ann@example.com", "password": "password124"})

    assert response.status_code == 401
    assert hashes(database_url) == before


@pytest.mark.every_database
@pytest.mark.parametrize("typed", ["ann@example.com", "Ann@Example.com", "ANN@EXAMPLE.COM"])
def test_adopted_user_signs_in_with_any_spelling(
    make_example: Callable[..., Flask], database_url: str, typed: str
) -> None:
    originals.create(database_url)
    originals.fill(database_url, [ANN])
    app = make_example()

    run_command(app, "db", "upgrade")

    assert me(app.test_client(), typed)["email"] == "ann@example.com"


@pytest.mark.parametrize(
    ("database_url", "original"),
    [
        pytest.param("sqlite", PLAIN, id="sqlite"),
        pytest.param("mariadb", VARIANTS["mariadb"][2], id="mariadb"),
        pytest.param("postgresql", PLAIN, id="postgresql"),
    ],
    indirect=["database_url"],
)
def test_users_with_one_canonical_address_stay_two_users(
    make_example: Callable[..., Flask], database_url: str, original: Original
) -> None:
    """Two accounts must never meet in one: neither's password opens the other (F14)."""
    originals.create(database_url, original)
    spellings = ["Eve@example.com", "eve@example.com", "kim@bücher.example", "kim@xn--bcher-kva.example"]
    rows = [{"email": email, "password_hash": originals.cheap(f"{email} {PASSWORD}")} for email in spellings]
    originals.fill(database_url, rows, original)
    app = make_example()

    printed = run_command(app, "db", "upgrade")

    client = app.test_client()
    signed_in = [
        (mine, theirs)
        for mine in spellings
        for theirs in spellings
        if client.post("/auth/login", json={"email": mine, "password": f"{theirs} {PASSWORD}"}).status_code == 200
    ]
    assert signed_in == [(email, email) for email in spellings]
    assert "The user 1 keeps" in printed
    assert "The user 3 keeps" in printed


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_addresses_that_only_the_old_collation_tells_apart_stay_apart(
    make_example: Callable[..., Flask], database_url: str
) -> None:
    """M1: latin1_swedish_ci calls ü and u different letters, the general collation of utf8mb4 calls them one."""
    originals.create(database_url, VARIANTS["mariadb"][1])
    originals.fill(database_url, [{"email": "muller@example.com"}, {"email": "müller@example.com"}])
    app = make_example()

    run_command(app, "db", "upgrade")

    client = app.test_client()
    assert [me(client, email)["id"] for email in ("muller@example.com", "müller@example.com")] == [1, 2]


@pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)
def test_adopting_connection_in_another_zone_keeps_the_times(
    make_example: Callable[..., Flask], database_url: str, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    """M8: MySQL shifts TIMESTAMP to the session's zone, PostgreSQL TIMESTAMP WITH TIME ZONE."""
    options = read_config(tmp_path, {"DATABASE_URL": database_url})["SQLALCHEMY_ENGINE_OPTIONS"]
    if database_url.startswith("mysql"):
        original = PLAIN
        options["connect_args"]["init_command"] += ", time_zone = '+05:00'"
    else:
        original = VARIANTS["postgresql"][1]
        options["connect_args"] = {"options": "-c timezone=Asia/Karachi"}
    originals.create(database_url, original)
    originals.fill(database_url, [ANN])
    app = make_example(SQLALCHEMY_ENGINE_OPTIONS=options)

    run_command(app, "db", "upgrade")

    assert me(app.test_client(), "ann@example.com")["created_at"] == "2026-01-21T10:30:00+00:00"


@pytest.mark.every_database
def test_adoption_keeps_columns_of_the_original(make_example: Callable[..., Flask], database_url: str) -> None:
    originals.create(database_url)
    originals.run(database_url, "ALTER TABLE users ADD COLUMN nickname VARCHAR(50)")
    originals.fill(database_url, [{"email": "ann@example.com", "nickname": "Annie"}])
    app = make_example()

    run_command(app, "db", "upgrade")

    assert originals.run(database_url, "SELECT nickname FROM users") == [("Annie",)]


@pytest.mark.every_database
def test_adoption_adds_times_that_the_original_lacks(make_example: Callable[..., Flask], database_url: str) -> None:
    originals.create(database_url)
    originals.run(database_url, "ALTER TABLE users DROP COLUMN updated_at")
    originals.fill(database_url, [{"email": "ann@example.com", "created_at": "2026-01-21 10:30:00"}])
    app = make_example()

    run_command(app, "db", "upgrade")

    with app.app_context():
        columns = {column["name"]: column["nullable"] for column in inspect(db.engine).get_columns("users")}
    assert columns["updated_at"] is False
    assert originals.run(database_url, "SELECT updated_at = created_at FROM users") == [(True,)]
