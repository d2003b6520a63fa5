"""Mail: requests put it into an outbox, within their transaction; a deliverer composes and sends it.

A request for a mail is one ``INSERT``, whoever asks and for whatever address. Whether there is an account is
looked up at delivery, so neither the answer nor its time tells. Source: security.md sections 3 and 5, F2.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from ...core.identifiers import InvalidEmail, canonical_email
from ...core.mail import mailable, mailbox_of
from ...errors import ConfigurationError
from ...events import Client, MailQueued, UserDeleted
from ...feature import Throttle
from ...web.locales import current_locale
from ...web.state import AuthState
from .delivery import Delivery
from .rows import MailRows
from .schemas import MailExportSchema
from .settings import MailSettings
from .transports import build_mailer
from .worker import Worker

logger = logging.getLogger("flask_secureauth")

BY_ADDRESS = Throttle(name="mail.address", limits=("1 per minute", "3 per hour"), by="address", silent=True)
BY_CLIENT = Throttle(name="mail.client", limits=("10 per hour",), by="client", silent=True)
"""What strangers may have sent. Source: security.md section 2, F23."""
_PARAMS_LENGTH = 8000
_UNSENT = {"console": "writes mails with their links to the log", "memory": "keeps mails in memory, for tests"}


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What a request has put into the outbox: to which address as it was typed, for which user if that is known."""

    to: str
    user_id: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a mail says, and to whom. It is stored, so that every attempt sends the same.

    The link is ``page``, a path of the app, with the token ``token_id`` if there is one; ``lifetime`` is the
    token's. ``params`` are what the template shows; ``..._page`` among them become links ``..._link``.
    ``user_id`` is whose mail it is; without it that of the letter.
    """

    to: str
    token_id: str | None = None
    page: str | None = None
    lifetime: timedelta | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    user_id: Any = None


Compose = Callable[[Letter], Content | None]


def as_queued(letter: Letter) -> Content:
    """Compose a mail that says what was queued, to where it was queued: for notices."""
    return Content(to=letter.to, params=letter.params)


class MailService:
    """Queues mails, and delivers them."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: MailSettings = auth.settings["mail"]
        self._rows = MailRows(auth)
        self._composers: dict[str, Compose] = {}
        self.mailer = build_mailer(auth.app, self._settings)
        self._delivery = Delivery(auth, self._rows, self.mailer, self._compose)
        self.worker = Worker(auth.app, self.deliver, self._pause)
        self._check()
        if self.mailer is not None and self._settings.delivery == "thread" and self._settings.transport != "memory":
            self.worker.follow(MailQueued.signal)

    def register(self, template: str, compose: Compose = as_queued) -> None:
        """Say how mails of ``template`` are composed.

        ``compose`` runs when the mail is delivered, in a transaction and off the request: it looks up the
        account, issues the token, and returns ``None`` when there is nothing to send. It runs again when the
        transaction is undone.
        """
        self._composers[template] = compose

    def queue(
        self,
        template: str,
        *,
        to: str,
        user_id: Any = None,
        params: Mapping[str, Any] | None = None,
        client: Client | None = None,
        of_address: Throttle | None = BY_ADDRESS,
    ) -> None:
        """Put a mail into the outbox, in the caller's transaction. ``params`` are JSON and hold no secret.

        With ``client`` it is a mail that a stranger can have sent: beyond the limits nothing is queued, and
        nothing tells. ``of_address`` is another limit of the address, or ``None`` where it is asked when the mail
        is composed. Raises LookupError for a template that nobody registered, ValueError for large parameters.
        """
        if template not in self._composers:
            raise LookupError(f"No feature has registered the mail {template}.")
        if not self.admits(to, client, of_address=of_address):
            return
        text = json.dumps(dict(params or {}))
        if len(text) > _PARAMS_LENGTH:
            raise ValueError(f"the parameters of {template} are too long: {len(text)} characters")
        locale = current_locale(self._auth.app) or self._settings.locale
        self._rows.add(template=template, locale=locale[:32], address=to, user_id=_text(user_id), params=text)
        self._auth.database.announce(MailQueued(template=template))

    def admits(self, to: str, client: Client | None, *, of_address: Throttle | None = BY_ADDRESS) -> bool:
        """Count a mail that a stranger can have sent; whether it is within the limits. ``queue`` asks this itself.

        Wants to be asked before the transaction has written anything.
        """
        throttles = self._auth.throttles
        # The client first: who is beyond that limit must not use up those of other people's mailboxes, or fill the log.
        if client is not None and client.ip is not None and not throttles.admit(BY_CLIENT, client.ip):
            return False
        if mailable(to) is None:
            logger.warning("A mail was not queued: its address is none.")
            return False
        if client is None or of_address is None:
            return True
        address = to.lower()
        with suppress(InvalidEmail):
            address = canonical_email(to, allow_test_domain=True)
        # With tags one mailbox would be flooded: whoever has an account at each of them, or needs none.
        return throttles.admit(of_address, mailbox_of(address))

    def deliver(self) -> Iterator[str]:
        """Deliver every mail that is due, and yield what became of each.

        ``sent``, ``nothing`` (to say), ``postponed``, or for good ``refused``, ``expired``, ``given_up``.
        Wants no transaction of the caller: each mail is claimed, composed, sent and closed in its own ones.
        """
        return self._delivery.deliver()

    def count_due(self) -> int:
        """Return how many mails :meth:`deliver` would deliver."""
        return self._rows.count_due()

    def unsent(self) -> Sequence[Any]:
        """Return the last mails that wait or did not arrive."""
        return self._rows.unsent()

    def hasten(self) -> int:
        """Make mails due that wait for another attempt; return how many."""
        return self._rows.hasten()

    def forget(self, event: UserDeleted) -> None:
        """Delete what has been sent to a user. What waits is sent or has become void by itself."""
        model, key = self._rows.model, _text(event.user_id)
        closed = select(model.id, model.user_id).where(model.user_id == key, model.closed_at.is_not(None))
        found = self._auth.database.session.execute(closed)
        # A collation may call other texts equal to a key of text.
        theirs = [row.id for row in found if row.user_id == key]
        if theirs:
            self._auth.database.change(delete(model).where(model.id.in_(theirs)))

    def export(self, user_id: Any) -> Any:
        """Return the mails of a user that are still in the outbox's table, and not what became of them.

        That would tell who asks for another address whether it has an account. Source: security.md F26.
        """
        model, key = self._rows.model, _text(user_id)
        found = self._auth.database.session.scalars(
            select(model).where(model.user_id == key).order_by(model.created_at, model.id)
        )
        return MailExportSchema(many=True).dump([row for row in found if row.user_id == key])

    def purgeable(self) -> ColumnElement[bool]:
        """The condition of mails that were closed longer ago than they are kept."""
        condition: ColumnElement[bool] = self._rows.model.closed_at <= self._rows.now() - self._settings.retention
        return condition

    def _compose(self, template: str, address: str, user_id: str | None, params: Mapping[str, Any]) -> Content | None:
        key = None if user_id is None else self._auth.users.key(user_id)
        compose = self._composers[template]
        return compose(Letter(to=address, user_id=key, params=params))

    def _pause(self) -> float | None:
        moment = self._rows.next_due()
        return None if moment is None else (moment - self._rows.now()).total_seconds()

    def _check(self) -> None:
        transport, app = self._settings.transport, self._auth.app
        if transport is not None and self._auth.general.public_url is None:
            raise ConfigurationError(
                ["SECUREAUTH_PUBLIC_URL is missing: mailed links begin with the URL under which visitors see the app."]
            )
        if transport is None:
            self._auth.remarks.append("SECUREAUTH_MAIL_TRANSPORT is not set: mails wait in the outbox, unsent.")
        if transport in _UNSENT and not (app.debug or app.testing):
            self._auth.remarks.append(
                f'SECUREAUTH_MAIL_TRANSPORT = "{transport}" {_UNSENT[transport]}, and sends none.'
            )


def _text(user_id: Any) -> str | None:
    return None if user_id is None else str(user_id)
