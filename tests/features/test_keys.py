"""Keys: the published set, and the commands that show, add and retire keys."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from flask_secureauth import ConfigurationError
from flask_secureauth.cli import secureauth
from flask_secureauth.core.key_file import KeyFile
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.attacks import forge
from tests.conftest import bearer, sign_in, sign_up

ROOT = Path(__file__).parents[2]
START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
NOW = START.timestamp()
LATER = 900
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the key file is."""
    return tmp_path / "keys.json"


@pytest.fixture
def keyed(make_app: Callable[..., Flask], path: Path) -> Flask:
    """An app on a key file with one key for ES256, made an hour ago."""
    KeyFile(path).add(now=NOW - 3600, signs_in=0)
    return make_app(SECUREAUTH_KEY_FILE=path)


@pytest.fixture
def stopped(keyed: Flask) -> Iterator[FrozenClock]:
    """The stopped clock of ``keyed``."""
    with frozen_clock(keyed, START) as clock:
        yield clock


def run(app: Flask, *arguments: str, exit_code: int = 0) -> str:
    """Run a command of the group and return what it prints."""
    result = app.test_cli_runner().invoke(args=["secureauth", "keys", *arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return str(result.output)


def kids(path: Path) -> list[str]:
    return [key.kid for key in KeyFile(path).read()]


def key_set(app: Flask) -> list[dict[str, Any]]:
    response = app.test_client().get("/.well-known/jwks.json")
    assert response.status_code == 200
    entries: list[dict[str, Any]] = response.json["keys"]
    return entries


KEYS = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "PS256": lambda: rsa.generate_private_key(65537, 3072),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_key_set_is_what_another_library_verifies_our_tokens_with(
    make_app: Callable[..., Flask], algorithm: str
) -> None:
    """RFC 7517 section 5."""
    app = make_app(SECUREAUTH_KEYS=[forge.private_pem(KEYS[algorithm]())])
    client = app.test_client()
    sign_up(client)
    token = sign_in(client)

    keys = jwt.PyJWKSet.from_dict({"keys": key_set(app)})

    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=[algorithm], issuer="secureauth", options={"require": ["exp"]})
    assert claims["sub"] == "1"


def test_key_set_may_be_cached_by_anybody(keyed: Flask) -> None:
    response = keyed.test_client().get("/.well-known/jwks.json")

    assert response.content_type == "application/json"
    assert response.headers.getlist("Cache-Control") == ["public, max-age=300"]
    assert response.headers.getlist("Vary") == ["Accept-Encoding"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "settings",
    [{}, {"JWT_SECRET_KEY": forge.SECRET.decode()}, {"SECUREAUTH_KEYS": [forge.SECRET]}],
    ids=["SECRET_KEY", "JWT_SECRET_KEY", "KEYS"],
)
def test_key_set_of_secrets_is_empty(make_app: Callable[..., Flask], settings: dict[str, Any]) -> None:
    """J20: whoever reads a secret can sign."""
    assert key_set(make_app(**settings)) == []


def test_key_set_holds_every_key_of_the_ring(make_app: Callable[..., Flask]) -> None:
    private, public = KEYS["ES256"](), KEYS["EdDSA"]()
    app = make_app(
        SECUREAUTH_KEYS=[
            {"key": forge.private_pem(private), "kid": "new"},
            {"key": forge.public_pem(public), "kid": "old"},
        ]
    )

    assert [(entry["kid"], entry["alg"], entry["use"]) for entry in key_set(app)] == [
        ("new", "ES256", "sig"),
        ("old", "EdDSA", "sig"),
    ]


def test_key_set_holds_pending_keys_and_says_from_when(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    run(keyed, "add")
    stopped.advance(1)

    old, new = key_set(keyed)

    assert [old["kid"], new["kid"]] == kids(path)
    assert (old["nbf"], new["nbf"]) == (NOW - 3600, NOW + LATER)


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("DELETE", 405), ("HEAD", 200), ("OPTIONS", 200)])
def test_key_set_is_read_only(keyed: Flask, method: str, status: int) -> None:
    assert keyed.test_client().open("/.well-known/jwks.json", method=method).status_code == status


def test_other_well_known_paths_are_none_of_ours(app: Flask) -> None:
    """RFC 8615: they belong to whoever registered them."""
    answer = app.test_client().get("/.well-known/security.txt")

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert app.test_client().post("/.well-known/jwks.json").json["code"] == "method_not_allowed"


