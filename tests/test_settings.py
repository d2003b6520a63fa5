"""Settings: read once, every problem found, insecure keys refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask

from flask_secureauth import BUILTIN, ConfigurationError
from flask_secureauth.core.key_file import KeyFile
from flask_secureauth.errors import SecureAuthError
from flask_secureauth.settings import BASE_GROUPS, entries
from tests.conftest import PASSWORD, bearer, sign_in, sign_up

STRONG = "9dX2mVq7wLr4TzKc8sYbHf3nUj6pEa1G"
OTHER = "Qw8Zr3Lx6Vt1Nb9Kd4Hs7Gf2Mj5Pc0Ya"
REAL = {"TESTING": False, "SECRET_KEY": STRONG, "SECUREAUTH_PASSWORD_HASH_METHOD": "scrypt:8192:8:10"}


def problems_of(make_app: Callable[..., Flask], **settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        make_app(**settings)
    return raised.value.problems


def kid_of(app: Flask) -> str:
    return str(app.extensions["secureauth"].keys.ring(0).signing.kid)


def kid_with(make_app: Callable[..., Flask], **settings: Any) -> str:
    return kid_of(make_app(**settings))


def test_every_setting_has_a_name_of_its_own_a_doc_and_words() -> None:
    groups = {**BASE_GROUPS, **{feature.name: feature.settings for feature in BUILTIN if feature.settings}}
    found = entries(groups)

    assert len({entry.name for entry in found}) == len(found)
    assert all(entry.doc.endswith(".") and entry.kind.words for entry in found)


@pytest.mark.parametrize("entry", entries(BASE_GROUPS), ids=lambda entry: entry.name)
def test_default_of_a_setting_is_a_value_that_it_accepts(entry: Any) -> None:
    assert entry.kind.read(entry.default) == entry.default


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("URL_PREFIX", ["", "/api", "/api/v1"], ["api", "/", "/api/", None, 5, b"/api"]),
        ("RULES", [{}, {"login.login": "/in"}, {"login.login": None}], [None, [], {"login.login": "in"}, {"x": 5}]),
        ("MAX_CONTENT_LENGTH", [1024, 2**24], [1023, 2**24 + 1, "2048", 2048.0, True, None]),
        ("ALLOW_INSECURE_KEYS", [True, False], [0, 1, "true", None]),
        ("ISSUER", ["https://id.example.com"], ["", None, 5]),
        ("AUDIENCE", [None, "https://api.example.com"], ["", 5, ["a"]]),
        ("ACCESS_TOKEN_LIFETIME", [1, 1.5, timedelta(days=1)], [0, timedelta(days=1, seconds=1), "1h", None, True]),
        ("LEEWAY", [0, 30, timedelta(seconds=5)], [-1, 31, None]),
        ("PASSWORD_CONCURRENT_HASHES", [1, 1024], [0, 1025, "2"]),
        ("PASSWORD_MAX_WAIT", [0, 60], [-1, 61, float("inf")]),
        ("PASSWORD_MIN_LENGTH", [8, 64], [7, 65, "8"]),
        ("PASSWORD_REFUSE_COMMON", [True, False], [None, "no"]),
        ("PASSWORD_CONTEXT_WORDS", [[], ["a"], ("a", "b")], ["word", [5], None]),
        ("PASSWORD_HASH_METHOD", ["scrypt:128:1:1", "pbkdf2:sha512:1", "argon2id:m=64,t=1,p=1"], [5, None, "md5", ""]),
        ("SESSION_STALENESS", [None, 0, 3600, timedelta(minutes=1)], [-1, 3601, "0"]),
        ("SESSION_LIFETIME", [60, timedelta(days=400)], [59, timedelta(days=401), None]),
        ("KEYS", [None, [STRONG], ({"key": STRONG, "kid": "2026-01"},)], [[], STRONG, [5], [{"kid": "x"}]]),
    ],
)
def test_setting_accepts_what_it_says_and_nothing_else(
    make_app: Callable[..., Flask], name: str, good: list[Any], bad: list[Any]
) -> None:
    key = f"SECUREAUTH_{name}"

    for value in good:
        make_app(**{key: value})
    for value in bad:
        (problem,) = problems_of(make_app, **{key: value})
        assert problem.startswith((f"{key} must be ", f"{key}: ")), value


@pytest.mark.parametrize("seconds", [90, 90.0, timedelta(seconds=90)])
def test_duration_is_seconds_or_a_timedelta(make_app: Callable[..., Flask], seconds: Any) -> None:
    client = make_app(SECUREAUTH_ACCESS_TOKEN_LIFETIME=seconds).test_client()
    sign_up(client)
    claims = jwt.decode(sign_in(client), options={"verify_signature": False})

    assert claims["exp"] - claims["iat"] == 90


def test_problem_says_what_would_be_accepted(make_app: Callable[..., Flask]) -> None:
    assert problems_of(make_app, SECUREAUTH_PASSWORD_MIN_LENGTH=6) == (
        "SECUREAUTH_PASSWORD_MIN_LENGTH must be a whole number from 8 to 64.",
    )


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("SECUREAUTH_URL_PREFX", "Did you mean SECUREAUTH_URL_PREFIX?"),
        ("SECUREAUTH_ACCESS_TOKEN_LIFE_TIME", "Did you mean SECUREAUTH_ACCESS_TOKEN_LIFETIME?"),
        ("SECUREAUTH_SESSIONS_STALENESS", "Did you mean SECUREAUTH_SESSION_STALENESS?"),
        ("SECUREAUTH_XYZZY", "The docs list every setting."),
    ],
)
def test_unknown_setting_is_named_with_its_likely_spelling(
    make_app: Callable[..., Flask], typed: str, hint: str
) -> None:
    assert problems_of(make_app, **{typed: 1}) == (f"{typed} is not a setting. {hint}",)


def test_all_problems_are_told_at_once(make_app: Callable[..., Flask]) -> None:
    problems = problems_of(
        make_app,
        SECUREAUTH_URL_PREFX="/api",
        SECUREAUTH_LEEWAY=60,
        SECUREAUTH_PASSWORD_HASH_METHOD="md5",
        SECUREAUTH_RULES={"login.logn": None},
        SECRET_KEY=None,
    )

    assert [problem.split()[0].rstrip(":") for problem in problems] == [
        "SECUREAUTH_URL_PREFX",
        "SECUREAUTH_LEEWAY",
        "SECUREAUTH_RULES",
        "SECRET_KEY",
        "SECUREAUTH_PASSWORD_HASH_METHOD",
    ]


def test_message_of_the_error_holds_every_problem(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(SecureAuthError) as raised:
        make_app(SECUREAUTH_LEEWAY=60, SECRET_KEY=None)

    assert all(f"\n  - {problem}" in str(raised.value) for problem in raised.value.problems)


def test_unknown_rule_lists_the_routes(make_app: Callable[..., Flask]) -> None:
    (problem,) = problems_of(make_app, SECUREAUTH_RULES={"login": "/in"})

    names = ", ".join(f"{feature.name}.{route.name}" for feature in BUILTIN for route in feature.routes)
    assert problem == f"SECUREAUTH_RULES: 'login' is not a route. The routes are {names}."


def test_app_with_problems_gets_no_routes(make_app: Callable[..., Flask]) -> None:
    apps: list[Flask] = []
    problems_of(make_app, before=apps.append, SECUREAUTH_LEEWAY=60)

    (app,) = apps
    assert "secureauth" not in app.extensions
    assert app.blueprints == {}


def test_nothing_reads_the_config_after_the_start(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_ACCESS_TOKEN_LIFETIME=90)
    app.config.update(SECUREAUTH_ACCESS_TOKEN_LIFETIME=1, SECRET_KEY="another one", JWT_SECRET_KEY="another one")
    client = app.test_client()
    sign_up(client)

    assert client.get("/users/me", headers=bearer(sign_in(client))).status_code == 200


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"SECRET_KEY": "dev"}, "SECRET_KEY"),
        ({"SECRET_KEY": "change-me-in-production-please-now"}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 64}, "SECRET_KEY"),
        ({"SECRET_KEY": 12345}, "SECRET_KEY"),
        ({"JWT_SECRET_KEY": "jwt-dev-secret"}, "JWT_SECRET_KEY"),
        ({"JWT_SECRET_KEY": "x8F2kd93jf"}, "JWT_SECRET_KEY"),
        ({"SECUREAUTH_KEYS": [STRONG, "secret"]}, "SECUREAUTH_KEYS"),
        ({"SECUREAUTH_KEYS": [{"key": b"short"}]}, "SECUREAUTH_KEYS"),
    ],
)
def test_weak_key_is_refused(make_app: Callable[..., Flask], settings: dict[str, Any], name: str) -> None:
    """J21, ASVS 11.2: a key that is short or known is found by brute force."""
    (problem,) = problems_of(make_app, **(REAL | settings))

    assert problem.startswith(f"{name}: ")


def test_weak_key_is_not_repeated_in_the_problem(make_app: Callable[..., Flask]) -> None:
    (problem,) = problems_of(make_app, **(REAL | {"SECRET_KEY": "hunter2-hunter2"}))

    assert "hunter2" not in problem
    assert "flask secureauth generate-key" in problem


@pytest.mark.parametrize("relaxed", [{"TESTING": True}, {"SECUREAUTH_ALLOW_INSECURE_KEYS": True}])
def test_weak_key_is_accepted_in_tests_and_by_name(make_app: Callable[..., Flask], relaxed: dict[str, bool]) -> None:
    client = make_app(**(REAL | {"JWT_SECRET_KEY": "dev"} | relaxed)).test_client()

    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "method", ["scrypt:128:1:1", "scrypt:32768:8:1", "pbkdf2:sha256:1000", "argon2id:m=64,t=1,p=1"]
)
def test_cheap_hash_is_refused_outside_tests(make_app: Callable[..., Flask], method: str) -> None:
    (problem,) = problems_of(make_app, **(REAL | {"SECUREAUTH_PASSWORD_HASH_METHOD": method}))

    assert problem.startswith("SECUREAUTH_PASSWORD_HASH_METHOD: ")


def test_app_without_any_key_is_told_how_to_get_one(make_app: Callable[..., Flask]) -> None:
    assert problems_of(make_app, SECRET_KEY=None) == (
        "SECRET_KEY is not set. 'flask secureauth generate-key' prints a good one.",
    )


def test_jwt_secret_key_comes_before_secret_key(make_app: Callable[..., Flask]) -> None:
    only_secret = kid_with(make_app)
    both = kid_with(make_app, JWT_SECRET_KEY=STRONG)

    assert both != only_secret
    assert both == kid_with(make_app, JWT_SECRET_KEY=STRONG, SECRET_KEY=None)


def test_keys_come_before_jwt_secret_key(make_app: Callable[..., Flask]) -> None:
    kid = kid_with(make_app, SECUREAUTH_KEYS=[{"key": OTHER, "kid": "mine"}], JWT_SECRET_KEY=STRONG)

    assert kid == "mine"


def test_key_file_comes_before_jwt_secret_key(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    key = KeyFile(tmp_path / "keys.json").add("EdDSA", now=0, signs_in=0)

    for value in (tmp_path / "keys.json", str(tmp_path / "keys.json")):
        assert kid_with(make_app, SECUREAUTH_KEY_FILE=value, JWT_SECRET_KEY=STRONG) == key.kid


def test_two_rings_are_a_problem(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    assert problems_of(make_app, SECUREAUTH_KEY_FILE=tmp_path / "keys.json", SECUREAUTH_KEYS=[STRONG]) == (
        "SECUREAUTH_KEYS and SECUREAUTH_KEY_FILE are two rings; set one of them.",
    )


@pytest.mark.parametrize("value", ["", 5, True, ["keys.json"], b"keys.json"])
def test_key_file_is_a_path(make_app: Callable[..., Flask], value: object) -> None:
    assert problems_of(make_app, SECUREAUTH_KEY_FILE=value) == ("SECUREAUTH_KEY_FILE must be a path.",)


def test_key_file_obeys_the_rules_of_keys(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """J21, ASVS 13.3.2: weak keys, and a file that everybody can read."""
    file = tmp_path / "keys.json"
    KeyFile(file).add("HS256", now=0, signs_in=0)
    file.chmod(0o644)
    real = REAL | {"SECUREAUTH_KEY_FILE": file}

    assert problems_of(make_app, **real) == (
        f"SECUREAUTH_KEY_FILE: everybody on this machine can read {file}; run: chmod 600 {file}.",
    )
    file.chmod(0o600)
    make_app(**real)
    file.write_text(file.read_text().replace('"key": "', '"key": "change-me'))
    (problem,) = problems_of(make_app, **real)
    assert "it is a placeholder that everybody knows" in problem
    make_app(SECUREAUTH_KEY_FILE=file)


def test_fallbacks_of_flask_verify_and_do_not_sign(make_app: Callable[..., Flask]) -> None:
    """Flask's own way to replace SECRET_KEY signs nobody out."""
    old = make_app(SECRET_KEY=STRONG)
    sign_up(old.test_client())
    tokens = old.test_client().post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD}).json

    new = make_app(SECRET_KEY=OTHER, SECRET_KEY_FALLBACKS=[STRONG])

    assert new.test_client().get("/users/me", headers=bearer(tokens["access_token"])).status_code == 200
    refreshed = new.test_client().post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 200
    assert jwt.get_unverified_header(refreshed.json["access_token"])["kid"] == kid_with(make_app, SECRET_KEY=OTHER)
    without = make_app(SECRET_KEY=OTHER).test_client()
    assert without.get("/users/me", headers=bearer(tokens["access_token"])).status_code == 401
    assert without.get("/users/me", headers=bearer(refreshed.json["access_token"])).status_code == 200


