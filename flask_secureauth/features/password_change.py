"""Password change: a signed-in user replaces the password. Every other session ends, the own one gets a new name.

So whoever had got hold of a token, an older password or an open session is out. The owner is told by mail, which
no limit holds back: whoever wants the change to go unnoticed would reach that limit first.
Source: ASVS 6.2.2, 6.2.3, 6.3.7, 7.4.3.
"""

from __future__ import annotations

from dataclasses import replace

from ..core.devices import describe_device
from ..core.jwt import Claims
from ..errors import InvalidInput, SessionRevoked, WrongPassword
from ..events import Client, CredentialsChanged
from ..feature import Feature, Guard, Route, Throttle
from ..web.dispatch import Call
from ..web.schemas import BodySchema, TokensSchema, required_text
from ..web.state import AuthState
from ..web.throttles import PASSWORDS
from ..web.transport import Tokens
from .login import LoginService
from .mail.service import MailService
from .sessions.service import SessionService

BY_ACCOUNT = Throttle(name="password_change.account", limits=("10 per hour",), by="address")
"""Asked with each attempt: or one could flood a mailbox that is not one's own with notices, which have no limit."""


class PasswordChangeSchema(BodySchema):
    """What a user sends to change the password."""

    current_password = required_text("Current password", load_only=True)
    new_password = required_text("New password", load_only=True)


class PasswordChangeService:
    """Replaces passwords."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._login = auth.service(LoginService)
        self._sessions = auth.service(SessionService)
        self._mail = auth.service(MailService)
        self._mail.register("password_changed")

    def change(self, email: str, *, current_password: str, new_password: str, claims: Claims, client: Client) -> Tokens:
        """Replace the password of a token's user; return new tokens, the only ones that still work.

        Raises :exc:`~flask_secureauth.errors.InvalidInput`,
        :exc:`~flask_secureauth.errors.WrongPassword`, :exc:`~flask_secureauth.errors.TooManyRequests`,
        :exc:`~flask_secureauth.errors.SessionRevoked`.
        """
        auth = self._auth
        problems = auth.policy.problems(new_password, email=email)
        if problems:
            raise InvalidInput({"new_password": problems})
        auth.throttles.demand(BY_ACCOUNT, email, client=client)
        device = self._login.confirm(claims["sub"], email, current_password, client=client, replace_by=new_password)
        key = auth.users.key(claims["sub"])
        auth.database.announce(CredentialsChanged(user_id=key, reason="password_change", session_id=claims["sid"]))
        self._mail.queue(
            "password_changed", to=email, user_id=key, params={"device": describe_device(client.user_agent)}
        )
        try:
            return replace(self._sessions.tokens.renew(claims, client=client), device=device)
        except SessionRevoked:
            auth.database.undo()  # The session was ended meanwhile: its refusal must not leave another password.
            raise


def change(call: Call) -> Tokens:
    """Change the password."""
    tokens: Tokens = call.service.change(call.email, **call.body, claims=call.claims, client=call.client)
    return tokens


FEATURE = Feature(
    name="password_change",
    requires=("sessions", "login", "mail"),
    service=PasswordChangeService,
    routes=(
        Route(
            "change",
            "POST",
            "/users/me/password",
            change,
            body=PasswordChangeSchema,
            answer=TokensSchema,
            guard=Guard(live=True),
            errors=(WrongPassword,),
            throttles=(PASSWORDS,),
        ),
    ),
    throttles=(BY_ACCOUNT,),
)
