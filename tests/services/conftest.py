"""An issuer and a service that verifies its tokens, each in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flask_secureauth.core.key_file import KeyFile
from flask_secureauth.core.keys import load_key
from tests.attacks import forge
from tests.conftest import PASSWORD
from tests.services.served import FileClock, Remote, serve

NOW = 1_800_000_000
KIM = {"email": "kim@example.com", "password": PASSWORD}
SIGNERS = {"ES256": forge.es256, "EdDSA": forge.eddsa, "PS256": forge.ps256}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both processes, and what they have in common: a clock and, for the issuer, a key file."""

    issuer: Remote
    service: Remote
    clock: FileClock
    file: KeyFile
    settings: dict[str, Any]

    def private_key(self, number: int = 0) -> Any:
        """A key of the file."""
        entry = json.loads(self.file.path.read_text())["keys"][number]
        return load_key(entry["key"]).signing_key

    def verdicts(self, path: str, token: str) -> list[tuple[int, Any, str | None]]:
        """What the issuer and the service say to a token."""
        answers = [remote.get(path, token) for remote in (self.issuer, self.service)]
        return [(status, body, headers.get("WWW-Authenticate")) for status, body, headers in answers]


def start_pair(stack: ExitStack, folder: Path, algorithm: str) -> Pair:
    """Start an issuer with one key, and the service; both live as long as ``stack``."""
    file, clock = KeyFile(folder / "keys.json"), FileClock(folder / "clock")
    clock.set(NOW)
    file.add(algorithm, now=NOW - 3600, signs_in=0)
    settings = {
        "CLOCK": str(clock.path),
        "SECUREAUTH_KEY_FILE": str(file.path),
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'issuer.sqlite3'}",
    }
    issuer = stack.enter_context(serve(**settings))
    url = f"{issuer.address}/.well-known/jwks.json"
    service = stack.enter_context(serve(CLOCK=str(clock.path), SECUREAUTH_JWKS_URL=url))
    issuer.post("/users", KIM)
    return Pair(issuer=issuer, service=service, clock=clock, file=file, settings=settings)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Pair]]:
    """Return a function: an algorithm -> two processes, started once."""
    started: dict[str, Pair] = {}
    with ExitStack() as stack:

        def pair(algorithm: str) -> Pair:
            if algorithm not in started:
                started[algorithm] = start_pair(stack, tmp_path_factory.mktemp(algorithm), algorithm)
            return started[algorithm]

        yield pair


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two processes for one test, on ES256."""
    with ExitStack() as stack:
        yield start_pair(stack, tmp_path, "ES256")
