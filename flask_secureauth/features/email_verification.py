"""E-mail verification: whose mailbox it is. A mailed link, together with the password of the account, proves it.

The link alone would not do: somebody may have registered with the address of another, who follows the link in good
faith and activates an account whose password a stranger knows. Source: ASVS 6.3.8, 6.4.1; security.md F2, F4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy import ColumnElement, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from ..db.mixins import UTC_DATETIME, UserOwned, from_column, to_column
from ..db.user_store import Credentials
from ..errors import ConfigurationError, OneTimeTokenInvalid, UnknownPath, WrongPassword
from ..events import Client, CredentialsChanged, EmailVerified
from ..feature import Feature, Route
from ..setting_kinds import PAGE, choice, duration, setting
from ..web.dispatch import Call
from ..web.schemas import BodySchema, required_text
from ..web.state import AuthState, current_auth
from ..web.throttles import REDEEMING
from .login import InvalidCredentials, LoginService
from .mail.service import Content, Letter, MailService
from .one_time_tokens import OneTimeTokenService, Purpose

LINK, NOTICE = "email_verification", "account_exists"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Whether addresses are proven, and how."""

    mode: str = setting(
        "off",
        choice("off", "optional", "required"),
        "Whether new users are asked to prove their address, and whether they must before they can sign in.",
    )
    lifetime: timedelta = setting(
        timedelta(hours=24),
        duration(timedelta(minutes=10), timedelta(days=7)),
        "How long a link works that proves an address.",
    )
    page: str = setting("/verify", PAGE, "The page of the app that these links lead to.")


class EmailVerificationMixin(UserOwned):
    """What is known of a user's mailbox; no row where nothing is. Times are naive UTC.

    Verified is an account whose present address is ``address``, with a ``verified_at``. A row without ``verified_at``
    is that of a *pending* account: somebody registered it, and nobody has ever signed in to it.
    """

    __tablename__ = "secureauth_email_verifications"
    one_per_user = True

    address: Mapped[str] = mapped_column(String(255))
    registered_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)
    verified_at: Mapped[datetime | None] = mapped_column(UTC_DATETIME)


class EmailVerificationRequestSchema(BodySchema):
    """Where to send another link."""

    email = required_text("Email")


class EmailVerificationSchema(BodySchema):
    """What proves that the mailbox and the account are of one person."""

    token = required_text("Token", load_only=True)
    password = required_text("Password", load_only=True)


