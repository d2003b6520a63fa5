"""The life of an account: mailed links, the outbox, verified addresses, limits, and what happened."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def owner(**options):
    return sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, **options)


def moment(name, *, nullable=False):
    return sa.Column(name, MOMENT, nullable=nullable)


def text(name, length, *, nullable=False, **options):
    return sa.Column(name, sa.String(length), nullable=nullable, **options)


# Functions, since a column belongs to one table.
TABLES = {
    "secureauth_audit": lambda: [
        text("id", 32, primary_key=True),
        moment("at"),
        text("event", 64),
        text("user_id", 64, nullable=True),
        text("session_id", 32, nullable=True),
        text("email", 255, nullable=True),
        text("address", 64, nullable=True),
        text("user_agent", 255),
        text("request_id", 64, nullable=True),
        text("reason", 255, nullable=True),
    ],
    "secureauth_throttling": lambda: [
        text("digest", 64, primary_key=True),
        sa.Column("hits", sa.Text(), nullable=False),
        moment("expires_at"),
    ],
    "secureauth_one_time_tokens": lambda: [
        text("id", 32, primary_key=True),
        text("purpose", 64),
        text("address", 255),
        text("token_hash", 64, unique=True),
        text("key_id", 64),
        text("nonce", 64),
        sa.Column("survives", sa.Boolean(), nullable=False),
        moment("created_at"),
        moment("expires_at"),
        moment("closed_at", nullable=True),
        text("outcome", 16, nullable=True),
        owner(),
    ],
    "secureauth_mail": lambda: [
        text("id", 32, primary_key=True),
        text("template", 64),
        text("locale", 32),
        text("address", 255),
        text("user_id", 255, nullable=True),
        sa.Column("params", sa.Text(), nullable=False),
        text("token_id", 32, nullable=True),
        text("page", 255, nullable=True),
        moment("created_at"),
        moment("next_attempt_at", nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        moment("composed_at", nullable=True),
        moment("closed_at", nullable=True),
        text("outcome", 16, nullable=True),
        text("reason", 255, nullable=True),
    ],
    "secureauth_email_verifications": lambda: [
        owner(primary_key=True),
        text("address", 255),
        moment("registered_at", nullable=True),
        moment("verified_at", nullable=True),
    ],
}
INDEXES = {
    "secureauth_audit": ("user_id",),
    "secureauth_one_time_tokens": ("address", "user_id"),
    "secureauth_mail": ("closed_at", "next_attempt_at", "user_id"),
}


def upgrade():
    for table, columns in TABLES.items():
        if not present("get_columns", table):
            op.create_table(table, *columns(), mysql_engine="InnoDB", mysql_charset="utf8mb4")
        for column in INDEXES.get(table, ()):
            name = f"ix_{table}_{column}"
            if name not in present("get_indexes", table):
                op.create_index(name, table, [column])


def downgrade():
    for table in reversed(TABLES):
        op.drop_table(table)


def present(what, table):
    """Names of a table's columns or indexes; none with --sql, when there is no database to look at."""
    if context.is_offline_mode():
        return set()
    inspector = sa.inspect(op.get_bind())
    return {item["name"] for item in getattr(inspector, what)(table)} if inspector.has_table(table) else set()