def test_list_shows_state_and_moment_of_every_key(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    run(keyed, "add")
    stopped.advance(1)
    old, new = kids(path)

    assert run(keyed, "list").splitlines() == [
        f"Keys of {path}:",
        "KID                ALGORITHM  STATE",
        f"{old}  ES256      signing  since 2027-01-15 07:00:00 UTC",
        f"{new}  ES256      pending  signs from 2027-01-15 08:15:00 UTC",
    ]

    stopped.advance(LATER)
    assert run(keyed, "list").splitlines()[2:] == [
        f"{new}  ES256      signing    since 2027-01-15 08:15:00 UTC",
        f"{old}  ES256      verifying  since 2027-01-15 08:15:00 UTC",
    ]


def test_list_calls_a_key_pending_until_it_signs(keyed: Flask, stopped: FrozenClock) -> None:
    """Also in the minute before, in which it is accepted already."""
    run(keyed, "add")
    stopped.advance(LATER - 1)

    assert run(keyed, "list").splitlines()[3].split()[2] == "pending"


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"SECUREAUTH_KEYS": [{"key": forge.SECRET, "kid": "b"}, {"key": forge.SECRET[::-1], "kid": "a"}]},
            [
                "Keys of SECUREAUTH_KEYS:",
                "KID  ALGORITHM  STATE",
                "b    HS256      signing",
                "a    HS256      verifying",
            ],
        ),
        ({"JWT_SECRET_KEY": forge.SECRET}, ["Keys of JWT_SECRET_KEY:"]),
        ({}, ["Keys of SECRET_KEY:"]),
    ],
    ids=["KEYS", "JWT_SECRET_KEY", "SECRET_KEY"],
)
def test_list_works_for_every_kind_of_ring(
    make_app: Callable[..., Flask], settings: dict[str, Any], lines: list[str]
) -> None:
    assert run(make_app(**settings), "list").splitlines()[: len(lines)] == lines


def test_list_shows_fallbacks_of_flask(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])

    assert [line.split()[1:] for line in run(app, "list").splitlines()[2:]] == [
        ["HS256", "signing"],
        ["HS256", "verifying"],
    ]


def test_list_shows_nothing_secret(keyed: Flask, path: Path) -> None:
    """ASVS 13.3.1."""
    (entry,) = json.loads(path.read_text())["keys"]
    output = run(keyed, "list")

    assert not any(line in output for line in entry["key"].splitlines() if line)


def test_add_says_when_the_key_signs(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    output = run(keyed, "add")

    assert output == f"Added {kids(path)[1]} (ES256) to {path}. It signs from 2027-01-15 08:15:00 UTC.\n"


@pytest.mark.parametrize(
    ("typed", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400)]
)
def test_add_takes_durations(keyed: Flask, stopped: FrozenClock, path: Path, typed: str, seconds: int) -> None:
    output = run(keyed, "add", "--signs-in", typed)

    assert KeyFile(path).read()[1].signs_from == NOW + seconds
    assert ("from now on" in output) is (seconds == 0)


@pytest.mark.parametrize("typed", ["", "soon", "-5m", "5 m", "1w", "1.5h", "5M", "٣m", "9" * 7])
def test_add_takes_nothing_else_for_a_duration(keyed: Flask, path: Path, typed: str) -> None:
    assert "is no duration such as 90s, 15m, 2h or 1d." in run(keyed, "add", "--signs-in", typed, exit_code=2)
    assert len(kids(path)) == 1


def test_add_of_a_secret_beside_key_pairs_is_refused(keyed: Flask, path: Path) -> None:
    """J2."""
    assert "never share a ring" in run(keyed, "add", "--algorithm", "HS256", exit_code=1)
    assert len(kids(path)) == 1


@pytest.mark.parametrize("settings", [{}, {"SECUREAUTH_KEYS": [forge.SECRET]}], ids=["SECRET_KEY", "KEYS"])
def test_add_and_retire_want_a_key_file(make_app: Callable[..., Flask], settings: dict[str, Any]) -> None:
    app, origin = make_app(**settings), "SECUREAUTH_KEYS" if settings else "SECRET_KEY"

    for arguments in (["add"], ["retire", "a"]):
        output = run(app, *arguments, exit_code=1)
        assert f"The keys of this app come from {origin}; commands change those of SECUREAUTH_KEY_FILE." in output


