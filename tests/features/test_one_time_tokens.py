"""One-time tokens: issued, revealed for a mail, used once, void when something changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from flask_secureauth.errors import OneTimeTokenInvalid
from flask_secureauth.events import CredentialsChanged, EmailChanged
from flask_secureauth.features.one_time_tokens import OneTimeTokenMixin, OneTimeTokenService, Proof, Purpose
from flask_secureauth.testing import FrozenClock, frozen_clock
from flask_secureauth.web.state import AuthState
from tests.conftest import new_sqlalchemy, sign_up
from tests.features.models import model_with_switch
from tests.web.views import app_on

KIM, LEE = "kim@example.com", "lee@example.com"
RESET = Purpose(name="test_reset", lifetime=timedelta(minutes=10))
CHANGE = Purpose(name="test_change", lifetime=timedelta(hours=1), of_account=False)
UNDO = Purpose(name="test_undo", lifetime=timedelta(days=7), of_account=False, survives=True)


class Desk:
    """Issues and uses tokens as features do, each call in a transaction of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.state: AuthState = app.extensions["secureauth"]
        self.service = self.state.service(OneTimeTokenService)

    def run(self, unit: Callable[[], Any]) -> Any:
        with self.app.app_context():
            return self.state.database.run(unit)

    def key(self, email: str = KIM) -> Any:
        with self.app.app_context():
            found = self.state.users.find_credentials(email)
            assert found is not None
            return found.key

    def issue(self, purpose: Purpose = RESET, *, email: str = KIM, address: str | None = None) -> str:
        """Return the text of a new token."""
        user_id = self.key(email)
        token_id = self.run(lambda: self.service.issue(user_id, purpose, address=address or email))
        token = self.reveal(token_id)
        assert token is not None
        return token

    def reveal(self, token_id: str) -> str | None:
        with self.app.app_context():
            return self.service.reveal(token_id)

    def find(self, token: str, purpose: Purpose = RESET) -> Proof | None:
        with self.app.app_context():
            return self.service.find(token, purpose)

    def consume(self, token: str, purpose: Purpose = RESET) -> Proof:
        proof: Proof = self.run(lambda: self.service.consume(token, purpose))
        return proof

    def is_good(self, token: str, purpose: Purpose = RESET) -> bool:
        """Whether the token works; it is used up if so. Looking and using agree."""
        found = self.find(token, purpose)
        try:
            assert self.consume(token, purpose) == found
        except OneTimeTokenInvalid:
            assert found is None
            return False
        return True

    def announce(self, event: Any) -> None:
        self.run(lambda: self.state.database.announce(event))

    def rows(self) -> list[Any]:
        table = self.state.models[OneTimeTokenMixin].__table__
        with self.app.app_context(), self.state.sqlalchemy.engine.connect() as connection:
            return list(connection.execute(select(table).order_by(table.c.created_at, table.c.id)))

    def change_user(self, **values: Any) -> None:
        model, key = self.state.user_model, self.key()
        self.run(
            lambda: self.state.database.session.execute(
                update(model).where(self.state.users.key_column == key).values(**values)
            )
        )


@pytest.fixture
def desk(app: Flask, client: FlaskClient) -> Desk:
    sign_up(client, KIM)
    sign_up(client, LEE)
    return Desk(app)


@pytest.fixture
def stopped(desk: Desk) -> Iterator[FrozenClock]:
    with frozen_clock(desk.app) as clock:
        yield clock


@pytest.mark.every_database
def test_token_proves_user_and_mailbox(desk: Desk) -> None:
    assert desk.consume(desk.issue()) == Proof(user_id=desk.key(), address=KIM)


@pytest.mark.every_database
def test_token_works_once(desk: Desk) -> None:
    token = desk.issue()

    assert desk.is_good(token)
    assert not desk.is_good(token)


def test_token_has_the_form_of_a_link(desk: Desk) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", desk.issue())


def test_row_holds_the_digest_and_not_the_token(desk: Desk) -> None:
    token = desk.issue()
    (row,) = desk.rows()

    assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert token not in map(str, row)


