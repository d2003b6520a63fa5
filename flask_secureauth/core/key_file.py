"""Keys in a file that commands change and running processes follow.

The file holds private keys: JSON, readable by its owner, replaced as a whole so that nobody ever
reads half of it. Source: ASVS 11.1.1, 13.3.2 and 13.3.4.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from . import strict_json
from .extras import MissingExtra, import_extra
from .key_ring import KeyRing, at_moment
from .keys import MIN_RSA_BITS, SYMMETRIC_ALGORITHM, InvalidKey, Key, load_key

LOOK_EVERY = 1
"""Seconds between two looks at the file."""
_MAX_BYTES = 1024 * 1024
_MEMBERS = {"kid", "alg", "key", "created_at", "signs_from"}
_OF_OTHERS = stat.S_IRWXO if os.name == "posix" else 0

logger = logging.getLogger("flask_secureauth")

Entry = dict[str, Any]


class MissingKeyFile(InvalidKey):
    """There is no file yet, or nothing in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is missing or empty")
        self.path = path


class KeyFile:
    """The file itself. ``allow_insecure`` also admits weak keys and a file that everybody can read."""

    def __init__(self, path: Path, *, allow_insecure: bool = False) -> None:
        self.path = path
        self._allow_insecure = allow_insecure

    def read(self) -> tuple[Key, ...]:
        """Read the keys, in the order of the file.

        Raises :exc:`MissingKeyFile`, :exc:`~flask_secureauth.core.keys.InvalidKey`,
        :exc:`~flask_secureauth.core.extras.MissingExtra`.
        """
        return self._keys_of(self._entries())

    def version(self) -> object:
        """Return what changes whenever the file does; ``None`` while it cannot be looked at."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size

    def add(self, algorithm: str | None = None, *, now: float, signs_in: float) -> Key:
        """Make a key that signs ``signs_in`` seconds from ``now``, and write it into the file.

        The first key of a file makes it, and signs at once. Without an ``algorithm`` the key is of
        the kind of the others, and ES256 when there are none. Raises what :meth:`read` raises.
        """
        with self._changing() as (entries, known):
            if algorithm is None:
                algorithm = known[-1].algorithm if known else "ES256"
            begins = int(now + signs_in) if known else int(now)
            entry = {
                "kid": f"{_utc(now):%Y-%m-%d}-{secrets.token_hex(3)}",
                "alg": algorithm,
                "key": _new_key(algorithm),
                "created_at": _utc(now).isoformat(timespec="seconds"),
                "signs_from": _utc(begins).isoformat(timespec="seconds"),
            }
            entries.append(entry)
            return self._keys_of(entries)[-1]

    def remove(self, kid: str) -> None:
        """Take a key out of the file; one that is not in it is left alone. Raises what :meth:`read` raises."""
        with self._changing() as (entries, _):
            entries[:] = [entry for entry in entries if entry["kid"] != kid]
            self._keys_of(entries)

    def _keys_of(self, entries: list[Entry]) -> tuple[Key, ...]:
        if not entries:
            raise MissingKeyFile(self.path)
        keys = tuple(_key(entry, allow_insecure=self._allow_insecure) for entry in entries)
        KeyRing(keys)  # Raises for keys that must not stand together, whatever their times.
        return keys

    def _entries(self) -> list[Entry]:
        raw = self._read_bytes()
        if not raw.strip():
            return []
        try:
            content = strict_json.loads(raw)
        except strict_json.InvalidJson as error:
            raise InvalidKey(f"{self.path} is not valid JSON: {error}") from None
        entries = content.get("keys") if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InvalidKey(f'{self.path} is no key file: it is an object with a list of "keys"')
        return entries

    def _read_bytes(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                raw = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise InvalidKey(f"cannot read {self.path}: {error.strerror}") from None
        if mode & _OF_OTHERS and not self._allow_insecure:
            raise InvalidKey(f"everybody on this machine can read {self.path}; run: chmod 600 {self.path}")
        if len(raw) > _MAX_BYTES:
            raise InvalidKey(f"{self.path} is larger than {_MAX_BYTES} bytes")
        return raw

    @contextmanager
    def _changing(self) -> Iterator[tuple[list[Entry], tuple[Key, ...]]]:
        """Lend the entries, and their keys, and write what became of the entries: all of it or nothing."""
        target = self.path.resolve()  # A link stays a link.
        draft = target.with_name(f"{target.name}.new")
        try:
            # The draft is the lock as well: two commands at once would lose one of two keys.
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            raise InvalidKey(f"another command is changing {target}; if none is, delete {draft}") from None
        except OSError as error:
            raise InvalidKey(f"cannot write {draft}: {error.strerror}") from None
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                entries = self._entries()
                yield entries, self._keys_of(entries) if entries else ()
                json.dump({"keys": entries}, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(descriptor)
            _take_over(target, draft)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _take_over(target: Path, draft: Path) -> None:
    """Put ``draft`` in the place of ``target``, with its owner: who reads the file now must still be able to."""
    try:
        if target.exists():
            old, new = target.stat(), draft.stat()
            draft.chmod(stat.S_IMODE(old.st_mode))
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.chown(draft, old.st_uid, old.st_gid)
        draft.replace(target)
    except OSError as error:
        raise InvalidKey(f"cannot replace {target}: {error.strerror}; run this as the user who owns it") from None
    # The new name has to survive a power cut as well; not every system can say so of a folder.
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _key(entry: Mapping[str, Any], *, allow_insecure: bool) -> Key:
    kid = entry.get("kid")
    if entry.keys() != _MEMBERS or not isinstance(kid, str):
        raise InvalidKey(f"a key of the file has exactly the members {', '.join(sorted(_MEMBERS))}")
    try:
        key = load_key({"key": entry["key"], "kid": kid, "alg": entry["alg"]}, allow_insecure=allow_insecure)
        if key.signing_key is None:
            raise InvalidKey("it is a public key, and the keys of the file sign")
        _seconds(entry["created_at"])
        return replace(key, signs_from=_seconds(entry["signs_from"]))
    except InvalidKey as error:
        raise InvalidKey(f"the key {kid!r}: {error}") from None


def _new_key(algorithm: str) -> str:
    """A new secret, or the PEM text of a new private key."""
    if algorithm == SYMMETRIC_ALGORITHM:
        return secrets.token_urlsafe(32)
    what = f"A key for {algorithm}"
    kinds: Any = import_extra("cryptography.hazmat.primitives.asymmetric", what=what, extra="crypto")
    forms: Any = import_extra("cryptography.hazmat.primitives.serialization", what=what, extra="crypto")
    make = {
        "ES256": lambda: kinds.ec.generate_private_key(kinds.ec.SECP256R1()),
        "EdDSA": lambda: kinds.ed25519.Ed25519PrivateKey.generate(),
        "PS256": lambda: kinds.rsa.generate_private_key(65537, MIN_RSA_BITS),
    }
    pem: bytes = make[algorithm]().private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    return pem.decode()


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: object) -> int:
    try:
        parsed = datetime.fromisoformat(str(moment))
        if parsed.tzinfo is not None and parsed.timestamp() >= 0:
            return int(parsed.timestamp())
    except ValueError:
        pass
    raise InvalidKey(f"{moment!r} is no time such as 2026-03-01T12:00:00+00:00")


class FileKeys:
    """The ring of a key file, by time. A change is seen within a second, without a request that waits.

    A file that cannot be used any more is logged once, and the keys that were read before go on.
    """

    def __init__(self, file: KeyFile, *, now: float) -> None:
        self.file = file
        self.origin = str(file.path)
        self._lock = Lock()
        self._version = file.version()
        self._keys = file.read()
        self._ring = self._at(now)
        self._looked_at = now
        self._is_broken = False

    def ring(self, now: float) -> KeyRing:
        """Return the ring of this moment. One thread looks at the file; the others go on with what they have."""
        # Also when the clock was set back, or a change would wait until it is where it was.
        if not self._looked_at <= now < self._looked_at + LOOK_EVERY and self._lock.acquire(blocking=False):
            try:
                self._look(now)
            finally:
                self._lock.release()
        return self._ring

    def _look(self, now: float) -> None:
        self._looked_at = now
        version = self.file.version()
        if version != self._version:
            try:
                self._keys = self.file.read()
                self._version = version
            except (InvalidKey, MissingExtra) as error:
                self._note(error)
            else:
                self._is_broken = False
                logger.info("The key file %s has changed and was read.", self.file.path)
        ring = self._at(now)
        if (ring.keys, ring.pending) != (self._ring.keys, self._ring.pending):
            self._ring = ring

    def _note(self, error: Exception) -> None:
        if not self._is_broken:
            self._is_broken = True
            logger.error("The key file cannot be used, the keys read before go on: %s", error)

    def _at(self, now: float) -> KeyRing:
        accepted, pending = at_moment(self._keys, now)
        return KeyRing(accepted, pending=pending)
