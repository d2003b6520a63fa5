"""``flask secureauth sessions``: look at a user's sessions, and end them."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from ...core.devices import describe_device
from ...web.state import AuthState, current_auth
from .errors import SessionNotFound
from .service import SessionService

sessions = AppGroup("sessions", help="Look at the sessions of a user, and end them.")


@sessions.command("list")
@click.argument("email")
def show(email: str) -> None:
    """List the living sessions of the user EMAIL."""
    auth = current_auth()
    found = auth.service(SessionService).of_user(_user_id(auth, email))
    for session in found:
        device = describe_device(session.user_agent) or session.user_agent or "unknown device"
        click.echo(
            f"{session.id}  {session.last_used_at:%Y-%m-%d %H:%M}  {session.address or 'unknown network'}"
            f"  {session.methods}  {device}"
        )
    click.echo(f"{len(found)} alive; times are of the last use, in UTC.")


@sessions.command("revoke")
@click.argument("email")
@click.option("--session", "session_id", help="End this session only; 'list' shows its id.")
def revoke(email: str, session_id: str | None) -> None:
    """End every session of the user EMAIL, or one of them."""
    auth = current_auth()
    service, user_id = auth.service(SessionService), _user_id(auth, email)
    try:
        with auth.database.transaction():
            ended = 1
            if session_id is None:
                ended = service.end_all(user_id, reason="admin")
            else:
                service.end_one(user_id, session_id, reason="admin")
    except SessionNotFound:
        raise click.ClickException(f"{email} has no living session {session_id}; 'list' shows them.") from None
    click.echo(f"Ended {ended}.")


def _user_id(auth: AuthState, email: str) -> Any:
    credentials = auth.users.find_credentials(email)
    if credentials is None:
        raise click.ClickException(f"No user has the address {email}.")
    return credentials.key