@pytest.mark.parametrize("fallbacks", [None, [], (), [STRONG], [OTHER, STRONG, OTHER]])
def test_fallbacks_may_be_any_list(make_app: Callable[..., Flask], fallbacks: Any) -> None:
    assert kid_with(make_app, SECRET_KEY=STRONG, SECRET_KEY_FALLBACKS=fallbacks) == kid_with(
        make_app, SECRET_KEY=STRONG
    )


@pytest.mark.parametrize("fallbacks", [["dev"], [STRONG, "x" * 40], [""], [5], STRONG, {"a": STRONG}, 5])
def test_bad_fallback_is_a_problem(make_app: Callable[..., Flask], fallbacks: object) -> None:
    """J21: a weak secret that verifies is as good for an attacker as one that signs."""
    (problem,) = problems_of(make_app, **(REAL | {"SECRET_KEY_FALLBACKS": fallbacks}))

    assert problem.startswith("SECRET_KEY_FALLBACKS")
    assert "'dev'" not in problem


def test_fallbacks_belong_to_secret_key_alone(make_app: Callable[..., Flask]) -> None:
    app = make_app(JWT_SECRET_KEY=STRONG, SECRET_KEY_FALLBACKS=[OTHER])

    assert len(app.extensions["secureauth"].keys.ring(0).keys) == 1


