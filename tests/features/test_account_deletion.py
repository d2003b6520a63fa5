"""Account deletion: the user goes, with everything that features keep, and the app has its say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import BUILTIN, AuthError, Feature, UserMixin, user_deleted
from flask_secureauth.db.build import owned_models
from flask_secureauth.events import UserDeleted
from flask_secureauth.feature import Route
from flask_secureauth.testing import FrozenClock, mails
from tests.conftest import new_sqlalchemy
from tests.db.models import MODELS, MakeModel
from tests.letters import KIM, LEE, change_token, is_refused, reset, reset_token, send, signs_in, users
from tests.visitor import COOKIES, Visitor, set_cookies
from tests.web.views import app_on

PATH = "/users/me"
every_database = pytest.mark.every_database


@pytest.fixture
def kim(app: Flask) -> Visitor:
    return Visitor(app).sign_up()


def delete(visitor: Visitor) -> Any:
    return visitor.open("DELETE", PATH)


def kept(app: Flask) -> dict[str, int]:
    """Table -> rows that belong to users."""
    state = app.extensions["secureauth"]
    with app.app_context():
        return {
            model.__table__.name: state.database.session.scalar(select(func.count()).select_from(model))
            for model in owned_models(state.user_model)
        }


@every_database
def test_account_is_gone(app: Flask, kim: Visitor) -> None:
    response = delete(kim)

    assert (response.status_code, response.json) == (200, {"message": "Account deleted"})
    assert users(app) == []
    assert not signs_in(app)


@every_database
def test_everything_that_features_keep_goes_along(app: Flask, kim: Visitor) -> None:
    """Also on SQLite, which enforces no foreign key unless it is told to."""
    lee = Visitor(app).sign_up(LEE)
    token, change = reset_token(app), change_token(app, kim)
    before = kept(app)

    delete(kim)

    assert (before["secureauth_sessions"], before["secureauth_one_time_tokens"]) == (2, 2)
    assert (kept(app)["secureauth_sessions"], kept(app)["secureauth_one_time_tokens"]) == (1, 0)
    assert is_refused(reset(app, token))
    assert is_refused(send(app, "/auth/email-change/confirm", token=change))
    assert lee.get(PATH).status_code == 200


@every_database
def test_tokens_of_the_deleted_are_refused(app: Flask, kim: Visitor) -> None:
    """F27."""
    other = Visitor(app).sign_in()

    delete(kim)

    for visitor in (kim, other):
        assert (visitor.get(PATH).status_code, visitor.get("/auth/sessions").status_code) == (404, 401)
        assert (visitor.refresh().status_code, delete(visitor).status_code) == (401, 401)


def test_this_process_remembers_no_session_as_alive(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_STALENESS=60)
    kim = Visitor(app).sign_up()
    assert kim.get(PATH).status_code == 200

    delete(kim)

    assert kim.get("/auth/sessions").status_code == 401
    assert kim.get(PATH).status_code == 404


def test_address_is_free_again(app: Flask, kim: Visitor) -> None:
    delete(kim)

    lee = Visitor(app).sign_up(KIM)

    assert lee.get(PATH).status_code == 200
    assert kim.get(PATH).status_code == 404


def test_goodbye_is_said(app: Flask, kim: Visitor) -> None:
    delete(kim)

    assert [(mail.to, mail.subject) for mail in mails(app)] == [(KIM, "Your account was deleted")]


def test_deletion_wants_a_fresh_sign_in(app: Flask, kim: Visitor, clock: FrozenClock) -> None:
    clock.advance(timedelta(minutes=5, seconds=1))

    assert delete(kim).json["code"] == "fresh_login_required"
    assert len(users(app)) == 1


def test_deletion_wants_somebody(app: Flask) -> None:
    assert app.test_client().delete(PATH).status_code == 401


def test_session_that_ended_deletes_nothing_at_any_staleness(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_STALENESS=None)
    kim = Visitor(app).sign_up()
    thief = kim.copy()
    kim.post("/auth/logout", {"scope": "global"})

    assert delete(thief).json["code"] == "session_revoked"
    assert len(users(app)) == 1


def test_cookies_are_deleted(make_app: Callable[..., Flask]) -> None:
    app = make_app(**COOKIES)
    kim = Visitor(app).sign_up()

    response = delete(kim)

    assert {value for value, _ in set_cookies(response).values()} == {""}
    assert len(set_cookies(response)) == 3


def test_cookies_alone_delete_nothing(make_app: Callable[..., Flask]) -> None:
    """F18: a form or a script of another site has the cookies and not the proof."""
    app = make_app(**COOKIES)
    kim = Visitor(app).sign_up()

    response = kim.open("DELETE", PATH, headers={"X-CSRF-Token": None, "Sec-Fetch-Site": "cross-site"})

    assert response.json["code"] == "csrf_failed"
    assert len(users(app)) == 1


def test_deletion_is_told(app: Flask, kim: Visitor) -> None:
    told: list[dict[str, Any]] = []

    def hear(sender: Flask, **facts: Any) -> None:
        told.append(facts)

    with user_deleted.connected_to(hear, app):
        delete(kim)

    assert told == [{"user_id": 1, "email": KIM}]


class OwesMoney(AuthError):
    """A refusal of an app's own."""

    code = 409
    error_code = "billing.owes_money"
    sentence = "Pay first."


