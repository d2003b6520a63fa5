"""Sessions, and accounts that can be disabled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade():
    inspector = sa.inspect(op.get_bind())
    if "is_active" not in {column["name"] for column in inspector.get_columns("users")}:
        op.add_column("users", sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False))
    if not inspector.has_table("secureauth_sessions"):
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
        op.create_index("ix_secureauth_sessions_user_id", "secureauth_sessions", ["user_id"])


def downgrade():
    op.drop_table("secureauth_sessions")
    with op.batch_alter_table("users") as users:
        users.drop_column("is_active")