def test_add_with_a_file_needs_no_app(path: Path) -> None:
    result = invoke(absent, "add", "--file", str(path), "--algorithm", "EdDSA")

    assert result.exit_code == 0, result.output
    assert f"(EdDSA) to {path}. It signs from now on." in result.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def invoke(create_app: Callable[[], Flask], *arguments: str) -> Result:
    return CliRunner().invoke(secureauth, ["keys", *arguments], obj=ScriptInfo(create_app=create_app))


def absent() -> Flask:
    raise NoAppException("There is no app.")


def test_add_makes_the_file_that_an_app_waits_for(make_app: Callable[..., Flask], path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        make_app(SECUREAUTH_KEY_FILE=path)
    assert refusal.value.problems == (
        f"SECUREAUTH_KEY_FILE: {path} is missing or empty. 'flask secureauth keys add' makes its first key.",
    )

    result = invoke(lambda: make_app(SECUREAUTH_KEY_FILE=path), "add")

    assert (result.exit_code, len(kids(path))) == (0, 1)
    client = make_app(SECUREAUTH_KEY_FILE=str(path)).test_client()
    sign_up(client)
    assert jwt.get_unverified_header(sign_in(client)) == {"alg": "ES256", "kid": kids(path)[0], "typ": "at+jwt"}


def test_add_changes_no_file_of_an_app_with_more_problems(make_app: Callable[..., Flask], path: Path) -> None:
    result = invoke(lambda: make_app(SECUREAUTH_KEY_FILE=path, SECUREAUTH_LEEWAY=60), "add")

    assert result.exit_code == 1
    assert "SECUREAUTH_LEEWAY" in result.output
    assert not path.exists()


@pytest.mark.parametrize(
    ("create_app", "said"),
    [(absent, "There is no app."), (lambda: Flask("bare"), "This app has no SecureAuth.")],
    ids=["absent", "bare"],
)
def test_add_without_an_app_asks_for_the_file(create_app: Callable[[], Flask], said: str) -> None:
    result = invoke(create_app, "add")

    assert result.exit_code == 1
    assert f"{said} Name the key file with --file." in result.output


@pytest.mark.parametrize("command", ["list", "retire"])
def test_command_of_an_app_that_cannot_start_says_why(make_app: Callable[..., Flask], command: str) -> None:
    result = invoke(lambda: make_app(SECUREAUTH_LEEWAY=60), command, *(["a"] if command == "retire" else []))

    assert result.exit_code == 1
    assert "SECUREAUTH_LEEWAY must be" in result.output
    assert isinstance(result.exception, SystemExit)


def test_add_to_a_broken_file_says_so(keyed: Flask, path: Path) -> None:
    path.write_text("{")

    assert f"Error: {path} is not valid JSON" in run(keyed, "add", exit_code=1)
    assert f"Error: {path} is not valid JSON" in run(keyed, "retire", "a", exit_code=1)
    assert path.read_text() == "{"


def rotate(app: Flask, clock: FrozenClock, path: Path) -> tuple[str, str]:
    """Add a key and wait until it signs; return the old kid and the new one."""
    run(app, "add")
    clock.advance(LATER)
    old, new = kids(path)
    return old, new


def test_key_that_nobody_needs_is_retired(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    old, new = rotate(keyed, stopped, path)
    stopped.advance(3605)

    assert run(keyed, "retire", old) == f"Retired {old}.\n"

    assert kids(path) == [new]


def test_signing_key_is_not_retired(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    (kid,) = kids(path)

    for arguments in (["retire", kid], ["retire", kid, "--force"]):
        output = run(keyed, *arguments, exit_code=1)
        assert f"Error: {kid} signs. Add its successor with 'flask secureauth keys add'" in output
    assert kids(path) == [kid]


def test_signing_key_is_not_retired_while_its_successor_waits(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    run(keyed, "add")
    old, _ = kids(path)
    stopped.advance(LATER - 1)

    assert f"{old} signs." in run(keyed, "retire", old, "--force", exit_code=1)


def test_unknown_key_is_not_retired(keyed: Flask, path: Path) -> None:
    (kid,) = kids(path)

    assert f"{path} has no key b; it has {kid}." in run(keyed, "retire", "b", exit_code=1)


def test_pending_key_is_retired_at_once(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    """A mistake is taken back."""
    run(keyed, "add")
    old, new = kids(path)

    run(keyed, "retire", new)

    assert kids(path) == [old]


@pytest.mark.parametrize("after", [0, 1, 3604])
def test_key_whose_access_tokens_are_alive_is_not_retired(
    keyed: Flask, stopped: FrozenClock, path: Path, after: int
) -> None:
    old, new = rotate(keyed, stopped, path)
    stopped.advance(after)

    output = run(keyed, "retire", old, exit_code=1)

    assert f"Access tokens of {old} are good until 2027-01-15 09:15:05 UTC." in output
    assert run(keyed, "retire", old, "--force") == f"Retired {old}.\n"
    assert kids(path) == [new]


def test_oldest_of_three_keys_waits_for_its_own_successor(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    rotate(keyed, stopped, path)
    stopped.advance(timedelta(hours=2))
    run(keyed, "add", "--signs-in", "0")
    oldest, middle, newest = kids(path)

    run(keyed, "retire", oldest)

    assert "are good until" in run(keyed, "retire", middle, exit_code=1)
    assert kids(path) == [middle, newest]


def test_key_that_signed_waits_although_another_is_as_old(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    """Of two keys of one second the latter signs; the former is no successor of it."""
    stopped.advance(timedelta(hours=2))
    for _ in range(2):
        run(keyed, "add", "--signs-in", "0")
    stopped.advance(timedelta(hours=2))
    run(keyed, "add", "--signs-in", "0")
    _, former, latter, _ = kids(path)
    stopped.advance(10)

    assert "are good until" in run(keyed, "retire", latter, exit_code=1)
    run(keyed, "retire", former)


@pytest.mark.every_database
def test_key_of_living_refresh_tokens_is_not_retired(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    client = keyed.test_client()
    sign_up(client)
    refresh = [
        client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-42"}).json[
            "refresh_token"
        ]
        for _ in range(3)
    ]
    old, new = rotate(keyed, stopped, path)
    stopped.advance(3605)

    assert f"Error: 3 sessions will refresh with a token of {old}" in run(keyed, "retire", old, exit_code=1)

    for _ in range(2):  # Refreshing moves a session to the new key.
        assert client.post("/auth/refresh", json={"refresh_token": refresh.pop()}).status_code == 200
    assert f"Error: 1 session will refresh with a token of {old}" in run(keyed, "retire", old, exit_code=1)

    assert run(keyed, "retire", old, "--force") == f"Retired {old}. 1 session cannot refresh any more.\n"
    assert kids(path) == [new]
    stopped.advance(1)
    answer = client.post("/auth/refresh", json={"refresh_token": refresh.pop()})
    assert (answer.status_code, answer.json["code"]) == (401, "refresh_token_invalid")


def test_key_is_retired_when_every_session_has_refreshed(keyed: Flask, stopped: FrozenClock, path: Path) -> None:
    client = keyed.test_client()
    sign_up(client)
    refresh = client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-42"}).json[
        "refresh_token"
    ]
    old, _ = rotate(keyed, stopped, path)
    stopped.advance(3605)
    tokens = client.post("/auth/refresh", json={"refresh_token": refresh}).json

    run(keyed, "retire", old)
    stopped.advance(1)

    assert client.get("/users/me", headers=bearer(tokens["access_token"])).status_code == 200
    assert client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 200


def test_retire_without_a_database_says_so(keyed: Flask, stopped: FrozenClock, path: Path, tmp_path: Path) -> None:
    old, _ = rotate(keyed, stopped, path)
    with keyed.app_context():
        keyed.extensions["sqlalchemy"].engine.dispose()
    (tmp_path / "test.sqlite3").unlink()
    (tmp_path / "test.sqlite3").mkdir()

    output = run(keyed, "retire", old, exit_code=1)

    assert "Error: The service is unavailable for the moment." in output
    assert len(kids(path)) == 2


APP = """
from flask import Flask
from flask_secureauth import SecureAuth

app = Flask(__name__)
app.config["SECRET_KEY"] = "9dX2mVq7wLr4TzKc8sYbHf3nUj6pEa1G"
app.config["SECUREAUTH_KEY_FILE"] = "keys.json"
SecureAuth(app)
"""


def test_first_key_as_somebody_types_it(tmp_path: Path) -> None:
    """An app that cannot start for want of a key gets it from the command that its error names."""
    (tmp_path / "wsgi_app.py").write_text(APP)

    def flask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi_app", "secureauth", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    refused = flask("check")
    assert refused.returncode == 1
    assert "keys.json is missing or empty. 'flask secureauth keys add' makes its first key." in refused.stdout

    added = flask("keys", "add")
    assert (added.returncode, added.stderr) == (0, "")
    listed = flask("keys", "list")
    assert listed.stdout.splitlines()[2].split()[1:3] == ["ES256", "signing"]
    assert flask("check").returncode == 0
