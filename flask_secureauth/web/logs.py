"""What is known of requests and may be logged: nothing secret, nothing that breaks the line."""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable
from functools import cache

from flask import current_app, has_request_context, request

from ..core.bounded import Bounded
from ..core.clock import Clock
from ..core.identifiers import new_identifier, printable
from ..core.networks import read_address
from ..events import Client
from ..settings import EXTENSION

LINES_A_MINUTE = 30
_KINDS = 1000
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=+/-]{1,64}")
_REMEMBERED = "secureauth.request_id"

logger = logging.getLogger("flask_secureauth")


class MinuteCounts:
    """How often what anybody can cause for nothing was seen within a minute, in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Bounded[Hashable, tuple[float, int]] = Bounded(_KINDS)

    def add(self, kind: Hashable) -> int:
        """Count one, and return how many of this minute were before it."""
        now = self._clock.timestamp()
        began, count = self._counts.get(kind, (now, 0))
        if not began <= now < began + 60:
            began, count = now, 0
        self._counts.put(kind, (began, count + 1))
        return count


class RefusalLog:
    """Says why a token was refused; the client is told no reason.

    Anybody can send bad tokens for nothing, so of one kind from one address the first 30 of a
    minute are logged, then one line says that more came. Source: ASVS 16.3.1, CWE-779.
    """

    def __init__(self, clock: Clock) -> None:
        self._counts = MinuteCounts(clock)

    def add(self, reason: str) -> None:
        """Log one refusal, unless there were many like it just now."""
        if not logger.isEnabledFor(logging.INFO):
            return
        client = current_client()
        count = self._counts.add((reason, client.ip))
        if count < LINES_A_MINUTE:
            logger.info("token_refused reason=%r ip=%r agent=%r", reason, client.ip, client.user_agent)
        elif count == LINES_A_MINUTE:
            logger.warning("token_refused_often reason=%r ip=%r; more are not logged this minute", reason, client.ip)


def current_client() -> Client:
    """Return who sent the current request: the one place that decides it. ``user_agent`` is cut and escaped."""
    return Client(
        ip=printable(_address() or "", limit=64) or None,
        user_agent=printable(request.headers.get("User-Agent", "")),
        request_id=_request_id(),
    )


def acting_client() -> Client:
    """Return who sent the current request; nobody in a command, a job and a shell."""
    return current_client() if has_request_context() else Client()


def _address() -> str | None:
    """The address of the client, before the proxies that are trusted to say it.

    Each proxy appends the address that it was called from, so of what is left of them nothing is known: a client
    writes there what it likes. With fewer entries than proxies the request went past one of them.
    """
    state = current_app.extensions.get(EXTENSION)
    trusted = state.general.trusted_proxies if state else 0
    forwarded = request.headers.get("X-Forwarded-For", "").split(",") if trusted else []
    if not trusted and "X-Forwarded-For" in request.headers and "werkzeug.proxy_fix.orig" not in request.environ:
        _warn_of_proxy()
    found = read_address(_without_port(forwarded[-trusted].strip())) if len(forwarded) >= trusted > 0 else None
    return request.remote_addr if found is None else str(found)


@cache
def _warn_of_proxy() -> None:
    """Once in a process: behind a proxy that nobody trusts, all clients are one, and share its limits."""
    logger.warning(
        "A request has an X-Forwarded-For, which is ignored. If your proxy wrote it, set SECUREAUTH_TRUSTED_PROXIES to "
        "the number of your proxies: until then all clients are one, and are limited together."
    )


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _request_id() -> str:
    """The ``X-Request-ID`` of the proxy if it is one; or else one that is made here, once for each request."""
    if _REMEMBERED not in request.environ:
        sent = request.headers.get("X-Request-ID", "")
        request.environ[_REMEMBERED] = sent if _REQUEST_ID.fullmatch(sent) else new_identifier()
    return str(request.environ[_REMEMBERED])
