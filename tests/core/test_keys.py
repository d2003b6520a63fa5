"""Keys and the ring."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from flask_secureauth.core.extras import MissingExtra
from flask_secureauth.core.keys import InvalidKey, KeyRing, derived_signing_key, encode_segment, load_key, weakness

SECRET = "mB7vKq2xTz9RfWc4LhYp8NdJs3GgUe6A"
OTHER_SECRET = "Zr5tHw8yQn2VkXb7MjDf4CpGs9LaEu3T"


def private_pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def pems() -> dict[str, tuple[str, str]]:
    """The private and the public PEM for each asymmetric algorithm."""
    keys = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "PS256": rsa.generate_private_key(65537, 3072),
    }
    return {algorithm: (private_pem(key), public_pem(key)) for algorithm, key in keys.items()}


every_asymmetric = pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])


@pytest.mark.parametrize("spec", [SECRET, SECRET.encode(), {"key": SECRET}, {"key": SECRET, "alg": "HS256"}])
def test_secret_signs_with_hs256(spec: object) -> None:
    key = load_key(spec)

    assert key.algorithm == "HS256"
    assert key.verify(b"message", key.sign(b"message"))


def test_secret_verifies_no_signature_of_another() -> None:
    assert not load_key(SECRET).verify(b"message", load_key(OTHER_SECRET).sign(b"message"))


def test_hs256_signature_is_hmac_sha256() -> None:
    """RFC 7515 appendix A.1: the key and the signature of its example."""
    jwk = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    message = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )

    key = load_key(base64.urlsafe_b64decode(jwk + "=="))

    assert encode_segment(key.sign(message)) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_kid_of_a_secret_is_stable_and_does_not_show_it() -> None:
    kids = {load_key(SECRET).kid, load_key(SECRET.encode()).kid}

    assert len(kids) == 1
    assert len(kids.copy().pop()) == 16
    assert load_key(OTHER_SECRET).kid not in kids


def test_representation_of_a_key_does_not_show_it() -> None:
    key = load_key({"key": SECRET, "kid": "2026-01"})

    assert repr(key) == "<Key 2026-01 HS256>"


@every_asymmetric
def test_pem_signs_with_its_own_algorithm(pems: dict[str, tuple[str, str]], algorithm: str) -> None:
    private, public = (load_key(pem) for pem in pems[algorithm])

    assert (private.algorithm, public.algorithm) == (algorithm, algorithm)
    assert public.verify(b"message", private.sign(b"message"))
    assert not public.verify(b"other", private.sign(b"message"))


@every_asymmetric
def test_public_key_has_the_kid_of_its_private_key_and_signs_nothing(
    pems: dict[str, tuple[str, str]], algorithm: str
) -> None:
    private, public = (load_key(pem) for pem in pems[algorithm])

    assert private.kid == public.kid
    assert len(private.kid) == 43
    assert public.signing_key is None


def test_kid_is_the_thumbprint_of_rfc_7638() -> None:
    """RFC 7638 section 3.1; its example has 2048 bits."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu"
        "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a"
        "wapJzKnqDKgw"
    )
    number = int.from_bytes(base64.urlsafe_b64decode(modulus + "=="))
    public = rsa.RSAPublicNumbers(65537, number).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert load_key(pem, allow_insecure=True).kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_kid_is_the_thumbprint_of_rfc_8037() -> None:
    """RFC 8037 appendix A.3."""
    raw = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    public = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert load_key(pem).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_kid_is_configurable(pems: dict[str, tuple[str, str]]) -> None:
    assert load_key({"key": SECRET, "kid": "a.B_c-9"}).kid == "a.B_c-9"
    assert load_key({"key": pems["ES256"][0], "kid": "k" * 64, "alg": "ES256"}).kid == "k" * 64


