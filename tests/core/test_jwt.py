"""Access tokens: the rules by hand. What attackers send is in ``tests/attacks``."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flask_secureauth.core import jwt
from flask_secureauth.core.jwt import ExpiredToken, InvalidToken, TokenIssuer, TokenRules, TokenVerifier
from flask_secureauth.core.key_ring import KeyRing
from flask_secureauth.core.keys import Key, encode_segment, load_key

SECRET = "mB7vKq2xTz9RfWc4LhYp8NdJs3GgUe6A"
NOW = 1_800_000_000
SESSION = "0123456789abcdef" * 2
RULES = TokenRules(issuer="https://issuer.example", audience="api", lifetime=3600, leeway=5)
HS256 = load_key({"key": SECRET, "kid": "now"})


def issue(ring: KeyRing | None = None, rules: TokenRules = RULES, now: int = NOW, **extra: Any) -> str:
    issuer = TokenIssuer(ring or KeyRing([HS256]), rules)
    return issuer.issue(subject="7", session_id=SESSION, auth_time=now, methods=["pwd"], now=now, extra=extra)


def new_verifier(ring: KeyRing | None = None, rules: TokenRules = RULES) -> TokenVerifier:
    return TokenVerifier(ring or KeyRing([HS256]), rules)


def payload_of(token: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return payload


def segment(value: Any) -> str:
    return encode_segment(json.dumps(value).encode())


def signed(claims: Any, header: Any = None, key: Key = HS256) -> str:
    message = f"{segment(header) if header else key.header_segment}.{segment(claims)}"
    return f"{message}.{encode_segment(key.sign(message.encode()))}"


def changed(**claims: Any) -> str:
    """A genuine token with other claims; ``...`` leaves one out."""
    merged = payload_of(issue()) | claims
    return signed({name: value for name, value in merged.items() if value is not ...})


@pytest.fixture(scope="module")
def rings() -> dict[str, tuple[KeyRing, KeyRing, Any]]:
    """For each algorithm a ring that signs, one that verifies, and the key for PyJWT."""
    found: dict[str, tuple[KeyRing, KeyRing, Any]] = {"HS256": (KeyRing([HS256]), KeyRing([HS256]), SECRET)}
    front = load_key(_pem(ed25519.Ed25519PrivateKey.generate()))
    for algorithm, private in (
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ("PS256", rsa.generate_private_key(65537, 3072)),
    ):
        public = private.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        # A ring needs a first key that signs: another one stands in front of the public key.
        found[algorithm] = (KeyRing([load_key(_pem(private))]), KeyRing([front, load_key(pem)]), public)
    return found


def _pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


every_algorithm = pytest.mark.parametrize("algorithm", ["HS256", "ES256", "EdDSA", "PS256"])


@every_algorithm
def test_issued_token_is_verified(rings: dict[str, tuple[KeyRing, KeyRing, Any]], algorithm: str) -> None:
    signing, verifying, _ = rings[algorithm]

    claims = new_verifier(verifying).verify(issue(signing), NOW)

    assert claims == {
        "iss": "https://issuer.example",
        "aud": "api",
        "sub": "7",
        "sid": SESSION,
        "iat": NOW,
        "exp": NOW + 3600,
        "auth_time": NOW,
        "amr": ["pwd"],
        "jti": claims["jti"],
    }


@every_algorithm
def test_issued_token_is_read_by_another_library(
    rings: dict[str, tuple[KeyRing, KeyRing, Any]], algorithm: str
) -> None:
    """RFC 7515 and RFC 7519: other services read our tokens with what they have."""
    signing, _, key = rings[algorithm]
    token = issue(signing)

    claims = pyjwt.decode(
        token, key, algorithms=[algorithm], audience="api", issuer=RULES.issuer, options={"verify_iat": False}
    )

    assert claims["sub"] == "7"
    assert pyjwt.get_unverified_header(token) == {"alg": algorithm, "kid": signing.signing.kid, "typ": "at+jwt"}


@every_algorithm
def test_token_of_another_key_is_refused(rings: dict[str, tuple[KeyRing, KeyRing, Any]], algorithm: str) -> None:
    """J20: a retired key."""
    others = [ring for name, (ring, _, _) in rings.items() if name != algorithm]

    for other in others:
        with pytest.raises(InvalidToken, match="unknown key"):
            new_verifier(other).verify(issue(rings[algorithm][0]), NOW)


def test_every_key_of_the_ring_verifies() -> None:
    old = load_key({"key": SECRET[::-1], "kid": "old"})
    verifier = new_verifier(KeyRing([HS256, old]))

    assert verifier.verify(issue(KeyRing([old])), NOW)["sub"] == "7"
    assert verifier.verify(issue(KeyRing([HS256])), NOW)["sub"] == "7"


def test_kid_of_one_key_and_signature_of_another_is_refused() -> None:
    """RFC 8725 section 3.1: the kid decides which key is tried, and no other one is."""
    old = load_key({"key": SECRET[::-1], "kid": "old"})
    forged = load_key({"key": SECRET[::-1], "kid": "now"})

    with pytest.raises(InvalidToken, match="bad signature"):
        new_verifier(KeyRing([HS256, old])).verify(issue(KeyRing([forged])), NOW)


def test_members_of_the_header_may_have_another_order() -> None:
    """The shortcut for our own header decides nothing: one that says the same is as good."""
    header = {"typ": "at+jwt", "kid": "now", "alg": "HS256"}

    assert new_verifier().verify(signed(payload_of(issue()), header), NOW)["sub"] == "7"


def test_two_tokens_of_one_second_differ() -> None:
    assert issue() != issue()


def test_rules_without_audience_issue_and_accept_none() -> None:
    rules = TokenRules(issuer=RULES.issuer, audience=None, lifetime=60, leeway=0)
    claims = new_verifier(rules=rules).verify(issue(rules=rules), NOW)

    assert "aud" not in claims
    with pytest.raises(InvalidToken, match="wrong audience"):
        new_verifier(rules=rules).verify(changed(exp=NOW + 60), NOW)
    with pytest.raises(InvalidToken, match="wrong audience"):
        new_verifier(rules=rules).verify(changed(exp=NOW + 60, aud=None), NOW)


def test_additional_claims_are_issued() -> None:
    claims = new_verifier().verify(issue(roles=["admin"], name="Zoë 🐙"), NOW)

    assert (claims["roles"], claims["name"]) == (["admin"], "Zoë 🐙")


@pytest.mark.parametrize("name", sorted(jwt.RESERVED_CLAIMS - {"exp"}))
def test_reserved_claim_is_not_overwritten(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: reserved"):
        issue(**{name: "x"})


def test_every_reserved_claim_is_named() -> None:
    with pytest.raises(ValueError, match=r"^jti, sub: reserved"):
        issue(sub="1", jti="x")


def test_life_may_be_shortened() -> None:
    assert payload_of(issue(exp=NOW + 1))["exp"] == NOW + 1


@pytest.mark.parametrize("exp", [NOW - 1, NOW, NOW + 3601, 0, -1, True, NOW + 1.5, f"{NOW + 1}", None])
def test_life_is_whole_seconds_and_neither_empty_nor_extended(exp: object) -> None:
    with pytest.raises(ValueError, match="at most 3600 seconds"):
        issue(exp=exp)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_claim_that_is_no_json_number_is_not_issued(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        issue(score=value)


def test_token_of_4096_characters_is_the_longest() -> None:
    """J16: what we issue, we accept."""
    length = next(size for size in range(2000, 4096) if len(issue(note="x" * size)) == jwt.MAX_TOKEN_LENGTH)

    assert new_verifier().verify(issue(note="x" * length), NOW)
    with pytest.raises(ValueError, match="4096 is the limit"):
        issue(note="x" * (length + 3))


@pytest.mark.parametrize(
    ("now", "alive"),
    [
        (0, True),
        (3599, True),
        (3600, True),
        (3604, True),
        (3604.999, True),
        (3605, False),
        (3606, False),
        (10**9, False),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
def test_token_lives_until_its_end_and_the_leeway(now: float, alive: bool, cached: bool) -> None:
    """J23: exp - 1, exp and exp + leeway, for a new token and for one that comes back."""
    verifier, token = new_verifier(), issue()
    if cached:
        verifier.verify(token, NOW)

    if alive:
        assert verifier.verify(token, NOW + now)["exp"] == NOW + 3600
    else:
        with pytest.raises(ExpiredToken):
            verifier.verify(token, NOW + now)


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_token_from_the_future_is_refused_beyond_the_leeway(name: str) -> None:
    """J10 and J23: clocks of two machines differ a little."""
    token = changed(**{name: NOW + 100, "exp": NOW + 3600})

    with pytest.raises(InvalidToken, match="from the future"):
        new_verifier().verify(token, NOW + 94.999)
    assert new_verifier().verify(token, NOW + 95)["sub"] == "7"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
        datetime(2100, 2, 28, 23, 59, 59, tzinfo=UTC),
        datetime(9999, 12, 31, 22, 59, 59, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
    ],
)
def test_token_is_issued_and_verified_on_any_day(moment: datetime) -> None:
    """J23: leap day, the end of 32 bits, a year that is no leap year, and the last second of the calendar."""
    now = int(moment.timestamp())

    assert new_verifier().verify(issue(now=now), now)["exp"] == now + 3600


def test_token_that_ends_after_the_calendar_is_refused() -> None:
    """J10 and J23: datetime ends with the year 9999."""
    now = int(datetime(9999, 12, 31, 23, 0, 0, tzinfo=UTC).timestamp())

    with pytest.raises(InvalidToken, match="bad exp"):
        new_verifier().verify(issue(now=now), now)


def test_clock_that_steps_back_does_not_revive_an_expired_token_in_the_cache() -> None:
    """J23: the token is judged anew, by what the clock says then."""
    verifier, token = new_verifier(), issue()
    verifier.verify(token, NOW)
    with pytest.raises(ExpiredToken):
        verifier.verify(token, NOW + 4000)

    with pytest.raises(InvalidToken, match="from the future"):
        verifier.verify(token, NOW - 6)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        *(({name: ...}, f"bad {name}") for name in ("exp", "iat", "auth_time", "sid", "jti", "sub", "amr")),
        *(
            ({name: value}, f"bad {name}")
            for name in ("exp", "iat", "auth_time", "nbf")
            for value in (str(NOW), float(NOW), True, None, [NOW], -1, 253_402_300_800)
        ),
        *(
            ({name: value}, f"bad {name}")
            for name in ("sid", "jti")
            for value in ("", 7, None, SESSION[:-1], SESSION.upper(), SESSION + "\n", "g" * 32)
        ),
        *(({"sub": value}, "bad sub") for value in ("", 7, None, ["7"], "7" * 256)),
        *(({"amr": value}, "bad amr") for value in ("pwd", None, [7], {"pwd": 1}, ["pwd", None])),
        *(({"iss": value}, "wrong issuer") for value in (..., "", None, "https://issuer.example/", [RULES.issuer])),
        *(({"aud": value}, "wrong audience") for value in (..., "", None, "apis", ["api"], [])),
        ({"exp": NOW}, "lives too long"),
        ({"exp": NOW - 1}, "lives too long"),
        ({"exp": NOW + 3601}, "lives too long"),
        ({"iat": NOW - 1}, "lives too long"),
        ({"iat": NOW + 6, "exp": NOW + 3600}, "from the future"),
        ({"nbf": NOW + 6}, "from the future"),
    ],
    ids=repr,
)
def test_token_that_breaks_a_rule_is_refused_with_the_reason(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        new_verifier().verify(changed(**claims), NOW)

    assert caught.value.reason == reason
    assert type(caught.value) is InvalidToken


@pytest.mark.parametrize(
    "claims", [{"sub": "7" * 255}, {"amr": []}, {"nbf": NOW}, {"auth_time": 0}, {"auth_time": NOW + 100}]
)
def test_token_at_the_edge_of_a_rule_is_accepted(claims: dict[str, Any]) -> None:
    assert new_verifier().verify(changed(**claims), NOW).items() >= claims.items()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "HS256", "kid": "now"}, "foreign header"),
        ({"alg": "HS256", "kid": "now", "typ": "JWT"}, "foreign header"),
        ({"alg": "HS256", "kid": "now", "typ": "at+jwt", "x": 1}, "foreign header"),
        ({"alg": "HS256", "kid": "then", "typ": "at+jwt"}, "unknown key"),
        ({"alg": "HS512", "kid": "now", "typ": "at+jwt"}, "wrong algorithm"),
        (["HS256"], "malformed"),
        ("HS256", "malformed"),
    ],
)
def test_header_that_is_not_ours_is_refused_with_the_reason(header: Any, reason: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        new_verifier().verify(signed(payload_of(issue()), header), NOW)

    assert caught.value.reason == reason


@pytest.mark.parametrize("claims", [[], "text", 7, None])
def test_payload_that_is_no_object_is_refused(claims: Any) -> None:
    with pytest.raises(InvalidToken, match="malformed"):
        new_verifier().verify(signed(claims), NOW)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "malformed"),
        ("a.b", "malformed"),
        ("a.b.c.d", "malformed"),
        ("a.b.c\n", "malformed"),
        ("é.b.c", "malformed"),
        ("a.bb.cc", "malformed"),
        ("e30=.e30.AA", "malformed"),
        ("eyJh.e30.AA", "malformed"),
        ("x" * 4097, "too long"),
    ],
)
def test_text_that_is_no_token_is_refused_with_the_reason(token: str, reason: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        new_verifier().verify(token, NOW)

    assert caught.value.reason == reason


def test_second_spelling_of_a_signature_is_refused() -> None:
    """J14: the last of 43 characters carries two bits that nobody reads."""
    token = issue()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(twin.split(".")[2] + "=") == base64.urlsafe_b64decode(token.split(".")[2] + "=")

    with pytest.raises(InvalidToken, match="not canonical"):
        new_verifier().verify(twin, NOW)


@every_algorithm
@pytest.mark.parametrize("signature", [b"", b"\0", bytes(32), bytes(64), bytes(65), bytes(384), b"\xff" * 64])
def test_crafted_signature_is_refused(
    rings: dict[str, tuple[KeyRing, KeyRing, Any]], algorithm: str, signature: bytes
) -> None:
    """J17, ASVS 11.2.5: whatever the library raises, the answer is no."""
    signing, verifying, _ = rings[algorithm]
    message = issue(signing).rpartition(".")[0]

    with pytest.raises(InvalidToken):
        new_verifier(verifying).verify(f"{message}.{encode_segment(signature)}", NOW)


def test_error_of_a_library_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """J2 and J6, ASVS 11.2.5: PyJWT raises TypeError on some crafted input."""

    def fail(*_: object) -> bool:
        raise TypeError

    monkeypatch.setattr(Key, "verify", fail)

    with pytest.raises(InvalidToken, match="bad signature"):
        new_verifier().verify(issue(), NOW)


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that were really verified."""
    found: list[bytes] = []
    original = Key.verify

    def spy(self: Key, message: bytes, signature: bytes) -> bool:
        found.append(signature)
        return original(self, message, signature)

    monkeypatch.setattr(Key, "verify", spy)
    return found


