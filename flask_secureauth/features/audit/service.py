"""The rules of the audit: what is written of which event, and who reads it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row

from ...core.identifiers import first_timed_identifier, mask_email, new_timed_identifier, printable
from ...core.networks import network_of
from ...db.mixins import from_column, to_column
from ...events import (
    AccountExported,
    AccountLocked,
    BreachCheckFailed,
    Client,
    CredentialsChanged,
    EmailChanged,
    EmailChangeRequested,
    EmailVerified,
    Event,
    LoginFailed,
    MailFailed,
    PasswordResetRequested,
    RefreshTokenReuseDetected,
    RequestThrottled,
    SessionsEnded,
    UserDeleted,
    UserLoggedIn,
    UserRegistered,
)
from ...web.logs import MinuteCounts
from ...web.state import AuthState
from .rows import AuditRows, owner_text
from .settings import AuditSettings
from .tables import TEXT_LENGTH

logger = logging.getLogger("flask_secureauth.audit")

EXPORTED = 10_000
"""Events of one user in an export, the newest ones."""
_IN_ALL = 100
"""Rows a minute of one kind that anybody can cause for nothing, from all networks, for each process."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How an event is told: its name, and in a few words why or how it came."""

    name: str
    reason: Callable[[Any], str] = lambda event: ""
    is_warning: bool = False
    a_minute: int | None = None
    """Rows from one network, where anybody can cause the event for nothing. Source: CWE-779."""


def _own_reason(event: Any) -> str:
    return str(event.reason)


ENTRIES: Mapping[type[Event], Entry] = {
    UserRegistered: Entry(name="user_created"),
    UserLoggedIn: Entry(name="authn_login_success", reason=lambda event: " ".join(event.methods)),
    LoginFailed: Entry(name="authn_login_fail", reason=_own_reason),
    AccountLocked: Entry(name="authn_login_lock", reason=lambda event: f"{event.seconds} s", is_warning=True),
    SessionsEnded: Entry(name="session_expired", reason=_own_reason),
    RefreshTokenReuseDetected: Entry(name="authn_token_reuse", is_warning=True),
    CredentialsChanged: Entry(name="authn_password_change", reason=_own_reason),
    PasswordResetRequested: Entry(name="authn_password_reset_request", a_minute=10),
    EmailVerified: Entry(name="user_updated", reason=lambda event: "email_verified"),
    EmailChangeRequested: Entry(name="user_email_change_request"),
    EmailChanged: Entry(
        name="user_updated", reason=lambda event: "email_change_undone" if event.undone else "email_change"
    ),
    UserDeleted: Entry(name="user_deleted"),
    AccountExported: Entry(name="sensitive_read", reason=lambda event: "account_export"),
    RequestThrottled: Entry(name="excess_rate_limit_exceeded", reason=lambda event: event.throttle, a_minute=1),
    BreachCheckFailed: Entry(name="breach_check_fail", reason=_own_reason, is_warning=True, a_minute=10),
    # Why is in the log of the mail: a server's answer may repeat the address.
    MailFailed: Entry(name="mail_fail", reason=lambda event: event.template, is_warning=True),
}
"""Names of the OWASP logging vocabulary, and of ours for what it has no word for: a reset or a change that is
asked for, mail, and the check for breached passwords."""


