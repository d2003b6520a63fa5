"""Keys are replaced while requests come: none is refused, in no process."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_secureauth.core.key_file import KeyFile
from tests.attacks import forge
from tests.conftest import PASSWORD, bearer, dispose
from tests.services.conftest import KIM, NOW, Pair
from tests.services.served import FileClock, Remote, build, run_flask, serve

LATER = 900
WORKERS = 3
STEP = 600


def header_of(token: str) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(forge.unpack(token.split(".")[0]))
    return header


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)  # Another process or thread is at work; nothing tells us when it is done.


def forged(genuine: str, signer: forge.Signer, *, kid: str, now: int) -> str:
    """A token of ``now`` that whoever has a key can write."""
    claims = json.loads(forge.unpack(genuine.split(".")[1])) | {"iat": now, "exp": now + 3600}
    message = ".".join(forge.segment(forge.compact(part)) for part in (header_of(genuine) | {"kid": kid}, claims))
    return f"{message}.{forge.segment(signer(message.encode()))}"


def statuses(pair: Pair, token: str) -> list[int]:
    return [status for status, _, _ in pair.verdicts("/guarded", token)]


def test_service_follows_a_rotation(pair: Pair) -> None:
    """J20: issuer and service agree before it, while a key waits, when it signs, and when the old one is gone."""

    def sign_in() -> str:
        token: str = pair.issuer.post("/auth/login", KIM)["access_token"]
        return token

    def known() -> dict[str, list[str]]:
        answer: dict[str, list[str]] = pair.service.send("GET", "/kids")[1]
        return answer

    first = sign_in()
    old, stolen = header_of(first)["kid"], forge.es256(pair.private_key())
    assert statuses(pair, first) == [200, 200]

    assert "It signs from 2027-01-15 08:15:00 UTC." in run_flask(pair.settings, "keys", "add")
    new = pair.file.read()[1].kid
    pair.clock.advance(300)
    wait_until(lambda: known() == {"accepted": [old], "pending": [new]}, "the service learns of the new key")
    early = forged(first, forge.es256(pair.private_key(1)), kid=new, now=NOW + 300)
    assert statuses(pair, early) == [401, 401]

    pair.clock.set(NOW + LATER)
    second = sign_in()
    assert header_of(second)["kid"] == new
    assert statuses(pair, second) == [200, 200]
    assert statuses(pair, first) == [200, 200]

    pair.clock.set(NOW + LATER + 3605)
    assert f"Retired {old}." in run_flask(pair.settings, "keys", "retire", old, "--force")
    pair.clock.advance(300)
    wait_until(lambda: known() == {"accepted": [new], "pending": []}, "the service forgets the old key")
    late = forged(first, stolen, kid=old, now=NOW + LATER + 3905)
    assert statuses(pair, late) == [401, 401]
    assert statuses(pair, sign_in()) == [200, 200]


class Here:
    """The app in this process, spoken to as the served one is."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def get(self, path: str, token: str) -> int:
        """The status of a guarded request."""
        return self._app.test_client().get(path, headers=bearer(token)).status_code

    def post(self, path: str, body: Any, token: str | None = None) -> tuple[int, Any]:
        """Status and answer of a POST."""
        response = self._app.test_client().post(path, json=body, headers=bearer(token) if token else {})
        return response.status_code, response.json


