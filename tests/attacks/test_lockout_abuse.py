"""The lockout as a weapon: strangers, thieves and former owners must not turn it against an account."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.test import TestResponse

from flask_secureauth import UserMixin
from flask_secureauth.testing import frozen_clock, mails
from tests.conftest import PASSWORD, THROTTLED, new_sqlalchemy, sign_up
from tests.visitor import COOKIES, DEVICE, SAME_ORIGIN, Visitor, send_cookies, set_cookies

WRONG = "a-wrong-password"
NEW = "amber-tundra-77"
KIM = {"email": "kim@example.com", "password": PASSWORD}


def _guess(app: Flask, times: int, *, email: str = "kim@example.com") -> None:
    """Guess from a new address each time."""
    client = app.test_client()
    for number in range(times):
        environ = {"REMOTE_ADDR": f"198.18.{number // 250}.{number % 250}"}
        body = {"email": email, "password": WRONG}
        client.post("/auth/login", json=body, headers=SAME_ORIGIN, environ_base=environ)


@pytest.mark.every_database
def test_owner_on_a_known_device_signs_in_whatever_strangers_do(make_app: Callable[..., Flask]) -> None:
    """F22: 1000 failures from everywhere; who has never been there waits, who has been there does not."""
    app = make_app(**THROTTLED, **COOKIES)
    owner = Visitor(app).sign_up()

    with frozen_clock(app) as clock:
        for _ in range(10):
            clock.advance(60)
            _guess(app, 100)
        stranger = app.test_client().post("/auth/login", json=KIM, headers=SAME_ORIGIN)

        assert (stranger.status_code, stranger.json["code"]) == (429, "too_many_requests")
        assert owner.post("/auth/login", KIM).status_code == 200
        assert owner.post("/auth/reauthenticate", {"password": PASSWORD}).status_code == 200


def test_owner_behind_the_address_of_the_guesser_signs_in(make_app: Callable[..., Flask]) -> None:
    """F22: a guesser in the same office uses up what the address may fail."""
    app = make_app(**THROTTLED)
    owner = Visitor(app).sign_up()
    with frozen_clock(app):
        client = app.test_client()
        for number in range(30):
            client.post("/auth/login", json={"email": f"k{number}@example.com", "password": WRONG})

        assert client.post("/auth/login", json=KIM).status_code == 429
        assert owner.post("/auth/login", KIM).status_code == 200


def test_strangers_keep_nobody_out_longer_than_an_hour(make_app: Callable[..., Flask]) -> None:
    """F22: there is no lock that only an administrator opens."""
    app = make_app(**THROTTLED)
    sign_up(app.test_client())
    with frozen_clock(app) as clock:
        for _ in range(50):
            _guess(app, 2)
            clock.advance(3600)

        assert app.test_client().post("/auth/login", json=KIM).status_code == 200


@pytest.mark.every_database
def test_reset_lifts_the_lockout(make_app: Callable[..., Flask]) -> None:
    """F22: the mailbox is a way in that no stranger can bar."""
    app = make_app(**THROTTLED)
    client = app.test_client()
    sign_up(client)
    with frozen_clock(app):
        _guess(app, 5)
        assert client.post("/auth/login", json=KIM).status_code == 429
        assert client.post("/auth/password-reset", json={"email": "kim@example.com"}).status_code == 202
        body = {"token": mails(app)[-1].token, "new_password": NEW}
        assert client.post("/auth/password-reset/confirm", json=body).status_code == 200

        assert client.post("/auth/login", json={**KIM, "password": NEW}).status_code == 200


def test_device_cookie_of_another_account_gives_nothing_and_is_replaced(make_app: Callable[..., Flask]) -> None:
    """F12, F22: one's own account is no ticket to guess at others."""
    app = make_app(**THROTTLED, **COOKIES)
    Visitor(app).sign_up()
    mallory = Visitor(app).sign_up("mallory@example.com")
    planted = mallory.cookie(DEVICE)
    _guess(app, 5)

    assert mallory.post("/auth/login", KIM).status_code == 429
    with app.app_context(), app.extensions["secureauth"].database.transaction():
        assert app.extensions["secureauth"].throttles.forgive("kim@example.com")
    response = mallory.post("/auth/login", KIM)
    assert response.status_code == 200
    assert set_cookies(response)[DEVICE][0] != planted


def test_forged_device_cookies_give_nothing(make_app: Callable[..., Flask]) -> None:
    """F22: the MAC is over device, time and account."""
    app = make_app(**THROTTLED)
    genuine = Visitor(app).sign_up().cookie(DEVICE) or ""
    device, issued, mac = genuine.split(".")
    _guess(app, 5)

    for forged in (
        f"{'0' * 32}.{issued}.{mac}",
        f"{device}.{int(issued) + 1}.{mac}",
        f"{device}.{issued}.{mac[:-1]}{'A' if mac[-1] != 'A' else 'B'}",
        f"{device}.{issued}.",
        f"{device}.0{issued}.{mac}",
        f"{device}.{'9' * 5000}.{mac}",
        f"{genuine}\u00e9",
        "",
        ".",
    ):
        cookies = f"{DEVICE}={forged}".encode().decode("latin-1")
        response = send_cookies(app, cookies, "/auth/login", method="POST", json=KIM)
        assert response.status_code == 429, forged
    assert send_cookies(app, f"{DEVICE}={genuine}", "/auth/login", method="POST", json=KIM).status_code == 200