class EmailVerificationService:
    """Knows which mailboxes were proven. Registration and the profile ask it as ``auth.mailboxes``."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: Settings = auth.settings["email_verification"]
        self.required = self._settings.mode == "required"
        self._login = auth.service(LoginService)
        self._tokens = auth.service(OneTimeTokenService)
        self._mail = auth.service(MailService)
        if self.required and self._mail.mailer is None:
            raise ConfigurationError(
                [
                    'SECUREAUTH_EMAIL_VERIFICATION_MODE = "required" needs SECUREAUTH_MAIL_TRANSPORT: '
                    "nobody could sign in without the mail."
                ]
            )
        self._mail.register(LINK, self._compose_link)
        self._mail.register(NOTICE, self._compose_notice)
        # It survives: whoever registers twice has the link of the first mail and the password of the second time.
        self._purpose = Purpose(name="email_verification", lifetime=self._settings.lifetime, survives=True)
        self._model = model = auth.models[EmailVerificationMixin]
        self._by_user = (
            select(*auth.users.columns, model.address.label("address"), model.verified_at.label("verified_at"))
            .select_from(model)
            .join(auth.user_model, model.user_id == auth.users.key_column)
            .where(model.user_id == bindparam("user_id"))
        )

    def request(self, email: str, *, client: Client) -> None:
        """Send a link to an address, if it has an account that needs one. Whether it has one is seen at delivery."""
        self._see_that_it_is_on()
        self._mail.queue(LINK, to=email, client=client, of_address=None)

    def confirm(self, token: str, password: str, *, client: Client) -> None:
        """Verify an address with a mailed token and the password of the account. Nobody is signed in.

        A wrong password is counted as a guess and does not use up the token. Raises
        :exc:`~flask_secureauth.errors.OneTimeTokenInvalid`, :exc:`~flask_secureauth.errors.WrongPassword`.
        """
        self._see_that_it_is_on()
        proof = self._tokens.find(token, self._purpose)
        if proof is None:
            raise OneTimeTokenInvalid
        self._login.confirm(str(proof.user_id), proof.address, password, client=client)
        proof = self._tokens.consume(token, self._purpose)
        self._auth.database.announce(EmailVerified(user_id=proof.user_id, email=proof.address))

    def registered(self, user: Any) -> None:
        """Send the first link to somebody who has registered. Until it is used the account is pending."""
        if self._settings.mode == "off":
            return
        if self.required:
            self._store(
                self._auth.users.identify(user), address=user.email, registered_at=self._now(), verified_at=None
            )
        self._send(LINK, user.email)

    def registered_again(self, email: str, *, password_hash: str, fields: Mapping[str, Any]) -> None:
        """Deal with a registration whose address is taken: a pending account makes way, others are told by mail.

        Raises :exc:`~flask_secureauth.db.user_store.ValueTaken`, :exc:`~flask_secureauth.db.user_store.ValueRefused`.
        """
        credentials = self._auth.users.find_credentials(email)
        replaced = credentials is not None and self._replace(credentials.key, password_hash, fields)
        self._send(LINK if replaced else NOTICE, email)

    def is_pending(self, user_id: Any) -> bool:
        """Whether nobody has proven the account since a visitor registered it. Locks the row until the commit."""
        return self.required and bool(self._change(user_id, self._model.verified_at.is_(None), verified_at=None))

    def find_verified(self, user: Any) -> bool | None:
        """Whether the present address of ``user`` was proven; ``None`` where nobody is asked to."""
        return None if self._settings.mode == "off" else self._is_verified(self._auth.users.identify(user))

    def gate(self, user: Any, methods: Sequence[str]) -> None:
        """Refuse the sign-in of whoever has yet to prove the address, and send a link.

        It is the refusal of a wrong password: another one would tell who registers an address and then signs in
        whether it was taken before. Source: security.md F1.
        """
        if self.required and not self._is_verified(self._auth.users.identify(user)):
            self._send(LINK, user.email)
            raise InvalidCredentials

    def verified(self, event: EmailVerified) -> None:
        """Note that a mailbox was proven, whichever feature found out."""
        self._store(event.user_id, address=event.email, verified_at=self._now())

    def export(self, user_id: Any) -> Mapping[str, Any] | None:
        """Return what is known of a user's mailbox."""
        row = self._row(user_id)
        moment = from_column(row.verified_at) if row else None
        return {"address": row.address, "verified_at": moment and moment.isoformat()} if row else None

    def purgeable(self) -> Mapping[type, Any]:
        """Which accounts are pending is of no use, and soon wrong, where a sign-in takes no verification."""
        return {} if self.required else {EmailVerificationMixin: self._model.verified_at.is_(None)}

    def _see_that_it_is_on(self) -> None:
        if self._settings.mode == "off":
            raise UnknownPath

    def _now(self) -> datetime:
        return to_column(self._auth.clock.now())

    def _row(self, user_id: Any) -> Row[Any] | None:
        rows = self._auth.database.read(self._by_user, {"user_id": user_id})
        return rows[0] if rows else None

    def _is_verified(self, user_id: Any) -> bool:
        row = self._row(user_id)
        return row is not None and row.verified_at is not None and self._auth.users.has_address(row, row.address)

    def _store(self, user_id: Any, **values: Any) -> None:
        session = self._auth.database.session
        try:
            # First the insert: an update that finds no row locks the gap that others insert into.
            with session.begin_nested():
                session.execute(insert(self._model).values(user_id=user_id, **values))
        except IntegrityError:
            self._change(user_id, **values)

    def _change(self, user_id: Any, *conditions: ColumnElement[bool], **values: Any) -> int:
        theirs = update(self._model).where(self._model.user_id == user_id, *conditions)
        return self._auth.database.change(theirs.values(**values))

    def _replace(self, key: Any, password_hash: str, fields: Mapping[str, Any]) -> bool:
        """Give a pending account to whoever registered last: the earlier one has proven nothing and gets nothing."""
        auth, is_pending = self._auth, self._model.verified_at.is_(None)
        # The user's row first, as at every sign-in, so that those who meet wait and do not block each other.
        if not auth.users.lock(key) or not self._change(key, is_pending, registered_at=self._now()):
            return False
        auth.users.overwrite(key, {"password_hash": password_hash, **fields})
        auth.database.announce(CredentialsChanged(user_id=key, reason="registration"))
        return True

    def _send(self, template: str, email: str) -> None:
        # The limits are asked when it is composed: here locks are held, and who counts writes in another transaction.
        self._mail.queue(template, to=email)

    def _compose_link(self, letter: Letter) -> Content | None:
        account = self._account(letter)
        if account is None or self._is_verified(account.key) or not self._mail.admits(letter.to, Client()):
            return None
        key, address, settings = account.key, account.email, self._settings
        # Only now that another link goes out: beyond the limits of mails the first one has to do.
        self._tokens.void(key, self._purpose.name)
        token_id = self._tokens.issue(key, self._purpose, address=address)
        return Content(to=address, token_id=token_id, page=settings.page, lifetime=settings.lifetime, user_id=key)

    def _compose_notice(self, letter: Letter) -> Content | None:
        account = self._account(letter)
        if account is None or not self._mail.admits(letter.to, Client()):
            return None
        reset = self._auth.settings.get("password_reset")
        params = {"reset_page": reset.request_page} if reset else {}
        return Content(to=account.email, params=params, user_id=account.key)

    def _account(self, letter: Letter) -> Credentials | None:
        account = self._auth.users.find_credentials(letter.to)
        return account if account is not None and self._auth.users.is_active(account.row) else None


