"""The lockout of an address: some wrong passwords are free, then each one costs a longer wait.

Source: ASVS 6.3.1, OWASP Authentication Cheat Sheet (account lockout), NIST SP 800-63B-4 section 3.2.2.
"""

from __future__ import annotations

FREE = 5
"""Wrong passwords without a wait."""
FIRST_WAIT = 30
"""Seconds after the last free one. Each further one doubles it."""
LONGEST_WAIT = 3600
FORGOTTEN_AFTER = 900
"""Seconds without another one, after the wait, until all are forgotten."""


def wait_after(failures: int) -> int:
    """Return how many seconds nobody may try after that many wrong passwords in a row."""
    return 0 if failures < FREE else min(FIRST_WAIT * 2 ** (failures - FREE), LONGEST_WAIT)


MOST = next(count for count in range(FREE, 100) if wait_after(count) == LONGEST_WAIT)
"""Failures that are remembered: more make no longer wait."""
