"""Reauthentication (step-up): a signed-in user proves again who they are, for views that want a fresh sign-in.

The proof counts for the session that asks, which goes on under another name: tokens of before are dead,
so nobody who holds a copy of one becomes fresh as well. A refresh does not make fresh.
Source: RFC 9470, ASVS 7.5.1 and 7.2.4.
"""

from __future__ import annotations

from dataclasses import replace

from ..core.jwt import Claims
from ..errors import WrongPassword
from ..events import Client
from ..feature import Feature, Guard, Route
from ..web.dispatch import Call
from ..web.schemas import BodySchema, TokensSchema, required_text
from ..web.state import AuthState
from ..web.throttles import PASSWORDS
from ..web.transport import Tokens
from .login import LoginService
from .sessions.service import SessionService


class ReauthenticationSchema(BodySchema):
    """What a signed-in user sends to be asked again."""

    password = required_text("Password", load_only=True)


class ReauthenticationService:
    """Makes a session fresh."""

    def __init__(self, auth: AuthState) -> None:
        self._login = auth.service(LoginService)
        self._sessions = auth.service(SessionService)

    def reauthenticate(self, email: str, password: str, *, claims: Claims, client: Client) -> Tokens:
        """Check the password of a token's user and return fresh tokens; those of before are dead.

        Raises :exc:`~flask_secureauth.errors.WrongPassword`,
        :exc:`~flask_secureauth.errors.SessionRevoked`.
        """
        device = self._login.confirm(claims["sub"], email, password, client=client)
        return replace(self._sessions.tokens.renew(claims, client=client), device=device)


def reauthenticate(call: Call) -> Tokens:
    """Prove it again."""
    tokens: Tokens = call.service.reauthenticate(call.email, **call.body, claims=call.claims, client=call.client)
    return tokens


FEATURE = Feature(
    name="reauthentication",
    requires=("sessions", "login"),
    service=ReauthenticationService,
    routes=(
        Route(
            "reauthenticate",
            "POST",
            "/auth/reauthenticate",
            reauthenticate,
            body=ReauthenticationSchema,
            answer=TokensSchema,
            guard=Guard(live=True),
            errors=(WrongPassword,),
            throttles=(PASSWORDS,),
        ),
    ),
)
