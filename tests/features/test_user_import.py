"""Importing users: they sign in with the password they have, and no row of a dump stops the others."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tracemalloc
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, DateTime, String, select
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import generate_password_hash

from flask_secureauth import BUILTIN, UserMixin, email_verified, user_registered
from flask_secureauth.errors import DatabaseUnavailable
from flask_secureauth.events import EmailVerified, Event
from flask_secureauth.features.user_import import service as import_service
from flask_secureauth.features.user_import.files import MAX_LINE
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in, sign_up
from tests.core.foreign_vectors import DJANGO, FLASK_SECURITY, FLASK_SECURITY_SALT, PASSLIB, SHA_CRYPT

MakeApp = Callable[..., Flask]
HASH = generate_password_hash(PASSWORD, "scrypt:256:1:1")
HEADER = "email,password_hash"


def rows(*emails: str, stored: str = HASH) -> str:
    """A CSV file of users with one hash."""
    return "\n".join([HEADER, *(f"{email},{stored}" for email in emails)]) + "\n"


@pytest.fixture
def import_users(app: Flask, tmp_path: Path) -> Callable[..., Result]:
    """Return a function that imports a text or bytes into ``app``."""

    def run(content: str | bytes, *options: str, name: str = "users.csv") -> Result:
        return import_into(app, tmp_path / name, content, *options)

    return run


def import_into(app: Flask, path: Path, content: str | bytes, *options: str) -> Result:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return app.test_cli_runner().invoke(args=["secureauth", "import-users", str(path), *options])


def summary(result: Result) -> str:
    return result.output.splitlines()[-1]


def stored_users(app: Flask) -> dict[str, Any]:
    """Every user by address, as plain values."""
    auth = app.extensions["secureauth"]
    with app.app_context():
        columns = auth.user_model.__table__.columns
        return {row.email: row for row in auth.sqlalchemy.session.execute(select(*columns))}


@pytest.mark.every_database
def test_imported_user_signs_in_with_the_old_password_and_gets_a_new_hash(
    app: Flask, import_users: Callable[..., Result]
) -> None:
    result = import_users(rows("kim@example.com", "Sam@EXAMPLE.com"))

    assert (result.exit_code, summary(result)) == (0, "Imported 2, present 0, refused 0.")
    assert stored_users(app)["sam@example.com"].password_hash == HASH
    assert sign_in(app.test_client(), "sam@example.com")
    assert stored_users(app)["sam@example.com"].password_hash.startswith("scrypt:128:1:1$")
    assert stored_users(app)["kim@example.com"].password_hash == HASH


def test_every_form_of_hash_is_imported_signs_in_and_is_renewed(
    app: Flask, import_users: Callable[..., Result]
) -> None:
    vectors = [*DJANGO, *PASSLIB, *SHA_CRYPT, ("werkzeug", PASSWORD, generate_password_hash(PASSWORD, "pbkdf2:sha1:9"))]
    vectors = [vector for vector in vectors if vector[1]]
    file = io.StringIO()
    csv.writer(file).writerows(
        [("email", "password_hash"), *((f"u{n}@example.com", v[2]) for n, v in enumerate(vectors))]
    )

    assert summary(import_users(file.getvalue())) == f"Imported {len(vectors)}, present 0, refused 0."

    client = app.test_client()
    for number, (_, password, _) in enumerate(vectors):
        assert sign_in(client, f"u{number}@example.com", password)
    assert all(user.password_hash.startswith("scrypt:128:1:1$") for user in stored_users(app).values())


def model_with_everything(db: SQLAlchemy) -> type[Any]:
    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "users"
        is_active: Mapped[bool] = mapped_column(default=True)
        username: Mapped[str | None] = mapped_column(String(20), unique=True)
        nickname: Mapped[str] = mapped_column(String(20), default="")
        points: Mapped[int] = mapped_column(default=7)
        score: Mapped[float | None]
        last_login: Mapped[datetime | None]
        seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
        extra: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    return User


@pytest.fixture
def full_app(make_app: MakeApp) -> Flask:
    """An app whose users have columns of many types."""
    db = new_sqlalchemy()
    app = make_app(secure_auth={"db": db, "user_model": model_with_everything(db)}, before=db.init_app)
    with app.app_context():
        db.create_all()
    return app


@pytest.mark.every_database
def test_dump_of_django_is_imported_with_its_columns(full_app: Flask, tmp_path: Path) -> None:
    dump = (
        "id,password,last_login,is_superuser,username,email,is_active,date_joined\n"
        f"5,{DJANGO[0][2]},2024-05-06 07:08:09.123456+02,f,kim,kim@example.com,t,2020-01-02 03:04:05+00\n"
        f"6,{DJANGO[0][2]},,f,sam,sam@example.com,f,2020-01-02 03:04:05+00\n"
        "7,!unusable,,f,lou,lou@example.com,t,2020-01-02 03:04:05+00\n"
    )
    result = import_into(
        *(full_app, tmp_path / "users.csv", dump),
        *("--map", "password=password_hash", "--map", "date_joined=created_at"),
        *("--map", "id=", "--map", "is_superuser="),
    )

    assert result.exit_code == 1
    assert "Line 4: password_hash: there is none; --without-password imports such users." in result.output
    users = stored_users(full_app)
    kim, sam = users["kim@example.com"], users["sam@example.com"]
    assert kim.created_at == datetime(2020, 1, 2, 3, 4, 5)
    assert kim.last_login.replace(microsecond=0) == datetime(2024, 5, 6, 5, 8, 9)
    assert (kim.username, kim.is_active, kim.points, sam.is_active, sam.last_login) == ("kim", True, 7, False, None)
    client = full_app.test_client()
    assert sign_in(client, password=DJANGO[0][1])
    disabled = client.post("/auth/login", json={"email": "sam@example.com", "password": DJANGO[0][1]})
    assert disabled.status_code == 401


@pytest.mark.every_database
def test_json_lines_of_flask_security_are_imported_with_their_types(full_app: Flask, tmp_path: Path) -> None:
    stored = PASSLIB[1][2]
    lines = [
        {"email": "kim@example.com", "password": stored, "active": False, "points": 12, "score": 1.5, "nickname": None},
        {"email": "sam@example.com", "password": stored, "active": True, "seen_at": "2024-05-06T07:08:09Z"},
        {"email": "lou@example.com", "password": stored},
    ]
    content = "\n\n".join(map(json.dumps, lines))
    options = ("--map", "password=password_hash", "--map", "active=is_active")

    result = import_into(full_app, tmp_path / "users.jsonl", content, *options)

    assert (result.exit_code, summary(result)) == (0, "Imported 3, present 0, refused 0.")
    users = stored_users(full_app)
    kim, sam, lou = (users[f"{name}@example.com"] for name in ("kim", "sam", "lou"))
    assert (kim.is_active, kim.points, kim.score, kim.nickname) == (False, 12, 1.5, "")
    assert sam.seen_at.replace(tzinfo=sam.seen_at.tzinfo or UTC) == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert (lou.is_active, lou.points, lou.score) == (True, 7, None)


def test_hashes_of_flask_security_sign_in_with_its_salt_and_are_renewed(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(SECUREAUTH_PASSWORD_FLASK_SECURITY_SALT=FLASK_SECURITY_SALT)
    vectors = [*FLASK_SECURITY, DJANGO[-1]]
    lines = [
        json.dumps({"email": f"u{number}@example.com", "password_hash": stored})
        for number, (_, _, stored) in enumerate(vectors)
    ]

    result = import_into(app, tmp_path / "users.jsonl", "\n".join(lines), "--flask-security")

    assert summary(result) == f"Imported {len(vectors)}, present 0, refused 0."
    client = app.test_client()
    for number, (_, password, _) in enumerate(vectors):
        assert sign_in(client, f"u{number}@example.com", password)
    assert all(user.password_hash.startswith("scrypt:128:1:1$") for user in stored_users(app).values())


def test_hashes_of_flask_security_are_not_imported_without_its_salt(import_users: Callable[..., Result]) -> None:
    result = import_users(rows("kim@example.com", stored=FLASK_SECURITY[0][2]), "--flask-security")

    assert result.exit_code == 2
    assert "set SECUREAUTH_PASSWORD_FLASK_SECURITY_SALT" in result.output


def test_created_at_is_now_when_the_file_has_none(app: Flask, clock: Any, import_users: Callable[..., Result]) -> None:
    import_users(rows("kim@example.com"))

    kim = stored_users(app)["kim@example.com"]
    assert kim.created_at == kim.updated_at == clock.moment.replace(tzinfo=None)


def test_key_that_is_a_uuid_may_be_imported(make_app: MakeApp, tmp_path: Path) -> None:
    db, key = new_sqlalchemy(), uuid.uuid4()

    class Account(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "accounts"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)

    app = make_app(secure_auth={"db": db, "user_model": Account}, before=db.init_app)
    with app.app_context():
        db.create_all()

    import_into(app, tmp_path / "users.csv", f"id,{HEADER}\n{key},kim@example.com,{HASH}\n")
    import_into(app, tmp_path / "users.csv", rows("sam@example.com"))

    assert stored_users(app)["kim@example.com"].id == key
    assert stored_users(app)["sam@example.com"].id != key


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"email": "kim"}, "email: not a valid address"),
        ({"email": ""}, "email: not a valid address"),
        ({"email": None}, "email: it is empty"),
        ({"email": 5}, "email: not a text"),
        ({"email": "kim@example.com\n"}, "email: not a valid address"),
        ({"email": f"{'k' * 250}@example.com"}, "email: longer than 255 characters"),
        ({"password_hash": PASSWORD}, "password_hash: no hash of a form that is known"),
        ({"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}, "password_hash: no hash of a form that is known"),
        ({"password_hash": HASH[:120]}, "password_hash: no hash of a form that is known, or a damaged one"),
        ({"password_hash": "scrypt:1048576:8:9$x$" + "0" * 128}, "too dear to verify"),
        ({"password_hash": "$argon2id$" + "x" * 300}, "password_hash: longer than 255 characters"),
        ({"password_hash": ""}, "password_hash: there is none; --without-password imports such users"),
        ({"password_hash": ["x"]}, "password_hash: not a text"),
        ({"is_active": "maybe"}, "is_active: not true or false"),
        ({"is_active": 2}, "is_active: not true or false"),
        ({"is_active": None}, ""),
        ({"points": "12.5"}, "points: not a whole number"),
        ({"points": True}, "points: not a whole number"),
        ({"points": 2**63}, "points: not a whole number"),
        ({"points": "٣"}, "points: not a whole number"),
        ({"score": "NaN"}, "score: not a number"),
        ({"score": True}, "score: not a number"),
        ({"score": {}}, "score: not a number"),
        ({"last_login": "yesterday"}, "last_login: not a time in the form of ISO 8601"),
        ({"last_login": 1700000000}, "last_login: not a time in the form of ISO 8601"),
        ({"last_login": "0001-01-01T00:00:00+14:00"}, "last_login: not a time in the form of ISO 8601"),
        ({"last_login": "0999-01-01"}, "last_login: too long ago"),
        ({"username": "x" * 21}, "username: longer than 20 characters"),
        ({"id": 7}, "In this record: the user model has no column that can be imported under the name id"),
        ({"extra": {}}, "In this record: the user model has no column that can be imported under the name extra"),
        ({"password": PASSWORD}, "if it holds hashes, --map password=password_hash says so"),
        ({HASH: 1}, "In this record: the user model has no column that can be imported under the name (not a name)"),
    ],
)
def test_record_that_cannot_be_a_user_is_refused_with_its_reason(
    full_app: Flask, tmp_path: Path, members: dict[str, Any], reason: str
) -> None:
    good = {"email": "sam@example.com", "password_hash": HASH}
    record = {"email": "kim@example.com", "password_hash": HASH, **members}

    result = import_into(full_app, tmp_path / "users.jsonl", f"{json.dumps(record)}\n{json.dumps(good)}\n")

    assert ("Line 1: " in result.output) is bool(reason)
    assert reason in result.output
    assert "sam@example.com" in stored_users(full_app)
    assert ("kim@example.com" in stored_users(full_app)) is (not reason)
    assert result.exit_code == (1 if reason else 0)


def test_hash_whose_extra_is_missing_is_refused_and_names_it(
    import_users: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)

    result = import_users(rows("kim@example.com", stored="$2b$04$" + "A" * 53))

    assert "pip install 'flask-secureauth[bcrypt]'" in result.output
    assert result.exit_code == 1


def test_user_without_a_hash_is_imported_on_demand_and_nothing_signs_in(
    app: Flask, import_users: Callable[..., Result]
) -> None:
    content = rows("kim@example.com", stored="") + "sam@example.com,!x8Jk2\n"

    result = import_users(content, "--without-password")

    assert summary(result) == "Imported 2, present 0, refused 0."
    assert {user.password_hash for user in stored_users(app).values()} == {""}
    for password in ("", "!x8Jk2", PASSWORD):
        answer = app.test_client().post("/auth/login", json={"email": "sam@example.com", "password": password})
        assert answer.status_code in (400, 401)


def test_without_password_needs_no_column_of_hashes(app: Flask, import_users: Callable[..., Result]) -> None:
    assert import_users("email\nkim@example.com\n").exit_code == 2
    assert import_users("email\nkim@example.com\n", "--without-password").exit_code == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"kim\xe9@example.com," + HASH.encode(), "Not UTF-8"),
        (b"kim\0@example.com," + HASH.encode(), "A field holds a NUL character"),
        (b"kim@example.com", "The number of fields is 1, and the first line names 2"),
        (b"kim@example.com," + HASH.encode() + b",x", "The number of fields is 3, and the first line names 2"),
        (b"kim@example.com," + b"x" * 1_000_000, f"Not CSV: longer than {MAX_LINE} bytes"),
        (b'"kim@example.com"x,y', "Not CSV:"),
        (b"kim@example.com\r" + HASH.encode(), "Not CSV:"),
    ],
    ids=["latin-1", "nul", "short", "long", "huge", "quote", "return"],
)
def test_line_that_cannot_be_read_is_refused_and_the_next_is_not(
    app: Flask, import_users: Callable[..., Result], bad: bytes, reason: str
) -> None:
    content = HEADER.encode() + b"\n" + bad + b"\n\nsam@example.com," + HASH.encode()

    result = import_users(content)

    assert f"Line 2: {reason}" in result.output
    assert summary(result) == "Imported 1, present 0, refused 1."
    assert result.exit_code == 1
    assert set(stored_users(app)) == {"sam@example.com"}


def test_quotation_mark_that_does_not_end_is_named_with_the_lines_it_swallows(
    import_users: Callable[..., Result],
) -> None:
    result = import_users(f'{HEADER}\n"kim@example.com,{HASH}\nsam@example.com,{HASH}\n')

    assert "Line 2: Not CSV: unexpected end of data, up to line 3." in result.output


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'"x"', b'{"email": NaN}', b'{"a": 1, "a": 2}', b'{"email": "\\ud800"}', b"\xff", b"[" * 9999]
)
def test_line_that_is_no_json_object_is_refused_and_the_next_is_not(
    import_users: Callable[..., Result], line: bytes
) -> None:
    good = json.dumps({"email": "sam@example.com", "password_hash": HASH}).encode()

    result = import_users(line + b"\n" + good, "--format", "jsonl")

    assert "Line 1: Not " in result.output
    assert summary(result) == "Imported 1, present 0, refused 1."


@pytest.mark.parametrize(
    "content",
    [
        ("\ufeff" + rows("kim@example.com")).encode(),
        rows("kim@example.com").replace("\n", "\r\n").encode(),
        f'"email", password_hash\n"kim@example.com","{HASH}"'.encode(),
    ],
    ids=["bom", "crlf", "quoted"],
)
def test_other_spellings_of_csv_are_read(import_users: Callable[..., Result], content: bytes) -> None:
    assert import_users(content).output.endswith("Imported 1, present 0, refused 0.\n")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", (), "its first line, which names the columns, cannot be read (there is none)"),
        ("", ("--format", "jsonl"), "it is empty"),
        (rows("kim@example.com").encode("utf-16"), (), "cannot be read (A field holds a NUL character)"),
        ("email,password_hash,email\n", (), "its first line names a column twice"),
        ("email;password_hash\n", (), "under the name (not a name)"),
        ("email\n", (), "it has no column password_hash; --map NAME=password_hash says which one it is"),
        ("password_hash\n", (), "it has no column email; --map NAME=email says which one it is"),
        ("email,password\n", (), "if it holds hashes, --map password=password_hash says so"),
        ("email,password_hash,shoe\n", (), "--map shoe=COLUMN names another one, --map shoe= leaves it out"),
        ("email,password_hash,mail\n", ("--map", "mail=email"), "two of its columns are for the same column"),
        (rows(), ("--map", "x=shoe"), "--map: the user model has no column that can be imported under the name shoe"),
        (rows(), ("--map", "x"), "--map x must be NAME=COLUMN"),
        (rows(), ("--map", "x=email", "--map", "x="), "once for each NAME"),
    ],
)
def test_file_that_cannot_be_used_is_one_error(
    import_users: Callable[..., Result], content: str | bytes, options: Sequence[str], message: str
) -> None:
    result = import_users(content, *options)

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_file_that_is_not_there_is_one_error(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["secureauth", "import-users", "absent.csv"])

    assert result.exit_code == 2
    assert "does not exist" in result.output


def test_standard_input_is_read(app: Flask) -> None:
    runner = app.test_cli_runner()

    result = runner.invoke(args=["secureauth", "import-users", "-"], input=rows("kim@example.com"))

    assert (result.exit_code, summary(result)) == (0, "Imported 1, present 0, refused 0.")


@pytest.mark.parametrize(
    "content",
    [
        f"kim@example.com,{HASH}\nsam@example.com,{HASH}\n",
        f"{HEADER}\n{HASH},kim@example.com\n",
        f"{HEADER},{HASH}\nkim@example.com,x,y\n",
        f"{HEADER}\nkim@example.com,{HASH}x\n",
        f'{HEADER}\nkim@example.com,"{HASH}"x\n',
    ],
    ids=["no-header", "swapped", "in-header", "damaged", "no-csv"],
)
def test_no_hash_is_printed_or_reported(import_users: Callable[..., Result], tmp_path: Path, content: str) -> None:
    """ASVS 14.2.4: reports are mailed around; none may be what a stolen dump is."""
    report = tmp_path / "report.csv"

    results = [
        import_users(content),
        import_users(content, "--report", str(report)),
        import_users(content, "--dry-run"),
    ]

    assert all(result.exit_code for result in results)
    texts = [*(result.output for result in results), report.read_text()]
    assert not any(part in text for text in texts for part in (HASH, HASH[-40:], "kim@example.com"))


def test_report_lists_every_line_that_was_not_imported(import_users: Callable[..., Result], tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    content = rows("kim@example.com", "kim", "KIM@example.com", *("x" for _ in range(25)))

    result = import_users(content, "--report", str(report))

    lines = list(csv.DictReader(report.read_text().splitlines()))
    assert lines[:2] == [
        {"line": "3", "outcome": "refused", "reason": "email: not a valid address"},
        {"line": "4", "outcome": "present", "reason": "An account has this address"},
    ]
    assert len(lines) == 27
    assert result.output.splitlines()[-1] == "Imported 1, present 1, refused 26."
    assert "Line 3" not in result.output


def test_first_twenty_refusals_are_shown_without_a_report(import_users: Callable[..., Result]) -> None:
    result = import_users(rows(*("x" for _ in range(23))))

    assert result.output.count("email: not a valid address.") == 20
    assert "3 more are refused; --report FILE lists all." in result.output


def test_report_never_overwrites_the_file(import_users: Callable[..., Result], tmp_path: Path) -> None:
    content = rows("kim@example.com")

    result = import_users(content, "--report", str(tmp_path / "users.csv"))

    assert result.exit_code == 2
    assert (tmp_path / "users.csv").read_text() == content


def test_report_that_cannot_be_written_is_told_before_anything_is_imported(
    app: Flask, import_users: Callable[..., Result], tmp_path: Path
) -> None:
    result = import_users(rows("kim@example.com"), "--report", str(tmp_path / "absent" / "report.csv"))

    assert result.exit_code == 1
    assert stored_users(app) == {}


@pytest.mark.every_database
def test_addresses_that_have_an_account_are_left_as_they_are(app: Flask, import_users: Callable[..., Result]) -> None:
    sign_up(app.test_client(), "kim@example.com", "another-secret-1")
    before = stored_users(app)["kim@example.com"]

    result = import_users(rows("KIM@Example.com", "sam@example.com", "sam@EXAMPLE.com"))

    assert (result.exit_code, summary(result)) == (0, "Imported 1, present 2, refused 0.")
    assert stored_users(app)["kim@example.com"] == before
    assert import_users(rows("KIM@Example.com", "sam@example.com")).output.endswith("present 2, refused 0.\n")


@pytest.mark.every_database
def test_address_that_only_a_collation_calls_taken_gives_nobody_anothers_account(
    app: Flask, import_users: Callable[..., Result], database_url: str
) -> None:
    """M1, F14: MariaDB calls jose and josé equal. An old row with an accent is another account."""
    auth = app.extensions["secureauth"]
    with app.app_context():
        auth.sqlalchemy.session.add(auth.user_model(email="josé@example.com", password_hash=HASH))
        auth.sqlalchemy.session.commit()

    result = import_users(rows("ana@example.com", "jose@example.com", "zoe@example.com"))

    on_mariadb = database_url.startswith("mysql")
    assert summary(result) == f"Imported {2 if on_mariadb else 3}, present 0, refused {1 if on_mariadb else 0}."
    assert ("Line 3: The database refuses it" in result.output) is on_mariadb
    assert {"ana@example.com", "josé@example.com", "zoe@example.com"} <= set(stored_users(app))


@pytest.mark.every_database
def test_row_that_the_database_refuses_takes_no_other_with_it(full_app: Flask, tmp_path: Path) -> None:
    users = [(f"u{number}@example.com", f"name{number}") for number in range(9)]
    users[4] = ("u4@example.com", "name3")
    content = "\n".join(["email,password_hash,username", *(f"{email},{HASH},{name}" for email, name in users)])

    result = import_into(full_app, tmp_path / "users.csv", content)

    assert summary(result) == "Imported 8, present 0, refused 1."
    assert "Line 6: The database refuses it: another unique column has this value already" in result.output
    assert set(stored_users(full_app)) == {email for email, _ in users} - {"u4@example.com"}


@pytest.mark.every_database
def test_number_that_the_column_cannot_hold_is_refused_alone(full_app: Flask, tmp_path: Path) -> None:
    content = f"{HEADER},points\nkim@example.com,{HASH},{2**40}\nsam@example.com,{HASH},5\n"

    result = import_into(full_app, tmp_path / "users.csv", content)

    holds_any = "sqlite" in full_app.config["SQLALCHEMY_DATABASE_URI"]
    assert ("Line 2: The database refuses it: a column cannot hold its value." in result.output) is not holds_any
    assert stored_users(full_app)["sam@example.com"].points == 5


@pytest.mark.every_database
def test_address_that_is_registered_meanwhile_is_present(
    app: Flask, import_users: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """M12: between the look and the insert somebody else registers; the insert decides."""
    insert, client = import_service.insert_users, app.test_client()
    calls: list[int] = []

    def late(rows: Sequence[Mapping[str, Any]], **where: Any) -> None:
        if not calls:
            calls.append(1)
            app.extensions["secureauth"].database.session.rollback()
            sign_up(client, "sam@example.com", "another-secret-1")
        insert(rows, **where)

    monkeypatch.setattr(import_service, "insert_users", late)

    result = import_users(rows("kim@example.com", "sam@example.com", "zoe@example.com"))

    assert (result.exit_code, summary(result)) == (0, "Imported 2, present 1, refused 0.")
    assert sign_in(client, "sam@example.com", "another-secret-1")


@pytest.mark.every_database
def test_interrupted_import_goes_on_when_it_is_run_again(
    app: Flask, import_users: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_service, "BATCH", 2)
    content = rows(*(f"u{number}@example.com" for number in range(7)))
    insert = import_service.insert_users
    batches: list[int] = []

    def stop_in_the_third(rows: Sequence[Mapping[str, Any]], **where: Any) -> None:
        insert(rows, **where)
        batches.append(len(rows))
        if len(batches) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(import_service, "insert_users", stop_in_the_third)
    stopped = import_users(content)
    assert stopped.exit_code == 1
    assert "Imported 4, present 0, refused 0." in stopped.output
    assert len(stored_users(app)) == 4

    again = import_users(content)
    assert (again.exit_code, summary(again)) == (0, "Imported 3, present 4, refused 0.")
    assert len(stored_users(app)) == 7


@pytest.mark.every_database
def test_dry_run_counts_as_the_import_does_and_writes_nothing(
    app: Flask, import_users: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_service, "BATCH", 2)
    sign_up(app.test_client(), "sam@example.com")
    content = rows("kim@example.com", "Sam@example.com", "kim", "zoe@example.com", "KIM@example.com", "ana@example.com")

    rehearsed = import_users(content, "--dry-run")
    assert set(stored_users(app)) == {"sam@example.com"}
    done = import_users(content)

    assert (rehearsed.exit_code, summary(rehearsed)) == (1, "Would import 3, present 2, refused 1.")
    assert summary(done) == "Imported 3, present 2, refused 1."


def test_database_that_goes_away_is_one_sentence(
    import_users: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(import_service, "insert_users", fail)

    result = import_users(rows("kim@example.com"))

    assert result.exit_code == 1
    assert "Run the same command again to go on." in result.output


def with_handler(handler: Callable[[Any, Event], None]) -> dict[str, Any]:
    health, *others = BUILTIN
    return {"features": (replace(health, handlers={EmailVerified: handler}), *others)}


def test_verified_announces_each_new_user_in_the_transaction_that_creates_it(make_app: MakeApp, tmp_path: Path) -> None:
    handled: list[Any] = []

    def handle(service: Any, event: Any) -> None:
        session = app.extensions["sqlalchemy"].session
        assert session().in_transaction()
        handled.append((event.user_id, event.email))

    app = make_app(secure_auth=with_handler(handle))
    sign_up(app.test_client(), "old@example.com")
    sent: list[str] = []

    def note(sender: Flask, user_id: Any, email: str) -> None:
        sent.append(email)

    with email_verified.connected_to(note, app):
        import_into(app, tmp_path / "a.csv", rows("unasked@example.com"))
        import_into(
            app, tmp_path / "b.csv", rows("old@example.com", "Kim@example.com", "kim@example.com"), "--verified"
        )

    kim = stored_users(app)["kim@example.com"]
    assert handled == [(kim.id, "kim@example.com")]
    assert sent == ["kim@example.com"]


def test_user_whose_verification_cannot_be_stored_is_not_there(make_app: MakeApp, tmp_path: Path) -> None:
    def fail(service: Any, event: Any) -> None:
        raise RuntimeError("the handler failed")

    app = make_app(secure_auth=with_handler(fail))

    result = import_into(app, tmp_path / "users.csv", rows("kim@example.com"), "--verified")

    assert isinstance(result.exception, RuntimeError)
    assert stored_users(app) == {}


def test_imported_users_are_not_announced_as_registered(app: Flask, import_users: Callable[..., Result]) -> None:
    """A hundred thousand welcome mails."""
    sent: list[Any] = []

    def note(sender: Flask, user: Any) -> None:
        sent.append(user)

    with user_registered.connected_to(note, app):
        import_users(rows("kim@example.com"))

    assert sent == []


def test_terminal_shows_how_much_of_the_file_is_read(
    import_users: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click._termui_impl.isatty", lambda stream: True)

    result = import_users(rows(*(f"user{number}@example.com" for number in range(600))))

    steps = [int(step) for step in re.findall(r"Users  \[.*?\] +(\d+)%", result.stderr)]
    assert steps == sorted(steps)
    assert steps[-1] == 100
    assert any(0 < step < 100 for step in steps)
    assert summary(result) == "Imported 600, present 0, refused 0."


@pytest.mark.every_database
def test_memory_does_not_grow_with_the_file(app: Flask, tmp_path: Path) -> None:
    def peak(name: str, size: int) -> int:
        content = rows(*(f"{name}{number}@example.com" for number in range(size)))
        tracemalloc.start()
        try:
            result = import_into(app, tmp_path / "users.csv", content)
            return tracemalloc.get_traced_memory()[1] - 2 * len(content)
        finally:
            tracemalloc.stop()
            assert summary(result) == f"Imported {size}, present 0, refused 0."

    peak("warm", 600)

    assert peak("many", 5000) < peak("few", 1000) + 500_000
