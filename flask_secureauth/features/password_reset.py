"""Password reset: who has forgotten the password proves the mailbox of the account, and chooses another one.

A request is one mail in the outbox, whatever the address: whether there is an account is looked up when the mail is
delivered, and the mail goes to the address that is stored, never to the one that was typed. A reset signs nobody in and
leaves second factors alone; it ends all sessions and lets no other link through.
Source: ASVS 6.4.1, 6.4.3, 6.4.4, 6.3.7, 7.4.3; security.md section 3, F2 and F8 to F10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ..core.devices import describe_device
from ..errors import InvalidInput, OneTimeTokenInvalid
from ..events import Client, CredentialsChanged, EmailVerified, PasswordResetRequested
from ..feature import Feature, Route, Throttle
from ..setting_kinds import PAGE, duration, setting
from ..web.dispatch import Call
from ..web.schemas import BodySchema, required_text
from ..web.state import AuthState
from ..web.throttles import REDEEMING
from .mail.service import Content, Letter, MailService
from .one_time_tokens import OneTimeTokenService, Proof, Purpose

BY_ADDRESS = Throttle(name="password_reset.address", limits=("1 per minute", "3 per hour"), by="address", silent=True)
"""Apart from other mails, with which strangers would else keep out who needs this one. Source: security.md F22."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long a link lives, and where it leads."""

    lifetime: timedelta = setting(
        timedelta(minutes=10),
        duration(timedelta(minutes=1), timedelta(hours=1)),
        "How long the link to a new password works.",
    )
    page: str = setting("/reset-password", PAGE, "Page of the app where the mailed link leads; it asks for a password.")
    request_page: str = setting(
        "/forgot-password",
        PAGE,
        "Page of the app where visitors ask for the link. Mails that warn name it.",
    )


class PasswordResetRequestSchema(BodySchema):
    """What a visitor sends who has forgotten the password."""

    email = required_text("Email")


class PasswordResetSchema(BodySchema):
    """What the page behind the link sends."""

    token = required_text("Token", load_only=True)
    new_password = required_text("New password", load_only=True)


class PasswordResetService:
    """Sends links, and takes new passwords for them."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: Settings = auth.settings["password_reset"]
        self._purpose = Purpose(name="password_reset", lifetime=self._settings.lifetime)
        self._tokens = auth.service(OneTimeTokenService)
        self._mail = auth.service(MailService)
        self._mail.register("password_reset", self._compose)
        self._mail.register("password_changed", self.compose_warning)

    def request(self, email: str, *, client: Client) -> None:
        """Queue a mail to an address, of an account or not; beyond the limits of mails none, and nothing tells."""
        self._mail.queue("password_reset", to=email, client=client, of_address=BY_ADDRESS)
        self._auth.database.announce(PasswordResetRequested(email=email, client=client))

    def send_link(self, email: str) -> None:
        """Queue a mail to the address of an account that nobody else has asked for: no limit holds it back."""
        self._mail.queue("password_reset", to=email)

    def reset(self, token: str, new_password: str, *, client: Client) -> None:
        """Replace the password, whatever it was, end all sessions and the lockout of the address.

        Raises :exc:`~flask_secureauth.errors.OneTimeTokenInvalid`, and
        :exc:`~flask_secureauth.errors.InvalidInput`, after which the token still works.
        """
        auth = self._auth
        proof = self._look(token, new_password)
        password_hash = auth.hasher.hash(new_password)
        self._tokens.consume(token, self._purpose)
        auth.users.set_hash(proof.user_id, password_hash)
        auth.throttles.forgive(proof.address)
        auth.database.announce(CredentialsChanged(user_id=proof.user_id, reason="password_reset"))
        auth.database.announce(EmailVerified(user_id=proof.user_id, email=proof.address))
        device = describe_device(client.user_agent)
        self._mail.queue("password_changed", to=proof.address, user_id=proof.user_id, params={"device": device})

    def compose_warning(self, letter: Letter) -> Content:
        """Compose a notice that shows its reader the way to a new password."""
        params = {**letter.params, "reset_page": self._settings.request_page}
        return Content(to=letter.to, params=params)

    def _look(self, token: str, new_password: str) -> Proof:
        """Refuse what can be refused before a hash is computed and before the token is used up."""
        proof = self._tokens.find(token, self._purpose)
        if proof is None:
            raise OneTimeTokenInvalid
        problems = self._auth.policy.problems(new_password, email=proof.address)
        if problems:
            raise InvalidInput({"new_password": problems})
        return proof

    def _compose(self, letter: Letter) -> Content | None:
        users = self._auth.users
        found = users.find_credentials(letter.to)
        if found is None or not users.is_active(found.row):
            return None
        # The stored spelling: what was typed may only look like it. Source: security.md F10.
        address = found.email
        return Content(
            to=address,
            user_id=found.key,
            token_id=self._tokens.issue(found.key, self._purpose, address=address),
            page=self._settings.page,
            lifetime=self._purpose.lifetime,
        )


def request(call: Call) -> dict[str, str]:
    """Ask for a link. The answer is the same for every address."""
    call.service.request(**call.body, client=call.client)
    return {"message": "Check your mail"}


def confirm(call: Call) -> dict[str, str]:
    """Choose a new password with the token of the link."""
    call.service.reset(**call.body, client=call.client)
    return {"message": "Password changed"}


FEATURE = Feature(
    name="password_reset",
    requires=("sessions", "one_time_tokens", "mail"),
    settings=Settings,
    service=PasswordResetService,
    routes=(
        Route("request", "POST", "/auth/password-reset", request, body=PasswordResetRequestSchema, status=202),
        Route(
            "confirm",
            "POST",
            "/auth/password-reset/confirm",
            confirm,
            body=PasswordResetSchema,
            errors=(OneTimeTokenInvalid,),
            throttles=(REDEEMING,),
        ),
    ),
    throttles=(BY_ADDRESS,),
)