def test_token_that_comes_back_is_not_verified_again(verifications: list[bytes]) -> None:
    verifier, token = new_verifier(), issue()

    claims = [verifier.verify(token, NOW + later) for later in range(10)]

    assert len(verifications) == 1
    assert all(repeated is claims[0] for repeated in claims)


def test_refused_token_is_not_remembered(verifications: list[bytes]) -> None:
    """A cache of refusals could be filled by anybody."""
    verifier = new_verifier()
    token = changed(iss="https://other.example")
    for _ in range(2):
        with pytest.raises(InvalidToken):
            verifier.verify(token, NOW)

    assert len(verifications) == 2
    assert len(verifier._cache.verified) == 0


def test_token_with_another_signature_is_verified_although_its_twin_is_known(verifications: list[bytes]) -> None:
    """J17: the whole token is the key of the cache."""
    verifier, token = new_verifier(), issue()
    verifier.verify(token, NOW)
    message, _, signature = token.rpartition(".")

    with pytest.raises(InvalidToken, match="bad signature"):
        verifier.verify(f"{message}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}", NOW)

    assert len(verifications) == 2


def test_expired_token_leaves_the_cache(verifications: list[bytes]) -> None:
    verifier, token = new_verifier(), issue()
    verifier.verify(token, NOW)
    for _ in range(2):
        with pytest.raises(ExpiredToken):
            verifier.verify(token, NOW + 3605)

    assert len(verifications) == 2
    assert len(verifier._cache.verified) == 0


