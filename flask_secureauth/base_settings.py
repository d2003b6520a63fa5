"""The settings of passwords and sessions, which belong to no feature alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from .core.passwords import DEFAULT_METHOD
from .setting_kinds import BOOLEAN, FETCHED_URL, HASH_METHOD, PATH, TEXT, TEXTS, duration, integer, optional, setting


@dataclass(frozen=True, kw_only=True)
class PasswordSettings:
    """How passwords are hashed, and which are accepted."""

    hash_method: str = setting(DEFAULT_METHOD, HASH_METHOD, "How new passwords are hashed.")
    concurrent_hashes: int = setting(
        max(1, (os.cpu_count() or 1) // 2),
        integer(1, 1024),
        "Hashes computed at a time in one process. The default is half the cores.",
    )
    max_waiting: int = setting(
        32,
        integer(0, 10_000),
        "Requests that may wait for their turn to hash; one more is answered 503 at once. "
        "Well below the threads of a server, it leaves some for other requests.",
    )
    max_wait: timedelta = setting(
        timedelta(seconds=15),
        duration(timedelta(0), timedelta(minutes=1)),
        "How long a request waits for its turn to hash before it is answered 503.",
    )
    min_length: int = setting(8, integer(8, 64), "Fewest characters of a new password.")
    refuse_common: bool = setting(True, BOOLEAN, "Refuse new passwords from the bundled list of common ones.")
    refuse_context: bool = setting(
        True, BOOLEAN, "Refuse new passwords made only of the address, the app's name and the context words."
    )
    context_words: tuple[str, ...] = setting((), TEXTS, "More words that must not make up a password.")
    breach_file: Path | None = setting(
        None,
        optional(PATH),
        "Refuse new passwords whose SHA-1 hash is in this file: the Pwned Passwords download, ordered by hash.",
    )
    breach_range_url: str | None = setting(
        None,
        optional(FETCHED_URL),
        "Refuse new passwords that this service knows from breaches; it is told five characters of their hash.",
    )
    flask_security_salt: str | None = setting(
        None,
        optional(TEXT),
        "SECURITY_PASSWORD_SALT of the app with Flask-Security whose users were imported: their hashes need it.",
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """How long a sign-in lasts, and how soon its end is noticed."""

    staleness: timedelta | None = setting(
        timedelta(0),
        optional(duration(timedelta(0), timedelta(hours=1))),
        "How old the knowledge that a session is alive may be. 0 reads its row on every request; None never does.",
    )
    lifetime: timedelta = setting(
        timedelta(days=30), duration(timedelta(minutes=1), timedelta(days=400)), "Longest life of a remembered sign-in."
    )
    unremembered_lifetime: timedelta = setting(
        timedelta(hours=24),
        duration(timedelta(minutes=1), timedelta(days=400)),
        'Longest life of a sign-in without "remember".',
    )
    idle_lifetime: timedelta = setting(
        timedelta(days=14),
        duration(timedelta(minutes=5), timedelta(days=400)),
        "A session that rests longer is over.",
    )
    refresh_grace: timedelta = setting(
        timedelta(seconds=10),
        duration(timedelta(0), timedelta(minutes=1)),
        "How long the refresh token before the current one still gets the current one. 0: never.",
    )
    max_per_user: int = setting(
        10, integer(1, 1000), "Sessions of one user at a time; the oldest makes room for a new one."
    )
    retention: timedelta = setting(
        timedelta(days=30),
        duration(timedelta(0), timedelta(days=3650)),
        "How long the row of a session that ended is kept before flask secureauth purge deletes it.",
    )