def test_row_alone_makes_no_token(desk: Desk, make_app: Callable[..., Flask]) -> None:
    """Whoever has the table and not the app's key gets another text, which nobody accepts."""
    token = desk.issue()
    (row,) = desk.rows()
    thief = Desk(make_app(SECRET_KEY="a thief has only the database, and a key of his own", TESTING=True))

    assert thief.reveal(row.id) is None
    assert desk.is_good(token)


def test_token_is_revealed_again(desk: Desk) -> None:
    token = desk.issue()
    (row,) = desk.rows()

    assert desk.reveal(row.id) == desk.reveal(row.id) == token


def test_used_token_is_not_revealed(desk: Desk) -> None:
    token = desk.issue()
    (row,) = desk.rows()
    desk.consume(token)

    assert desk.reveal(row.id) is None
    assert desk.reveal("0" * 32) is None


def test_looking_does_not_use_it(desk: Desk) -> None:
    token = desk.issue()

    assert desk.find(token) == desk.find(token) == Proof(user_id=desk.key(), address=KIM)
    assert desk.is_good(token)


@pytest.mark.every_database
def test_newer_token_makes_the_older_void(desk: Desk) -> None:
    older, other, of_lee = desk.issue(), desk.issue(CHANGE, address="new@example.com"), desk.issue(email=LEE)
    newer = desk.issue()

    assert not desk.is_good(older)
    assert desk.is_good(newer)
    assert desk.is_good(other, CHANGE)
    assert desk.is_good(of_lee)


def test_token_expires(desk: Desk, stopped: FrozenClock) -> None:
    first, second = desk.issue(), desk.issue(email=LEE)
    stopped.advance(RESET.lifetime - timedelta(seconds=1))
    assert desk.is_good(first)

    stopped.advance(1)
    assert not desk.is_good(second)
    assert desk.reveal(desk.rows()[1].id) is None


def test_token_of_another_purpose_is_refused_and_not_used_up(desk: Desk) -> None:
    token = desk.issue()

    assert not desk.is_good(token, CHANGE)
    assert desk.is_good(token)


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "\ud800" * 43, "A" * 43, "A" * 100_000, "\0" * 43])
def test_text_that_is_no_token_is_refused(desk: Desk, token: str) -> None:
    desk.issue()

    assert not desk.is_good(token)


@pytest.mark.every_database
def test_letter_case_matters(desk: Desk) -> None:
    """mysql.md M3: a collation must not call two tokens equal."""
    token = desk.issue()

    assert not desk.is_good(token.swapcase())
    assert desk.is_good(token)


@pytest.mark.parametrize("event", [CredentialsChanged, EmailChanged])
def test_change_makes_all_tokens_void_but_the_surviving(desk: Desk, event: type) -> None:
    tokens = [desk.issue(), desk.issue(CHANGE, address="new@example.com")]
    undo, of_lee = desk.issue(UNDO), desk.issue(email=LEE)
    facts = {"reason": "test"} if event is CredentialsChanged else {"old_email": KIM, "email": "new@example.com"}

    desk.announce(event(user_id=desk.key(), **facts))

    assert [desk.is_good(token) for token in tokens] == [False, False]
    assert desk.is_good(undo, UNDO)
    assert desk.is_good(of_lee)


def test_token_of_the_account_s_address_dies_with_it(desk: Desk) -> None:
    """Also when the app changes the column itself and nobody is told."""
    token, change = desk.issue(), desk.issue(CHANGE, address="new@example.com")
    desk.change_user(email="other@example.com")

    assert not desk.is_good(token)
    assert desk.is_good(change, CHANGE)


def test_another_spelling_of_the_address_is_the_same(desk: Desk) -> None:
    token = desk.issue(address="Kim@EXAMPLE.com")

    assert desk.is_good(token)


def test_token_of_a_deleted_user_is_refused(desk: Desk) -> None:
    token, user_id = desk.issue(), desk.key()
    gone = delete(desk.state.user_model).where(desk.state.users.key_column == user_id)
    desk.run(lambda: desk.state.database.session.execute(gone))

    assert not desk.is_good(token)


