"""Addresses that must be proven: nobody learns which are taken, and nobody gains by taking another's first."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.test import TestResponse

from flask_secureauth import RegistrationSchema, UserMixin
from flask_secureauth.core.mail import Message
from flask_secureauth.events import EmailVerified
from flask_secureauth.features.email_verification import EmailVerificationMixin
from flask_secureauth.features.registration import RegistrationService
from flask_secureauth.testing import frozen_clock, mails
from tests.conftest import PASSWORD, new_sqlalchemy, sign_in

pytestmark = pytest.mark.every_database
GUESS = "another-password-1"
VICTIM, ATTACKER = "amber-tundra-77", PASSWORD
CROWD = 20


def post(client: FlaskClient, path: str, **body: Any) -> TestResponse:
    return client.post(path, json=body)


def register(client: FlaskClient, email: str = "kim@example.com", password: str = PASSWORD) -> TestResponse:
    return post(client, "/users", email=email, password=password)


def log_in(client: FlaskClient, email: str = "kim@example.com", password: str = PASSWORD) -> TestResponse:
    return post(client, "/auth/login", email=email, password=password)


def resend(client: FlaskClient, email: str = "kim@example.com") -> TestResponse:
    return post(client, "/auth/email-verification", email=email)


def confirm(client: FlaskClient, token: str | None, password: str) -> TestResponse:
    return post(client, "/auth/email-verification/confirm", token=token, password=password)


def anatomy(response: TestResponse) -> tuple[Any, ...]:
    """Everything of an answer that a client can see."""
    return response.status_code, response.data, list(response.headers), len(response.data)


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of an app that has accounts of every kind, each with an address of its name."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "accounts"
        is_active: Mapped[bool] = mapped_column(default=True)

    secure_auth = {"db": db, "user_model": User}
    before = make_app(before=db.init_app, secure_auth=secure_auth)
    with before.app_context():
        db.create_all()
    assert register(before.test_client(), "legacy@example.com").status_code == 201
    app = make_app(before=db.init_app, secure_auth=secure_auth, SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    client = app.test_client()
    for name in ("pending", "disabled", "pending-disabled", "empty", "verified"):
        register(client, f"{name}@example.com")
    for mail in mails(app):
        if "pending" not in mail.to:
            assert confirm(client, mail.token, PASSWORD).status_code == 200
    with app.app_context():
        for name, values in CHANGED.items():
            db.session.execute(update(User).where(User.email == f"{name}@example.com").values(values))
        db.session.commit()
    return client


CHANGED: dict[str, dict[str, Any]] = {
    "disabled": {"is_active": False},
    "pending-disabled": {"is_active": False},
    "empty": {"password_hash": ""},
}
ACCOUNTS = ("new", "verified", "pending", "legacy", "disabled", "pending-disabled", "empty")
MAILED = {
    "new": "Confirm your address",
    "pending": "Confirm your address",
    "verified": "You already have an account",
    "legacy": "You already have an account",
    "empty": "You already have an account",
}
REFUSED = {
    "unknown": ("nobody@example.com", PASSWORD),
    "wrong password": ("verified@example.com", GUESS),
    "pending": ("pending@example.com", PASSWORD),
    "pending, wrong password": ("pending@example.com", GUESS),
    "legacy, unverified": ("legacy@example.com", PASSWORD),
    "disabled": ("disabled@example.com", PASSWORD),
    "disabled and pending": ("pending-disabled@example.com", PASSWORD),
    "without a password": ("empty@example.com", PASSWORD),
}


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """The costs of every hash that is computed from now on."""
    costs: list[tuple[int, int, int]] = []
    scrypt = hashlib.scrypt

    def spy(*args: Any, n: int, r: int, p: int, **kwargs: Any) -> bytes:
        costs.append((n, r, p))
        return scrypt(*args, n=n, r=r, p=p, **kwargs)

    monkeypatch.setattr(hashlib, "scrypt", spy)
    return costs


@pytest.mark.parametrize("case", REFUSED)
def test_sign_in_tells_neither_the_account_nor_its_state(
    client: FlaskClient, hashes: list[tuple[int, int, int]], case: str
) -> None:
    """F1, ASVS 6.3.8: who registers an address and signs in at once does not learn whether it was taken before."""
    response = log_in(client, *REFUSED[case])
    assert hashes == [(128, 1, 1)]

    assert response.status_code == 401
    assert anatomy(response) == anatomy(log_in(client, *REFUSED["unknown"]))
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("name", ACCOUNTS)
def test_registration_is_the_same_for_every_address(
    client: FlaskClient, hashes: list[tuple[int, int, int]], name: str
) -> None:
    """F2 and F3: status, body, headers, length and the work that takes time are equal; the mail tells the owner."""
    response = register(client, f"{name}@example.com", VICTIM)
    assert hashes == [(128, 1, 1)]

    assert (response.status_code, response.json) == (202, {"message": "Check your mail"})
    assert anatomy(response) == anatomy(register(client, f"another-{name}@example.com"))
    sent = [mail.subject for mail in mails(client.application) if mail.to == f"{name}@example.com"]
    assert sent == ([MAILED[name]] if name in MAILED else [])


@pytest.mark.parametrize("name", ACCOUNTS)
def test_invalid_registration_is_the_same_for_every_address(
    client: FlaskClient, hashes: list[tuple[int, int, int]], name: str
) -> None:
    """F2: what is refused is refused before anybody looks for the account."""
    response = register(client, f"{name}@example.com", "short")

    assert response.status_code == 400
    assert anatomy(response) == anatomy(register(client, "another@example.com", "short"))
    assert hashes == []


@pytest.mark.parametrize("name", ACCOUNTS)
def test_resend_is_the_same_for_every_address(
    client: FlaskClient, hashes: list[tuple[int, int, int]], name: str
) -> None:
    """F2: one row in the outbox, and a mail only to whom a link is of use."""
    response = resend(client, f"{name}@example.com")

    assert anatomy(response) == anatomy(resend(client, "another@example.com"))
    assert hashes == []
    sent = [mail.to for mail in mails(client.application)]
    assert sent == ([f"{name}@example.com"] if name in ("pending", "legacy") else [])


class BrokenMailer:
    """A mail server that is down."""

    def send(self, message: Message) -> None:
        """Fail."""
        raise ConnectionRefusedError


@pytest.mark.parametrize("attempt", [register, resend], ids=["register", "resend"])
def test_mail_server_that_is_down_changes_no_answer(
    make_app: Callable[..., Flask], attempt: Callable[..., TestResponse]
) -> None:
    """F2, Django CVE-2024-45231: mail is sent off the request, so its failure tells nothing."""
    app = make_app(
        SECUREAUTH_EMAIL_VERIFICATION_MODE="required",
        SECUREAUTH_MAIL_TRANSPORT=BrokenMailer(),
        SECUREAUTH_MAIL_DELIVERY="command",
    )
    client = app.test_client()
    register(client)

    assert anatomy(attempt(client)) == anatomy(attempt(client, "nobody@example.com"))
    app.test_cli_runner().invoke(args=["secureauth", "mail", "deliver"])
    assert anatomy(attempt(client)) == anatomy(attempt(client, "another@example.com"))


@pytest.fixture
def hijacked(make_app: Callable[..., Flask]) -> Flask:
    """An app in which an attacker has registered the victim's address."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    register(app.test_client(), password=ATTACKER)
    return app


