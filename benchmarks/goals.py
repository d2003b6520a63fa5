"""The goals, in one place. They come from the design and are changed on purpose only."""

from __future__ import annotations

from .report import at_least, at_most, between

TOKEN_SEEN = at_most(1.08)
FIRST_SEEN_HS256 = at_most(2.2)
# No goal is set for other databases.
STALENESS_0 = {"sqlite": at_most(2.6), "mysql": at_most(7), "mariadb": at_most(7)}
# Set with SQLite in mind: on MariaDB the check alone is allowed more.
CURRENT_USER = {"sqlite": at_most(5.5)}
CHEAPER_THAN_PEER = at_least(4)

REFUSED_NONE = at_most(1.1)
REFUSED_GARBAGE = at_most(1.2)
REFUSED_SIGNATURE = at_most(1.5)
REFUSED_EXPIRED = at_most(1.5)

SIGN_IN = at_most(1.03)
SIGN_IN_DIFFERENCE = between(0.95, 1.05)

STORM_THROUGHPUT = at_least(60, " %")
STORM_P99 = at_most(50, " ms")
STORM_UNANSWERED = at_most(0)

IMPORT_TIME = at_most(10, " %")
IMPORT_MEMORY = at_most(2, " MiB")

CALLS_TOKEN_SEEN = at_most(100)
STATEMENTS_NONE = at_most(0)
STATEMENTS_STALENESS_0 = at_most(1)
STATEMENTS_SIGN_IN = at_most(3)