def test_key_of_flask_itself_never_signs_a_token(make_app: Callable[..., Flask]) -> None:
    """ASVS 11.2: the key that signs Flask's cookies must sign nothing else; the token's key is derived from it."""
    app = make_app(SECRET_KEY=STRONG)
    sign_up(app.test_client())
    token = sign_in(app.test_client())

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, STRONG, algorithms=["HS256"])


def test_tokens_of_a_retired_but_listed_key_are_accepted(make_app: Callable[..., Flask]) -> None:
    old = make_app(SECUREAUTH_KEYS=[STRONG])
    sign_up(old.test_client())
    token = sign_in(old.test_client())

    rotated = make_app(SECUREAUTH_KEYS=[OTHER, STRONG]).test_client()
    retired = make_app(SECUREAUTH_KEYS=[OTHER]).test_client()

    assert rotated.get("/users/me", headers=bearer(token)).status_code == 200
    assert retired.get("/users/me", headers=bearer(token)).status_code == 401


def pem(kind: str) -> str:
    made: Any = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "PS256": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    encoded: bytes = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_pem_key_signs_with_its_own_algorithm(make_app: Callable[..., Flask], tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pem(algorithm))
    client = make_app(SECUREAUTH_KEYS=[file]).test_client()
    sign_up(client)
    token = sign_in(client)

    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert client.get("/users/me", headers=bearer(token)).status_code == 200