def request(call: Call) -> dict[str, str]:
    """Send another link. The answer is the same whether there is such an account or not."""
    call.service.request(**call.body, client=call.client)
    return {"message": "Check your mail"}


def confirm(call: Call) -> dict[str, str]:
    """Prove the address. Nobody is signed in by it."""
    call.service.confirm(**call.body, client=call.client)
    return {"message": "E-mail verified"}


@click.command("verify-email")
@click.argument("email")
@with_appcontext
def verify_email(email: str) -> None:
    """Take the address of an account as proven."""
    auth = current_auth()
    account = auth.users.find_credentials(email)
    if account is None:
        raise click.ClickException(f"No user has the address {email}.")
    with auth.database.transaction():
        auth.database.announce(EmailVerified(user_id=account.key, email=account.email))
    click.echo(f"{account.email} counts as verified.")


FEATURE = Feature(
    name="email_verification",
    requires=("login", "one_time_tokens", "mail"),
    settings=Settings,
    tables=(EmailVerificationMixin,),
    service=EmailVerificationService,
    routes=(
        Route("request", "POST", "/auth/email-verification", request, body=EmailVerificationRequestSchema, status=202),
        Route(
            "confirm",
            "POST",
            "/auth/email-verification/confirm",
            confirm,
            body=EmailVerificationSchema,
            errors=(OneTimeTokenInvalid, WrongPassword),
            throttles=(REDEEMING,),
        ),
    ),
    gates=(EmailVerificationService.gate,),
    handlers={EmailVerified: EmailVerificationService.verified},
    cli=(verify_email,),
    purge=EmailVerificationService.purgeable,
    export=EmailVerificationService.export,
)