def test_cache_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch, verifications: list[bytes]) -> None:
    """CWE-770: signing in again and again must not fill the memory."""
    monkeypatch.setattr(jwt, "CACHE_SIZE", 3)
    verifier, tokens = new_verifier(), [issue() for _ in range(5)]
    for token in tokens:
        verifier.verify(token, NOW)
    verifications.clear()

    assert len(verifier._cache.verified) == 3
    for token in tokens[2:]:
        verifier.verify(token, NOW)
    assert verifications == []
    verifier.verify(tokens[0], NOW)
    assert len(verifications) == 1
    assert len(verifier._cache.verified) == 3


def test_cache_of_one_ring_is_no_other_rings() -> None:
    """J20: a new ring begins with an empty cache."""
    token = issue()
    new_verifier().verify(token, NOW)

    with pytest.raises(InvalidToken, match="unknown key"):
        new_verifier(KeyRing([load_key({"key": SECRET[::-1], "kid": "new"})])).verify(token, NOW)


class Source:
    """A source whose ring is exchanged by hand."""

    origin = "a test"

    def __init__(self, ring: KeyRing) -> None:
        self.current = ring
        self.asked: list[float] = []

    def ring(self, now: float) -> KeyRing:
        self.asked.append(now)
        return self.current


NEW_RING = KeyRing([load_key({"key": SECRET[::-1], "kid": "new"})])


