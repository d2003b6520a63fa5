"""Password hashes: schemes, the dummy hash, and the bound on concurrent hashes."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Queue

import pytest

from flask_secureauth.core import passwords
from flask_secureauth.core.extras import MissingExtra
from flask_secureauth.core.passwords import (
    DEFAULT_METHOD,
    Argon2Scheme,
    HashingBusy,
    PasswordHasher,
    PasswordScheme,
    WeakMethod,
    WerkzeugScheme,
    is_readable,
    parse_scheme,
)

from .foreign_vectors import BCRYPT_OF_72_X, DJANGO, FLASK_SECURITY, FLASK_SECURITY_SALT, PASSLIB, PLAIN, Vector

CHEAP = "scrypt:128:1:1"
CHEAP_ARGON2 = "argon2id:m=64,t=1,p=1"
FOREIGN = {name: stored for name, _, stored in (*DJANGO, *PASSLIB)}


def new_hasher(method: str = CHEAP) -> PasswordHasher:
    return PasswordHasher(parse_scheme(method, allow_weak=True), concurrency=1, max_waiting=0, max_wait=0)


@pytest.fixture
def hasher() -> PasswordHasher:
    return new_hasher()


def test_default_is_the_scrypt_of_the_design() -> None:
    """OWASP Password Storage Cheat Sheet: 32 MiB and three passes."""
    scheme = parse_scheme(DEFAULT_METHOD)

    assert DEFAULT_METHOD == "scrypt:32768:8:3"
    assert isinstance(scheme, WerkzeugScheme)
    assert scheme.hash("secret").startswith("scrypt:32768:8:3$")


@pytest.mark.parametrize("method", [CHEAP, "pbkdf2:sha256:2", "pbkdf2:sha512:2", CHEAP_ARGON2])
def test_hash_belongs_to_its_password_alone(method: str) -> None:
    hasher = new_hasher(method)
    stored = hasher.hash("pässwörd 🐙")

    assert hasher.verify(stored, "pässwörd 🐙")
    assert not hasher.verify(stored, "pässwörd")
    assert not hasher.verify(stored, "pässwörd 🐙 ")
    assert not hasher.verify(stored, "")


@pytest.mark.parametrize("method", [CHEAP, "pbkdf2:sha256:2", CHEAP_ARGON2])
def test_long_password_counts_whole(method: str) -> None:
    """F15: no scheme of ours cuts."""
    hasher = new_hasher(method)
    stored = hasher.hash("x" * 1024)

    assert hasher.verify(stored, "x" * 1024)
    assert not hasher.verify(stored, "x" * 1023)
    assert not hasher.verify(stored, "x" * 72)


@pytest.mark.parametrize("method", [CHEAP, "pbkdf2:sha256:2", CHEAP_ARGON2])
def test_hash_has_a_new_salt_each_time(hasher: PasswordHasher, method: str) -> None:
    assert len({new_hasher(method).hash("secret") for _ in range(3)}) == 3


@pytest.mark.parametrize("method", [CHEAP, CHEAP_ARGON2])
@pytest.mark.parametrize(
    "stored",
    [
        "scrypt:256:8:1$d4HO71eXDPunx7hd$3a65b232e084dedb2e6c4f8f68d117a9328c643699eb9572130bf4e3e4158753f44"
        "75c2f79ef6d9214c5650cf99eb8ec4aef4a3731a3e49bb35271325b2c6210",
        "pbkdf2:sha256:3$LnUTZpmUdSKZ6Zm9$3f46fd2d906a100345b96513cdd88002c36747a3565084f7f85bc99d01e0789b",
        "pbkdf2:sha1:3$VOxW053jSVvof9GJ$7cdcf9a581a4ba4dab026aad4ded579e77214928",
        FOREIGN["scrypt-plain"],
        FOREIGN["argon2-plain"],
        FOREIGN["bcrypt-plain"],
        FOREIGN["pbkdf2_sha512-plain"],
    ],
)
def test_hash_of_another_scheme_is_verified_and_due_for_a_new_one(method: str, stored: str) -> None:
    hasher = new_hasher(method)

    assert hasher.verify(stored, PLAIN)
    assert not hasher.verify(stored, PLAIN.upper())
    assert hasher.needs_rehash(stored)


@pytest.mark.parametrize("method", [CHEAP, "pbkdf2:sha512:2", CHEAP_ARGON2, "argon2id:m=128,t=2,p=2"])
def test_own_hash_is_current(method: str) -> None:
    hasher = new_hasher(method)

    assert not hasher.needs_rehash(hasher.hash("secret"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scrypt:32768:8:1", "scrypt:32768:8:3"),
        ("scrypt:32768:8:3", "scrypt:32768:8:1"),
        ("scrypt:32768:8:1", "scrypt:32768:8:10"),
        ("pbkdf2:sha256:1000", "pbkdf2:sha256:10000"),
        ("pbkdf2:sha256:1000", "pbkdf2:sha512:1000"),
    ],
)
def test_hash_with_other_parameters_is_due_for_a_new_one(old: str, new: str) -> None:
    """The original application wrote scrypt:32768:8:1."""
    assert parse_scheme(old, allow_weak=True).is_current(f"{old}$salt$00")
    assert not parse_scheme(new, allow_weak=True).is_current(f"{old}$salt$00")


@pytest.mark.parametrize("other", ["argon2id:m=128,t=1,p=1", "argon2id:m=64,t=2,p=1", "argon2id:m=64,t=1,p=2"])
def test_argon2_hash_with_other_parameters_is_due_for_a_new_one(other: str) -> None:
    stored = new_hasher(CHEAP_ARGON2).hash("secret")

    assert new_hasher(other).needs_rehash(stored)
    assert new_hasher(other).verify(stored, "secret")


@pytest.mark.parametrize("name", ["argon2i-plain", "argon2d-plain", "argon2-plain"])
def test_argon2_of_another_kind_is_due_for_a_new_one(name: str) -> None:
    assert new_hasher("argon2id:m=64,t=1,p=2").needs_rehash(FOREIGN[name])


@pytest.mark.parametrize(
    "method",
    [
        "scrypt:131072:8:1",
        "scrypt:65536:8:2",
        "scrypt:32768:8:3",
        "scrypt:16384:8:5",
        "scrypt:8192:8:10",
        "pbkdf2:sha256:600000",
        "pbkdf2:sha512:210000",
        "argon2id",
        "argon2id:m=47104,t=1,p=1",
        "argon2id:m=19456,t=2,p=1",
        "argon2id:m=12288,t=3,p=1",
        "argon2id:m=9216,t=4,p=1",
        "argon2id:m=7168,t=5,p=1",
        "argon2id:m=2097152,t=1,p=4",
    ],
)
def test_every_recommended_setting_is_accepted(method: str) -> None:
    """OWASP Password Storage Cheat Sheet, its equivalent settings, and RFC 9106 section 4."""
    assert parse_scheme(method)


@pytest.mark.parametrize(
    "method",
    [
        "scrypt:32768:8:1",
        "scrypt:32768:8:2",
        "scrypt:65536:8:1",
        "scrypt:16384:8:4",
        "scrypt:8192:8:9",
        "scrypt:4096:8:100",
        "scrypt:131072:4:1",
        "scrypt:128:1:1",
        "pbkdf2:sha256:599999",
        "pbkdf2:sha512:209999",
        "argon2id:m=7168,t=4,p=1",
        "argon2id:m=7167,t=6,p=1",
        "argon2id:m=19456,t=1,p=1",
    ],
)
def test_cheaper_setting_is_refused_outside_of_tests(method: str) -> None:
    """OWASP Password Storage Cheat Sheet: the floors."""
    with pytest.raises(WeakMethod, match=r"cheaper than|fewer than"):
        parse_scheme(method)

    assert parse_scheme(method, allow_weak=True)


@pytest.mark.parametrize(
    "method",
    [
        "scrypt:1048576:8:1",
        "scrypt:8192:8:65",
        "scrypt:1024:999999:1",
        "pbkdf2:sha256:10000001",
        "argon2id:m=4194304,t=1,p=1",
        "argon2id:m=19456,t=9999999999,p=1",
        "argon2id:m=19456,t=2,p=65",
    ],
)
def test_setting_too_dear_to_verify_is_refused(method: str) -> None:
    """A hash that the verifier would refuse must not be made."""
    with pytest.raises(WeakMethod, match=r"dearer than|more than"):
        parse_scheme(method, allow_weak=True)


@pytest.mark.parametrize(
    "method",
    [
        "",
        "scrypt",
        "SCRYPT:32768:8:3",
        "scrypt:32768:8",
        "scrypt:32768:8:3:1",
        "scrypt:032768:8:3",
        "scrypt:٣٢٧٦٨:8:3",
        "scrypt:32768:8:3\n",
        "scrypt:32768:0:3",
        "scrypt:32768:8:0",
        "scrypt:-1:8:3",
        "scrypt:40000:8:3",
        "scrypt:64:8:3",
        "scrypt:" + "9" * 5000 + ":8:3",
        "pbkdf2:sha256",
        "pbkdf2:sha1:1300000",
        "pbkdf2:md5:1300000",
        "pbkdf2:sha256:0",
        "argon2i:m=19456,t=2,p=1",
        "argon2id:m=19456",
        "argon2id:m=19456,t=0,p=1",
        "argon2id:m=19456,t=2,p=0",
        "argon2id:m=64,t=1,p=9",
        "bcrypt",
        "plain",
    ],
)
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(WeakMethod):
        parse_scheme(method, allow_weak=True)


def test_argon2_without_numbers_has_those_of_the_design() -> None:
    """OWASP Password Storage Cheat Sheet: m=19 MiB, t=2, p=1."""
    assert isinstance(parse_scheme("argon2id"), Argon2Scheme)
    assert parse_scheme("argon2id").hash("secret").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_argon2_without_the_extra_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)

    with pytest.raises(MissingExtra, match=r"The password hash argon2id needs an extra: .*\[argon2\]"):
        parse_scheme("argon2id")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is hashed: "live" for the parameters of the hasher, and "other"."""
    found: list[str] = []

    def spy(name: str, is_live: Callable[..., bool]) -> None:
        original = getattr(hashlib, name)

        def call(*args: object, **kwargs: object) -> bytes:
            result = original(*args, **kwargs)
            found.append("live" if is_live(**kwargs) else "other")
            return result

        monkeypatch.setattr(hashlib, name, call)

    spy("scrypt", lambda **cost: (cost["n"], cost["r"], cost["p"]) == (128, 1, 1))
    spy("pbkdf2_hmac", lambda **_: False)
    return found


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(None, id="no-user"),
        pytest.param("", id="no-password"),
        pytest.param("!unusable", id="unusable"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", id="unknown-format"),
        pytest.param("scrypt:128:1:1$salt", id="cut"),
        pytest.param("scrypt:128:1$salt$00", id="two-numbers"),
        pytest.param("scrypt:abc$salt$00", id="no-numbers"),
        pytest.param("scrypt:100:1:1$salt$00", id="no-power-of-two"),
        pytest.param("scrypt:0:0:0$salt$00", id="zeros"),
        pytest.param("scrypt:128:1:1$salt$é", id="no-hex"),
        pytest.param("scrypt:1048576:8:1$salt$00", id="scrypt-too-dear"),
        pytest.param("scrypt:128:999999999:999$salt$00", id="scrypt-absurd"),
        pytest.param("pbkdf2:nosuch:1$salt$00", id="unknown-digest"),
        pytest.param("pbkdf2:sha256:0$salt$00", id="no-rounds"),
        pytest.param("pbkdf2:sha256:999999999$salt$00", id="pbkdf2-too-dear"),
        pytest.param("pbkdf2_sha256$999999999$salt$" + "A" * 43 + "=", id="django-too-dear"),
        pytest.param("pbkdf2_sha256$3$salt$AAAA", id="django-cut"),
        pytest.param("$argon2id$nonsense", id="argon2-damaged"),
        pytest.param(BCRYPT_OF_72_X, id="bcrypt-and-80-bytes"),
    ],
)
def test_hash_that_cannot_be_verified_costs_one_live_hash(
    hasher: PasswordHasher, computed: list[str], stored: str | None
) -> None:
    """F1, ASVS 6.3.8, Django CVE-2024-39329: the time must not tell which accounts exist."""
    assert hasher.verify(stored, "x" * 80) is False
    assert computed == ["live"]


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_own_hash_costs_one_live_hash(hasher: PasswordHasher, computed: list[str], password: str) -> None:
    """F1: right and wrong alike."""
    stored = hasher.hash("right")
    computed.clear()

    assert hasher.verify(stored, password) is (password == "right")
    assert computed == ["live"]