class There:
    """The app in another process."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def get(self, path: str, token: str) -> int:
        """The status of a guarded request."""
        return self._remote.get(path, token)[0]

    def post(self, path: str, body: Any, token: str | None = None) -> tuple[int, Any]:
        """Status and answer of a POST."""
        authorization = f"Bearer {token}" if token else None
        return self._remote.send("POST", path, body=body, authorization=authorization)[:2]


class User(threading.Thread):
    """Somebody who uses both processes: refreshes, asks, signs in anew and out again, until told to stop."""

    def __init__(self, number: int, places: list[Here | There], clock: FileClock) -> None:
        super().__init__(daemon=True)
        self._clock = clock
        self._kept: tuple[str, float] | None = None
        self.rounds = 0
        self.refused: list[Any] = []
        self.kids: Counter[str] = Counter()
        self.must_stop = threading.Event()
        self._places = places
        self._credentials = {"email": f"user-{number}@example.com", "password": PASSWORD}
        assert places[0].post("/users", self._credentials)[0] == 201

    def run(self) -> None:
        status, tokens = self._places[0].post("/auth/login", self._credentials)
        self._note("login", status)
        while not self.must_stop.is_set() and not self.refused:
            for place, other in (self._places, self._places[::-1]):
                tokens = self._round(place, other, tokens)
                self.rounds += 1

    def _round(self, place: Here | There, other: Here | There, tokens: Any) -> Any:
        status, next_tokens = place.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        self._note("refresh", status)
        for at in (place, other):
            self._note("guarded, new token", at.get("/guarded", next_tokens["access_token"]))
            self._note("guarded, token of before", at.get("/users/me", tokens["access_token"]))
        status, second = other.post("/auth/login", self._credentials)
        self._note("login again", status)
        self._note("guarded, second session", place.get("/guarded", second["access_token"]))
        self._use_kept(next_tokens["access_token"], place)
        self._note("logout", place.post("/auth/logout", {}, second["access_token"])[0])
        self.kids.update(header_of(item["access_token"])["kid"] for item in (next_tokens, second))
        return next_tokens

    def _use_kept(self, token: str, place: Here | There) -> None:
        """Keep one token for as long as it is good; the clock moves by two steps in a round, at most."""
        now = self._clock()
        if self._kept is None or now > self._kept[1]:
            self._kept = token, now + 3600 - 2 * STEP
        self._note("guarded, kept token", place.get("/guarded", self._kept[0]))

    def _note(self, what: str, status: int) -> None:
        if status != 200:
            self.refused.append((what, status))


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """One app for two processes: a key file, a database and a clock."""
    KeyFile(tmp_path / "keys.json").add(now=NOW - 7200, signs_in=0)
    return {
        "CLOCK": str(tmp_path / "clock"),
        "SECUREAUTH_KEY_FILE": str(tmp_path / "keys.json"),
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'both.sqlite3'}",
    }


@pytest.fixture
def clock(settings: dict[str, Any]) -> FileClock:
    """The clock of both."""
    clock = FileClock(Path(settings["CLOCK"]))
    clock.set(NOW)
    return clock


@pytest.fixture
def users(settings: dict[str, Any], clock: FileClock) -> Iterator[list[User]]:
    """Users of an app in this process and of the same app in another one."""
    app = build({name: value for name, value in settings.items() if name != "CLOCK"}, clock)
    with serve(**settings) as remote:
        users = [User(number, [Here(app), There(remote)], clock) for number in range(WORKERS)]
        for user in users:
            user.start()
        yield users
        for user in users:
            user.must_stop.set()
        for user in users:
            user.join(60)
    dispose(app)


def test_no_request_is_refused_while_keys_change(users: list[User], clock: FileClock, settings: dict[str, Any]) -> None:
    """ASVS 11.2.2: a key is added, begins to sign, and the old one is retired; without --force, so nobody needs it."""
    file = KeyFile(Path(settings["SECUREAUTH_KEY_FILE"]))
    (old,) = (key.kid for key in file.read())

    def advance(seconds: int) -> None:
        """Move the clock when each user has begun and ended a round, so that two steps are the most it sees."""
        done = [user.rounds + 2 for user in users]
        wait_until(
            lambda: all(user.rounds >= enough or user.refused for user, enough in zip(users, done, strict=True)),
            "the users work",
        )
        assert [user.refused for user in users] == [[]] * WORKERS
        clock.advance(seconds)

    advance(1)
    run_flask(settings, "keys", "add")
    new = file.read()[1].kid
    for step in (1, LATER - 62, 1, 60, 1):  # Known, still waiting, accepted, signing.
        advance(step)
    advance(0)
    assert all(user.kids[old] and user.kids[new] for user in users)
    for _ in range(7):
        advance(STEP)
    assert f"Retired {old}.\n" in run_flask(settings, "keys", "retire", old)
    for step in (1, STEP, 0):
        advance(step)

    assert [key.kid for key in file.read()] == [new]
    assert all(user.kids.keys() == {old, new} for user in users)
    assert sum(user.rounds for user in users) >= WORKERS * 2 * 17