def test_victim_who_follows_the_attackers_link_activates_nothing(hijacked: Flask) -> None:
    """F4, pre-hijacking: the link is worth nothing without the password that only the attacker knows."""
    client = hijacked.test_client()
    (mail,) = mails(hijacked)

    for password in (VICTIM, GUESS, "x"):
        assert confirm(client, mail.token, password).status_code == 403

    assert verified(hijacked) == 0
    assert log_in(client, password=ATTACKER).status_code == 401


def test_victim_who_registers_too_gets_the_account(hijacked: Flask) -> None:
    """F4: the attacker's password is dead, whichever of the links is followed."""
    client = hijacked.test_client()
    (first,) = mails(hijacked)
    register(client, password=VICTIM)
    (second,) = mails(hijacked)

    assert confirm(client, first.token, ATTACKER).status_code == 400
    assert confirm(client, second.token, ATTACKER).status_code == 403
    assert confirm(client, second.token, VICTIM).status_code == 200
    assert log_in(client, password=ATTACKER).status_code == 401
    assert sign_in(client, password=VICTIM)


def test_attacker_who_registers_again_gets_no_link(hijacked: Flask) -> None:
    """F4: to be the last who registered is worth nothing without the mailbox."""
    client = hijacked.test_client()
    register(client, password=VICTIM)
    register(client, password=ATTACKER)

    assert {mail.to for mail in mails(hijacked)} == {"kim@example.com"}
    assert log_in(client, password=ATTACKER).status_code == 401