@pytest.mark.parametrize("password", [PLAIN, "wrong"])
@pytest.mark.parametrize("name", ["pbkdf2_sha256-plain", "scrypt-plain"])
def test_foreign_hash_costs_no_second_hash(
    hasher: PasswordHasher, computed: list[str], name: str, password: str
) -> None:
    assert hasher.verify(FOREIGN[name], password) is (password == PLAIN)
    assert computed == ["other"]


def test_dummy_hash_has_the_parameters_of_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: with the extra, too."""
    hasher = new_hasher("argon2id:m=64,t=1,p=2")
    verified: list[str] = []
    original = passwords.foreign_hashes.verify

    def spy(stored: str, password: str) -> bool | None:
        verified.append(stored)
        return original(stored, password)

    monkeypatch.setattr(passwords.foreign_hashes, "verify", spy)

    assert not hasher.verify(None, "secret")
    assert [re.match(r"\$argon2id\$v=19\$m=64,t=1,p=2\$", stored) is not None for stored in verified] == [True]


def test_no_password_belongs_to_the_dummy_hash(hasher: PasswordHasher) -> None:
    """F1: the text that the dummy was made of is in the source."""
    assert hasher.verify(None, "no user has this password") is False


@pytest.mark.parametrize("stored", [None, "", "unknown", "scrypt:128:1:1$salt$00", FOREIGN["pbkdf2_sha256-plain"]])
def test_half_a_surrogate_pair_belongs_to_nobody(hasher: PasswordHasher, stored: str | None) -> None:
    """F16: no exception, whatever is stored."""
    assert hasher.verify(stored, "\ud800") is False


def test_missing_extra_is_logged_and_costs_one_live_hash(
    hasher: PasswordHasher,
    computed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F1 and F30: the operator is told, the client is not."""
    monkeypatch.setitem(sys.modules, "bcrypt", None)

    with caplog.at_level(logging.ERROR, logger="flask_secureauth"):
        assert hasher.verify(FOREIGN["bcrypt-plain"], PLAIN) is False

    assert computed == ["live"]
    assert "flask-secureauth[bcrypt]" in caplog.text
    assert PLAIN not in caplog.text
    assert FOREIGN["bcrypt-plain"] not in caplog.text


