"""User models of apps, as the docs show them."""

from __future__ import annotations

import uuid
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import UserMixin


def model_with_switch(db: SQLAlchemy) -> type[Any]:
    """Accounts that can be disabled."""

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "users"
        is_active: Mapped[bool] = mapped_column(default=True)

    return User


def model_with_name(db: SQLAlchemy) -> type[Any]:
    """Accounts with a column of the app's own, in a table of another name."""

    class Member(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "members"
        name: Mapped[str | None] = mapped_column(String(20), unique=True)

    return Member


def model_with_uuid(db: SQLAlchemy) -> type[Any]:
    """Accounts with a UUID as their key."""

    class Account(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "accounts"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)

    return Account