def test_new_ring_empties_the_cache() -> None:
    """J20: a token that was let in before its key was retired is refused at once."""
    source = Source(KeyRing([HS256]))
    verifier, token = TokenVerifier(source, RULES), issue()
    verifier.verify(token, NOW)

    source.current = NEW_RING

    with pytest.raises(InvalidToken, match="unknown key"):
        verifier.verify(token, NOW)
    assert verifier.verify(issue(NEW_RING), NOW)["sub"] == "7"


def test_same_ring_keeps_the_cache(verifications: list[bytes]) -> None:
    source = Source(KeyRing([HS256]))
    verifier, token = TokenVerifier(source, RULES), issue()

    for later in range(3):
        verifier.verify(token, NOW + later)

    assert len(verifications) == 1
    assert source.asked == [NOW, NOW + 1, NOW + 2]


def test_thread_with_the_old_ring_brings_no_token_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """J20, CWE-362: a key is retired while a thread verifies a token of it."""
    source = Source(KeyRing([HS256]))
    verifier, token, new = TokenVerifier(source, RULES), issue(), issue(NEW_RING)
    original = Key.verify

    def retire_meanwhile(self: Key, message: bytes, signature: bytes) -> bool:
        if source.current is not NEW_RING:
            source.current = NEW_RING
            verifier.verify(new, NOW)  # Another thread's request.
        return original(self, message, signature)

    monkeypatch.setattr(Key, "verify", retire_meanwhile)
    assert verifier.verify(token, NOW)["sub"] == "7"  # It came in before the key was retired.

    with pytest.raises(InvalidToken, match="unknown key"):
        verifier.verify(token, NOW)