class StoppedScheme:
    """Hashes only when it is let."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.go = threading.Event()
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()
        self._cheap = parse_scheme(CHEAP, allow_weak=True)
        self.is_current = self._cheap.is_current

    def hash(self, password: str) -> str:
        if password == "wait":
            with self._lock:
                self._running += 1
                self.most = max(self.most, self._running)
            self.started.release()
            assert self.go.wait(10)
            with self._lock:
                self._running -= 1
        return self._cheap.hash(password)


def _start(hasher: PasswordHasher, number: int) -> list[threading.Thread]:
    def run() -> None:
        with suppress(HashingBusy):
            hasher.hash("wait")

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def test_no_more_hashes_run_at_once_than_allowed() -> None:
    """F15, ASVS 2.4.1: a hash takes 32 MiB on purpose, so a burst must not take all the memory."""
    scheme = StoppedScheme()
    threads = _start(PasswordHasher(scheme, concurrency=2, max_waiting=32, max_wait=10), 6)
    for _ in range(2):
        assert scheme.started.acquire(timeout=10)

    assert not scheme.started.acquire(blocking=False)
    scheme.go.set()
    for thread in threads:
        thread.join(10)
    assert scheme.most == 2
    assert all(scheme.started.acquire(blocking=False) for _ in range(4))


@pytest.mark.parametrize("act", [lambda hasher: hasher.hash("x"), lambda hasher: hasher.verify(None, "x")])
def test_who_waits_too_long_is_told_that_it_is_busy(act: Callable[[PasswordHasher], object]) -> None:
    """F15: 503 instead of a queue without end."""
    scheme = StoppedScheme()
    hasher = PasswordHasher(scheme, concurrency=1, max_waiting=32, max_wait=0)
    threads = _start(hasher, 1)
    assert scheme.started.acquire(timeout=10)

    with pytest.raises(HashingBusy):
        act(hasher)

    scheme.go.set()
    threads[0].join(10)
    act(hasher)


def test_no_more_wait_than_allowed() -> None:
    """F15: a queue holds threads, so whoever comes too late is told at once and not after max_wait."""
    scheme = StoppedScheme()
    hasher = PasswordHasher(scheme, concurrency=1, max_waiting=1, max_wait=10)
    answers: Queue[str] = Queue()

    def run() -> None:
        try:
            hasher.hash("wait")
        except HashingBusy:
            answers.put("busy")
        else:
            answers.put("hashed")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()

    assert [answers.get(timeout=5) for _ in range(2)] == ["busy", "busy"]
    assert answers.empty()
    scheme.go.set()
    for thread in threads:
        thread.join(10)
    assert [answers.get_nowait() for _ in range(2)] == ["hashed", "hashed"]


class FailingScheme:
    """Works once, for the dummy."""

    def __init__(self) -> None:
        self._cheap = parse_scheme(CHEAP, allow_weak=True)
        self.is_current = self._cheap.is_current

    def hash(self, password: str) -> str:
        if password == "fail":
            raise MemoryError
        return self._cheap.hash(password)


def test_failed_hash_gives_its_slot_back() -> None:
    """F30: one failure must not block every later sign-in."""
    scheme: PasswordScheme = FailingScheme()
    hasher = PasswordHasher(scheme, concurrency=1, max_waiting=32, max_wait=0)
    for _ in range(3):
        with pytest.raises(MemoryError):
            hasher.hash("fail")

    assert hasher.verify(hasher.hash("x"), "x")


def salted(salt: str | None) -> PasswordHasher:
    scheme = parse_scheme("scrypt:128:1:1", allow_weak=True)
    return PasswordHasher(scheme, concurrency=1, max_waiting=0, max_wait=1, flask_security_salt=salt)


@pytest.mark.parametrize("vector", FLASK_SECURITY, ids=lambda vector: vector[0])
def test_marked_hash_of_flask_security_belongs_to_its_password_and_salt(vector: Vector) -> None:
    _, password, stored = vector
    marked, ours = f"flask-security${stored}", salted(FLASK_SECURITY_SALT)

    assert ours.verify(marked, password)
    assert ours.needs_rehash(marked)
    assert not ours.verify(marked, f"{password}x")
    assert not ours.verify(marked, "\ud800")
    assert not ours.verify(stored, password)
    assert not salted("another").verify(marked, password)


def test_marked_hash_without_the_salt_is_logged_and_costs_one_live_hash(caplog: pytest.LogCaptureFixture) -> None:
    _, password, stored = FLASK_SECURITY[0]

    assert not salted(None).verify(f"flask-security${stored}", password)
    assert caplog.messages == ["A stored hash cannot be verified without SECUREAUTH_PASSWORD_FLASK_SECURITY_SALT."]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (f"scrypt:32768:8:3$salt${'0' * 128}", True),
        (f"scrypt:32768:8:3$salt${'0' * 100}", False),
        (f"pbkdf2:sha256:600000$salt${'0' * 64}", True),
        (f"pbkdf2:sha1:1000$salt${'0' * 40}", True),
        (f"pbkdf2:sha256:600000$salt${'0' * 63}", False),
        (f"pbkdf2:sha3:600000$salt${'0' * 64}", False),
        (f"pbkdf2:sha256:10000001$salt${'0' * 64}", False),
        (f"scrypt:1048576:8:3$salt${'0' * 128}", False),
        ("secret", False),
    ],
)
def test_hash_is_readable_when_it_is_whole_known_and_affordable(stored: str, expected: bool) -> None:
    assert is_readable(stored) is expected
