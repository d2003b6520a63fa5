"""E-mail change: a signed-in user proves another mailbox, and it becomes the account's address.

The old mailbox is told twice: when a change is asked for, and when it has happened, then with a link that takes it back
for a week. So a thief with a stolen session does not keep the account.
Source: ASVS 6.3.7, 7.4.3, 7.5.1; security.md section 3 and F26.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from ..core.devices import describe_device
from ..core.identifiers import InvalidEmail, canonical_email
from ..core.jwt import Claims
from ..db.user_store import EmailTaken
from ..errors import AuthError, FreshLoginRequired, InvalidInput, OneTimeTokenInvalid
from ..events import Client, CredentialsChanged, EmailChanged, EmailChangeRequested, EmailVerified
from ..feature import SENSITIVE, Feature, Route, Throttle
from ..setting_kinds import PAGE, duration, setting
from ..web.dispatch import Call
from ..web.schemas import BodySchema, required_text
from ..web.state import AuthState
from ..web.throttles import REDEEMING
from .mail.service import Content, Letter, MailService, as_queued
from .one_time_tokens import OneTimeTokenService, Purpose
from .password_reset import PasswordResetService
from .sessions.service import SessionService

BY_ACCOUNT = Throttle(name="email_change.account", limits=("5 per hour",), by="address", silent=True)
"""Changes that one account asks for, by its present address. The notice to that address has no limit of its own:
whoever wants it held back would reach that one first.
"""

BY_NEW_ADDRESS = Throttle(name="email_change.address", limits=("1 per minute", "3 per hour"), by="address", silent=True)
"""Apart from other mails: who asks for a change sees whether it went on, and other mails depend on there being an
account. Source: security.md F2.
"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long the two links live, and where they lead."""

    lifetime: timedelta = setting(
        timedelta(hours=1),
        duration(timedelta(minutes=5), timedelta(hours=24)),
        "How long the link that proves the new address works.",
    )
    page: str = setting("/change-email", PAGE, "Page of the app where the link to the new address leads.")
    undo_lifetime: timedelta = setting(
        timedelta(days=7),
        duration(timedelta(days=1), timedelta(days=30)),
        "How long the old address can take a change back. So long nobody else can register it.",
    )
    undo_page: str = setting("/undo-email-change", PAGE, "Page of the app where the link to the old address leads.")


class OldAddressTaken(AuthError):
    """A change cannot be undone: the user of another account has proven the old address since."""

    code = HTTPStatus.CONFLICT
    error_code = "email_change.old_address_taken"
    sentence = "Your old address belongs to another account by now. Please contact the people who run this site."


class EmailChangeSchema(BodySchema):
    """What a user sends to change the address."""

    email = required_text("Email")


class EmailChangeTokenSchema(BodySchema):
    """What the pages behind the two links send."""

    token = required_text("Token", load_only=True)


