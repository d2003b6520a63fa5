"""The table ``secureauth_mail``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ...db.mixins import UTC_DATETIME

REASON_LENGTH = 255


class MailMixin:
    """One mail. Times are naive UTC.

    ``next_attempt_at`` is when the next deliverer may take it, and ``None`` once it is closed. Taking it
    counts ``attempts``: only who made the last one may write about its end. From ``composed_at`` on
    ``address``, ``params``, ``token_id`` and ``page`` are what every attempt sends. It may outlive its user.
    """

    __tablename__ = "secureauth_mail"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    template: Mapped[str] = mapped_column(String(64))
    locale: Mapped[str] = mapped_column(String(32))
    address: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[str | None] = mapped_column(String(255), index=True)
    params: Mapped[str] = mapped_column(Text)
    token_id: Mapped[str | None] = mapped_column(String(32))
    page: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME, index=True)
    attempts: Mapped[int]
    composed_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)
    closed_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME, index=True)
    outcome: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(REASON_LENGTH))
