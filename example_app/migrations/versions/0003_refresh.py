"""Refresh tokens: what a session needs to trade them, and to tell its user where it is."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SESSIONS = "secureauth_sessions"
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
# Rows of before need a value. Their nonce proves nothing and is never asked for: no refresh token was made with it.
COLUMNS = {
    "remembered": (sa.Boolean(), sa.false()),
    "user_agent": (sa.String(255), ""),
    "key_id": (sa.String(64), ""),
    "nonce": (sa.String(64), ""),
    "generation": (sa.Integer(), "0"),
    "authenticated_at": (MOMENT, "1970-01-01 00:00:00"),
    "last_used_at": (MOMENT, "1970-01-01 00:00:00"),
    "address": (sa.String(64), None),
    "rotated_at": (MOMENT, None),
}


def upgrade():
    present = present_columns()
    for name, (kind, default) in COLUMNS.items():
        if name not in present:
            op.add_column(SESSIONS, sa.Column(name, kind, nullable=default is None, server_default=default))
    moments = ("created_at", "authenticated_at", "last_used_at")
    rows = sa.table(SESSIONS, sa.column("nonce", sa.String()), *(sa.column(name) for name in moments))
    created_at = rows.c.created_at
    op.execute(sa.update(rows).where(rows.c.nonce == "").values(authenticated_at=created_at, last_used_at=created_at))


def downgrade():
    with op.batch_alter_table(SESSIONS) as sessions:
        for name in COLUMNS:
            sessions.drop_column(name)


def present_columns():
    """Names of the table's columns; none with --sql, when there is no database to look at."""
    if context.is_offline_mode():
        return set()
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(SESSIONS)}
