"""The table ``secureauth_sessions``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ...db.mixins import UTC_DATETIME, UserOwned


class SessionMixin(UserOwned):
    """One sign-in. Times are naive UTC."""

    __tablename__ = "secureauth_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    methods: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    expires_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    revoked_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)
    revoke_reason: Mapped[str | None] = mapped_column(String(32))
