"""Account deletion: a user goes, and with the user everything that features keep of the account.

Features of the app clean up, or refuse, in a handler of :class:`~flask_secureauth.events.UserDeleted`: it runs in the
same transaction, before the row goes. Source: ASVS 7.4.2, 7.5.1; security.md F27.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import click
from flask.cli import with_appcontext

from ..core.identifiers import printable
from ..core.jwt import Claims
from ..db.user_store import UserReferenced
from ..errors import AuthError, FreshLoginRequired
from ..events import UserDeleted
from ..feature import SENSITIVE, Feature, Route
from ..web.dispatch import Answer, Call
from ..web.state import AuthState, current_auth
from .mail.service import MailService
from .sessions.service import SessionService

logger = logging.getLogger("flask_secureauth")


class StillReferenced(AuthError):
    """Rows of the app refer to the account and do not go with it. The log names the constraint."""

    code = HTTPStatus.CONFLICT
    error_code = "account_deletion.still_referenced"
    sentence = "Something that belongs to this account must be given up first."


class AccountDeletionService:
    """Deletes accounts."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._sessions = auth.service(SessionService)
        self._mail = auth.service(MailService)
        self._mail.register("account_deleted")

    def delete_own(self, claims: Claims, email: str) -> None:
        """Delete the account of a token's user. Raises SessionRevoked, and what :meth:`delete` raises."""
        self.delete(self._sessions.hold(claims), email)

    def delete(self, user_id: Any, email: str) -> None:
        """Delete an account and say goodbye by mail.

        Raises :exc:`StillReferenced`, or what a handler raises; nothing has happened then.
        """
        auth = self._auth
        try:
            auth.database.announce(UserDeleted(user_id=user_id, email=email))
            auth.users.delete(user_id)
        except UserReferenced as error:
            logger.error(
                "An account was not deleted, since other rows refer to it: %s. Delete them in a handler of UserDeleted,"
                " or let the database do it: ON DELETE CASCADE.",
                printable(str(error), limit=500),
            )
            raise StillReferenced from None
        except AuthError:
            auth.database.undo()  # A refusal commits, and some handlers have deleted their part already.
            raise
        self._mail.queue("account_deleted", to=email)


def delete(call: Call) -> Answer:
    """Delete the account."""
    call.service.delete_own(call.claims, call.email)
    return Answer(members={"message": "Account deleted"}, headers=call.auth.transport.deletion())


@click.command("delete-user")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def delete_user(email: str, yes: bool) -> None:
    """Delete the account of EMAIL, with all that belongs to it."""
    auth = current_auth()
    found = auth.users.find_credentials(email)
    if found is None:
        raise click.ClickException(f"No user has the address {email}.")
    if not yes:
        click.confirm(f"Delete {found.email} for good?", abort=True)
    try:
        with auth.database.transaction():
            auth.service(AccountDeletionService).delete(found.key, found.email)
    except AuthError as error:
        raise click.ClickException(str(error.description)) from None
    click.echo(f"Deleted {found.email}.")


FEATURE = Feature(
    name="account_deletion",
    requires=("sessions", "mail"),
    service=AccountDeletionService,
    routes=(
        Route(
            "delete",
            "DELETE",
            "/users/me",
            delete,
            guard=SENSITIVE,
            errors=(FreshLoginRequired, StillReferenced),
        ),
    ),
    cli=(delete_user,),
)
