"""Keys and the ring."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
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
from flask_secureauth.core.keys import InvalidKey, derived_signing_key, encode_segment, load_jwk, load_key
from flask_secureauth.core.secrets import derive_key, weakness
from tests.core.conftest import OTHER_SECRET, SECRET, every_asymmetric, new_private_key, private_pem, public_pem


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


def test_public_key_text_is_no_secret() -> None:
    """CVE-2022-29217: whoever holds the public half could sign with it."""
    with pytest.raises(InvalidKey, match="public key in disguise"):
        load_key("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDZ kim@laptop")


@every_asymmetric
def test_derived_bytes_depend_on_the_key_and_not_on_how_its_pem_is_written(algorithm: str) -> None:
    """Sessions must outlive openssl writing the same key in another form."""
    key = new_private_key(algorithm)
    forms = [PrivateFormat.PKCS8] if algorithm == "EdDSA" else [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]
    texts = [key.private_bytes(Encoding.PEM, form, NoEncryption()) for form in forms]
    texts.append(texts[0].replace(b"\n", b"\r\n"))

    derived = {load_key(text).derive("purpose") for text in texts}

    assert len(set(texts)) == len(texts) > 1
    assert len(derived) == 1
    assert len(derived.pop() or b"") == 32


@pytest.mark.parametrize("spec", [SECRET, "ES256", "EdDSA", "PS256"])
def test_derived_bytes_differ_by_purpose_and_by_key(spec: str) -> None:
    """ASVS 11.2: one key, one use."""
    first, second = (
        load_key(private_pem(new_private_key(spec))) if spec != SECRET else load_key(secret)
        for secret in (SECRET, OTHER_SECRET)
    )

    derived = {key.derive(purpose) for key in (first, second) for purpose in ("a", "b")}

    assert len(derived) == 4
    assert first.derive("a") == first.derive("a")


def test_derived_bytes_of_a_secret_are_hkdf() -> None:
    assert load_key(SECRET).derive("purpose") == derive_key(SECRET.encode(), "purpose")


@every_asymmetric
def test_public_key_derives_nothing(pems: dict[str, tuple[str, str]], algorithm: str) -> None:
    assert load_key(pems[algorithm][1]).derive("purpose") is None


PUBLIC_MEMBERS = {
    "ES256": {"kty": "EC", "crv": "P-256", "x": ..., "y": ...},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519", "x": ...},
    "PS256": {"kty": "RSA", "n": ..., "e": "AQAB"},
}


@every_asymmetric
@pytest.mark.parametrize("half", [0, 1], ids=["private", "public"])
def test_jwk_has_the_public_members_and_no_others(pems: dict[str, tuple[str, str]], algorithm: str, half: int) -> None:
    """J20, RFC 7517 section 4, RFC 8037 section 2: no d, no p, no q, no k."""
    members = load_key({"key": pems[algorithm][half], "kid": "a"}).public_jwk() or {}

    expected = PUBLIC_MEMBERS[algorithm] | {"kid": "a", "use": "sig", "alg": algorithm}
    assert members.keys() == expected.keys()
    assert {name: value for name, value in expected.items() if value is not ...}.items() <= members.items()


def test_secret_has_no_jwk() -> None:
    """J20: a symmetric key is never published."""
    assert load_key(SECRET).public_jwk() is None


@every_asymmetric
def test_jwk_is_read_back_as_the_public_key(pems: dict[str, tuple[str, str]], algorithm: str) -> None:
    private = load_key(pems[algorithm][0])

    public = load_jwk(private.public_jwk() or {})

    assert (public.kid, public.algorithm, public.signing_key) == (private.kid, algorithm, None)
    assert public.verify(b"message", private.sign(b"message"))
    assert not public.verify(b"other", private.sign(b"message"))


def test_jwk_tells_when_a_key_begins_to_sign(pems: dict[str, tuple[str, str]]) -> None:
    key = replace(load_key(pems["ES256"][0]), signs_from=1_800_000_000)
    members = key.public_jwk() or {}

    assert members["nbf"] == 1_800_000_000
    assert load_jwk(members).signs_from == 1_800_000_000


JWK_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "no alg": ({"alg": ...}, "another algorithm"),
    "RS256": ({"alg": "RS256"}, "another algorithm"),
    "HS256": ({"alg": "HS256", "kty": "oct", "k": "AAAA"}, "another algorithm"),
    "alg of another type": ({"alg": "EdDSA"}, "another algorithm"),
    "alg none": ({"alg": "none"}, "another algorithm"),
    "alg list": ({"alg": ["ES256"]}, "another algorithm"),
    "no kty": ({"kty": ...}, "another algorithm"),
    "kty list": ({"kty": ["EC"]}, "another algorithm"),
    "other curve": ({"crv": "P-384"}, "cannot be read"),
    "secp256k1": ({"crv": "secp256k1"}, "another algorithm|cannot be read"),
    "for encryption": ({"use": "enc"}, "another use"),
    "no use": ({"use": ...}, "another use"),
    "no kid": ({"kid": ...}, "no kid"),
    "kid number": ({"kid": 1}, "no kid"),
    "kid path": ({"kid": "../../dev/null"}, "no kid"),
    "kid long": ({"kid": "k" * 65}, "no kid"),
    "nbf text": ({"nbf": "1"}, "no time"),
    "nbf true": ({"nbf": True}, "no time"),
    "nbf negative": ({"nbf": -1}, "no time"),
    "nbf giant": ({"nbf": 10**20}, "no time"),
    "no x": ({"x": ...}, "cannot be read"),
    "x number": ({"x": 1}, "cannot be read"),
    "x short": ({"x": "AAAA"}, "cannot be read"),
    "x no base64": ({"x": "\u00e9" * 43}, "cannot be read"),
    "no point of the curve": ({"x": "A" * 43}, "cannot be read"),
}


@pytest.mark.parametrize("change", JWK_CHANGES)
def test_jwk_that_is_none_of_ours_is_refused(pems: dict[str, tuple[str, str]], change: str) -> None:
    """J2, J3 and J4: what may stand in the key set of a service that also does other things."""
    members, reason = JWK_CHANGES[change]
    merged = (load_key(pems["ES256"][0]).public_jwk() or {}) | members

    with pytest.raises(InvalidKey, match=reason):
        load_jwk({name: value for name, value in merged.items() if value is not ...})


def test_small_rsa_jwk_is_refused_unless_insecure_keys_are_allowed() -> None:
    """ASVS appendix C."""
    pem = private_pem(rsa.generate_private_key(65537, 2048))
    members = load_key(pem, allow_insecure=True).public_jwk() or {}

    with pytest.raises(InvalidKey, match="3072"):
        load_jwk(members)
    assert load_jwk(members, allow_insecure=True).algorithm == "PS256"