class EmailChangeService:
    """Changes addresses, and takes changes back."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: Settings = auth.settings["email_change"]
        self._change = Purpose(name="email_change", lifetime=self._settings.lifetime, of_account=False)
        self._undo = Purpose(
            name="email_change.undo", lifetime=self._settings.undo_lifetime, of_account=False, survives=True
        )
        self._sessions = auth.service(SessionService)
        self._tokens = auth.service(OneTimeTokenService)
        self._reset = auth.service(PasswordResetService)
        self._register_mails()
        # Or a thief would register the old address at once, and it could not be given back.
        auth.users.reserve(lambda email: self._tokens.is_open(self._undo, address=email))

    def _register_mails(self) -> None:
        self._mail = self._auth.service(MailService)
        self._mail.register("email_change", self._compose_proof)
        self._mail.register("email_changed", self._compose_undo)
        self._mail.register("email_change_taken", self._reset.compose_warning)
        self._mail.register("email_change_notice", self._reset.compose_warning)
        self._mail.register("email_change_undone", self._reset.compose_warning)

    def request(self, email: str, *, old: str, claims: Claims, client: Client) -> None:
        """Have a token's user prove another address; ``old`` is the account's. It is the same for a taken one.

        Beyond the limits nothing happens, and nothing tells. Raises :exc:`~flask_secureauth.errors.InvalidInput`,
        :exc:`~flask_secureauth.errors.SessionRevoked`.
        """
        new = self._check(email)
        if new == old.lower() or not self._admits(new, old=old, client=client):
            return
        user_id = self._sessions.hold(claims)
        # Issued now and not when the mail is delivered: what changes in between, the password say, makes it void.
        token_id = self._tokens.issue(user_id, self._change, address=new)
        self._mail.queue("email_change", to=new, user_id=user_id, params={"token_id": token_id})
        notice = {"new_email": new, "device": describe_device(client.user_agent)}
        self._mail.queue("email_change_notice", to=old, user_id=user_id, params=notice)
        self._auth.database.announce(EmailChangeRequested(user_id=user_id, email=old, new_email=new))

    def confirm(self, token: str) -> None:
        """Make the address that a token proves the account's, and send the former one a link that undoes it.

        Raises :exc:`~flask_secureauth.errors.OneTimeTokenInvalid`, also for an address that was taken meanwhile.
        """
        auth, proof = self._auth, self._tokens.consume(token, self._change)
        user_id, new = proof.user_id, proof.address
        # An address with a typo belongs to somebody else, who gets no power over the account.
        was_unproven = auth.mailboxes.find_verified(auth.users.find(user_id)) is False
        try:
            old = auth.users.set_email(user_id, new)
        except EmailTaken:
            raise OneTimeTokenInvalid from None
        if old is None:
            raise OneTimeTokenInvalid
        auth.database.announce(EmailChanged(user_id=user_id, old_email=old, email=new))
        auth.database.announce(EmailVerified(user_id=user_id, email=new))
        link = {} if was_unproven else {"token_id": self._tokens.issue(user_id, self._undo, address=old)}
        self._mail.queue("email_changed", to=old, user_id=user_id, params={**link, "new_email": new})

    def undo(self, token: str) -> None:
        """Give the account back to the mailbox that it was taken from.

        Whoever changed the address may know the password and have set it: no password lets anybody in until the
        owner chooses one with the link that is mailed. Raises :exc:`~flask_secureauth.errors.OneTimeTokenInvalid`,
        :exc:`OldAddressTaken`.
        """
        auth, proof = self._auth, self._tokens.consume(token, self._undo)
        user_id, restored = proof.user_id, proof.address
        try:
            lost = auth.users.set_email(user_id, restored)
        except EmailTaken:
            raise OldAddressTaken from None
        if lost is None:
            raise OneTimeTokenInvalid
        auth.users.set_hash(user_id, "")
        # What went to addresses of later is the thief's; what went to those of before is still the owner's.
        self._tokens.void(user_id, self._undo.name, since=proof.issued_at)
        auth.database.announce(CredentialsChanged(user_id=user_id, reason="email_change_undone"))
        auth.database.announce(EmailChanged(user_id=user_id, old_email=lost, email=restored, undone=True))
        auth.database.announce(EmailVerified(user_id=user_id, email=restored))
        # Told as well: it is the owner who has lost it, if a thief reads the old mailbox.
        self._mail.queue("email_changed", to=lost, user_id=user_id, params={"new_email": restored})
        self._mail.queue("email_change_undone", to=restored, user_id=user_id)
        self._reset.send_link(restored)

    def _check(self, email: str) -> str:
        try:
            return canonical_email(email, allow_test_domain=self._auth.testing)
        except InvalidEmail as error:
            raise InvalidInput({"email": [str(error)]}) from None

    def _admits(self, new: str, *, old: str, client: Client) -> bool:
        return self._auth.throttles.admit(BY_ACCOUNT, old) and self._mail.admits(new, client, of_address=BY_NEW_ADDRESS)

    def _compose_proof(self, letter: Letter) -> Content | None:
        users = self._auth.users
        found = users.find_credentials(letter.to)
        if found is None:
            return self._with_link(letter, self._change, self._settings.page)
        if found.key != letter.user_id and users.is_active(found.row):
            self._mail.queue("email_change_taken", to=found.email, user_id=found.key)
        return None

    def _compose_undo(self, letter: Letter) -> Content | None:
        if "token_id" not in letter.params:  # The address was never proven, or a change was undone.
            return as_queued(letter)
        return self._with_link(letter, self._undo, self._settings.undo_page)

    def _with_link(self, letter: Letter, purpose: Purpose, page: str) -> Content | None:
        params = dict(letter.params)
        token_id = params.pop("token_id")
        if self._tokens.reveal(token_id) is None:
            return None  # Void by now.
        return Content(
            to=letter.to,
            token_id=token_id,
            page=page,
            lifetime=purpose.lifetime,
            params=params,
        )


def request(call: Call) -> dict[str, str]:
    """Ask for another address. The answer is the same for every address."""
    call.service.request(**call.body, old=call.email, claims=call.claims, client=call.client)
    return {"message": "Check your mail"}


def confirm(call: Call) -> dict[str, str]:
    """Prove the new address with the token of its link."""
    call.service.confirm(**call.body)
    return {"message": "E-mail changed"}


def undo(call: Call) -> dict[str, str]:
    """Take the change back with the token of the link to the old address."""
    call.service.undo(**call.body)
    return {"message": "E-mail change undone"}


FEATURE = Feature(
    name="email_change",
    requires=("sessions", "one_time_tokens", "mail", "password_reset"),
    settings=Settings,
    service=EmailChangeService,
    routes=(
        Route(
            "request",
            "POST",
            "/users/me/email",
            request,
            body=EmailChangeSchema,
            status=202,
            guard=SENSITIVE,
            errors=(FreshLoginRequired,),
        ),
        Route(
            "confirm",
            "POST",
            "/auth/email-change/confirm",
            confirm,
            body=EmailChangeTokenSchema,
            errors=(OneTimeTokenInvalid,),
            throttles=(REDEEMING,),
        ),
        Route(
            "undo",
            "POST",
            "/auth/email-change/undo",
            undo,
            body=EmailChangeTokenSchema,
            errors=(OneTimeTokenInvalid, OldAddressTaken),
            throttles=(REDEEMING,),
        ),
    ),
    throttles=(BY_ACCOUNT, BY_NEW_ADDRESS),
)
