"""The clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from flask_secureauth.core.clock import Clock


def test_clock_tells_the_time_of_the_machine() -> None:
    before = time.time()

    assert before <= Clock().timestamp() <= time.time()


def test_clock_reads_its_source_each_time() -> None:
    moments = iter((1.5, 2.5))
    clock = Clock(lambda: next(moments))

    assert (clock.timestamp(), clock.timestamp()) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1709210096.25, datetime(2024, 2, 29, 12, 34, 56, 250_000, tzinfo=UTC)),
        (2**31, datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
        (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_now_is_an_aware_utc_datetime(seconds: float, expected: datetime) -> None:
    now = Clock(lambda: seconds).now()

    assert now == expected
    assert now.tzinfo is UTC
