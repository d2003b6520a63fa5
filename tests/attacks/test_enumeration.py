"""Which accounts exist: sign-in tells nobody."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, update
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from flask_secureauth import UserMixin
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in, sign_up

pytestmark = pytest.mark.every_database


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> Iterator[FlaskClient]:
    """A client of an app with an ordinary account, a disabled one and some without a usable password."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "accounts"
        is_active: Mapped[bool] = mapped_column(default=True)

    app = make_app(before=db.init_app, secure_auth={"db": db, "user_model": User})
    with app.app_context():
        db.create_all()
        client = app.test_client()
        for name in ("kim", "disabled", *UNUSABLE):
            sign_up(client, f"{name}@example.com")
        db.session.execute(update(User).where(User.email == "disabled@example.com").values(is_active=False))
        for name, stored in UNUSABLE.items():
            db.session.execute(update(User).where(User.email == f"{name}@example.com").values(password_hash=stored))
        db.session.commit()
    return client


UNUSABLE = {
    "passwordless": "!",
    "django": "!kLx7IRLUO4xqyMJDqkrqCfSYuXPlcDVuVVvGbe9H",
    "empty": "",
    "plain": PASSWORD,
    "damaged": "scrypt:128:1:1$salt$zz",
    "unknown": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC",
}
REFUSED = {
    "unknown address": ("nobody@example.com", PASSWORD),
    "wrong password": ("kim@example.com", "another-password-1"),
    "empty-looking password": ("kim@example.com", " "),
    "disabled, right password": ("disabled@example.com", PASSWORD),
    "disabled, wrong password": ("disabled@example.com", "another-password-1"),
    "passwordless": ("passwordless@example.com", "!"),
    "passwordless, long": ("passwordless@example.com", PASSWORD),
    "django": ("django@example.com", PASSWORD),
    "empty hash": ("empty@example.com", PASSWORD),
    "plain text instead of a hash": ("plain@example.com", PASSWORD),
    "damaged hash": ("damaged@example.com", PASSWORD),
    "unknown format": ("unknown@example.com", PASSWORD),
    "no address": ("kim", PASSWORD),
    "no possible address": ("\u202e\U0001f600@@", PASSWORD),
    "over-long address": ("k" * 5000 + "@example.com", PASSWORD),
    "over-long password": ("kim@example.com", "x" * 5000),
}


def _login(client: FlaskClient, case: str) -> TestResponse:
    email, password = REFUSED[case]
    return client.post("/auth/login", json={"email": email, "password": password})


def _anatomy(response: TestResponse) -> tuple[Any, ...]:
    """Everything of an answer that a client can see."""
    return response.status_code, response.data, list(response.headers), len(response.data)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_sign_in_answers_like_any_other(client: FlaskClient, case: str) -> None:
    """F1 and F3, ASVS 6.3.8: equal status, body, headers and length; no cookie on one branch only."""
    response = _login(client, case)

    assert response.status_code == 401
    assert response.json == {"error": "Invalid credentials", "code": "login.invalid_credentials"}
    assert _anatomy(response) == _anatomy(_login(client, "unknown address"))
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("case", REFUSED)
def test_refused_sign_in_costs_one_hash_a_look_and_the_audit(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """F1, ASVS 6.3.8, Django CVE-2024-39329: the time does not tell, since every branch does the same work."""
    _login(client, case)
    costs: list[tuple[int, int, int]] = []
    statements: list[str] = []
    scrypt = hashlib.scrypt

    def spy(*args: Any, n: int, r: int, p: int, **kwargs: Any) -> bytes:
        costs.append((n, r, p))
        return scrypt(*args, n=n, r=r, p=p, **kwargs)

    monkeypatch.setattr(hashlib, "scrypt", spy)
    app = client.application
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "after_cursor_execute", lambda *args: statements.append(args[2]))

    _login(client, case)

    assert costs == [(128, 1, 1)]
    assert [statement.split()[0] for statement in statements] == ["SELECT", "INSERT"]


def test_right_password_signs_in(client: FlaskClient) -> None:
    """The control of this file."""
    assert sign_in(client)


@pytest.mark.parametrize("method", ["scrypt:256:1:1", "pbkdf2:sha256:10"])
def test_account_with_an_older_hash_is_refused_alike(client: FlaskClient, method: str) -> None:
    """F1: an account whose hash waits to be replaced answers like any other."""
    app = client.application
    state = app.extensions["secureauth"]
    with app.app_context():
        table = state.user_model.__table__
        stored = generate_password_hash(PASSWORD, method)
        statement = update(table).where(table.c.email == "kim@example.com").values(password_hash=stored)
        state.database.session.execute(statement)
        state.database.session.commit()

    response = _login(client, "wrong password")

    assert _anatomy(response) == _anatomy(_login(client, "unknown address"))


def test_sign_in_that_finds_no_free_slot_is_503_for_everybody(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1 and F15: a storm of sign-ins is bounded, computes nothing it cannot afford, and tells nothing of accounts."""
    app = make_app(SECUREAUTH_PASSWORD_CONCURRENT_HASHES=1, SECUREAUTH_PASSWORD_MAX_WAIT=0)
    client = app.test_client()
    sign_up(client)
    entered, leave = threading.Event(), threading.Event()
    hashes: list[str] = []
    scrypt = hashlib.scrypt

    def slow(*args: Any, **kwargs: Any) -> bytes:
        hashes.append("hash")
        entered.set()
        assert leave.wait(20)
        return scrypt(*args, **kwargs)

    monkeypatch.setattr(hashlib, "scrypt", slow)
    first = threading.Thread(target=sign_in, args=(app.test_client(),))
    first.start()
    try:
        assert entered.wait(20)
        known, unknown = (
            client.post("/auth/login", json={"email": email, "password": PASSWORD})
            for email in ("kim@example.com", "nobody@example.com")
        )
    finally:
        leave.set()
        first.join()

    assert (known.status_code, known.json["code"]) == (503, "service_busy")
    assert known.headers["Retry-After"].isdecimal()
    assert _anatomy(known) == _anatomy(unknown)
    assert hashes == ["hash"]
    assert sign_in(client)