@pytest.mark.parametrize("form", [Path, lambda path: {"file": path}, lambda path: {"file": str(path)}])
def test_secret_is_read_from_a_file(tmp_path: Path, form: Any) -> None:
    """Editors end a file with a newline, which is not part of the secret."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")

    assert load_key(form(path)).kid == load_key(SECRET).kid


def test_pem_is_read_from_a_file(tmp_path: Path, pems: dict[str, tuple[str, str]]) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pems["EdDSA"][0])

    assert load_key({"file": path}).kid == load_key(pems["EdDSA"][1]).kid


def test_pem_may_have_white_space_around_it(pems: dict[str, tuple[str, str]]) -> None:
    """A triple-quoted string begins with a newline."""
    assert load_key(f"\n  {pems['ES256'][0]}\n").signing_key is not None


@pytest.mark.parametrize("name", ["missing.pem", "."])
def test_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidKey, match="cannot read the key file"):
        load_key(tmp_path / name)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        b"",
        None,
        5,
        [SECRET],
        {},
        {"kid": "a"},
        {"key": SECRET, "file": "x"},
        {"key": SECRET, "kind": "x"},
        {"key": 5},
    ],
    ids=repr,
)
def test_other_forms_of_a_key_are_refused(spec: object) -> None:
    with pytest.raises(InvalidKey, match="a key is a secret of 32 random bytes or more"):
        load_key(spec)


@pytest.mark.parametrize("kid", ["", "a b", "a\n", "../../dev/null", "é", "k" * 65, 5, ["a"]])
def test_kid_of_other_characters_is_refused(kid: object) -> None:
    """J4: a kid never reaches a path or a query, and no kid of ours looks as if it did."""
    with pytest.raises(InvalidKey, match="1 to 64 letters"):
        load_key({"key": SECRET, "kid": kid})


def test_secret_with_half_a_surrogate_pair_is_refused() -> None:
    """A variable of the environment that is not UTF-8 arrives like this."""
    with pytest.raises(InvalidKey, match="valid UTF-8"):
        load_key(SECRET + "\udcff")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512", "RS256", "ES256", "hs256", ["HS256"]])
def test_secret_has_no_other_algorithm(algorithm: object) -> None:
    """J1 and J3, RFC 8725 section 3.1."""
    with pytest.raises(InvalidKey, match="this is a secret, which signs with HS256"):
        load_key({"key": SECRET, "alg": algorithm})


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("PS256", "RS256"), ("PS256", "HS256"), ("ES256", "HS256"), ("ES256", "EdDSA"), ("EdDSA", "none")],
)
def test_pem_has_no_other_algorithm(pems: dict[str, tuple[str, str]], key: str, algorithm: str) -> None:
    """J2 and J3, RFC 8725 section 3.1; RS256 is disallowed by ASVS appendix C."""
    for pem in pems[key]:
        with pytest.raises(InvalidKey, match=f"for {key}, not {algorithm}"):
            load_key({"key": pem, "alg": algorithm})


@pytest.mark.parametrize(
    "generate",
    [
        pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), id="P-384"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP256K1()), id="secp256k1"),
        pytest.param(ed448.Ed448PrivateKey.generate, id="Ed448"),
        pytest.param(x25519.X25519PrivateKey.generate, id="X25519"),
        pytest.param(lambda: dsa.generate_private_key(1024), id="DSA"),
    ],
)
def test_other_kind_of_key_is_refused(generate: Any) -> None:
    """J3 and J17."""
    key = generate()
    for pem in (private_pem(key), public_pem(key)):
        with pytest.raises(InvalidKey, match="Ed25519"):
            load_key(pem, allow_insecure=True)


def test_rsa_key_of_2048_bits_is_refused_unless_insecure_keys_are_allowed() -> None:
    """ASVS appendix C."""
    pem = private_pem(rsa.generate_private_key(65537, 2048))

    with pytest.raises(InvalidKey, match="2048 bits; at least 3072"):
        load_key(pem)

    assert load_key(pem, allow_insecure=True).algorithm == "PS256"


def _unknown_kind() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).replace(b"\x2b\x65\x70", b"\x2b\x65\x01")
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", id="damaged-public"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", id="damaged-private"),
        pytest.param("-----BEGIN PRIVATE KEY-----", id="cut"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", id="certificate"),
        pytest.param(_unknown_kind(), id="unknown-kind"),
        pytest.param(
            ed25519.Ed25519PrivateKey.generate()
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
            .decode(),
            id="encrypted",
        ),
    ],
)
def test_unreadable_pem_is_refused(pem: str) -> None:
    with pytest.raises(InvalidKey, match="not a readable PEM key without a passphrase"):
        load_key(pem)


def test_pem_without_cryptography_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, pems: dict[str, tuple[str, str]]
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)

    with pytest.raises(MissingExtra, match=r"A PEM key needs an extra: .*flask-secureauth\[crypto\]"):
        load_key(pems["ES256"][0])


@pytest.mark.parametrize(
    "secret",
    [
        "dev",
        "secret",
        "change-me",
        "jwt-dev-secret",
        "CHANGE_ME" * 8,
        "please change this before you go to production!",
        "your-256-bit-secret",
        "your-super-secret-jwt-token-with-at-least-32-characters-long",
        "super-secret" + "x7Kq9" * 8,
        "only for this example, 0123456789abcdef",
        "Password" + "q8Wz" * 8,
    ],
)
def test_well_known_secret_is_refused(secret: str) -> None:
    """J21: wordlists of JWT secrets begin with these."""
    assert weakness(secret.encode())
    with pytest.raises(InvalidKey, match="flask secureauth generate-key"):
        load_key(secret)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (b"", "0 bytes"),
        (b"q", "1 bytes"),
        (SECRET[:31].encode(), "31 bytes"),
        (b"a" * 64, "repeats"),
        (b"ab12cd3" * 10, "repeats"),
        (bytes(32), "repeats"),
        (b"change-me", "placeholder"),
    ],
)
def test_weak_secret_has_a_reason(secret: bytes, reason: str) -> None:
    """J21, RFC 7518 section 3.2."""
    assert reason in (weakness(secret) or "")


@pytest.mark.parametrize(
    "secret", [SECRET.encode(), OTHER_SECRET.encode(), bytes(range(200, 232)), b"\xff" * 25 + b"abcdefg"]
)
def test_random_secret_has_no_weakness(secret: bytes) -> None:
    assert weakness(secret) is None


def test_weak_secret_is_admitted_when_insecure_keys_are_allowed() -> None:
    assert load_key("dev", allow_insecure=True).algorithm == "HS256"
    assert derived_signing_key("dev", allow_insecure=True).algorithm == "HS256"


def test_derived_key_is_not_the_secret() -> None:
    """Flask signs its cookies with SECRET_KEY: one secret for two purposes would let one sign for the other."""
    derived, direct = derived_signing_key(SECRET), load_key(SECRET)

    assert derived.kid != direct.kid
    assert not derived.verify(b"message", direct.sign(b"message"))
    assert derived.verify(b"message", derived_signing_key(SECRET.encode()).sign(b"message"))


@pytest.mark.parametrize("secret", ["dev", "x" * 40, ""])
def test_weak_secret_derives_no_key(secret: str) -> None:
    """J21: HKDF does not make a weak secret strong."""
    with pytest.raises(InvalidKey):
        derived_signing_key(secret)


def test_ring_signs_with_its_first_key_and_finds_all() -> None:
    new, old = load_key(SECRET), load_key(OTHER_SECRET)
    ring = KeyRing(iter([new, old]))

    assert ring.signing is new
    assert ring.find(old.kid) is old


@pytest.mark.parametrize("kid", ["", "unknown", "../../dev/null", None, 5, ["a"], {}, 1.0])
def test_ring_finds_no_other_key(kid: object) -> None:
    """J4 and J20."""
    assert KeyRing([load_key(SECRET)]).find(kid) is None


def test_empty_ring_is_refused() -> None:
    with pytest.raises(InvalidKey, match="empty"):
        KeyRing([])


def test_ring_with_a_public_first_key_is_refused(pems: dict[str, tuple[str, str]]) -> None:
    with pytest.raises(InvalidKey, match="the first key signs"):
        KeyRing([load_key(pems["ES256"][1]), load_key(pems["EdDSA"][0])])


@every_asymmetric
def test_ring_of_secrets_and_pems_is_refused(pems: dict[str, tuple[str, str]], algorithm: str) -> None:
    """J2, RFC 8725 section 2.1: the public key would be an HMAC secret that everybody has."""
    for pem in pems[algorithm]:
        with pytest.raises(InvalidKey, match="never share a ring"):
            KeyRing([load_key(SECRET), load_key(pem)])


def test_ring_of_several_asymmetric_algorithms_is_allowed(pems: dict[str, tuple[str, str]]) -> None:
    ring = KeyRing([load_key(pems["ES256"][0]), load_key(pems["EdDSA"][1]), load_key(pems["PS256"][1])])

    assert [key.algorithm for key in ring.keys] == ["ES256", "EdDSA", "PS256"]


def test_ring_with_one_kid_twice_is_refused() -> None:
    """Which key a token names would depend on the order."""
    with pytest.raises(InvalidKey, match="same kid"):
        KeyRing([load_key({"key": SECRET, "kid": "a"}), load_key({"key": OTHER_SECRET, "kid": "a"})])
    with pytest.raises(InvalidKey, match="same kid"):
        KeyRing([load_key(SECRET), load_key(SECRET)])


def test_public_key_text_is_no_secret() -> None:
    """CVE-2022-29217: whoever holds the public half could sign with it."""
    with pytest.raises(InvalidKey, match="public key in disguise"):
        load_key("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDZ kim@laptop")