def test_token_of_a_retired_key_is_refused(make_app: Callable[..., Flask]) -> None:
    old, new = "kJ4vQ0cYx1Tn8mZr5uLw2sEa7bHd9fGp-first", "pX6yB3nRt0Vk9qWj2eMs8zCf5hUa1dLg-second"
    before = make_app(SECUREAUTH_KEYS=[old])
    sign_up(before.test_client(), KIM)
    token = Desk(before).issue()

    replaced, retired = Desk(make_app(SECUREAUTH_KEYS=[new, old])), Desk(make_app(SECUREAUTH_KEYS=[new]))

    assert retired.find(token) is None
    assert retired.reveal(retired.rows()[0].id) is None
    assert replaced.is_good(token)


def test_token_of_a_disabled_user_is_refused(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    desk = Desk(app_on(make_app, db, model_with_switch(db)))
    sign_up(desk.app.test_client(), KIM)
    token = desk.issue()
    desk.change_user(is_active=False)

    assert not desk.is_good(token)


@pytest.mark.every_database
def test_twenty_requests_with_one_token_one_gets_through(desk: Desk) -> None:
    """F7."""
    token = desk.issue()

    def use(_: int) -> bool:
        try:
            desk.consume(token)
        except OneTimeTokenInvalid:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(use, range(20))) == 1


def test_purge_deletes_what_is_over_for_a_week(desk: Desk, stopped: FrozenClock) -> None:
    desk.consume(desk.issue())
    desk.issue(email=LEE)
    stopped.advance(timedelta(days=6))
    kept = desk.issue(UNDO)
    stopped.advance(timedelta(days=1, minutes=11))

    result = desk.app.test_cli_runner().invoke(args=["secureauth", "purge"])

    assert "secureauth_one_time_tokens: 2 deleted." in result.output
    assert len(desk.rows()) == 1
    assert kept


def test_export_shows_purposes_and_times(desk: Desk, stopped: FrozenClock) -> None:
    token = desk.issue()
    desk.consume(token)
    user_id = desk.key()

    (entry,) = desk.run(lambda: desk.service.export(user_id))

    assert entry == {
        "purpose": "test_reset",
        "address": KIM,
        "created_at": stopped.moment.isoformat(),
        "expires_at": (stopped.moment + RESET.lifetime).isoformat(),
        "closed_at": stopped.moment.isoformat(),
        "outcome": "used",
    }


def test_surviving_token_is_not_replaced_by_a_newer_one(desk: Desk) -> None:
    """A thief who changes the address twice must not make the first undo link void."""
    first, second = desk.issue(UNDO), desk.issue(UNDO)

    assert desk.is_good(first, UNDO)
    assert desk.is_good(second, UNDO)


def test_tokens_since_a_moment_become_void(desk: Desk, stopped: FrozenClock) -> None:
    first = desk.issue(UNDO)
    stopped.advance(1)
    second, since = desk.issue(UNDO), stopped.moment
    stopped.advance(1)
    third, user_id = desk.issue(UNDO), desk.key()

    desk.run(lambda: desk.service.void(user_id, UNDO.name, since=since))

    assert [desk.is_good(token, UNDO) for token in (first, second, third)] == [True, False, False]


def test_proof_says_when_the_token_was_issued(desk: Desk, stopped: FrozenClock) -> None:
    token = desk.issue()
    proof = desk.find(token)

    assert proof is not None
    assert proof.issued_at == stopped.moment


@pytest.mark.every_database
def test_open_token_of_an_address_is_known(desk: Desk, stopped: FrozenClock) -> None:
    desk.issue(UNDO, address="old@example.com")

    def is_open(purpose: Purpose, address: str) -> bool:
        return bool(desk.run(lambda: desk.service.is_open(purpose, address=address)))

    assert is_open(UNDO, "old@example.com")
    assert not is_open(CHANGE, "old@example.com")
    assert not is_open(UNDO, "OLD@example.com")
    assert not is_open(UNDO, "\u00f3ld@example.com")
    stopped.advance(UNDO.lifetime)
    assert not is_open(UNDO, "old@example.com")
