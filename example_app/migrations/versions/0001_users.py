"""The table users: made from nothing, or adopted from the original application with every row.

MySQL commits after each statement that changes a table, so each step looks first and can be run again.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

from flask_secureauth.core.identifiers import InvalidEmail, canonical_email

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
BATCH = 1000
users = sa.table("users", *map(sa.column, ("id", "email", "created_at", "updated_at")))


def upgrade():
    # With --sql there is no database to look at: what is printed builds from nothing.
    if not context.is_offline_mode() and sa.inspect(op.get_bind()).has_table("users"):
        adopt(op.get_bind())
        return
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("email", sa.String(255), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        sqlite_autoincrement=True,
    )


def downgrade():
    if op.get_bind().execute(sa.select(users.c.id).limit(1)).first():
        raise RuntimeError("The table users holds accounts. Drop it yourself if they are to go.")
    op.drop_table("users")


def adopt(connection):
    add_missing_times(connection)
    if connection.dialect.name in ("mysql", "mariadb"):
        convert_mysql(connection)
    else:
        convert_others(connection)
    canonicalise_emails(connection)


def add_missing_times(connection):
    present = {column["name"] for column in sa.inspect(connection).get_columns("users")}
    for name in ("created_at", "updated_at"):
        if name not in present:
            op.add_column("users", sa.Column(name, MOMENT, nullable=True))


def convert_mysql(connection):
    # TIMESTAMP is shown in the session's time zone; DATETIME keeps what it is given: give it UTC.
    zone = connection.scalar(sa.text("SELECT @@SESSION.time_zone"))
    connection.execute(sa.text("SET SESSION time_zone = '+00:00'"))
    connection.execute(sa.text("ALTER TABLE users ENGINE = InnoDB"))
    # Any other collation may call two addresses equal that the old one told apart: "muller" and "müller" of latin1.
    connection.execute(sa.text("ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    fill_times(connection, sa.func.utc_timestamp())
    connection.execute(
        sa.text(
            "ALTER TABLE users MODIFY email VARCHAR(255) NOT NULL, MODIFY password_hash VARCHAR(255) NOT NULL,"
            " MODIFY created_at DATETIME(6) NOT NULL, MODIFY updated_at DATETIME(6) NOT NULL"
        )
    )
    connection.execute(sa.text("SET SESSION time_zone = :zone"), {"zone": zone})


def convert_others(connection):
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        # TIMESTAMP WITH TIME ZONE becomes a plain one in the session's zone.
        connection.execute(sa.text("SET LOCAL TIME ZONE 'UTC'"))
    fill_times(connection, sa.func.current_timestamp())
    # SQLite copies the table to change it, and its reflection overlooks "VARCHAR(255) UNIQUE".
    unique = (sa.UniqueConstraint("email"),) if is_sqlite else ()
    with op.batch_alter_table("users", table_args=unique, table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("id", existing_type=sa.Integer(), nullable=False)
        for name in ("created_at", "updated_at"):
            table.alter_column(name, type_=MOMENT, nullable=False, server_default=None)


def fill_times(connection, now):
    created = sa.func.coalesce(users.c.created_at, now)
    updated = sa.func.coalesce(users.c.updated_at, users.c.created_at, now)
    without = sa.or_(users.c.created_at.is_(None), users.c.updated_at.is_(None))
    connection.execute(sa.update(users).where(without).values(created_at=created, updated_at=updated))


def canonicalise_emails(connection):
    """Give each address the spelling that sign-in looks for. A spelling that is taken stays as it is."""
    last = None
    while True:
        page = sa.select(users.c.id, users.c.email).order_by(users.c.id).limit(BATCH)
        rows = connection.execute(page if last is None else page.where(users.c.id > last)).all()
        if not rows:
            return
        for row in rows:
            respell(connection, row)
        last = rows[-1].id


def respell(connection, row):
    try:
        canonical = canonical_email(row.email, allow_test_domain=True)
    except InvalidEmail:
        return
    if canonical == row.email:
        return
    taken = sa.select(users.c.id).where(users.c.email == canonical, users.c.id != row.id)
    if connection.execute(taken).first():
        print(f"The user {row.id} keeps an address whose canonical spelling another user has.")
        return
    connection.execute(
        sa.update(users).where(users.c.id == row.id).values(email=canonical, updated_at=users.c.updated_at)
    )
