"""The user model: what the package needs, and a column of our own."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_secureauth import UserMixin


class Base(DeclarativeBase):
    """The declarative base of this app."""


db = SQLAlchemy(model_class=Base)


class User(UserMixin, db.Model):
    """An account. Set ``is_active`` to false, and its sessions and its password stop working at once."""

    __tablename__ = "users"

    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
