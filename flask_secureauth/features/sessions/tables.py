"""The table ``secureauth_sessions``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ...db.mixins import UTC_DATETIME, UserOwned

USER_AGENT_LENGTH = 255


class SessionMixin(UserOwned):
    """One sign-in. Times are naive UTC.

    The refresh token of ``generation`` is made of the row's ``nonce`` and a key that is not in the
    database, ``key_id`` names it. ``address`` is a network, not a host.
    """

    __tablename__ = "secureauth_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    methods: Mapped[str] = mapped_column(String(64))
    remembered: Mapped[bool]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(USER_AGENT_LENGTH))
    key_id: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    authenticated_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    last_used_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    expires_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    rotated_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)
    revoked_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)
    revoke_reason: Mapped[str | None] = mapped_column(String(32))
