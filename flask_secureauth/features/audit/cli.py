"""``flask secureauth audit``: look at what happened."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy import Row

from ...core.devices import describe_device
from ...core.networks import network_of
from ...web.state import AuthState, current_auth
from .service import AuditService, as_members

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | timedelta | None:
    """Read a date and time of ISO 8601, in UTC unless it says otherwise, or how long ago."""
    if value is None:
        return None
    ago = re.fullmatch(r"([0-9]{1,5})([mhd])", value)
    if ago:
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = f"{value!r} is no time: write 2026-05-31, 2026-05-31T12:00, 30m, 2h or 7d."
        raise click.BadParameter(message, ctx, param) from None


def _network(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Read an address, or one of the networks that are stored."""
    network = network_of((value or "").partition("/")[0])
    if value is not None and network is None:
        raise click.BadParameter(f"{value!r} is no address: write 203.0.113.7 or 203.0.113.0/24.", ctx, param)
    return network


@click.command("audit")
@click.option("--user", metavar="EMAIL|ID", help="Events of this user. Use the id for one who is deleted.")
@click.option("--event", help="Events of this name, such as authn_login_fail.")
@click.option(
    "--since", metavar="TIME", callback=_moment, help="Not before this time: 2026-05-31T12:00 (UTC), or 2h, 7d ago."
)
@click.option("--until", metavar="TIME", callback=_moment, help="Before this time.")
@click.option(
    "--client", "network", metavar="ADDRESS", callback=_network, help="Events from the network of this address."
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="So many, the newest ones.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object in each line.")
@with_appcontext
def audit(*, user: str | None, limit: int, as_json: bool, **filters: Any) -> None:
    """Show what happened, newest first; times are UTC."""
    auth = current_auth()
    now = auth.clock.now()
    wanted = {name: now - value if isinstance(value, timedelta) else value for name, value in filters.items()}
    user_id = None if user is None else _user_id(auth, user)
    write = _json_line if as_json else _line
    for row in auth.service(AuditService).find(user_id=user_id, limit=limit, **wanted):
        click.echo(write(row))


def _user_id(auth: AuthState, text: str) -> Any:
    credentials = auth.users.find_credentials(text) if "@" in text else None
    key = credentials.key if credentials else auth.users.key(text)
    if key is None:
        raise click.ClickException(f"No user has the address {text}, and it is no id.")
    return key


def _json_line(row: Row[Any]) -> str:
    return json.dumps(as_members(row._mapping))


def _line(row: Row[Any]) -> str:
    who = f"user {row.user_id}" if row.user_id else row.email
    device = describe_device(row.user_agent) or row.user_agent
    facts = (f"{row.at:%Y-%m-%d %H:%M:%S}", row.event, who, row.reason, row.address, device)
    return "  ".join(fact or "-" for fact in facts)
