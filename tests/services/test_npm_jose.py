"""A JOSE library of another ecosystem, npm's ``jose``, verifies our tokens with nothing but our key set."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flask_secureauth.core.key_file import KeyFile
from tests.conftest import PASSWORD
from tests.servers import missing
from tests.services.served import FileClock, Remote, serve

KIM = {"email": "kim@example.com", "password": PASSWORD}
ISSUER, AUDIENCE = "https://accounts.example.com", "https://api.example.com"
SCRIPT = Path(__file__).with_name("verify.mjs")

# One worker installs, for all tests of the run.
pytestmark = pytest.mark.xdist_group("npm")


@pytest.fixture(scope="session")
def jose(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Any]:
    """Return a function: a question for ``verify.mjs`` -> its answer."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        missing("The program of npm", "Install it (apt-get install nodejs npm).")
    folder = tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent", "jose@6"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if installed.returncode:
        missing("The npm package jose", f"npm says: {installed.stderr.strip()[-200:]}")
    shutil.copy(SCRIPT, folder)

    def ask(question: dict[str, Any]) -> Any:
        done = subprocess.run(
            [node, SCRIPT.name],
            cwd=folder,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@contextmanager
def issuer(folder: Path, algorithm: str) -> Iterator[tuple[Remote, KeyFile, FileClock]]:
    """A served issuer with one key, its clock at the time that node sees."""
    file, clock = KeyFile(folder / "keys.json"), FileClock(folder / "clock")
    clock.set(time.time())
    file.add(algorithm, now=clock(), signs_in=0)
    with serve(
        CLOCK=str(clock.path),
        SECUREAUTH_KEY_FILE=str(file.path),
        SECUREAUTH_ISSUER=ISSUER,
        SECUREAUTH_AUDIENCE=AUDIENCE,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'issuer.sqlite3'}",
    ) as remote:
        remote.post("/users", KIM)
        yield remote, file, clock


def tampered(token: str) -> list[str]:
    """Other claims, another signature, another key's name."""
    header, payload, signature = token.split(".")
    turned = "A" if signature[10] != "A" else "B"
    return [
        f"{header}.{payload[:-4]}AAAA.{signature}",
        f"{header}.{payload}.{signature[:10]}{turned}{signature[11:]}",
        f"{header}.{payload}.",
    ]


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_jose_verifies_our_tokens_and_refuses_tampered_ones(
    jose: Callable[[dict[str, Any]], Any], tmp_path: Path, algorithm: str
) -> None:
    """RFC 7515, RFC 7517, RFC 7519: with the key set as a file and as an address."""
    with issuer(tmp_path, algorithm) as (remote, file, _):
        token = remote.post("/auth/login", KIM)["access_token"]
        url = f"{remote.address}/.well-known/jwks.json"
        question = {"url": url, "tokens": [token, *tampered(token)], "issuer": ISSUER, "audience": AUDIENCE}

        answers = jose(question)
        other_issuer = jose({**question, "tokens": [token], "issuer": "https://other.example"})

    (key,) = file.read()
    accepted = {"subject": "1", "algorithm": algorithm, "kid": key.kid}
    for answer in (answers["local"], answers["remote"]):
        assert answer == [accepted, *[{"refused": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}] * 3]
    assert other_issuer["remote"] == [{"refused": "ERR_JWT_CLAIM_VALIDATION_FAILED"}]


def test_jose_finds_the_right_key_of_several(jose: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    """In the middle of a rotation, with a key that waits and says so by a member that jose does not know."""
    with issuer(tmp_path, "ES256") as (remote, file, clock):
        first = remote.post("/auth/login", KIM)["access_token"]
        file.add("EdDSA", now=clock(), signs_in=1)
        file.add("PS256", now=clock(), signs_in=900)
        clock.advance(1)
        second = remote.post("/auth/login", KIM)["access_token"]
        url = f"{remote.address}/.well-known/jwks.json"

        answers = jose({"url": url, "tokens": [first, second], "issuer": ISSUER, "audience": AUDIENCE})

    assert [item["algorithm"] for item in answers["remote"]] == ["ES256", "EdDSA"]
    assert answers["local"] == answers["remote"]
