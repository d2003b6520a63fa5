"""How long rows are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ...setting_kinds import duration, setting


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """The rows of the audit. Source of a year: PCI DSS 4.0 requirement 10.5.1."""

    retention: timedelta = setting(
        timedelta(days=365),
        duration(timedelta(days=1), timedelta(days=3650)),
        "How long a row is kept before flask secureauth purge deletes it.",
    )
