"""The table ``secureauth_throttling``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ...db.mixins import UTC_DATETIME


class ThrottlingMixin:
    """What was counted for one subject of one limit. The row is of use until ``expires_at``, a naive UTC time.

    ``digest`` is the SHA-256 of both in hex, so no address is stored. ``hits`` are marks of equal length, the newest
    first, as :mod:`~flask_secureauth.features.throttling.storage` makes them.
    """

    __tablename__ = "secureauth_throttling"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    hits: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UTC_DATETIME)
