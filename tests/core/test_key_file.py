"""The key file, and the ring that follows it."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flask_secureauth.core import key_file
from flask_secureauth.core.extras import MissingExtra
from flask_secureauth.core.key_file import FileKeys, KeyFile, MissingKeyFile
from flask_secureauth.core.key_ring import KeyRing
from flask_secureauth.core.keys import ALGORITHMS, InvalidKey
from tests.core.conftest import SECRET, new_private_key, private_pem, public_pem

NOW = 1_800_000_000
LATER = 900


def entry(kid: str = "a", **members: Any) -> dict[str, Any]:
    """A key as it stands in a file; ``...`` leaves a member out."""
    moment = datetime.fromtimestamp(NOW, UTC).isoformat()
    full = {"kid": kid, "alg": "HS256", "key": SECRET, "created_at": moment, "signs_from": moment} | members
    return {name: value for name, value in full.items() if value is not ...}


def write(path: Path, content: Any, *, mode: int = 0o600) -> KeyFile:
    """Put bytes, or anything else as JSON, into a file."""
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    path.chmod(mode)
    return KeyFile(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "keys.json"


@pytest.fixture
def file(path: Path) -> KeyFile:
    """A file with one key, which signs."""
    file = KeyFile(path)
    file.add("HS256", now=NOW, signs_in=0)
    return file


def kids(ring: KeyRing) -> tuple[list[str], list[str]]:
    return [key.kid for key in ring.keys], [key.kid for key in ring.pending]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_added_key_is_read_back_and_signs(path: Path, algorithm: str) -> None:
    file = KeyFile(path)

    added = file.add(algorithm, now=NOW + 0.7, signs_in=LATER)

    (key,) = file.read()
    assert (key.kid, key.algorithm, key.signs_from) == (added.kid, algorithm, NOW)
    assert added.verify(b"message", key.sign(b"message"))


def test_first_key_makes_a_file_that_only_its_owner_reads(file: KeyFile) -> None:
    """ASVS 13.3.2: whoever reads it can be any user."""
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [found.name for found in file.path.parent.iterdir()] == ["keys.json"]


def test_key_is_named_after_its_day(file: KeyFile) -> None:
    (key,) = file.read()

    assert key.kid.startswith("2027-01-15-")
    assert len(key.kid) == 17


def test_second_key_begins_to_sign_later(file: KeyFile) -> None:
    second = file.add(now=NOW, signs_in=LATER)

    assert [key.signs_from for key in file.read()] == [NOW, NOW + LATER]
    assert second.algorithm == "HS256"
    (_, raw) = json.loads(file.path.read_text())["keys"]
    assert (raw["created_at"], raw["signs_from"]) == ("2027-01-15T08:00:00+00:00", "2027-01-15T08:15:00+00:00")


def test_new_file_has_a_key_for_es256_unless_told_otherwise(path: Path) -> None:
    assert KeyFile(path).add(now=NOW, signs_in=0).algorithm == "ES256"


@pytest.mark.parametrize("content", [b"", b" \n", {"keys": []}])
def test_empty_file_gets_its_first_key(path: Path, content: Any) -> None:
    file = write(path, content)
    with pytest.raises(MissingKeyFile, match="missing or empty"):
        file.read()

    file.add("EdDSA", now=NOW, signs_in=LATER)

    assert [key.signs_from for key in file.read()] == [NOW]


def test_missing_file_is_told_with_its_path(path: Path) -> None:
    with pytest.raises(MissingKeyFile) as raised:
        KeyFile(path).read()

    assert raised.value.path == path


def test_every_added_key_differs(file: KeyFile) -> None:
    for _ in range(5):
        file.add(now=NOW, signs_in=LATER)

    entries = json.loads(file.path.read_text())["keys"]
    assert len({item["key"] for item in entries}) == len({item["kid"] for item in entries}) == 6


@pytest.mark.parametrize(("first", "second"), [("HS256", "ES256"), ("EdDSA", "HS256")])
def test_secret_and_private_key_share_no_file(path: Path, first: str, second: str) -> None:
    """J2, RFC 8725 section 2.1."""
    file = KeyFile(path)
    file.add(first, now=NOW, signs_in=0)
    before = path.read_bytes()

    with pytest.raises(InvalidKey, match="never share a ring"):
        file.add(second, now=NOW, signs_in=LATER)

    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["keys.json"]


def test_key_pair_without_cryptography_names_the_extra(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)

    with pytest.raises(MissingExtra, match=r"A key for EdDSA needs an extra: .*flask-secureauth\[crypto\]"):
        KeyFile(path).add("EdDSA", now=NOW, signs_in=0)

    assert not path.exists()


def test_removed_key_is_gone_and_the_others_stay(file: KeyFile) -> None:
    first, second = file.read()[0], file.add(now=NOW, signs_in=LATER)

    file.remove(first.kid)
    assert [key.kid for key in file.read()] == [second.kid]
    file.remove("unknown")
    assert [key.kid for key in file.read()] == [second.kid]


def test_last_key_is_not_removed(file: KeyFile) -> None:
    (key,) = file.read()

    with pytest.raises(MissingKeyFile):
        file.remove(key.kid)

    assert file.read()[0].kid == key.kid


BROKEN: dict[str, tuple[Any, str]] = {
    "no json": (b"{", "not valid JSON"),
    "half of it": (json.dumps({"keys": [entry()]}).encode()[:-20], "not valid JSON"),
    "member twice": (b'{"keys": [], "keys": []}', "a member is given twice"),
    "utf-16": ('{"keys": []}'.encode("utf-16"), "not UTF-8"),
    "list": ([], "no key file"),
    "other object": ({"key": []}, "no key file"),
    "keys no list": ({"keys": {}}, "no key file"),
    "key no object": ({"keys": [SECRET]}, "no key file"),
    "member missing": ({"keys": [entry(alg=...)]}, "exactly the members"),
    "member more": ({"keys": [entry(use="sig")]}, "exactly the members"),
    "kid null": ({"keys": [entry(kid=None)]}, "exactly the members"),
    "kid path": ({"keys": [entry(kid="../x")]}, "'../x': a kid has"),
    "same kid": ({"keys": [entry(), entry()]}, "same kid"),
    "weak secret": ({"keys": [entry(key="dev")]}, "'a': it has 3 bytes"),
    "known secret": ({"keys": [entry(key="change-me" * 5)]}, "'a': it is a placeholder"),
    "no secret": ({"keys": [entry(key="")]}, "'a': a key is"),
    "number": ({"keys": [entry(key=5)]}, "'a': a key is"),
    "other algorithm": ({"keys": [entry(alg="ES256")]}, "'a': ES256 needs a PEM key"),
    "public key": (
        {"keys": [entry(), entry("b", alg="ES256", key=public_pem(new_private_key("ES256")))]},
        "'b': it is a public key",
    ),
    "mixed": (
        {"keys": [entry(), entry("b", alg="ES256", key=private_pem(new_private_key("ES256")))]},
        "never share a ring",
    ),
    "time of no zone": ({"keys": [entry(signs_from="2027-01-15T08:00:00")]}, "is no time such as"),
    "time a number": ({"keys": [entry(signs_from=NOW)]}, "is no time such as"),
    "time of no day": ({"keys": [entry(created_at="2027-02-30T08:00:00+00:00")]}, "is no time such as"),
    "time null": ({"keys": [entry(created_at=None)]}, "is no time such as"),
    "year 1": ({"keys": [entry(signs_from="0001-01-01T00:00:00+23:59")]}, "is no time such as"),
    "giant": (b" " * (1024 * 1024) + b"{}", "larger than 1048576 bytes"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_file_that_breaks_a_rule_is_refused_with_the_reason(path: Path, case: str) -> None:
    content, reason = BROKEN[case]
    file = write(path, content)
    before = path.read_bytes()

    with pytest.raises(InvalidKey, match=reason) as raised:
        file.read()
    assert SECRET not in str(raised.value)
    with pytest.raises(InvalidKey, match=reason):
        file.add("HS256", now=NOW, signs_in=0)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o604, 0o606, 0o644, 0o666, 0o602])
def test_file_that_everybody_can_read_is_refused(path: Path, mode: int) -> None:
    """ASVS 13.3.2."""
    file = write(path, {"keys": [entry()]}, mode=mode)

    with pytest.raises(InvalidKey, match=f"run: chmod 600 {path}"):
        file.read()
    assert KeyFile(path, allow_insecure=True).read()


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o660])
def test_change_keeps_the_mode_of_the_file(path: Path, mode: int) -> None:
    """An operator may let a group read it."""
    file = write(path, {"keys": [entry()]}, mode=mode)

    file.add(now=NOW, signs_in=LATER)

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_change_keeps_the_owner_of_the_file(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator runs the command; the app, another user, must still be able to read the file."""
    original, given = Path.stat, []

    def stat_of_another(self: Path, **options: Any) -> Any:
        found = original(self, **options)
        changed = [*found[:4], 4711, 4712, *found[6:]] if self.name == "keys.json" else list(found)
        return os.stat_result(changed)

    monkeypatch.setattr(Path, "stat", stat_of_another)
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((path.name, user, group)))

    file.add(now=NOW, signs_in=LATER)

    assert given == [("keys.json.new", 4711, 4712)]