def test_ring_of_before_that_comes_back_has_forgotten_everything(verifications: list[bytes]) -> None:
    """A thread that asked early and verifies late turns the clock back for one request only."""
    old = KeyRing([HS256])
    source = Source(old)
    verifier, token = TokenVerifier(source, RULES), issue()
    for ring in (old, NEW_RING, old):
        source.current = ring
        verifier.verify(issue(NEW_RING) if ring is NEW_RING else token, NOW)

    assert len(verifications) == 3


def test_issuer_signs_with_the_ring_of_the_moment() -> None:
    source = Source(KeyRing([HS256]))
    issuer = TokenIssuer(source, RULES)
    source.current = NEW_RING

    token = issuer.issue(subject="7", session_id=SESSION, auth_time=NOW, methods=["pwd"], now=NOW)

    assert pyjwt.get_unverified_header(token)["kid"] == "new"
    assert source.asked == [NOW]


def test_no_source_is_asked_before_a_token_comes() -> None:
    """An app starts although the key set that it will verify with cannot be fetched yet."""
    source = Source(KeyRing([HS256]))

    TokenVerifier(source, RULES)
    TokenIssuer(source, RULES)

    assert source.asked == []


def test_cache_stays_bounded_under_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-362: threads that verify, forget and make room at the same time."""
    monkeypatch.setattr(jwt, "CACHE_SIZE", 4)
    verifier, tokens = new_verifier(), [issue(exp=NOW + 1 + number) for number in range(12)]
    barrier, failures = threading.Barrier(4), []

    def run(offset: int) -> None:
        barrier.wait(10)
        for turn in range(100):
            number = (turn * 5 + offset) % len(tokens)
            try:
                verifier.verify(tokens[number], NOW + turn % 2 * (number + 6))
            except ExpiredToken:
                continue
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=run, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert failures == []
    assert len(verifier._cache.verified) <= 4


@pytest.mark.parametrize("subject", ["", "x" * 256])
def test_subject_that_no_verifier_accepts_is_not_issued(subject: str) -> None:
    rules = TokenRules(issuer="secureauth", audience=None, lifetime=60, leeway=0)
    issuer = TokenIssuer(KeyRing([load_key("k" * 32, allow_insecure=True)]), rules)

    with pytest.raises(ValueError, match="1 to 255 characters"):
        issuer.issue(subject=subject, session_id="0" * 32, auth_time=0, methods=["pwd"], now=0)
