"""Databases as the original application left them: a table of users with Werkzeug hashes."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from werkzeug.security import generate_password_hash

PASSWORD = "password123"
_ID = {"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "mysql": "INT AUTO_INCREMENT PRIMARY KEY"}
_ON_UPDATE = " ON UPDATE CURRENT_TIMESTAMP"


class Original(NamedTuple):
    """How a database was made. ``suffix`` follows the table's columns; ``zone`` is what its application set."""

    name: str
    timestamp: str = "TIMESTAMP"
    suffix: str = ""
    zone: str = ""


PLAIN = Original("as asked")
VARIANTS = {
    "sqlite": (PLAIN, Original("datetime", timestamp="DATETIME")),
    "mariadb": (
        PLAIN,
        Original("myisam latin1", suffix=" ENGINE=MyISAM DEFAULT CHARSET=latin1"),
        Original("binary latin1", suffix=" ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_bin"),
        Original("utf8mb3 in another zone", suffix=" DEFAULT CHARSET=utf8mb3", zone="SET SESSION time_zone = '+05:00'"),
        Original("datetime", timestamp="DATETIME"),
    ),
    "postgresql": (
        PLAIN,
        Original("with time zone", timestamp="TIMESTAMP WITH TIME ZONE", zone="SET TIME ZONE 'Asia/Karachi'"),
    ),
}


def cheap(password: str = PASSWORD) -> str:
    """A hash of the original application's kind, made quickly."""
    return generate_password_hash(password, method="pbkdf2:sha256:1000")


def create(url: str, original: Original = PLAIN) -> None:
    """Make the table of the original application."""
    kind = url.partition(":")[0].partition("+")[0]
    key = _ID.get(kind, "SERIAL PRIMARY KEY")
    stamp = f"{original.timestamp} DEFAULT CURRENT_TIMESTAMP"
    run(
        url,
        f"CREATE TABLE users (id {key}, email VARCHAR(255) UNIQUE NOT NULL, password_hash VARCHAR(255) NOT NULL,"
        f" created_at {stamp}, updated_at {stamp}{_ON_UPDATE if kind == 'mysql' else ''}){original.suffix}",
    )


def fill(url: str, rows: list[dict[str, Any]], original: Original = PLAIN) -> None:
    """Insert users, in the time zone that the original application's connection had."""
    statements: list[str | tuple[str, dict[str, Any]]] = [original.zone] if original.zone else []
    for row in rows:
        values = {"password_hash": cheap(), **row}
        statements.append(
            (f"INSERT INTO users ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})", values)
        )
    run(url, *statements)


def run(url: str, *statements: str | tuple[str, dict[str, Any]]) -> list[Any]:
    """Execute statements on one connection of its own and return the rows of the last."""
    engine = create_engine(url, poolclass=NullPool)
    rows: list[Any] = []
    with engine.begin() as connection:
        for statement in statements:
            sql, values = (statement, {}) if isinstance(statement, str) else statement
            result = connection.execute(text(sql), values)
            rows = list(result.all()) if result.returns_rows else []
    return rows
