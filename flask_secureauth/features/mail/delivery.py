"""Delivering one mail after the other: claim, compose, send, close. Each step is committed before the next.

Whatever happens in between, the mail is still there and is tried again. A deliverer that died while it was
sending leaves a mail that may have arrived: it is sent once more, with the same ``Message-ID``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row

from ...core.identifiers import mask_email, printable
from ...core.mail import Mailer, MailRefused, Message, mailable
from ...events import MailFailed
from ...web.state import AuthState
from ..one_time_tokens import OneTimeTokenService
from .rendering import Renderer
from .rows import FAILURES, MailRows
from .settings import MailSettings
from .tables import REASON_LENGTH

logger = logging.getLogger("flask_secureauth")

_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)
_ADDRESSES = re.compile(r"[^\s<>'\"]+@[^\s<>'\"]+")


class _Expired(Exception):
    """The token of the mail would not work any more."""


class _Lost(Exception):
    """Composing took so long that another deliverer has taken the mail."""


class Delivery:
    """Delivers what is due."""

    def __init__(self, auth: AuthState, rows: MailRows, mailer: Mailer | None, compose: Callable[..., Any]) -> None:
        self._auth, self._rows, self._mailer, self._compose = auth, rows, mailer, compose
        self._settings: MailSettings = auth.settings["mail"]
        self._tokens = auth.service(OneTimeTokenService)
        self._renderer = Renderer(auth)
        self._sent: set[str] = set()

    def deliver(self) -> Iterator[str]:
        """Yield what became of each mail that is due; without a mailer none is."""
        app = self._auth.app
        while self._mailer is not None:
            with app.app_context():
                due = self._rows.due()
            if not due:
                return
            for waiting in due:
                # Each in a context of its own, so that none sees what the session kept of another.
                with app.app_context():
                    outcome = self._deliver(self._mailer, waiting.id, waiting.attempts)
                if outcome:
                    yield outcome

    def _deliver(self, mailer: Mailer, mail_id: str, attempts: int) -> str | None:
        run = self._auth.database.run
        row = run(partial(self._rows.claim, mail_id, attempts))
        if row is None:
            return None
        try:
            if mail_id not in self._sent:
                composed = run(partial(self._composed, row))
                if composed is None:
                    return self._close(row, "nothing")
                row = composed
                mailer.send(self._message(row))
                # Should closing fail, this process at least knows not to send it again.
                self._sent.add(mail_id)
        except _Lost:
            return None
        except _Expired:
            return self._close(row, "expired", "its link would not work any more")
        except MailRefused as error:
            return self._close(row, "refused", _reason(error))
        except Exception as error:
            return self._postpone(row, error)
        self._close(row, "sent")
        self._sent.discard(mail_id)
        return "sent"

    def _composed(self, row: Row[Any]) -> Row[Any] | None:
        if row.composed_at is not None:
            return row
        content = self._compose(row.template, row.address, row.user_id, json.loads(row.params))
        if content is None:
            return None
        params = dict(content.params)
        if content.lifetime is not None:
            params["lifetime"] = int(content.lifetime.total_seconds())
        stored = self._rows.compose(
            row,
            address=content.to,
            user_id=row.user_id if content.user_id is None else str(content.user_id),
            token_id=content.token_id,
            page=content.page,
            params=json.dumps(params),
        )
        if stored is None:
            raise _Lost  # And the token that was issued just now is undone.
        return stored

    def _message(self, row: Row[Any]) -> Message:
        """Make the mail that a composed row describes: the same at every attempt."""
        to = mailable(row.address)
        if to is None:
            raise MailRefused("the address is none")
        token = self._tokens.reveal(row.token_id) if row.token_id else None
        if row.token_id and token is None:
            raise _Expired
        return self._renderer.message(
            row.id,
            row.template,
            locale=row.locale,
            to=to,
            params=json.loads(row.params),
            page=row.page,
            token=token,
            queued_at=row.created_at,
        )

    def _postpone(self, row: Row[Any], error: Exception) -> str:
        now, reason = self._rows.now(), _reason(error)
        if now - row.created_at >= self._settings.lifetime:
            return self._close(row, "given_up", reason)
        pause = min(_FIRST_PAUSE * 2 ** min(row.attempts - 1, 16), _LONGEST_PAUSE)
        # What mail servers do wrong needs no traceback, what our code does wrong does.
        logger.warning(
            "mail_postponed template=%r to=%r attempt=%d seconds=%d reason=%r",
            row.template,
            mask_email(row.address),
            row.attempts,
            pause.total_seconds(),
            reason,
            exc_info=None if isinstance(error, OSError) else error,
        )
        self._auth.database.run(lambda: self._rows.postpone(row, now + pause, reason=reason))
        return "postponed"

    def _close(self, row: Row[Any], outcome: str, reason: str | None = None) -> str:
        def unit() -> None:
            if self._rows.close(row, outcome, reason=reason) and outcome in FAILURES:
                event = MailFailed(template=row.template, email=row.address, reason=f"{outcome}: {reason}")
                self._auth.database.announce(event)

        self._auth.database.run(unit)
        log = logger.warning if outcome in FAILURES else logger.info
        log("mail_%s template=%r to=%r reason=%r", outcome, row.template, mask_email(row.address), reason)
        return outcome


def _reason(error: Exception) -> str:
    """One line for the log and the row; mail servers tend to quote the address."""
    text = _ADDRESSES.sub(lambda found: mask_email(found[0]), str(error))
    return printable(f"{type(error).__name__}: {text}")[:REASON_LENGTH]
