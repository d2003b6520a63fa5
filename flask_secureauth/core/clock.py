"""The one place that knows what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

LAST_SECOND = 253_402_300_799
"""The end of the year 9999 in seconds since the epoch: no datetime is later."""


class Clock:
    """Tells the time.

    ``source`` returns seconds since the epoch. Tests replace it to stand still; see
    :func:`flask_secureauth.testing.frozen_clock`.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self.source = source

    def timestamp(self) -> float:
        """Seconds since the epoch."""
        return self.source()

    def now(self) -> datetime:
        """An aware UTC datetime."""
        return datetime.fromtimestamp(self.source(), UTC)