def test_victim_who_resets_the_password_gets_the_account(hijacked: Flask) -> None:
    """F4: a reset proves the mailbox as well, so nothing is left to the attacker, and the link is of no use."""
    client = hijacked.test_client()
    (link,) = mails(hijacked)
    post(client, "/auth/password-reset", email="kim@example.com")
    (reset,) = mails(hijacked)

    assert post(client, "/auth/password-reset/confirm", token=reset.token, new_password=VICTIM).status_code == 200

    assert sign_in(client, password=VICTIM)
    assert log_in(client, password=ATTACKER).status_code == 401
    assert confirm(client, link.token, ATTACKER).status_code == 403
    register(client, password=ATTACKER)
    assert log_in(client, password=ATTACKER).status_code == 401


def test_verified_account_is_out_of_the_attackers_reach(hijacked: Flask) -> None:
    """F4: once the victim is verified, a registration changes nothing."""
    client = hijacked.test_client()
    register(client, password=VICTIM)
    assert confirm(client, mails(hijacked)[-1].token, VICTIM).status_code == 200

    register(client, password=ATTACKER)

    assert log_in(client, password=ATTACKER).status_code == 401
    assert sign_in(client, password=VICTIM)


class PersonalRegistration(RegistrationSchema):
    recovery, name = fields.String(), fields.String()
    news = fields.Boolean()


UNSET = {"recovery": "", "news": True, "name": None}
EVIL = {"recovery": "eve@example.com", "news": False, "name": "Eve"}


@pytest.fixture
def personal(make_app: Callable[..., Flask]) -> Flask:
    """An app in which an attacker has registered the victim's address, and filled the columns of the app."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "accounts"
        recovery: Mapped[str] = mapped_column(String(80), default="")
        news: Mapped[bool] = mapped_column(default=True)
        name: Mapped[str | None] = mapped_column(String(20))

    secure_auth = {"db": db, "user_model": User, "schemas": {RegistrationSchema: PersonalRegistration}}
    app = make_app(before=db.init_app, secure_auth=secure_auth, SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    with app.app_context():
        db.create_all()
    assert post(app.test_client(), "/users", email="kim@example.com", password=ATTACKER, **EVIL).status_code == 202
    return app


def columns(app: Flask) -> dict[str, Any]:
    users = app.extensions["secureauth"].users
    with app.app_context():
        user = users.attach(users.find_credentials("kim@example.com").row)
        return {name: getattr(user, name) for name in UNSET}


def test_victim_who_registers_too_finds_no_column_of_the_attackers(personal: Flask) -> None:
    """F4: what the victim leaves out is as in a registration that replaces none."""
    client = personal.test_client()
    assert columns(personal) == EVIL

    register(client, password=VICTIM)

    assert confirm(client, mails(personal)[-1].token, VICTIM).status_code == 200
    assert columns(personal) == UNSET


def reset(client: FlaskClient) -> None:
    """Ask for a link to a new password, and follow it."""
    post(client, "/auth/password-reset", email="kim@example.com")
    token = mails(client.application)[-1].token
    assert post(client, "/auth/password-reset/confirm", token=token, new_password=VICTIM).status_code == 200


def test_victim_who_resets_the_password_finds_no_column_of_the_attackers(personal: Flask) -> None:
    """F4: what the attacker filled in goes with the attacker's password."""
    reset(personal.test_client())

    assert columns(personal) == UNSET
    assert sign_in(personal.test_client(), password=VICTIM)


def test_reset_of_a_proven_account_keeps_its_columns(personal: Flask) -> None:
    """F4: they are of whoever proved to know the password and to have the mailbox."""
    client = personal.test_client()
    assert confirm(client, mails(personal)[-1].token, ATTACKER).status_code == 200

    reset(client)

    assert columns(personal) == EVIL


def test_reset_of_an_account_that_no_visitor_made_keeps_its_columns(personal: Flask) -> None:
    """F4: those from before the switch, and of the app's own making, are nobody's to take."""
    auth = personal.extensions["secureauth"]
    with personal.app_context(), auth.database.transaction():
        auth.database.change(delete(auth.models[EmailVerificationMixin]))

    reset(personal.test_client())

    assert columns(personal) == EVIL


