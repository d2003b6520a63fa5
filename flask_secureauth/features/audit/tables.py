"""The table ``secureauth_audit``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ...db.mixins import UTC_DATETIME

TEXT_LENGTH = 255


class AuditMixin:
    """One event. Rows are only ever added, and outlive their user.

    ``id`` begins with the time, so its order is that of the events. ``user_id`` is no foreign key.
    ``email`` is masked, ``address`` a network and not a host.
    """

    __tablename__ = "secureauth_audit"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UTC_DATETIME)
    event: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str | None] = mapped_column(String(64), index=True)
    session_id: Mapped[str | None] = mapped_column(String(32))
    email: Mapped[str | None] = mapped_column(String(TEXT_LENGTH))
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(TEXT_LENGTH))
    request_id: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(TEXT_LENGTH))
