"""Where an access token is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def bearer_token(environ: WSGIEnvironment) -> str | None:
    """Return the token of ``Authorization: Bearer``; ``None`` without one or with another scheme.

    Never from a query string or a body, which end up in logs and histories. Source: RFC 6750
    sections 2.1 and 5.3, ASVS 14.2.1.
    """
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        return token
    # "Bearer" with a tab, or anything else glued to it, is a damaged token and not an anonymous visitor.
    return "" if header.strip().lower().startswith("bearer") else None