def verified(app: Flask) -> int:
    state = app.extensions["secureauth"]
    model = state.models[EmailVerificationMixin]
    with app.app_context():
        statement = select(func.count()).select_from(model).where(model.verified_at.is_not(None))
        return int(state.database.session.scalar(statement))


def accounts(app: Flask) -> int:
    state = app.extensions["secureauth"]
    with app.app_context():
        return int(state.database.session.scalar(select(func.count()).select_from(state.user_model)))


def at_once(app: Flask, attempts: list[Callable[[FlaskClient], TestResponse]]) -> list[int]:
    barrier = threading.Barrier(len(attempts))

    def run(attempt: Callable[[FlaskClient], TestResponse]) -> int:
        client = app.test_client()
        barrier.wait(30)
        return attempt(client).status_code

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(run, attempts))


def test_twenty_registrations_of_one_address_are_one_account_and_twenty_times_202(
    make_app: Callable[..., Flask],
) -> None:
    """F5 and M12: no 409, no 500, no second account; one of the passwords is the account's."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_PASSWORD_CONCURRENT_HASHES=CROWD)
    passwords = [f"kraken-vulcan-{number}" for number in range(CROWD)]

    statuses = at_once(app, [partial(register, password=password) for password in passwords])

    assert statuses == [202] * CROWD
    assert accounts(app) == 1
    token = mails(app)[-1].token
    assert [confirm(app.test_client(), token, password).status_code for password in passwords].count(200) == 1


def test_twenty_confirmations_of_one_link_are_one_success(make_app: Callable[..., Flask]) -> None:
    """F5 and F7: the row count of one UPDATE decides."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_PASSWORD_CONCURRENT_HASHES=CROWD)
    register(app.test_client())
    (mail,) = mails(app)

    statuses = at_once(app, [partial(confirm, token=mail.token, password=PASSWORD)] * CROWD)

    assert Counter(statuses) == {200: 1, 400: CROWD - 1}
    assert sign_in(app.test_client())


def test_registrations_and_confirmations_that_meet_leave_one_owner(make_app: Callable[..., Flask]) -> None:
    """F4 and F5: either the victim's confirmation or the attacker's registration comes first, and neither half."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_PASSWORD_CONCURRENT_HASHES=CROWD)
    register(app.test_client(), password=VICTIM)
    (mail,) = mails(app)
    crowd = [partial(register, password=ATTACKER), partial(confirm, token=mail.token, password=VICTIM)] * 5

    statuses = Counter(at_once(app, crowd))

    assert statuses[202] == 5
    assert statuses.keys() <= {202, 200, 400, 403}
    assert log_in(app.test_client(), password=ATTACKER).status_code == 401
    assert (log_in(app.test_client(), password=VICTIM).status_code == 200) == (statuses[200] == 1)


INJECTIONS = {
    "list": ["kim@example.com", "eve@example.com"],
    "object": {"address": "kim@example.com"},
    "two addresses": "kim@example.com,eve@example.com",
    "two addresses, semicolon": "kim@example.com;eve@example.com",
    "blind copy": "kim@example.com\r\nBcc: eve@example.com",
    "percent": "kim@example.com%0d%0aBcc:eve@example.com",
    "name": "Eve <kim@example.com>",
    "unicode twin": "k\u0131m@example.com",
    "kelvin": "\u212aim@example.com",
    "fullwidth": "\uff4bim@example.com",
    "trailing NUL": "kim@example.com\x00",
    "trailing space": "kim@example.com ",
    "trailing dot": "kim@example.com.",
    "upper case": "KIM@EXAMPLE.COM",
}


@pytest.mark.parametrize("case", INJECTIONS)
@pytest.mark.parametrize("path", ["/users", "/auth/email-verification"])
def test_mail_goes_to_the_stored_address_alone(make_app: Callable[..., Flask], path: str, case: str) -> None:
    """F10: 400, or the usual 202 and at most one mail, to the address that was registered."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    client = app.test_client()
    register(client)
    mails(app)
    extra = {"password": PASSWORD} if path == "/users" else {}

    response = client.post(path, json={"email": INJECTIONS[case], **extra})

    assert response.status_code in (202, 400)
    assert [mail.to for mail in mails(app)] in ([], ["kim@example.com"])
    assert accounts(app) == 1


