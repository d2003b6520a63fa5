"""Which passwords are accepted: length, a list of common ones, words of the context, and those from breaches.

No composition rules, no expiry, no trimming, no folding: a password is what was typed.
Source: NIST SP 800-63B-4 section 3.1.1.2, ASVS 6.2.
"""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from .breaches import BreachCheck, BreachCheckUnavailable

MAX_LENGTH = 256
"""Code points."""
MAX_BYTES = 1024
"""UTF-8 bytes."""
_MIN_WORD_LENGTH = 3

logger = logging.getLogger("flask_secureauth")


def _ignore(reason: str) -> None:
    """For who needs to hear nothing but the log."""


@dataclass(frozen=True, kw_only=True)
class PasswordPolicy:
    """The rules for new passwords. ``min_length`` counts code points.

    A check of breaches that is unavailable refuses nobody: it is logged, and ``on_unavailable`` is told the reason.
    """

    min_length: int
    refuse_common: bool
    refuse_context: bool
    context_words: tuple[str, ...]
    breaches: BreachCheck | None = None
    on_unavailable: Callable[[str], None] = _ignore

    def problems(self, password: str, *, email: str = "") -> list[str]:
        """Return a sentence for each rule that ``password`` breaks; none when it is accepted.

        May wait for the network: ask before anything is read from the database.
        """
        if len(password) > MAX_LENGTH or len(password.encode("utf-8", "replace")) > MAX_BYTES:
            return [f"Password must be at most {MAX_LENGTH} characters long."]
        found = []
        if len(password) < self.min_length:
            found.append(f"Password must be at least {self.min_length} characters long.")
        if not _is_storable(password):
            found.append("Password has a character that cannot be used.")
        if self.refuse_common and password.lower() in common_passwords():
            found.append("This password is too common. Choose another one.")
        words = (*self.context_words, *email.split("@"))
        if self.refuse_context and _is_made_of(password, words):
            found.append("This password is too easy to guess from the address or the app's name.")
        if not found and self._is_breached(password):
            found.append("This password has appeared in a data breach. Choose another one.")
        return found

    def _is_breached(self, password: str) -> bool:
        try:
            return self.breaches is not None and self.breaches.is_breached(password)
        except BreachCheckUnavailable as error:
            logger.warning("A new password was not looked up among breached ones: %s", error)
            self.on_unavailable(str(error))
            return False


def _is_storable(password: str) -> bool:
    # scrypt and PBKDF2 pad their key with zeros: "secret" and "secret\0" have one hash.
    return "\0" not in password and not any("\ud800" <= character <= "\udfff" for character in password)


def _is_made_of(password: str, words: Iterable[str]) -> bool:
    """Whether nothing but ``words`` is left of ``password`` once case, digits and punctuation are gone."""
    letters = _letters(password)
    parts = {_letters(part) for word in words for part in (word, *re.split(r"[\W_\d]", word))}
    reachable = {0}
    for start in range(len(letters)):
        if start in reachable:
            reachable.update(
                start + len(part) for part in parts if len(part) >= _MIN_WORD_LENGTH and letters.startswith(part, start)
            )
    return bool(letters) and len(letters) in reachable


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalpha())


@cache
def common_passwords() -> dict[str, None]:
    """The bundled list of common passwords, lower-case, the most common first; see NOTICE.

    Read on first use (about 2 MiB of memory).
    """
    packed = (files("flask_secureauth.core") / "common_passwords.txt.gz").read_bytes()
    return dict.fromkeys(gzip.decompress(packed).decode().splitlines())