def test_repeated_device_cookie_is_refused(make_app: Callable[..., Flask]) -> None:
    """F12: one of the two was planted."""
    app = make_app(**THROTTLED)
    sign_up(app.test_client())
    response = send_cookies(app, f"{DEVICE}=a; {DEVICE}=b", "/auth/login", method="POST", json=KIM)
    assert (response.status_code, response.json["code"]) == (400, "repeated_cookie")


def test_stolen_device_cookie_is_a_bucket_and_no_more(make_app: Callable[..., Flask]) -> None:
    """F22: a thief of the cookie may guess as often as any stranger, and signs in nowhere."""
    app = make_app(**THROTTLED)
    stolen = Visitor(app).sign_up().cookie(DEVICE) or ""
    thief = Visitor(app)
    thief.plant(DEVICE, stolen)
    with frozen_clock(app):
        codes = [thief.post("/auth/login", {**KIM, "password": WRONG}).status_code for _ in range(7)]

    assert codes == [401] * 5 + [429] * 2
    assert thief.get("/users/me").status_code == 401


def test_device_cookie_of_before_dies_with_the_password(make_app: Callable[..., Flask]) -> None:
    """F4: who registered somebody's address first keeps nothing of it when the owner has set a password."""
    app = make_app(**THROTTLED)
    attacker, owner = Visitor(app).sign_up(), Visitor(app).sign_in()
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert owner.post("/users/me/password", body).status_code == 200
    _guess(app, 5)

    assert attacker.post("/auth/login", {**KIM, "password": NEW}).status_code == 429
    assert owner.post("/auth/login", {**KIM, "password": NEW}).status_code == 200


@pytest.fixture(params=["off", "required"])
def parity(make_app: Callable[..., Flask], request: pytest.FixtureRequest) -> Iterator[FlaskClient]:
    """A client of an app with accounts of each kind, where nobody has to prove an address, and where nobody has."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "accounts"
        is_active: Mapped[bool] = mapped_column(default=True)

    mode = {"SECUREAUTH_EMAIL_VERIFICATION_MODE": request.param}
    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": User}, **THROTTLED, **mode)
    with app.app_context():
        db.create_all()
        client = app.test_client()
        names = ("kim", "disabled", "passwordless", *(("unverified",) if request.param == "required" else ()))
        for name in names:
            client.post("/users", json={"email": f"{name}@example.com", "password": PASSWORD})
        assert db.session.scalar(select(func.count()).select_from(User)) == len(names)
        db.session.execute(update(User).where(User.email == "disabled@example.com").values(is_active=False))
        db.session.execute(update(User).where(User.email == "passwordless@example.com").values(password_hash="!"))
        db.session.commit()
    with frozen_clock(app):
        yield client


def _anatomy(response: TestResponse) -> tuple[Any, ...]:
    """Everything of an answer that a client can see."""
    return response.status_code, response.data, list(response.headers)


@pytest.mark.every_database
def test_throttled_answers_tell_nothing_of_the_account(parity: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1, ASVS 6.3.8: whatever the account, each step is answered alike, with as many hashes."""
    hashes: list[str] = []
    scrypt = hashlib.scrypt

    def spy(*arguments: Any, **named: Any) -> bytes:
        hashes.append("hash")
        return scrypt(*arguments, **named)

    monkeypatch.setattr(hashlib, "scrypt", spy)
    cases = {
        "unknown": ("nobody@example.com", PASSWORD),
        "known": ("kim@example.com", WRONG),
        "disabled": ("disabled@example.com", PASSWORD),
        "passwordless": ("passwordless@example.com", PASSWORD),
        "unverified": ("unverified@example.com", PASSWORD),
        "no address": ("\u202e@@", PASSWORD),
    }
    seen: dict[str, list[Any]] = {}
    for number, (case, (email, password)) in enumerate(cases.items()):
        seen[case] = []
        for _ in range(10):
            hashes.clear()
            environ = {"REMOTE_ADDR": f"192.0.2.{number}"}
            answer = parity.post("/auth/login", json={"email": email, "password": password}, environ_base=environ)
            seen[case].append((_anatomy(answer), len(hashes)))

    assert [(answer[0], count) for answer, count in seen["unknown"]] == [(401, 1)] * 5 + [(429, 0)] * 5
    for case in cases:
        assert seen[case] == seen["unknown"], case