@pytest.mark.parametrize("path", ["/users", "/auth/email-verification"])
def test_repeated_member_is_refused(make_app: Callable[..., Flask], path: str) -> None:
    """F10: which of two addresses counts would depend on who reads."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    body = f'{{"email": "kim@example.com", "email": "eve@example.com", "password": "{PASSWORD}"}}'

    response = app.test_client().post(path, data=body, content_type="application/json")

    assert response.status_code == 400
    assert mails(app) == []


SPELLINGS = ("kim@example.com", "KIM@example.com", "Kim@Example.COM")


def bomb(app: Flask, attempt: Callable[..., TestResponse]) -> tuple[Counter[int], list[str]]:
    """100 attempts from 100 networks within the hour; return the answers, and to whom mails went."""
    answers, reached = Counter[int](), []
    client = app.test_client()
    with frozen_clock(app) as clock:
        for number in range(100):
            client.environ_base["REMOTE_ADDR"] = f"203.0.{number}.7"
            answers[attempt(client, SPELLINGS[number % 3]).status_code] += 1
            if number % 10 == 9:
                reached += [mail.to for mail in mails(app)]
                clock.advance(timedelta(minutes=5))
    return answers, reached


@pytest.mark.parametrize("attempt", [register, resend], ids=["register", "resend"])
def test_mail_bomb_is_three_mails(make_app: Callable[..., Flask], attempt: Callable[..., TestResponse]) -> None:
    """F23: 100 requests in several spellings, the usual answer to each, three mails in the hour."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_THROTTLING_ENABLED=True)
    if attempt is resend:
        auth = app.extensions["secureauth"]
        with app.app_context(), auth.database.transaction():
            auth.service(RegistrationService).register(email="kim@example.com", password=PASSWORD)

    answers, reached = bomb(app, attempt)

    assert answers == {202: 100}
    assert reached == ["kim@example.com"] * 3


def test_mail_bomb_by_signing_in_is_three_mails(make_app: Callable[..., Flask]) -> None:
    """F23: whoever registered the address of another, and so knows the password, cannot flood the mailbox."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_THROTTLING_ENABLED=True)
    register(app.test_client())

    answers, reached = bomb(app, log_in)

    assert answers.keys() == {401, 429}
    assert reached == ["kim@example.com"] * 3


@pytest.mark.parametrize(("attempt", "mailed"), [(register, 3), (resend, 0)], ids=["register", "resend"])
def test_mail_bomb_on_an_owner_is_three_mails(
    make_app: Callable[..., Flask], attempt: Callable[..., TestResponse], mailed: int
) -> None:
    """F23: the mail that tells an owner of a registration counts as well."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_THROTTLING_ENABLED=True)
    auth = app.extensions["secureauth"]
    with app.app_context(), auth.database.transaction():
        user = auth.service(RegistrationService).register(email="kim@example.com", password=PASSWORD)
        auth.database.announce(EmailVerified(user_id=user.id, email="kim@example.com"))

    answers, reached = bomb(app, attempt)

    assert answers == {202: 100}
    assert reached == ["kim@example.com"] * mailed


def test_links_that_are_not_sent_keep_back_none_that_is(make_app: Callable[..., Flask]) -> None:
    """F22: somebody asks for links to an address without an account until its owner registers."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_THROTTLING_ENABLED=True)
    client = app.test_client()
    with frozen_clock(app) as clock:
        for _ in range(4):
            resend(client)
            assert mails(app) == []
            clock.advance(61)
        register(client)

        assert [mail.subject for mail in mails(app)] == ["Confirm your address"]


def test_mailbox_is_not_flooded_by_tags(make_app: Callable[..., Flask]) -> None:
    """F23: kim+1@, kim+2@ and so on are accounts of their own, whose mails arrive in one mailbox."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_THROTTLING_ENABLED=True)
    tags = iter(range(100))

    answers, reached = bomb(app, lambda client, _: register(client, f"kim+{next(tags)}@example.com"))

    assert answers == {202: 100}
    assert len(reached) == 3


@pytest.mark.parametrize("attempt", [register, resend, log_in], ids=["register", "resend", "sign in"])
def test_link_that_was_sent_works_while_no_other_is_sent(
    make_app: Callable[..., Flask], attempt: Callable[..., TestResponse]
) -> None:
    """F22: beyond the limits of mails a link is not made void by one that nobody gets."""
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_THROTTLING_ENABLED=True)
    client = app.test_client()
    register(client)
    (mail,) = mails(app)

    attempt(client)

    assert mails(app) == []
    assert confirm(client, mail.token, PASSWORD).status_code == 200