class Shop:
    """A shop that keeps carts and wants to be paid."""

    def __init__(self, app_model: type[Any], *, is_paid: bool) -> None:
        self.cart, self.is_paid = app_model, is_paid

    def __call__(self, auth: Any) -> Shop:
        self.auth = auth
        return self

    def leave(self, event: UserDeleted) -> None:
        session = self.auth.database.session
        session.query(self.cart).filter_by(owner_id=event.user_id).delete()
        if not self.is_paid:
            raise OwesMoney


def shop_app(make_app: Callable[..., Flask], *, handled: bool = True, is_paid: bool = True) -> tuple[Flask, type[Any]]:
    """An app with rows that refer to users and do not go along; ``handled`` says whether a feature deletes them."""
    db = new_sqlalchemy()
    user_model, cart = _shop_models(db)
    shop = Feature(
        name="shop",
        service=Shop(cart, is_paid=is_paid),
        routes=(Route("pay", "POST", "/pay", lambda call: {}, errors=(OwesMoney,)),),
        handlers={UserDeleted: Shop.leave} if handled else {},
    )
    app = app_on(make_app, db, user_model, secure_auth={"features": (*BUILTIN, shop)})
    return app, cart


def _shop_models(db: SQLAlchemy) -> tuple[type[Any], type[Any]]:
    class User(UserMixin, db.Model):
        __tablename__ = "users"

    class Cart(db.Model):
        __tablename__ = "carts"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        label: Mapped[str] = mapped_column(String(20), default="cart")

    return User, Cart


def fill_cart(app: Flask, cart: type[Any]) -> None:
    with app.app_context():
        session = app.extensions["sqlalchemy"].session
        session.add(cart(owner_id=1))
        session.commit()


def carts(app: Flask, cart: type[Any]) -> int:
    with app.app_context():
        return int(app.extensions["sqlalchemy"].session.query(cart).count())


@every_database
def test_feature_of_the_app_cleans_up_in_the_same_transaction(make_app: Callable[..., Flask]) -> None:
    app, cart = shop_app(make_app)
    kim = Visitor(app).sign_up()
    fill_cart(app, cart)

    assert delete(kim).status_code == 200
    assert (users(app), carts(app, cart)) == ([], 0)


@every_database
def test_feature_of_the_app_refuses_and_nothing_has_happened(make_app: Callable[..., Flask]) -> None:
    app, cart = shop_app(make_app, is_paid=False)
    kim = Visitor(app).sign_up()
    fill_cart(app, cart)

    response = delete(kim)

    assert (response.status_code, response.json["code"]) == (409, "billing.owes_money")
    assert (len(users(app)), carts(app, cart)) == (1, 1)
    assert kim.get(PATH).status_code == 200
    assert mails(app) == []


@pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)
def test_rows_that_do_not_go_along_are_a_refusal_and_a_line_in_the_log(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite enforces no foreign key unless it is told to."""
    app, cart = shop_app(make_app, handled=False)
    kim = Visitor(app).sign_up()
    fill_cart(app, cart)

    with caplog.at_level(logging.ERROR, "flask_secureauth"):
        response = delete(kim)

    assert (response.status_code, response.json["code"]) == (409, "account_deletion.still_referenced")
    (line,) = [record.getMessage() for record in caplog.records]
    assert "carts" in line
    assert "ON DELETE CASCADE" in line
    assert kim.get(PATH).status_code == 200
    assert kept(app)["secureauth_sessions"] == 1


@every_database
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_user_model_is_deleted(make_app: Callable[..., Flask], model: MakeModel) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model(db))
    kim, lee = Visitor(app).sign_up(), Visitor(app).sign_up(LEE)

    assert delete(kim).status_code == 200
    assert kim.get(PATH).status_code == 404
    assert lee.get(PATH).status_code == 200
    assert kept(app)["secureauth_sessions"] == 1


def test_operator_deletes_an_account(app: Flask, kim: Visitor) -> None:
    result = app.test_cli_runner().invoke(args=["secureauth", "delete-user", "KIM@example.com", "--yes"])

    assert (result.exit_code, result.output) == (0, "Deleted kim@example.com.\n")
    assert users(app) == []


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_operator_is_asked_first(app: Flask, kim: Visitor, answer: str, left: int) -> None:
    result = app.test_cli_runner().invoke(args=["secureauth", "delete-user", KIM], input=answer)

    assert "Delete kim@example.com for good?" in result.output
    assert len(users(app)) == left


def test_operator_is_told_of_an_unknown_address(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["secureauth", "delete-user", "nobody@example.com", "--yes"])

    assert (result.exit_code, result.output) == (1, "Error: No user has the address nobody@example.com.\n")


def test_operator_is_told_of_a_refusal(make_app: Callable[..., Flask]) -> None:
    app, _ = shop_app(make_app, is_paid=False)
    Visitor(app).sign_up()

    result = app.test_cli_runner().invoke(args=["secureauth", "delete-user", KIM, "--yes"])

    assert (result.exit_code, result.output) == (1, "Error: Pay first.\n")
    assert len(users(app)) == 1
