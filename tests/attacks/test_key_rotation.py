"""Keys that change: retired, unknown, pending, published."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from flask_secureauth import ConfigurationError
from flask_secureauth.core.key_file import KeyFile
from flask_secureauth.core.keys import ALGORITHMS, load_key
from flask_secureauth.testing import FrozenClock, frozen_clock
from flask_secureauth.web.logs import LINES_A_MINUTE
from tests.attacks import forge
from tests.attacks.conftest import INVALID, add_guarded_view, assert_accepted, forger_of
from tests.attacks.forge import Forger
from tests.conftest import bearer, sign_in

Refused = Callable[[FlaskClient, str], None]
OLD = {"key": forge.SECRET, "kid": "2025"}
NEW = {"key": "Zk8p-1sWq_7yTn3uRb5vXe0mLd9gJh2c", "kid": "2026"}
START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
LATER = 900
SIGNERS = {"ES256": forge.es256, "EdDSA": forge.eddsa, "PS256": forge.ps256, "HS256": forge.hs}


def _app(make_app: Callable[..., Flask], *keys: dict[str, Any]) -> FlaskClient:
    return make_app(before=add_guarded_view, SECUREAUTH_KEYS=list(keys)).test_client()


def _old_token(make_app: Callable[..., Flask]) -> str:
    return forger_of(make_app(SECUREAUTH_KEYS=[OLD]), forge.hs()).genuine


def test_token_of_a_key_that_still_verifies_is_accepted(make_app: Callable[..., Flask]) -> None:
    """J20, ASVS 11.2.2: while both keys are in the ring nobody is signed out."""
    token = _old_token(make_app)

    assert_accepted(_app(make_app, NEW, OLD), token)


def test_token_of_a_retired_key_is_refused(make_app: Callable[..., Flask], assert_refused: Refused) -> None:
    """J20: a key that left the ring opens nothing."""
    token = _old_token(make_app)

    assert_refused(_app(make_app, NEW), token)


def test_token_of_a_retired_key_under_the_new_name_is_refused(
    make_app: Callable[..., Flask], assert_refused: Refused
) -> None:
    """J20: whoever stole the old key cannot pass it off as the new one."""
    forger = forger_of(make_app(SECUREAUTH_KEYS=[OLD]), forge.hs())

    assert_refused(_app(make_app, NEW), forger.token({**forger.header, "kid": "2026"}))


def test_token_of_a_key_before_its_time_is_refused(make_app: Callable[..., Flask], assert_refused: Refused) -> None:
    """J20: a key that is prepared and not yet in the ring opens nothing."""
    forger = forger_of(make_app(SECUREAUTH_KEYS=[OLD]), forge.hs())
    early = forger.token({**forger.header, "kid": "2026"}, signer=forge.hs(NEW["key"].encode()))

    assert_refused(_app(make_app, OLD), early)


def test_flood_of_unknown_keys_makes_no_statement(forger: Forger) -> None:
    """J20: a kid that nobody knows is looked up in memory, and never in a database."""
    app = forger.client.application
    statements: list[str] = []
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "after_cursor_execute", lambda *args: statements.append(args[2]))

    for number in range(100):
        token = forger.token({**forger.header, "kid": f"unknown-{number}"})
        response = forger.client.get("/guarded", headers=bearer(token))
        assert response.status_code == 401

    assert statements == []


class Rotation:
    """An app on a key file, its stopped clock, and an attacker who can read the file."""

    def __init__(self, app: Flask, file: KeyFile, clock: FrozenClock) -> None:
        self.app, self.file, self.clock = app, file, clock
        self.forger = forger_of(app, self.signer(0))

    def command(self, *arguments: str) -> None:
        """Run ``flask secureauth keys`` and let the app see what it did."""
        result = self.app.test_cli_runner().invoke(args=["secureauth", "keys", *arguments])
        assert result.exit_code == 0, result.output
        self.clock.advance(1)
        self.app.test_client().get("/.well-known/jwks.json")  # What it logs of the change is no refusal.

    def signer(self, number: int) -> forge.Signer:
        """Sign with a key of the file."""
        entry = json.loads(self.file.path.read_text())["keys"][number]
        if entry["alg"] == "HS256":
            return forge.hs(entry["key"].encode())
        signer: forge.Signer = SIGNERS[entry["alg"]](load_key(entry["key"]).signing_key)
        return signer

    def forged(self, number: int) -> str:
        """A token as a key of the file would sign it now; ``exp`` and ``iat`` are right for this moment."""
        now = int(self.clock())
        claims = {**self.forger.claims, "iat": now, "exp": now + 3600}
        entry = json.loads(self.file.path.read_text())["keys"][number]
        return self.forger.token({**self.forger.header, "kid": entry["kid"]}, claims, signer=self.signer(number))


@pytest.fixture(params=ALGORITHMS)
def rotation(request: pytest.FixtureRequest, make_app: Callable[..., Flask], tmp_path: Path) -> Iterator[Rotation]:
    """A rotation with each algorithm."""
    file = KeyFile(tmp_path / "keys.json")
    file.add(request.param, now=START.timestamp(), signs_in=0)
    app = make_app(before=add_guarded_view, SECUREAUTH_KEY_FILE=file.path)
    with frozen_clock(app, START) as clock:
        yield Rotation(app, file, clock)


def test_token_of_a_pending_key_is_refused_until_its_time(rotation: Rotation, assert_refused: Refused) -> None:
    """J20: whoever reads the file early, a backup say, signs nothing with the key that waits in it.

    From a minute before its time on the key is accepted: the clock of another machine may be ahead.
    """
    rotation.command("add")
    client = rotation.forger.client
    assert_accepted(client, rotation.forged(0))

    for wait in (0, LATER - 62):
        rotation.clock.advance(wait)
        assert_refused(client, rotation.forged(1))

    rotation.clock.advance(1)
    assert_accepted(client, rotation.forged(1))


def test_token_of_a_retired_key_is_refused_within_a_second(rotation: Rotation, assert_refused: Refused) -> None:
    """J20: also one that the running app has accepted and remembers."""
    client = rotation.forger.client
    assert_accepted(client, rotation.forger.genuine)
    rotation.command("add", "--signs-in", "0")
    (old, _) = rotation.file.read()
    assert_accepted(client, rotation.forger.genuine)

    stolen = rotation.signer(0)
    rotation.command("retire", old.kid, "--force")

    assert_refused(client, rotation.forger.genuine)
    assert_refused(client, rotation.forger.token({**rotation.forger.header, "jti": "x"}, signer=stolen))
    assert_accepted(client, sign_in(client))


def test_stolen_key_cannot_pass_for_its_successor(rotation: Rotation, assert_refused: Refused) -> None:
    """J20: the new name, signed with the old key, while both are in the ring and afterwards."""
    rotation.command("add", "--signs-in", "0")
    old, new = rotation.file.read()
    header, stolen = {**rotation.forger.header, "kid": new.kid}, rotation.signer(0)

    assert_refused(rotation.forger.client, rotation.forger.token(header, signer=stolen))
    rotation.command("retire", old.kid, "--force")
    assert_refused(rotation.forger.client, rotation.forger.token(header, signer=stolen))


def test_refresh_token_of_a_retired_key_is_refused(rotation: Rotation) -> None:
    """J20: what is derived from a key goes with it."""
    client = rotation.app.test_client()
    body = {"email": "kim@example.com", "password": "kraken-vulcan-42"}
    refresh = client.post("/auth/login", json=body).json["refresh_token"]
    rotation.command("add", "--signs-in", "0")
    rotation.command("retire", rotation.file.read()[0].kid, "--force")

    answer = client.post("/auth/refresh", json={"refresh_token": refresh})

    assert (answer.status_code, answer.json["code"]) == (401, "refresh_token_invalid")


def test_published_keys_show_no_private_member(rotation: Rotation) -> None:
    """J20, RFC 7517 section 9.2: of a key that signs, one that verified, and one that waits."""
    rotation.command("add", "--signs-in", "0")
    rotation.command("add")
    stored = json.loads(rotation.file.path.read_text())["keys"]

    response = rotation.app.test_client().get("/.well-known/jwks.json")

    entries = response.json["keys"]
    assert len(entries) == (0 if stored[0]["alg"] == "HS256" else 3)
    public = {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "nbf"}
    assert [entry.keys() - public for entry in entries] == [set()] * len(entries)
    assert {entry["use"] for entry in entries} <= {"sig"}
    for item in stored:
        key = load_key(item["key"]).signing_key
        secret = _private_text(key)
        assert len(secret) > 40
        assert secret not in response.text
        assert not any(line in response.text for line in item["key"].splitlines() if len(line) > 20)


def _private_text(key: Any) -> str:
    """The private number in base64url, as a careless JWK has it in ``d`` or ``k``."""
    if isinstance(key, bytes):
        return forge.segment(key)
    if hasattr(key, "private_numbers"):
        numbers = key.private_numbers()
        value = getattr(numbers, "private_value", None) or numbers.d
        return forge.segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))
    return forge.segment(key.private_bytes_raw())


def test_key_file_obeys_the_rules_of_keys(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """J20 and J21: under 32 bytes, well known, or readable by everybody: refused at start."""
    path = tmp_path / "keys.json"
    KeyFile(path).add("HS256", now=0, signs_in=0)
    (entry,) = json.loads(path.read_text())["keys"]
    real = {"TESTING": False, "SECUREAUTH_PASSWORD_HASH_METHOD": "scrypt:32768:8:3", "SECUREAUTH_KEY_FILE": path}

    for weak in ("a", "Zk8p-1sWq_7yTn3uRb5vXe0mLd9gJh2", "change-me" * 8, "ab" * 32):
        path.write_text(json.dumps({"keys": [{**entry, "key": weak}]}))
        with pytest.raises(ConfigurationError, match="SECUREAUTH_KEY_FILE: the key ") as refusal:
            make_app(**real)
        assert len(weak) < 8 or weak not in str(refusal.value)
    path.write_text(json.dumps({"keys": [entry]}))
    make_app(**real)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        make_app(**real)


@pytest.fixture
def flooded(forger: Forger, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[Callable[..., None], FrozenClock]]:
    """A function that sends many tokens of unknown keys, and the stopped clock."""
    caplog.set_level(logging.INFO, "flask_secureauth")

    def flood(count: int, ip: str = "203.0.113.7") -> None:
        for number in range(count):
            token = forger.token({**forger.header, "kid": f"unknown-{number}"})
            answer = forger.client.get("/guarded", headers=bearer(token), environ_overrides={"REMOTE_ADDR": ip})
            assert (answer.status_code, answer.json) == (401, INVALID)

    with frozen_clock(forger.client.application) as clock:
        yield flood, clock


def test_flood_of_unknown_keys_is_no_flood_of_lines(
    flooded: tuple[Callable[..., None], FrozenClock], caplog: pytest.LogCaptureFixture
) -> None:
    """J20, CWE-779: bad tokens cost an attacker nothing, and our disk space and attention something."""
    flood, clock = flooded

    flood(LINES_A_MINUTE)
    assert [record.levelname for record in caplog.records] == ["INFO"] * LINES_A_MINUTE
    caplog.clear()
    flood(500)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "token_refused_often reason='unknown key' ip='203.0.113.7'; more are not logged this minute"
    )
    caplog.clear()

    clock.advance(60)
    flood(1)
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_flood_hides_no_other_refusal(
    flooded: tuple[Callable[..., None], FrozenClock], forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    """CWE-778: noise of one kind, or from one address, is no cover for another."""
    flood, _ = flooded
    flood(LINES_A_MINUTE + 50)
    caplog.clear()

    flood(1, ip="198.51.100.1")
    forger.client.get("/guarded", headers=bearer("x"), environ_overrides={"REMOTE_ADDR": "203.0.113.7"})

    assert [record.getMessage().split("agent")[0] for record in caplog.records] == [
        "token_refused reason='unknown key' ip='198.51.100.1' ",
        "token_refused reason='malformed' ip='203.0.113.7' ",
    ]


def test_clock_set_back_silences_no_log(
    flooded: tuple[Callable[..., None], FrozenClock], caplog: pytest.LogCaptureFixture
) -> None:
    """J23."""
    flood, clock = flooded
    flood(LINES_A_MINUTE + 5)
    caplog.clear()

    clock.advance(timedelta(days=-1))
    flood(1)

    assert len(caplog.records) == 1


def test_flood_of_unknown_keys_opens_no_connection(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    """J20, RFC 8725 section 3.10: a kid is looked up in memory; neither the network nor the file is asked for it."""
    calls: list[object] = []
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda self, address: calls.append(address))
    monkeypatch.setattr(KeyFile, "read", lambda self: calls.append(self.path))

    for number in range(100):
        token = rotation.forger.token({**rotation.forger.header, "kid": f"unknown-{number}"})
        assert rotation.forger.client.get("/guarded", headers=bearer(token)).json == INVALID

    assert calls == []
