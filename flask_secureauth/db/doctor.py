"""What is wrong with the database, found before users find it."""

from __future__ import annotations

from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Integer, Table, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from .build import built_models

_MIGRATE = "run 'flask db migrate' and 'flask db upgrade'"


def examine(user_model: type[Any], sqlalchemy: SQLAlchemy) -> list[str]:
    """Return a sentence for each problem of the database that holds ``user_model``."""
    tables = [user_model.__table__, *(model.__table__ for model in built_models(user_model))]
    try:
        connection = sqlalchemy.session.connection(bind_arguments={"mapper": inspect(user_model)})
        found = _missing(connection, tables)
        if connection.dialect.name in ("mysql", "mariadb"):
            found += _mysql(connection, tables)
        if connection.dialect.name == "sqlite":
            found += _sqlite(connection, user_model.__table__)
    except SQLAlchemyError as error:
        return [f"The database does not answer: {getattr(error, 'orig', None) or error}."]
    if connection.dialect.name != "sqlite" and not connection.engine.pool._pre_ping:
        found.append('A lost connection is noticed by a user: set SQLALCHEMY_ENGINE_OPTIONS = {"pool_pre_ping": True}.')
    return found


def _missing(connection: Connection, tables: list[Table]) -> list[str]:
    inspector = inspect(connection)
    found = []
    for table in tables:
        if not inspector.has_table(table.name, schema=table.schema):
            found.append(f"The table {table.name} is missing: {_MIGRATE}, or db.create_all().")
            continue
        present = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        absent = sorted(column.name for column in table.columns if column.name not in present)
        if absent:
            found.append(f"The table {table.name} has no column {', '.join(absent)}: {_MIGRATE}.")
    return found


def _sqlite(connection: Connection, users: Table) -> list[str]:
    statement = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    created = connection.scalar(statement, {"name": users.name})
    is_number = isinstance(users.primary_key.columns[0].type, Integer)
    if created is None or not is_number or "AUTOINCREMENT" in created.upper():
        return []
    return [
        f"SQLite gives the id of a deleted user to the next one: create {users.name} with"
        ' __table_args__ = {"sqlite_autoincrement": True}.'
    ]


def _mysql(connection: Connection, tables: list[Table]) -> list[str]:
    found = []
    mode = connection.scalar(text("SELECT @@SESSION.sql_mode")) or ""
    if "STRICT_TRANS_TABLES" not in mode and "STRICT_ALL_TABLES" not in mode:
        found.append("MySQL cuts values that do not fit: add STRICT_TRANS_TABLES to sql_mode.")
    if connection.scalar(text("SELECT @@SESSION.character_set_connection")) != "utf8mb4":
        found.append("The connection is not utf8mb4: add ?charset=utf8mb4 to the database URL.")
    statement = text(
        "SELECT engine, table_collation FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name = :name"
    )
    for name in (table.name for table in tables):
        row = connection.execute(statement, {"name": name}).first()
        if row is not None and row[0] != "InnoDB":
            found.append(f"The table {name} is {row[0]}, without transactions: ALTER TABLE {name} ENGINE=InnoDB.")
        if row is not None and not str(row[1]).startswith("utf8mb4"):
            found.append(f"The table {name} is not utf8mb4: ALTER TABLE {name} CONVERT TO CHARACTER SET utf8mb4.")
    return found
