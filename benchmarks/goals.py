"""The goals, in one place. They come from the design and are changed on purpose only."""

from __future__ import annotations

from .report import Goal

TOKEN_SEEN = Goal(high=1.08)
FIRST_SEEN_HS256 = Goal(high=2.2)
# No goal is set for other databases.
STALENESS_0 = {"sqlite": Goal(high=2.6), "mysql": Goal(high=7), "mariadb": Goal(high=7)}
# Set with SQLite in mind: on MariaDB the check alone is allowed more.
CURRENT_USER = {"sqlite": Goal(high=5.5)}
CHEAPER_THAN_PEER = Goal(low=4)

REFUSED_NONE = Goal(high=1.1)
REFUSED_GARBAGE = Goal(high=1.2)
REFUSED_SIGNATURE = Goal(high=1.5)
REFUSED_EXPIRED = Goal(high=1.5)

SIGN_IN = Goal(high=1.03)
SIGN_IN_DIFFERENCE = Goal(low=0.95, high=1.05)

STORM_THROUGHPUT = Goal(low=60, unit=" %")
STORM_P99 = Goal(high=50, unit=" ms")
STORM_UNANSWERED = Goal(high=0)

GROWTH = Goal(high=1.05)

IMPORT_TIME = Goal(high=10, unit=" %")
IMPORT_MEMORY = Goal(high=2, unit=" MiB")

CALLS_TOKEN_SEEN = Goal(high=100)
STATEMENTS_NONE = Goal(high=0)
STATEMENTS_STALENESS_0 = Goal(high=1)
STATEMENTS_SIGN_IN = Goal(high=5)
