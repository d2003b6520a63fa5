"""Whether a password is known from a data breach: by a file of hashes, or by a service that is told five characters.

SHA-1 is the form in which such lists are published, and protects nothing here: what leaves this process are five of
a digest's forty characters, which hundreds of leaked passwords share. Source: NIST SP 800-63B-4 section 3.1.1.2,
ASVS 6.2.12.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import Future
from http.client import HTTPException
from pathlib import Path
from threading import BoundedSemaphore, Thread
from typing import BinaryIO, Protocol

from .fetching import fetch
from .identifiers import printable

TIMEOUT = 2.0
"""Seconds in all, the look-up of the name included."""
MAX_BYTES = 512 * 1024
"""Some ten times what the public service answers."""
_MAX_UNDER_WAY = 16
_SAMPLES = 64
_LONGEST_LINE = 64
_FILE_LINE = re.compile(rb"([0-9A-F]{40})(?::[0-9]+)?\r?\n?")
_RANGE_LINE = re.compile(rb"([0-9A-Fa-f]{35}):([0-9]{1,18})")


class BreachCheckUnavailable(Exception):
    """It could not be found out; the message says why, and nothing of the password."""


class InvalidBreachFile(ValueError):
    """The file is not one that can be searched."""


class BreachCheck(Protocol):
    """Knows which passwords were in a breach."""

    def is_breached(self, password: str) -> bool:
        """Whether ``password`` is known. Raises :exc:`BreachCheckUnavailable`."""
        ...


class BreachFile:
    """A file in the form of the Pwned Passwords download, ordered by hash: lines of ``HASH:COUNT`` or ``HASH``.

    It is searched on the disk, and opened for each search: it may have any size, be asked by many threads, and be
    replaced by renaming a newer one to its name. Raises :exc:`InvalidBreachFile`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise InvalidBreachFile(f"{path} is no file")
        try:
            with path.open("rb") as file:
                _check_sample(file)
        except (OSError, InvalidBreachFile) as error:
            raise InvalidBreachFile(f"{path} cannot be used: {error}") from None

    def is_breached(self, password: str) -> bool:
        wanted = _digest(password).encode()
        try:
            with self._path.open("rb") as file:
                return _is_among(file, wanted)
        except (OSError, InvalidBreachFile) as error:
            raise BreachCheckUnavailable(printable(str(error))) from None


def _is_among(file: BinaryIO, wanted: bytes) -> bool:
    # If there is such a line, it begins at low or later, and before high.
    low, high = 0, file.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        start, found = _line_from(file, middle)
        if start >= high or found > wanted:
            high = middle
        elif found < wanted:
            low = file.tell()
        else:
            return True
    return False


def _line_from(file: BinaryIO, offset: int) -> tuple[int, bytes]:
    """Return where the first line begins that does not begin before ``offset``, and its hash; none at the end."""
    file.seek(max(offset - 1, 0))
    if offset:
        file.readline(_LONGEST_LINE)
    start = file.tell()
    line = file.readline(_LONGEST_LINE)
    return start, _hash_of(line, start) if line else b""


def _hash_of(line: bytes, start: int) -> bytes:
    match = _FILE_LINE.fullmatch(line)
    if not match:
        raise InvalidBreachFile(f"at byte {start} is no line HASH:COUNT with 40 upper-case hex digits")
    return match[1]


def _check_sample(file: BinaryIO) -> None:
    size = file.seek(0, 2)
    sample = dict(_line_from(file, size * part // _SAMPLES) for part in range(_SAMPLES))
    sample.pop(size, None)
    hashes = list(sample.values())
    if not hashes:
        raise InvalidBreachFile("it is empty")
    if hashes != sorted(set(hashes)):
        raise InvalidBreachFile("its lines are not ordered by hash")
    file.seek(max(0, size - _LONGEST_LINE))
    *_, last = file.read().splitlines()
    _hash_of(last, size - len(last))  # A download that was cut.


class BreachRange:
    """A service that answers ``GET <url>/<five hex digits>`` with all hashes that begin so: k-anonymity.

    Padding keeps the answer's size from telling an onlooker which five they were. Source:
    the range search of the Pwned Passwords API, version 3.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._places = BoundedSemaphore(_MAX_UNDER_WAY)

    def is_breached(self, password: str) -> bool:
        digest = _digest(password)
        suffix = digest[5:].encode()
        # Padding has a count of 0.
        return any(match[1].upper() == suffix and int(match[2]) for match in self._entries(digest[:5]))

    def _entries(self, prefix: str) -> list[re.Match[bytes]]:
        try:
            lines = self._ask(prefix).splitlines()
        except (OSError, ValueError) as error:
            raise BreachCheckUnavailable(printable(str(error)) or "it does not answer in time") from None
        except (HTTPException, RuntimeError) as error:
            # What the other side says may repeat what was asked.
            raise BreachCheckUnavailable(type(error).__name__) from None
        matches = [match for line in lines if (match := _RANGE_LINE.fullmatch(line))]
        if not matches or len(matches) != len(lines):
            raise BreachCheckUnavailable("its answer is not one of lines SUFFIX:COUNT")
        return matches

    def _ask(self, prefix: str) -> bytes:
        answer: Future[bytes] = Future()
        # A thread can be left behind when the time is over, whatever it waits for: a name server, bytes that drip.
        Thread(target=self._fetch, args=(prefix, answer), name="secureauth-breaches", daemon=True).start()
        return answer.result(self._timeout)

    def _fetch(self, prefix: str, answer: Future[bytes]) -> None:
        if not self._places.acquire(blocking=False):
            answer.set_exception(OSError("too many questions are under way"))
            return
        try:
            url = f"{self._url}/{prefix}"
            answer.set_result(fetch(url, headers={"Add-Padding": "true"}, limit=MAX_BYTES, timeout=self._timeout))
        except Exception as error:
            answer.set_exception(error)
        finally:
            self._places.release()


def _digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
