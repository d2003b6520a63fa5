"""E-mail verification: registration, links, the gate at sign-in, and what is stored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_secureauth import BUILTIN, ConfigurationError, RegistrationSchema, create_access_token
from flask_secureauth.db.users import SQLAlchemyUserStore
from flask_secureauth.events import EmailVerified, credentials_changed, email_verified, login_failed, user_registered
from flask_secureauth.features.email_verification import EmailVerificationMixin, EmailVerificationService
from flask_secureauth.features.login import InvalidCredentials
from flask_secureauth.features.registration import RegistrationService
from flask_secureauth.testing import frozen_clock, mails
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in
from tests.features.models import model_with_name, model_with_uuid
from tests.web.views import app_on

KIM = "kim@example.com"
OTHER = "amber-tundra-77"
SENT = {"message": "Check your mail"}


def register(client: FlaskClient, email: str = KIM, password: str = PASSWORD, **members: Any) -> TestResponse:
    return client.post("/users", json={"email": email, "password": password, **members})


def log_in(client: FlaskClient, email: str = KIM, password: str = PASSWORD) -> TestResponse:
    return client.post("/auth/login", json={"email": email, "password": password})


def resend(client: FlaskClient, email: str = KIM) -> TestResponse:
    return client.post("/auth/email-verification", json={"email": email})


def confirm(client: FlaskClient, token: str, password: str = PASSWORD) -> TestResponse:
    return client.post("/auth/email-verification/confirm", json={"token": token, "password": password})


def mailed_token(app: Flask) -> str:
    """The token of the only mail that waits."""
    (mail,) = mails(app)
    assert mail.token is not None
    return mail.token


def rows(app: Flask) -> list[Any]:
    state = app.extensions["secureauth"]
    with app.app_context():
        table = state.models[EmailVerificationMixin].__table__
        return list(state.database.session.execute(select(table)))


def announce_verified(app: Flask, email: str = KIM) -> None:
    """What other features do when they find that a mailbox is somebody's."""
    state = app.extensions["secureauth"]
    with app.app_context(), state.database.transaction():
        key = state.users.find_credentials(email).key
        state.database.announce(EmailVerified(user_id=key, email=email))


@pytest.fixture
def required(make_app: Callable[..., Flask]) -> Flask:
    return make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")


@pytest.fixture
def optional(make_app: Callable[..., Flask]) -> Flask:
    return make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="optional")


@pytest.mark.every_database
def test_required_registration_is_202_and_sends_a_link(required: Flask) -> None:
    response = register(required.test_client())

    assert (response.status_code, response.json) == (202, SENT)
    (mail,) = mails(required)
    assert (mail.to, mail.subject) == (KIM, "Confirm your address")
    assert mail.link == f"https://app.example/verify#token={mail.token}"


@pytest.mark.every_database
def test_confirmed_user_signs_in(required: Flask) -> None:
    client = required.test_client()
    register(client)

    response = confirm(client, mailed_token(required))

    assert (response.status_code, response.json) == (200, {"message": "E-mail verified"})
    assert "Set-Cookie" not in response.headers
    assert sign_in(client)