def test_change_that_may_not_give_the_file_back_changes_nothing(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.path.read_bytes()

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)

    with pytest.raises(InvalidKey, match="Operation not permitted; run this as the user who owns it"):
        file.add(now=NOW, signs_in=LATER)

    assert file.path.read_bytes() == before
    assert [found.name for found in file.path.parent.iterdir()] == ["keys.json"]


def test_change_follows_a_link(tmp_path: Path, file: KeyFile) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file.path)

    KeyFile(link).add(now=NOW, signs_in=LATER)

    assert link.is_symlink()
    assert len(file.read()) == 2


def test_second_command_at_the_same_time_is_told_to_wait(file: KeyFile) -> None:
    """CWE-362: of two keys that two commands add at once, none may be lost."""
    draft = file.path.with_name("keys.json.new")
    draft.touch()

    for change in (lambda: file.add(now=NOW, signs_in=LATER), lambda: file.remove("a")):
        with pytest.raises(InvalidKey, match=f"another command is changing .*; if none is, delete {draft}"):
            change()

    draft.unlink()
    file.add(now=NOW, signs_in=LATER)
    assert len(file.read()) == 2


def test_commands_at_the_same_time_lose_no_key(file: KeyFile) -> None:
    """CWE-362: each either adds its key or says that it did not."""
    barrier, added = threading.Barrier(8), []

    def add() -> None:
        barrier.wait(10)
        try:
            added.append(file.add(now=NOW, signs_in=LATER).kid)
        except InvalidKey:
            return

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert added
    assert {key.kid for key in file.read()} >= set(added)
    assert len(file.read()) == 1 + len(added)


