"""What features change of users: another hash, another address, and gone; on models of all shapes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import UserMixin
from flask_secureauth.db.user_store import EmailTaken
from tests.conftest import sign_up
from tests.db.conftest import elsewhere, state_of
from tests.db.models import MODELS, MakeModel, Model, lazy_relationship, own_columns, plain, versioned

every_database = pytest.mark.every_database
Build = Callable[..., Flask]
KIM, LEE, OTHER = "kim@example.com", "lee@example.com", "kim@new.example"


def named_and_versioned(db: SQLAlchemy) -> Model:
    """A name, and rows that carry a version."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        name: Mapped[str] = mapped_column(String(40), default="nobody")
        version: Mapped[int] = mapped_column()
        __mapper_args__ = {"version_id_col": version}

    return User


def inherited_and_named(db: SQLAlchemy) -> Model:
    """A name, and descendants in a table of their own that loads along."""

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        kind: Mapped[str] = mapped_column(String(20))
        name: Mapped[str] = mapped_column(String(40), default="nobody")
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "user", "with_polymorphic": "*"}

    class Admin(User):
        __tablename__ = "admins"
        id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
        __mapper_args__ = {"polymorphic_identity": "admin"}

    return User


class Store:
    """The store of an app with two users, each call in a transaction of its own."""

    def __init__(self, app: Flask) -> None:
        self.app, self.state = app, state_of(app)
        for email in (KIM, LEE):
            sign_up(app.test_client(), email)
        self.kim, self.lee = self.key(KIM), self.key(LEE)

    def run(self, unit: Callable[[], Any]) -> Any:
        with self.app.app_context():
            return self.state.database.run(unit)

    def key(self, email: str) -> Any:
        with self.app.app_context():
            found = self.state.users.find_credentials(email)
            return found and found.key

    def hash(self, email: str) -> str | None:
        with self.app.app_context():
            found = self.state.users.find_credentials(email)
            return found and found.password_hash


@every_database
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_changes_are_of_one_user(build: Build, model: MakeModel) -> None:
    store = Store(build(model))
    users, before = store.state.users, store.hash(LEE)

    assert store.run(lambda: users.lock(store.kim)) is True
    assert store.run(lambda: users.set_hash(store.kim, "another")) is True
    assert store.run(lambda: users.set_email(store.kim, OTHER)) == KIM
    assert (store.key(OTHER), store.hash(OTHER)) == (store.kim, "another")
    store.run(lambda: users.overwrite(store.kim, {"password_hash": "a third"}))
    assert store.hash(OTHER) == "a third"
    assert store.run(lambda: users.delete(store.kim)) is True
    assert (store.key(OTHER), store.key(LEE), store.hash(LEE)) == (None, store.lee, before)


@every_database
@pytest.mark.parametrize("model", [plain, versioned])
def test_nothing_of_a_user_who_is_gone_is_changed(build: Build, model: MakeModel) -> None:
    store = Store(build(model))
    users = store.state.users
    store.run(lambda: users.delete(store.kim))

    assert store.run(lambda: users.lock(store.kim)) is False
    assert store.run(lambda: users.set_hash(store.kim, "another")) is False
    assert store.run(lambda: users.set_email(store.kim, OTHER)) is None
    assert store.run(lambda: users.delete(store.kim)) is False


@every_database
def test_taken_address_undoes_the_transaction(build: Build) -> None:
    store = Store(build(plain))
    users, before = store.state.users, store.hash(KIM)

    def change() -> None:
        users.set_hash(store.kim, "another")
        users.set_email(store.kim, LEE)

    with pytest.raises(EmailTaken):
        store.run(change)

    assert (store.key(KIM), store.hash(KIM)) == (store.kim, before)


@every_database
def test_address_may_be_set_to_what_it_is(build: Build) -> None:
    store = Store(build(plain))

    assert store.run(lambda: store.state.users.set_email(store.kim, KIM)) == KIM


@pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)
def test_address_before_is_the_one_that_is_there_now(build: Build) -> None:
    """M10: a transaction that has looked already still sees the address of then, and another one has changed it.

    SQLite has one writer at a time.
    """
    store = Store(build(plain))
    users = store.state.users

    def change() -> str | None:
        assert users.find(store.lee) is not None
        assert users.find(store.kim) is not None
        with ThreadPoolExecutor(1) as pool:
            pool.submit(store.run, lambda: users.set_email(store.kim, OTHER)).result(30)
        return users.set_email(store.kim, "kim@third.example")

    assert store.run(change) == OTHER


@every_database
@pytest.mark.parametrize(
    "model", [own_columns, named_and_versioned, inherited_and_named], ids=lambda model: model.__name__
)
def test_overwriting_writes_what_the_object_says_already(build: Build, model: MakeModel) -> None:
    """M10: the row was read before it was locked, and whoever held it has written meanwhile."""
    store = Store(build(model))
    users, session = store.state.users, store.state.database.session

    def change() -> None:
        user = users.attach(users.find_credentials(KIM).row)
        assert user.name == "nobody"
        elsewhere(lambda: store.run(lambda: users.overwrite(store.kim, {"name": "Eve"})))
        assert users.lock(user)
        users.overwrite(store.kim, {"name": "nobody", "password_hash": "another"})

    store.run(change)

    with store.app.app_context():
        kim = session.get(store.state.user_model, store.kim)
        assert (kim.name, kim.password_hash) == ("nobody", "another")
        assert kim.updated_at > kim.created_at


@every_database
def test_reserved_address_is_not_given_out(build: Build) -> None:
    store = Store(build(plain))
    store.state.users.reserve(lambda email: email == OTHER)

    response = store.app.test_client().post("/users", json={"email": "KIM@new.example", "password": "kraken-vulcan-42"})

    assert (response.status_code, response.json["code"]) == (409, "registration.user_exists")
    assert store.key(OTHER) is None
    assert store.run(lambda: store.state.users.set_email(store.kim, OTHER)) == KIM


@every_database
def test_relationship_of_the_app_is_asked(build: Build) -> None:
    """Its rows would lose their owner, which they must have: the database refuses, and the user stays."""
    store = Store(build(lazy_relationship))
    session, users = store.state.database.session, store.state.users
    (relation,) = store.state.user_model.__mapper__.relationships
    note = relation.mapper.class_
    store.run(lambda: session.add(note(owner_id=store.kim)))

    with pytest.raises(Exception, match=r"(?i)null") as raised:
        store.run(lambda: users.delete(store.kim))

    assert type(raised.value).__name__ == "UserReferenced"
    assert store.key(KIM) == store.kim