@pytest.mark.every_database
def test_confirmation_works_with_keys_of_any_kind(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_uuid(db), SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    client = app.test_client()
    register(client)

    assert confirm(client, mailed_token(app)).status_code == 200
    assert sign_in(client)


@pytest.mark.every_database
def test_unverified_user_gets_the_refusal_of_a_wrong_password_and_another_link(required: Flask) -> None:
    client = required.test_client()
    register(client)
    mails(required)

    response = log_in(client)

    assert (response.status_code, response.json["code"]) == (401, "login.invalid_credentials")
    assert confirm(client, mailed_token(required)).status_code == 200


def test_refusal_of_an_unverified_user_is_announced(required: Flask) -> None:
    client = required.test_client()
    register(client)
    seen: list[Any] = []

    def receive(sender: Any, **facts: Any) -> None:
        seen.append((facts["email"], facts["reason"]))

    with login_failed.connected_to(receive, sender=required):
        log_in(client)

    assert seen == [(KIM, "refused by a gate")]


def test_wrong_password_of_an_unverified_user_sends_nothing(required: Flask) -> None:
    client = required.test_client()
    register(client)
    mails(required)

    log_in(client, password="another-password-1")

    assert mails(required) == []


def test_app_gets_no_token_for_an_unverified_user(required: Flask) -> None:
    register(required.test_client())
    state = required.extensions["secureauth"]

    with required.test_request_context():
        key = state.users.find_credentials(KIM).key
        with pytest.raises(InvalidCredentials):
            create_access_token(key)


@pytest.mark.every_database
def test_wrong_password_does_not_use_up_the_link(required: Flask) -> None:
    client = required.test_client()
    register(client)
    token = mailed_token(required)

    response = confirm(client, token, password="another-password-1")

    assert (response.status_code, response.json["code"]) == (403, "wrong_password")
    assert confirm(client, token).status_code == 200


@pytest.mark.every_database
def test_link_works_once(required: Flask) -> None:
    client = required.test_client()
    register(client)
    token = mailed_token(required)
    confirm(client, token)

    response = confirm(client, token)

    assert (response.status_code, response.json["code"]) == (400, "one_time_token_invalid")


@pytest.mark.parametrize(("hours", "status"), [(23.9, 200), (24, 400)])
def test_link_works_for_a_day(required: Flask, hours: float, status: int) -> None:
    client = required.test_client()
    with frozen_clock(required) as clock:
        register(client)
        token = mailed_token(required)
        clock.advance(timedelta(hours=hours))

        assert confirm(client, token).status_code == status


def test_lifetime_and_page_can_be_set(make_app: Callable[..., Flask]) -> None:
    app = make_app(
        SECUREAUTH_EMAIL_VERIFICATION_MODE="required",
        SECUREAUTH_EMAIL_VERIFICATION_LIFETIME=timedelta(hours=1),
        SECUREAUTH_EMAIL_VERIFICATION_PAGE="/verify.html",
    )
    client = app.test_client()
    with frozen_clock(app) as clock:
        register(client)
        (mail,) = mails(app)
        assert mail.link == f"https://app.example/verify.html#token={mail.token}"
        clock.advance(timedelta(hours=1))

        assert confirm(client, mail.token or "").status_code == 400


@pytest.mark.every_database
def test_newer_link_makes_the_older_one_void(required: Flask) -> None:
    client = required.test_client()
    register(client)
    older = mailed_token(required)
    assert (resend(client).status_code, resend(client).json) == (202, SENT)
    newer = [mail.token for mail in mails(required)][-1]

    assert confirm(client, older).status_code == 400
    assert confirm(client, newer or "").status_code == 200


@pytest.mark.parametrize("email", ["nobody@example.com", "kim", "kim@example.com,lee@example.com"])
def test_resend_for_no_account_is_202_and_sends_nothing(required: Flask, email: str) -> None:
    response = resend(required.test_client(), email)

    assert (response.status_code, response.json) == (202, SENT)
    assert mails(required) == []


def test_resend_for_a_verified_user_sends_nothing(required: Flask) -> None:
    client = required.test_client()
    register(client)
    confirm(client, mailed_token(required))

    assert resend(client).status_code == 202
    assert mails(required) == []


@pytest.mark.every_database
def test_registration_of_a_verified_address_tells_its_owner_and_changes_nothing(required: Flask) -> None:
    client = required.test_client()
    register(client)
    confirm(client, mailed_token(required))

    response = register(client, "KIM@example.com", OTHER)

    assert (response.status_code, response.json) == (202, SENT)
    (mail,) = mails(required)
    assert (mail.to, mail.subject, mail.token) == (KIM, "You already have an account", None)
    assert sign_in(client)
    assert log_in(client, password=OTHER).status_code == 401


@pytest.mark.every_database
def test_account_from_before_is_not_replaced(make_app: Callable[..., Flask]) -> None:
    """It has no row, and is as good as verified to a stranger; only its sign-in waits for a verification."""
    assert register(make_app().test_client()).status_code == 201
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    client = app.test_client()

    assert register(client, password=OTHER).status_code == 202
    (notice,) = mails(app)
    assert notice.subject == "You already have an account"
    assert log_in(client).status_code == 401
    assert confirm(client, mailed_token(app)).status_code == 200
    assert sign_in(client)


def test_account_made_by_the_app_is_not_replaced(required: Flask) -> None:
    auth = required.extensions["secureauth"]
    with required.app_context(), auth.database.transaction():
        auth.service(RegistrationService).register(email=KIM, password=PASSWORD)
    client = required.test_client()

    register(client, password=OTHER)

    (notice,) = mails(required)
    assert notice.subject == "You already have an account"
    assert log_in(client).status_code == 401
    assert confirm(client, mailed_token(required)).status_code == 200


@pytest.mark.every_database
def test_newest_registration_replaces_a_pending_account(required: Flask) -> None:
    client = required.test_client()
    register(client)
    mails(required)

    assert register(client, password=OTHER).status_code == 202

    token = mailed_token(required)
    assert confirm(client, token).status_code == 403
    assert confirm(client, token, OTHER).status_code == 200
    assert sign_in(client, password=OTHER)


def test_replacement_is_announced_as_changed_credentials_and_not_as_a_registration(required: Flask) -> None:
    client = required.test_client()
    register(client)
    seen: list[str] = []

    def changed(sender: Any, **facts: Any) -> None:
        seen.append(facts["reason"])

    def registered(sender: Any, **facts: Any) -> None:
        seen.append("registered")

    with (
        credentials_changed.connected_to(changed, sender=required),
        user_registered.connected_to(registered, sender=required),
    ):
        register(client, password=OTHER)

    assert seen == ["registration"]


@pytest.mark.every_database
def test_link_of_the_first_mail_works_for_whoever_registers_twice(required: Flask) -> None:
    """The second mail may be kept back by a limit, and a double click must not leave anybody without a link."""
    client = required.test_client()
    register(client)
    token = mailed_token(required)
    register(client, password=OTHER)

    assert confirm(client, token, OTHER).status_code == 200


class NamedRegistration(RegistrationSchema):
    name = fields.String()


@pytest.fixture
def named(make_app: Callable[..., Flask]) -> Flask:
    """An app whose users have a name of their own."""
    db = new_sqlalchemy()
    schemas = {RegistrationSchema: NamedRegistration}
    return app_on(
        make_app,
        db,
        model_with_name(db),
        secure_auth={"schemas": schemas},
        SECUREAUTH_EMAIL_VERIFICATION_MODE="required",
    )


def name_of(app: Flask) -> Any:
    state = app.extensions["secureauth"]
    with app.app_context():
        return state.users.find_credentials(KIM).row.user_name


@pytest.mark.every_database
@pytest.mark.parametrize(("members", "name"), [({"name": "Kai"}, "Kai"), ({}, None)])
def test_replacement_replaces_the_columns_of_the_app(named: Flask, members: dict[str, str], name: str | None) -> None:
    client = named.test_client()
    register(client, name="Kim")

    assert register(client, password=OTHER, **members).status_code == 202
    assert name_of(named) == name


@pytest.mark.every_database
def test_replacement_replaces_what_was_written_while_it_waited(named: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """F4: the row was read before it was locked, by somebody else at first."""
    client = named.test_client()
    register(client)
    lock = SQLAlchemyUserStore.lock

    def overtaken(self: SQLAlchemyUserStore, user: Any) -> bool:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(register, named.test_client(), name="Eve").result(30).status_code == 202
        return lock(self, user)

    monkeypatch.setattr(SQLAlchemyUserStore, "lock", overtaken)

    assert register(client, password=OTHER).status_code == 202
    assert name_of(named) is None


@pytest.mark.every_database
def test_replacement_with_a_value_that_is_taken_is_409_and_changes_nothing(named: Flask) -> None:
    client = named.test_client()
    register(client, "lee@example.com", name="Lee")
    register(client, name="Kim")
    mails(named)

    response = register(client, password=OTHER, name="Lee")

    assert (response.status_code, response.json["code"]) == (409, "registration.value_taken")
    assert name_of(named) == "Kim"
    assert mails(named) == []


@pytest.mark.parametrize("mode", ["off", "optional", "required"])
def test_invalid_registration_is_400_in_every_mode(make_app: Callable[..., Flask], mode: str) -> None:
    client = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE=mode).test_client()

    assert register(client, "kim").status_code == 400
    assert register(client, password="short").status_code == 400


@pytest.mark.every_database
def test_optional_registration_is_201_and_sends_a_link(optional: Flask) -> None:
    client = optional.test_client()

    assert register(client).status_code == 201
    assert register(client).status_code == 409

    token = mailed_token(optional)
    assert sign_in(client)
    assert confirm(client, token).status_code == 200


@pytest.mark.every_database
def test_optional_account_is_never_replaced(optional: Flask) -> None:
    register(optional.test_client())

    assert rows(optional) == []


def test_profile_says_whether_the_address_is_verified(optional: Flask) -> None:
    client = optional.test_client()
    register(client)
    headers = bearer(sign_in(client))
    before = client.get("/users/me", headers=headers).json

    confirm(client, mailed_token(optional))

    assert before["email_verified"] is False
    assert client.get("/users/me", headers=headers).json == before | {"email_verified": True}


@pytest.mark.every_database
def test_another_address_is_not_verified(optional: Flask) -> None:
    client = optional.test_client()
    register(client)
    announce_verified(optional)
    headers = bearer(sign_in(client))
    state = optional.extensions["secureauth"]
    with optional.app_context(), state.database.transaction():
        state.database.session.get(state.user_model, state.users.find_credentials(KIM).key).email = "lee@example.com"

    assert client.get("/users/me", headers=headers).json["email_verified"] is False


def test_switched_off_there_are_no_mails_no_routes_and_no_member_of_the_profile(
    app: Flask, client: FlaskClient
) -> None:
    assert register(client).status_code == 201

    assert mails(app) == []
    assert resend(client).status_code == 404
    assert confirm(client, "x").status_code == 404
    assert "email_verified" not in client.get("/users/me", headers=bearer(sign_in(client))).json


def test_app_that_leaves_the_feature_out_registers_as_ever(make_app: Callable[..., Flask]) -> None:
    features = [feature for feature in BUILTIN if feature.name != "email_verification"]
    client = make_app(secure_auth={"features": features}).test_client()

    assert register(client).status_code == 201
    assert register(client).status_code == 409
    assert "email_verified" not in client.get("/users/me", headers=bearer(sign_in(client))).json


def test_app_without_registration_verifies_all_the_same(make_app: Callable[..., Flask]) -> None:
    assert register(make_app().test_client()).status_code == 201
    features = [feature for feature in BUILTIN if feature.name != "registration"]
    app = make_app(secure_auth={"features": features}, SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    client = app.test_client()

    resend(client)

    assert confirm(client, mailed_token(app)).status_code == 200
    assert sign_in(client)


def test_required_without_anybody_to_send_mails_is_refused_at_start(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required", SECUREAUTH_MAIL_TRANSPORT=None)

    assert "SECUREAUTH_MAIL_TRANSPORT" in caught.value.problems[0]


def test_optional_without_anybody_to_send_mails_starts(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="optional", SECUREAUTH_MAIL_TRANSPORT=None)

    assert register(app.test_client()).status_code == 201


@pytest.mark.every_database
def test_what_other_features_prove_counts_and_may_be_proven_again(required: Flask) -> None:
    client = required.test_client()
    register(client)

    for _ in range(2):
        announce_verified(required)

    assert sign_in(client)
    assert len(rows(required)) == 1


def test_verification_is_announced(required: Flask) -> None:
    client = required.test_client()
    register(client)
    seen: list[Any] = []

    def receive(sender: Any, **facts: Any) -> None:
        seen.append(facts["email"])

    with email_verified.connected_to(receive, sender=required):
        confirm(client, mailed_token(required))

    assert seen == [KIM]


def test_export_tells_what_is_known(required: Flask) -> None:
    client = required.test_client()
    register(client)
    service = required.extensions["secureauth"].service(EmailVerificationService)
    with required.app_context():
        key = required.extensions["secureauth"].users.find_credentials(KIM).key
        pending = service.export(key)
    with frozen_clock(required) as clock:
        announce_verified(required)
        with required.app_context():
            verified = service.export(key)
            nobody = service.export(-1)

    assert pending == {"address": KIM, "verified_at": None}
    assert verified == {"address": KIM, "verified_at": clock.moment.isoformat()}
    assert nobody is None


def test_command_verifies_an_address(required: Flask) -> None:
    client = required.test_client()
    register(client)

    result = required.test_cli_runner().invoke(args=["secureauth", "verify-email", "Kim@Example.com"])

    assert (result.exit_code, result.output) == (0, f"{KIM} counts as verified.\n")
    assert sign_in(client)


def test_command_names_an_unknown_address(required: Flask) -> None:
    result = required.test_cli_runner().invoke(args=["secureauth", "verify-email", KIM])

    assert result.exit_code == 1
    assert f"No user has the address {KIM}." in result.output


@pytest.mark.every_database
@pytest.mark.parametrize(("mode", "pending"), [("required", 1), ("optional", 0), ("off", 0)])
def test_purge_forgets_which_accounts_are_pending_once_they_can_sign_in(
    make_app: Callable[..., Flask], mode: str, pending: int
) -> None:
    """Or a stranger could replace the password of an account that has been in use since."""
    first = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE="required")
    register(first.test_client())
    register(first.test_client(), "lee@example.com")
    announce_verified(first, "lee@example.com")
    app = make_app(SECUREAUTH_EMAIL_VERIFICATION_MODE=mode)

    assert app.test_cli_runner().invoke(args=["secureauth", "purge"]).exit_code == 0

    assert len(rows(app)) == 1 + pending
