"""Sessions, and accounts that can be disabled."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


INDEX = "ix_secureauth_sessions_user_id"


def upgrade():
    if "is_active" not in present("get_columns", "users"):
        op.add_column("users", sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False))
    if not present("get_columns", "secureauth_sessions"):
        op.create_table(
            "secureauth_sessions",
            sa.Column("id", sa.String(32), primary_key=True),
            sa.Column("methods", sa.String(64), nullable=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("expires_at", MOMENT, nullable=False),
            sa.Column("revoked_at", MOMENT, nullable=True),
            sa.Column("revoke_reason", sa.String(32), nullable=True),
            sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
            mysql_engine="InnoDB",
            mysql_charset="utf8mb4",
        )
    if INDEX not in present("get_indexes", "secureauth_sessions"):
        op.create_index(INDEX, "secureauth_sessions", ["user_id"])


def downgrade():
    op.drop_table("secureauth_sessions")
    with op.batch_alter_table("users") as users:
        users.drop_column("is_active")


def present(what, table):
    """Names of a table's columns or indexes; none with --sql, when there is no database to look at."""
    if context.is_offline_mode():
        return set()
    inspector = sa.inspect(op.get_bind())
    return {item["name"] for item in getattr(inspector, what)(table)} if inspector.has_table(table) else set()
