"""``flask secureauth mail``: deliver the outbox, look into it, and see what mails look like."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
from flask.cli import AppGroup
from jinja2 import TemplateNotFound

from ...core.identifiers import mask_email
from ...errors import DatabaseUnavailable
from ...web.state import current_auth
from .rendering import Renderer
from .service import MailService

mail = AppGroup("mail", help="Deliver the outbox, look into it, and see what mails look like.")

_FOLLOWING_PAUSE = 2
"""Seconds between looks at the outbox: another process fills it, and a database tells nobody."""
_ALARMING = ("expired", "given_up")
"""What an operator has to hear of. That a server knows no such address is everyday life."""


@mail.command("deliver")
@click.option("--follow", is_flag=True, help="Go on with mails as they come, until it is stopped.")
@click.pass_context
def deliver(ctx: click.Context, follow: bool) -> None:
    """Deliver every mail that is due, for cron. Exits with 1 when a mail came too late or was given up."""
    service = current_auth().service(MailService)
    if service.mailer is None:
        raise click.ClickException("SECUREAUTH_MAIL_TRANSPORT is not set: nobody sends mails.")
    with _readable():
        counts = _deliver(service)
        with suppress(KeyboardInterrupt):
            while follow:
                time.sleep(_FOLLOWING_PAUSE)
                counts += _deliver(service)
    if not counts:
        click.echo("No mail is due.")
    ctx.exit(1 if any(counts[outcome] for outcome in _ALARMING) else 0)


def _deliver(service: MailService) -> Counter[str]:
    waiting = service.count_due()
    if not waiting:
        return Counter()
    with click.progressbar(service.deliver(), length=waiting, label="Mails") as outcomes:
        counts = Counter(outcomes)
    click.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return counts


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailable as error:
        raise click.ClickException(str(error.description)) from None


@mail.command("list")
def show() -> None:
    """List mails that wait, and those that did not arrive."""
    with _readable():
        found = current_auth().service(MailService).unsent()
    for row in found:
        click.echo(f"{row.created_at:%Y-%m-%d %H:%M}  {row.template}  {mask_email(row.address)}  {_state(row)}")
    click.echo(f"{len(found)} not sent; times are in UTC.")


def _state(row: Any) -> str:
    if row.outcome:
        return f"{row.outcome}: {row.reason}"
    if not row.attempts:
        return "waits for its first attempt"
    attempts = "1 attempt" if row.attempts == 1 else f"{row.attempts} attempts"
    return f"{attempts}, the next at {row.next_attempt_at:%H:%M}: {row.reason or 'it is being sent'}"


@mail.command("retry")
def retry() -> None:
    """Have mails that wait for a later attempt delivered now: for when the mail server is back."""
    auth = current_auth()
    with _readable(), auth.database.transaction():
        count = auth.service(MailService).hasten()
    click.echo(f"{count} due now.")


@mail.command("preview")
@click.argument("template")
@click.option("--locale", help="The language; by default that of SECUREAUTH_MAIL_LOCALE.")
@click.option("--html", "as_html", is_flag=True, help="The HTML instead of subject and text.")
def preview(template: str, locale: str | None, as_html: bool) -> None:
    """Print the mail TEMPLATE, such as password_reset, with sample values."""
    try:
        sample = Renderer(current_auth()).sample(template, locale)
    except TemplateNotFound as error:
        raise click.ClickException(f"There is no template {error}.") from None
    click.echo(sample.html if as_html else f"Subject: {sample.subject}\n\n{sample.text}")
