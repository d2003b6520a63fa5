"""The users of a run: who is signed in, who signs in, and a thousand others."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import insert
from werkzeug.security import generate_password_hash

from flask_secureauth.core.passwords import DEFAULT_METHOD
from flask_secureauth.db.mixins import to_column

from .identity import address
from .models import BlockedToken, User, db, session, sessions

PASSWORD = "kraken-vulcan-42"
USER_ID, SIGNED_IN = 1, "max@example.com"
ALIVE, DISABLED = "kim@example.com", "lou@example.com"
USERS = 1000
VISITORS = 64
CHEAP_METHOD = "argon2id:m=8,t=1,p=1"


def addresses() -> list[str]:
    """The others. Their hash takes microseconds, so that a sign-in shows what else it costs."""
    return [address(number) for number in range(USERS)]


def visitors() -> list[str]:
    """Those who sign in all at once, with a real hash."""
    return [f"visitor{number}@example.com" for number in range(VISITORS)]


def cheap_hash() -> str:
    """A hash by :data:`CHEAP_METHOD`."""
    return PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash(PASSWORD)


def fill(app: Flask) -> str:
    """Create the tables, the users and one session; return the hash of those users who have a real one."""
    hashed, cheap = generate_password_hash(PASSWORD, DEFAULT_METHOD), cheap_hash()
    people = [(SIGNED_IN, hashed, True), (ALIVE, hashed, True), (DISABLED, hashed, False)]
    people += [(email, hashed, True) for email in visitors()]
    people += [(email, cheap, True) for email in addresses()]
    rows = [
        {"id": number, "email": email, "password_hash": stored, "is_active": is_active}
        for number, (email, stored, is_active) in enumerate(people, USER_ID)
    ]
    with app.app_context():
        db.create_all()
        db.session.execute(insert(User), rows)
        db.session.execute(insert(sessions()), [session(USER_ID, to_column(datetime.now(UTC)))])
        db.session.execute(insert(BlockedToken), [{"jti": secrets.token_hex(16)} for _ in range(USERS)])
        db.session.commit()
    return hashed
