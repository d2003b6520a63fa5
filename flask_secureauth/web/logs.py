"""What is logged about requests: one line each, nothing secret, nothing that breaks the line."""

from __future__ import annotations

import logging

from flask import request

from ..core.identifiers import mask_email, printable
from ..events import Client

logger = logging.getLogger("flask_secureauth")


def log_refused_token(reason: str) -> None:
    """Log why a token was refused; the client is told no reason."""
    if logger.isEnabledFor(logging.INFO):
        client = current_client()
        logger.info("token_refused reason=%r ip=%r agent=%r", reason, client.ip, client.user_agent)


def log_failed_login(email: str, reason: str, client: Client) -> None:
    """Log a refused sign-in with a masked address."""
    logger.info(
        "authn_login_fail reason=%r email=%r ip=%r agent=%r", reason, mask_email(email), client.ip, client.user_agent
    )


def current_client() -> Client:
    """Return who sent the current request. ``user_agent`` is cut and escaped."""
    return Client(
        ip=printable(request.remote_addr or "", limit=64) or None,
        user_agent=printable(request.headers.get("User-Agent", "")),
    )
