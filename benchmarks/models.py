"""The tables of ours, of Flask-JWT-Extended and of Flask-Login; those of Flask-Security are its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import flask_login
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_secureauth import UserMixin

from .identity import session_id

Row = dict[str, Any]
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class _Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=_Base)


class User(UserMixin, flask_login.UserMixin, db.Model):  # type: ignore[name-defined, misc]
    """A user that can be disabled, the same row for everybody who is measured."""

    __tablename__ = "users"

    is_active: Mapped[bool] = mapped_column(default=True)


class BlockedToken(db.Model):  # type: ignore[name-defined, misc]
    """The block list of the documentation of Flask-JWT-Extended."""

    __tablename__ = "blocked_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    jti: Mapped[str] = mapped_column(String(36), index=True)


def sessions() -> Table:
    """The table of sessions; it is there once ``SecureAuth`` is."""
    return db.metadata.tables["secureauth_sessions"]


def session(number: int, now: datetime) -> Row:
    """A row of that table: the living session of user ``number``."""
    return {
        "id": session_id(number),
        "user_id": number,
        "methods": "pwd",
        "remembered": True,
        "address": "127.0.0.0/24",
        "user_agent": _BROWSER,
        "key_id": "benchmark",
        "nonce": session_id(number) * 2,
        "generation": 0,
        "created_at": now,
        "authenticated_at": now,
        "last_used_at": now,
        "expires_at": now + timedelta(days=30),
    }