class AuditService:
    """Writes down what happened, and finds it again."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: AuditSettings = auth.settings["audit"]
        self._counts = MinuteCounts(auth.clock)
        self._rows = AuditRows(auth)

    def add(self, event: Event, *, client: Client) -> None:
        """Write down an event of the package, in the transaction that it happened in."""
        entry, told = ENTRIES[type(event)], vars(event)
        reason = entry.reason(event)
        if entry.a_minute is not None and not self._has_room(entry.a_minute, entry.name, reason, client):
            return
        user = told.get("user")
        self.record(
            entry.name,
            user_id=told.get("user_id") if user is None else self._auth.users.identify(user),
            session_ids=told.get("session_ids") or (told.get("session_id"),),
            email=told.get("email"),
            client=client,
            reason=reason,
            is_warning=entry.is_warning,
        )

    def record(
        self,
        name: str,
        *,
        user_id: Any = None,
        session_ids: Sequence[str | None] = (None,),
        email: str | None = None,
        client: Client | None = None,
        reason: str = "",
        is_warning: bool = False,
    ) -> None:
        """Write down that ``name`` happened to a user, given by the key: a row for each session, and a line of the log.

        The address is masked, the texts are escaped and cut.
        """
        now, client = self._auth.clock.now(), client or Client()
        common = {
            "at": to_column(now),
            "event": _text(name, 64),
            "user_id": owner_text(user_id),
            "email": _text(mask_email(email)) if email else None,
            "address": network_of(client.ip),
            "user_agent": _text(client.user_agent),
            "request_id": client.request_id and _text(client.request_id, 64),
            "reason": _text(reason) or None,
        }
        rows = [
            {"id": new_timed_identifier(now), "session_id": session_id and _text(session_id, 32), **common}
            for session_id in session_ids
        ]
        self._rows.add(rows)
        for row in rows:
            # The row is kept for long and has the network; the line has the host, for whoever blocks addresses.
            line = as_members({**row, "ip": client.ip and _text(client.ip, 64)})
            self._auth.database.after_commit(partial(_log, line, is_warning=is_warning))

    def page_of(self, user_id: Any, *, before: str | None, limit: int) -> Sequence[Row[Any]]:
        """Return at most ``limit`` events of a user, newest first, older than the row ``before``."""
        return self._rows.page(self._rows.model.user_id == owner_text(user_id), before=before, limit=limit)

    def find(self, *, limit: int, **filters: Any) -> Iterator[Row[Any]]:
        """Yield at most ``limit`` events, newest first.

        ``filters``: ``user_id``, ``event``, ``network``, and the aware times ``since`` and ``until``; ``None`` is none.
        """
        model = self._rows.model
        conditions: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
            "user_id": lambda key: model.user_id == owner_text(key),
            "event": lambda name: model.event == name,
            "network": lambda network: model.address == network,
            "since": lambda moment: model.id >= first_timed_identifier(moment),
            "until": lambda moment: model.id < first_timed_identifier(moment),
        }
        wanted = [conditions[name](value) for name, value in filters.items() if value is not None]
        return self._rows.find(*wanted, limit=limit)

    def export(self, user_id: Any) -> list[Mapping[str, Any]]:
        """Return the events of a user, newest first, at most :data:`EXPORTED`."""
        theirs = self._rows.model.user_id == owner_text(user_id)
        return [as_members(row._mapping) for row in self._rows.find(theirs, limit=EXPORTED)]

    def purgeable(self) -> ColumnElement[bool]:
        """The condition of rows that are older than they are kept."""
        until = self._auth.clock.now() - self._settings.retention
        return self._rows.older_than(first_timed_identifier(until))

    def _has_room(self, a_minute: int, name: str, reason: str, client: Client) -> bool:
        # First of each network, so that the noise of one hides no other; then of all, since one may have many.
        is_within = self._counts.add((name, reason, network_of(client.ip))) < a_minute
        return is_within and self._counts.add((name, reason)) < _IN_ALL


def as_members(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as members of a JSON object, without those that say nothing."""
    moment = from_column(row["at"])
    return {name: value for name, value in row.items() if value} | {"at": moment and moment.isoformat()}


def _text(text: str, limit: int = TEXT_LENGTH) -> str:
    return printable(text, limit=limit)[:limit]


def _log(line: Mapping[str, Any], *, is_warning: bool) -> None:
    log = logger.warning if is_warning else logger.info
    # JSON escapes quotes and whatever is not ASCII, so one event is one line that a program can read.
    log("audit %s", json.dumps(line), extra={"audit": line})