def test_secret_and_pem_never_share_a_ring(make_app: Callable[..., Flask]) -> None:
    """J2, RFC 8725 section 3.1: a public key must never be usable as an HMAC secret."""
    (problem,) = problems_of(make_app, SECUREAUTH_KEYS=[pem("EdDSA"), STRONG])

    assert "never share a ring" in problem


@pytest.fixture
def without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``import cryptography`` fail, as in an install without the extra."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)


def test_pem_key_without_cryptography_names_the_extra(
    make_app: Callable[..., Flask], request: pytest.FixtureRequest
) -> None:
    text = pem("EdDSA")
    request.getfixturevalue("without_cryptography")

    (problem,) = problems_of(make_app, SECUREAUTH_KEYS=[text])

    assert problem == "SECUREAUTH_KEYS: A PEM key needs an extra: pip install 'flask-secureauth[crypto]'."


@pytest.mark.usefixtures("without_cryptography")
def test_secret_needs_no_cryptography(make_app: Callable[..., Flask]) -> None:
    client = make_app(SECUREAUTH_KEYS=[STRONG]).test_client()
    sign_up(client)

    assert sign_in(client)


def test_argon2id_without_its_package_names_the_extra(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)

    (problem,) = problems_of(make_app, SECUREAUTH_PASSWORD_HASH_METHOD="argon2id")

    assert problem.endswith("pip install 'flask-secureauth[argon2]'.")


def test_keys_do_not_show_in_the_repr_of_settings(make_app: Callable[..., Flask]) -> None:
    """ASVS 13.3.1: error reports collect local variables."""
    secret = "q7" * 10 + "ZkMvP0aLw3RtYx"
    app = make_app(SECUREAUTH_KEYS=[secret])

    assert secret not in repr(app.extensions["secureauth"])
