"""Identifiers: session ids, and the one spelling of an e-mail address."""

from __future__ import annotations

import re
import secrets
import unicodedata
from datetime import UTC, datetime, timedelta
from itertools import count

from email_validator import EmailNotValidError, validate_email

EMAIL_MAX_LENGTH = 254
"""Characters. Source: RFC 5321 section 4.5.3.1.3, less the angle brackets."""
_LOCAL_PART_MAX_LENGTH = 64
_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_EPOCH = datetime.fromtimestamp(0, UTC)
_numbers = count()


class InvalidEmail(ValueError):
    """The text is not an e-mail address that can be a user's identity."""


def new_identifier() -> str:
    """128 random bits as 32 lower-case hex digits, equal under every collation. Source: ASVS 7.2.3."""
    return secrets.token_hex(16)


def is_identifier(text: str) -> bool:
    """Whether ``text`` has the form of :func:`new_identifier`."""
    return _IDENTIFIER.fullmatch(text) is not None


def new_timed_identifier(moment: datetime) -> str:
    """Return 32 lower-case hex digits whose order is that of their aware moments.

    14 are microseconds, 4 the order within this process, and 14 random: many write at once, and no
    counter makes them wait or tells how many there are.
    """
    return f"{_microseconds(moment)}{next(_numbers) & 0xFFFF:04x}{secrets.token_hex(7)}"


def first_timed_identifier(moment: datetime) -> str:
    """Return what sorts before every :func:`new_timed_identifier` of ``moment`` and after all from before it."""
    return f"{_microseconds(moment)}{0:018x}"


def _microseconds(moment: datetime) -> str:
    return f"{max(moment - _EPOCH, timedelta(0)) // timedelta(microseconds=1):014x}"


def canonical_email(text: str, *, allow_test_domain: bool = False) -> str:
    """Return the one spelling under which an address is stored and looked up.

    Lower-cased ASCII local part of at most 64, A-label domain, at most 254 characters, so that two spellings
    of one mailbox are one account and no two mailboxes are. ``allow_test_domain`` admits the
    reserved top-level domain ``test``.

    Raises :exc:`InvalidEmail`, also for domains that only look like another one: IDNA drops or
    folds characters such as the soft hyphen and full-width letters, and two accounts would meet.
    """
    if len(text) > EMAIL_MAX_LENGTH:
        raise InvalidEmail("Not a valid email address.")
    try:
        parsed = validate_email(
            text,
            allow_smtputf8=False,
            allow_quoted_local=False,
            check_deliverability=False,
            test_environment=allow_test_domain,
        )
    except EmailNotValidError:
        raise InvalidEmail("Not a valid email address.") from None
    ascii_domain = parsed.ascii_domain.lower()
    canonical = f"{parsed.local_part.lower()}@{ascii_domain}"
    # Versions of the validator differ about the local part. Source: RFC 5321 section 4.5.3.1.1.
    if len(canonical) > EMAIL_MAX_LENGTH or len(parsed.local_part) > _LOCAL_PART_MAX_LENGTH:
        raise InvalidEmail("Not a valid email address.")
    if not _is_typed(text.rpartition("@")[2], parsed.domain, ascii_domain):
        raise InvalidEmail("Not a valid email address.")
    return canonical


def _is_typed(domain: str, *spellings: str) -> bool:
    """Whether nothing but case was changed: IDNA also drops variation selectors, and lower() turns K into k."""
    return unicodedata.is_normalized("NFKC", domain) and domain.lower() in spellings


def mask_email(text: str) -> str:
    """Return an address for logs: first character and domain, ``a***@example.com``.

    What is no address is not shown at all: a password is often typed into the wrong field.
    """
    try:
        canonical = canonical_email(text, allow_test_domain=True)
    except InvalidEmail:
        return "***"
    local, _, domain = canonical.partition("@")
    return f"{local[0]}***@{domain}"


def printable(text: str, *, limit: int = 200) -> str:
    """Return ``text`` on one harmless line: escapes for control and bidi characters, cut at ``limit``.

    Source: ASVS 16.4.1; U+2028 and ESC break log viewers as a newline does.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:limit]
    )
