"""A new app that uses the package with Flask-Migrate: migrate, upgrade, and nothing is left to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.example_app.conftest import SECRET_KEY
from tests.example_app.process import clean_environment

PROGRAM = """
import os
import uuid

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_secureauth import SecureAuth, UserMixin


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Member(UserMixin, db.Model):
    __tablename__ = "members"
{key}
    nickname: Mapped[str | None] = mapped_column(db.String(50))


auth = SecureAuth(db=db, user_model=Member)
app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["SHOP_DATABASE"]
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {{"pool_pre_ping": True}}
db.init_app(app)
Migrate(app, db)
auth.init_app(app)
"""
KEYS = {"int": "", "uuid": "    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)"}
SIGN_UP_AND_IN = """
from shop import app
client = app.test_client()
account = {"email": "kim@example.com", "password": "kraken-vulcan-42"}
print(client.post("/users", json=account).status_code, client.post("/auth/login", json=account).status_code)
"""


def run(folder: Path, database_url: str, *arguments: str) -> str:
    """Run Python in the app's folder and return what it prints."""
    url = f"{database_url}?charset=utf8mb4" if database_url.startswith("mysql") else database_url
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=clean_environment(SECRET_KEY=SECRET_KEY, SHOP_DATABASE=url),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def flask(folder: Path, database_url: str, *command: str) -> str:
    return run(folder, database_url, "-m", "flask", "--app", "shop", *command)


@pytest.mark.every_database
@pytest.mark.parametrize("key", KEYS)
def test_fresh_app_migrates_and_has_nothing_left_to_do(tmp_path: Path, database_url: str, key: str) -> None:
    (tmp_path / "shop.py").write_text(PROGRAM.format(key=KEYS[key]))

    flask(tmp_path, database_url, "db", "init")
    flask(tmp_path, database_url, "db", "migrate", "-m", "first")
    flask(tmp_path, database_url, "db", "upgrade")

    (revision,) = (tmp_path / "migrations/versions").glob("*.py")
    assert "flask_secureauth" not in revision.read_text()
    assert "No new upgrade operations" in flask(tmp_path, database_url, "db", "check")
    assert "in order" in flask(tmp_path, database_url, "secureauth", "check")
    assert run(tmp_path, database_url, "-c", SIGN_UP_AND_IN) == "201 200\n"
