"""``flask secureauth throttling``: let somebody in again."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from ...web.state import current_auth

throttling = AppGroup("throttling", help="Let somebody in again who was locked out.")


@throttling.command("unlock")
@click.argument("email")
def unlock(email: str) -> None:
    """Forget the wrong passwords for the address EMAIL."""
    auth = current_auth()
    with auth.database.transaction():
        was_counted = auth.throttles.forgive(email)
    click.echo(f"Forgot the wrong passwords for {email}." if was_counted else f"There are none for {email}.")
