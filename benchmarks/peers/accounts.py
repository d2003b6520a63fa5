"""The part of a sign-in that an app writes itself when its extension brings none."""

from __future__ import annotations

from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask import request
from sqlalchemy import select
from sqlalchemy.orm import undefer

from ..models import User, db

_hasher = PasswordHasher()


def verified_user() -> Any:
    """Return the user whose address and password the request brings, or ``None``."""
    credentials = request.get_json()
    found = select(User).where(User.email == credentials["email"]).options(undefer(User.password_hash))
    user = db.session.scalar(found)
    try:
        return user if user and _hasher.verify(user.password_hash, credentials["password"]) else None
    except VerificationError:
        return None