def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidKey, match=r"cannot write .*keys\.json\.new: No such file or directory"):
        KeyFile(tmp_path / "missing" / "keys.json").add(now=NOW, signs_in=0)


def test_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidKey, match=r"cannot read .*: Is a directory"):
        KeyFile(tmp_path).read()


def test_crash_while_writing_leaves_the_file_as_it_was(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full, say."""
    before = file.path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="No space"):
        file.add(now=NOW, signs_in=LATER)

    assert file.path.read_bytes() == before
    assert [found.name for found in file.path.parent.iterdir()] == ["keys.json"]


def test_file_system_that_cannot_sync_a_folder_does_not_matter(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        original(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)

    file.add(now=NOW, signs_in=LATER)

    assert len(file.read()) == 2


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item for each look at the file."""
    found: list[int] = []
    original = KeyFile.version

    def spy(self: KeyFile) -> object:
        found.append(1)
        return original(self)

    monkeypatch.setattr(KeyFile, "version", spy)
    return found


def test_ring_is_the_same_object_while_nothing_changes(file: KeyFile) -> None:
    """The cache of verified tokens belongs to one ring object."""
    source = FileKeys(file, now=NOW)

    rings = [source.ring(NOW + after) for after in (0, 0.5, 1, 2, 1000, 10**6)]

    assert len({id(ring) for ring in rings}) == 1


def test_file_is_looked_at_once_a_second(file: KeyFile, looks: list[int]) -> None:
    source = FileKeys(file, now=NOW)
    looks.clear()

    for after in (0, 0.1, 0.9, 0.999):
        source.ring(NOW + after)
    assert len(looks) == 0
    for after in (1, 1.5, 1.999):
        source.ring(NOW + after)
    assert len(looks) == 1


def test_clock_that_was_set_back_does_not_keep_from_looking(file: KeyFile, looks: list[int]) -> None:
    """J23."""
    source = FileKeys(file, now=NOW)
    looks.clear()

    source.ring(NOW - 1000)
    source.ring(NOW - 999.5)
    source.ring(NOW - 999)

    assert len(looks) == 2


def test_key_is_pending_then_accepted_then_signs_then_verifies(file: KeyFile) -> None:
    (old,) = file.read()
    source = FileKeys(file, now=NOW)
    new = file.add(now=NOW, signs_in=LATER)

    assert kids(source.ring(NOW + 1)) == ([old.kid], [new.kid])
    assert kids(source.ring(NOW + LATER - 61)) == ([old.kid], [new.kid])
    assert kids(source.ring(NOW + LATER - 60)) == ([old.kid, new.kid], [])
    assert kids(source.ring(NOW + LATER)) == ([new.kid, old.kid], [])
    file.remove(old.kid)
    assert kids(source.ring(NOW + LATER + 1)) == ([new.kid], [])


def test_two_processes_agree_on_a_file(file: KeyFile) -> None:
    early = FileKeys(file, now=NOW)
    file.add(now=NOW, signs_in=LATER)

    for after in (1, LATER - 60, LATER, LATER + 10):
        late = FileKeys(KeyFile(file.path), now=NOW + after)
        assert kids(early.ring(NOW + after)) == kids(late.ring(NOW + after))


def test_origin_is_the_path(file: KeyFile) -> None:
    assert FileKeys(file, now=NOW).origin == str(file.path)


def break_file(path: Path) -> None:
    path.write_bytes(b"{")


def expose_file(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("breaks", [break_file, expose_file, Path.unlink], ids=["broken", "exposed", "gone"])
def test_file_that_cannot_be_used_any_more_is_logged_once_and_its_keys_go_on(
    file: KeyFile, caplog: pytest.LogCaptureFixture, breaks: Callable[[Path], Any]
) -> None:
    """A slip of an operator must not sign anybody out."""
    caplog.set_level(logging.INFO, "flask_secureauth")
    before, (key,) = file.path.read_bytes(), file.read()
    source = FileKeys(file, now=NOW)
    ring = source.ring(NOW)

    breaks(file.path)
    for after in range(1, 10):
        assert source.ring(NOW + after) is ring

    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert str(file.path) in record.getMessage()
    assert "go on" in record.getMessage()
    caplog.clear()

    write(file.path, before)
    assert kids(source.ring(NOW + 20)) == ([key.kid], [])
    assert [record.levelname for record in caplog.records] == ["INFO"]
    breaks(file.path)
    source.ring(NOW + 21)
    assert caplog.records[-1].levelname == "ERROR"


def test_threads_do_not_wait_for_the_one_that_looks(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk stops one request and not all."""
    source = FileKeys(file, now=NOW)
    ring = source.ring(NOW)
    is_looking, may_go_on, slow = threading.Event(), threading.Event(), []

    def wait(self: KeyFile) -> object:
        is_looking.set()
        assert may_go_on.wait(10)
        return None

    monkeypatch.setattr(KeyFile, "version", wait)
    monkeypatch.setattr(KeyFile, "read", lambda self: ())
    thread = threading.Thread(target=lambda: slow.append(source.ring(NOW + 1)))
    thread.start()
    assert is_looking.wait(10)

    assert source.ring(NOW + 5) is ring

    monkeypatch.undo()
    may_go_on.set()
    thread.join(10)
    assert slow == [ring]


def test_first_look_raises_what_is_wrong(path: Path) -> None:
    with pytest.raises(MissingKeyFile):
        FileKeys(KeyFile(path), now=NOW)
    with pytest.raises(InvalidKey, match="not valid JSON"):
        FileKeys(write(path, b"{"), now=NOW)


def test_looks_are_a_second_apart() -> None:
    """The promise of the docs."""
    assert key_file.LOOK_EVERY == 1
