"""User models of all shapes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, reconstructor, relationship

from flask_secureauth import UserMixin

Model = type[Any]
MakeModel = Callable[[SQLAlchemy], Model]


def plain(db: SQLAlchemy) -> Model:
    """Nothing of its own."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"

    return User


def uuid_key(db: SQLAlchemy) -> Model:
    """A UUID as key."""

    class Account(UserMixin, db.Model):
        __tablename__ = "accounts"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)

    return Account


def string_key(db: SQLAlchemy) -> Model:
    """A text as key."""

    class Account(UserMixin, db.Model):
        __tablename__ = "accounts"
        id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: f"acc_{uuid.uuid4().hex}")

    return Account


def named_key(db: SQLAlchemy) -> Model:
    """An int key with another name, as attribute and as column."""

    class Member(UserMixin, db.Model):
        __tablename__ = "club_members"
        id = None
        number: Mapped[int] = mapped_column("member_no", primary_key=True)

    return Member


def named_columns(db: SQLAlchemy) -> Model:
    """Attributes whose columns are called otherwise, as in an old table."""

    class Person(UserMixin, db.Model):
        __tablename__ = "tbl Person"
        id: Mapped[int] = mapped_column("ID", primary_key=True)
        email: Mapped[str] = mapped_column("E-Mail", String(255), unique=True)
        password_hash: Mapped[str] = mapped_column("pw", String(255), deferred=True)

    return Person


def own_columns(db: SQLAlchemy) -> Model:
    """Columns of the app's own, with defaults, a deferred one and one of the server's."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        name: Mapped[str] = mapped_column(String(40), default="nobody")
        score: Mapped[int] = mapped_column(server_default="7")
        notes: Mapped[str | None] = mapped_column(String(400), deferred=True)

    return User


def lazy_relationship(db: SQLAlchemy) -> Model:
    """A relationship that loads when it is asked for."""

    class Note(db.Model):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        notes: Mapped[list[Note]] = relationship(Note)

    return User


def joined_relationship(db: SQLAlchemy) -> Model:
    """A relationship that loads along, which a bare row does not bring."""

    class Team(db.Model):
        __tablename__ = "teams"
        id: Mapped[int] = mapped_column(primary_key=True)

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
        team: Mapped[Team | None] = relationship(Team, lazy="joined")

    return User


def listening(db: SQLAlchemy) -> Model:
    """A model that wants to know when it is loaded."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        woken = False

        @reconstructor
        def wake(self) -> None:
            self.woken = True

    return User


def versioned(db: SQLAlchemy) -> Model:
    """A model whose rows carry a version."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        version: Mapped[int] = mapped_column()
        __mapper_args__ = {"version_id_col": version}

    return User


def inherited(db: SQLAlchemy) -> Model:
    """A model with descendants in the same table."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        kind: Mapped[str] = mapped_column(String(20))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "user"}

    class Admin(User):
        __mapper_args__ = {"polymorphic_identity": "admin"}

    return User


def switched_by_column(db: SQLAlchemy) -> Model:
    """A column is_active."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        is_active: Mapped[bool] = mapped_column(default=True)

    return User


def switched_by_property(db: SQLAlchemy) -> Model:
    """A property is_active, made from another column."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        blocked_because: Mapped[str | None] = mapped_column(String(80))

        @property
        def is_active(self) -> bool:
            return self.blocked_because is None

    return User


MODELS: list[MakeModel] = [
    plain, uuid_key, string_key, named_key, named_columns, own_columns, lazy_relationship, joined_relationship,
    listening, versioned, switched_by_column, switched_by_property,
]  # fmt: skip
