"""Forged headers of access tokens. Every token here is signed with the right key unless it says otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

from flask_secureauth import ConfigurationError
from tests.attacks import forge
from tests.attacks.conftest import assert_accepted
from tests.attacks.forge import KID, Case, Forger

Refused = Callable[[FlaskClient, str], None]


def test_token_written_by_hand_is_accepted(forger: Forger) -> None:
    """The control of this file: an unchanged copy opens the views."""
    assert_accepted(forger.client, forger.token())


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_asymmetric_token_written_by_hand_is_accepted(
    asymmetric: Callable[[str], tuple[Forger, Any]], algorithm: str
) -> None:
    """The control for the other rings."""
    forger, _ = asymmetric(algorithm)

    assert_accepted(forger.client, forger.token())


ALGORITHMS = [
    "none", "None", "NONE", "nOnE", "", None, [], ["HS256"], 0, 256, True, {}, "HS256 ", " HS256", "hs256", "Hs256",
    "HS256\0", "HS384", "HS512",
]  # fmt: skip


@pytest.mark.parametrize("signature", ["signed", "unsigned", "random"])
@pytest.mark.parametrize("alg", ALGORITHMS, ids=repr)
def test_alg_of_the_attackers_choice_is_refused(
    forger: Forger, assert_refused: Refused, alg: object, signature: str
) -> None:
    """J1, RFC 8725 section 3.1: "none" in every spelling, and other values of alg, with and without a signature."""
    header = {**forger.header, "alg": alg}
    message = forger.message(header)
    endings = {"signed": forger.token(header).rpartition(".")[2], "unsigned": "", "random": forge.segment(bytes(32))}

    assert_refused(forger.client, f"{message}.{endings[signature]}")


def test_token_without_alg_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J1: no alg at all."""
    assert_refused(forger.client, forger.token(forge.without(forger.header, "alg")))


PUBLIC_FORMS: dict[str, Callable[[Any], bytes]] = {
    "pem": forge.public_pem,
    "stripped pem": lambda key: forge.public_pem(key).strip(),
    "pem with crlf": lambda key: forge.public_pem(key).replace(b"\n", b"\r\n"),
    "pem body": lambda key: b"".join(forge.public_pem(key).splitlines()[1:-1]),
    "der": forge.public_der,
    "empty": lambda key: b"",
}


@pytest.mark.parametrize("form", PUBLIC_FORMS)
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_token_signed_with_our_public_key_as_a_secret_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused, algorithm: str, form: str
) -> None:
    """J2, RFC 8725 section 2.1, algorithm confusion: HS256 with what everybody knows, under our kid."""
    forger, key = asymmetric(algorithm)
    secret = PUBLIC_FORMS[form](key)

    for alg in ("HS256", algorithm):
        assert_refused(forger.client, forger.token({**forger.header, "alg": alg}, signer=forge.hs(secret)))


def test_token_signed_with_our_jwk_as_a_secret_is_refused(
    asymmetric: Callable[[str], tuple[Forger, ec.EllipticCurvePrivateKey]], assert_refused: Refused
) -> None:
    """J2: the text of the JWK as the secret."""
    forger, key = asymmetric("ES256")
    secret = forge.compact(forge.jwk(key))

    assert_refused(forger.client, forger.token({**forger.header, "alg": "HS256"}, signer=forge.hs(secret)))


def test_secret_and_private_key_in_one_ring_are_refused_at_start(
    make_app: Callable[..., Any], ec_key: ec.EllipticCurvePrivateKey
) -> None:
    """J2, ASVS 9.1.2: a ring that could confuse the two never starts."""
    with pytest.raises(ConfigurationError, match="never share a ring"):
        make_app(SECUREAUTH_KEYS=[forge.private_pem(ec_key), forge.SECRET])


@pytest.mark.parametrize("alg", ["RS256", "PS384", "PS512", "ES256", "HS256", "RSA-OAEP"])
def test_other_algorithm_of_the_same_rsa_key_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused, alg: str
) -> None:
    """J3, RFC 8725 section 3.1: one key has one algorithm, also when the signature is genuine for another."""
    forger, key = asymmetric("PS256")

    assert_refused(forger.client, forger.token({**forger.header, "alg": alg}, signer=forge.rs256(key)))
    assert_refused(forger.client, forger.token(signer=forge.rs256(key)))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K", "EdDSA", "RS256", "PS256", "HS256"])
@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_other_curve_under_a_known_kid_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused, curve: ec.EllipticCurve, alg: str
) -> None:
    """J3: a key of the attacker's on another curve, under our kid."""
    forger, _ = asymmetric("ES256")
    signer = forge.es256(ec.generate_private_key(curve), size=(curve.key_size + 7) // 8)

    assert_refused(forger.client, forger.token({**forger.header, "alg": alg}, signer=signer))


@pytest.mark.parametrize("alg", ["HS384", "HS512", "ES256", "RS256", "PS256", "EdDSA"])
def test_other_family_with_our_secret_is_refused(forger: Forger, assert_refused: Refused, alg: str) -> None:
    """J3: even the right secret signs with its own algorithm only."""
    digest = {"HS384": "sha384", "HS512": "sha512"}.get(alg, "sha256")

    assert_refused(forger.client, forger.token({**forger.header, "alg": alg}, signer=forge.hs(digest=digest)))


KIDS = [
    "../../../dev/null", "/dev/null", "' UNION SELECT 'key", "key-1' OR '1'='1", "|id", "$(id)", "", "\0", "key-1\0",
    " key-1", "key-1 ", "KEY-1", "k\u0435y-1", "\u202ekey-1", "http://127.0.0.1/k", "{0.__class__}", "%s", "unknown",
    0, 1, True, None, [], ["key-1"], {}, {"kid": "key-1"}, 1.5,
]  # fmt: skip


@pytest.mark.parametrize("kid", KIDS, ids=ascii)
def test_kid_that_is_no_key_is_refused(forger: Forger, assert_refused: Refused, kid: object) -> None:
    """J4, RFC 8725 section 3.10: kid is a name in our ring, never a path, a query, a command or a format."""
    for signer in (forger.signer, forge.hs(b""), forge.hs(bytes(32))):
        assert_refused(forger.client, forger.token({**forger.header, "kid": kid}, signer=signer))


def test_kid_of_a_megabyte_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J4: a kid to choke on."""
    assert_refused(forger.client, forger.token({**forger.header, "kid": "k" * 1_000_000}))


def test_token_without_kid_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J4: no key is tried that the token does not name."""
    assert_refused(forger.client, forger.token(forge.without(forger.header, "kid")))


def _jku(forger: Forger, url: str, key: ec.EllipticCurvePrivateKey) -> list[dict[str, Any]]:
    der = forge.public_der(key)
    return [
        {"jku": url},
        {"x5u": url},
        {"jwk": forge.jwk(key)},
        {"jwk": {"kty": "oct", "k": forge.segment(b"attacker")}},
        {"x5c": [forge.segment(der)]},
        {"x5t": forge.segment(der[:20])},
        {"x5t#S256": forge.thumbprint(der)},
    ]


@pytest.mark.parametrize("number", range(7))
def test_key_that_the_token_brings_is_refused_without_a_connection(
    asymmetric: Callable[[str], tuple[Forger, Any]],
    assert_refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """J5, CVE-2018-0114, RFC 8725 section 3.10: jku, x5u, jwk, x5c and x5t name nothing and fetch nothing."""
    forger, _ = asymmetric("ES256")
    attacker = ec.generate_private_key(ec.SECP256R1())
    calls: list[object] = []
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda self, address: calls.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: calls.append(args) or [])
    extra = _jku(forger, "http://127.0.0.1:9/jwks.json", attacker)[number]

    for header in ({**forger.header, **extra}, {**forge.without(forger.header, "kid"), **extra}):
        for signer in (forger.signer, forge.es256(attacker), forge.hs(b"attacker")):
            assert_refused(forger.client, forger.token(header, signer=signer))
    assert calls == []


EXTRA = [
    {"crit": ["x"]}, {"crit": ["x"], "x": 1}, {"crit": []}, {"crit": ["alg"]}, {"crit": "exp"}, {"crit": None},
    {"crit": ["b64"], "b64": True}, {"crit": {}}, {"crit": 1}, {"crit": ["exp", "exp"]},
    {"b64": False}, {"b64": False, "crit": ["b64"]}, {"b64": True},
    {"zip": "DEF"}, {"enc": "A256GCM"}, {"cty": "JWT"}, {"cty": None}, {"p2c": 2**31}, {"epk": {}}, {"x": 1},
    {"kid ": KID}, {"Alg": "none"}, {"": ""},
]  # fmt: skip


@pytest.mark.parametrize("extra", EXTRA, ids=repr)
def test_header_member_that_we_do_not_write_is_refused(
    forger: Forger, assert_refused: Refused, extra: dict[str, Any]
) -> None:
    """J6 and J7, RFC 7515 section 4.1.11, CVE-2026-32597, CVE-2025-59420: crit, b64, zip, enc, cty, anything else."""
    assert_refused(forger.client, forger.token({**forger.header, **extra}))


def test_unencoded_payload_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J7, RFC 7797: b64=false with a payload that is not encoded."""
    head = forge.segment(forge.compact({**forger.header, "b64": False, "crit": ["b64"]}))
    message = f"{head}.{forge.compact(forger.claims).decode()}"

    assert_refused(forger.client, f"{message}.{forge.segment(forger.signer(message.encode()))}")


def test_nested_token_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J7, RFC 7519 section 5.2: a token in a token."""
    inner = forger.token().encode()

    for header in ({**forger.header, "cty": "JWT"}, forger.header):
        assert_refused(forger.client, forger.token(header, inner))


TYPES = [
    "JWT", "jwt", "AT+JWT", "At+jwt", "application/at+jwt", "rt+jwt", "at+jwt ", "at", "", None, 1, True, [],
    ["at+jwt"],
]  # fmt: skip


@pytest.mark.parametrize("typ", TYPES, ids=repr)
def test_other_type_of_token_is_refused(forger: Forger, assert_refused: Refused, typ: object) -> None:
    """J8, RFC 8725 section 3.11, RFC 9068 section 4: typ is exactly at+jwt."""
    assert_refused(forger.client, forger.token({**forger.header, "typ": typ}))


def test_token_without_type_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J8: no typ."""
    assert_refused(forger.client, forger.token(forge.without(forger.header, "typ")))


HEADERS: dict[str, Case] = {
    "alg none, then ours": lambda forger: forger.token(b'{"alg":"none",' + forge.compact(forger.header)[1:]),
    "alg ours, then none": lambda forger: forger.token(forge.compact(forger.header)[:-1] + b',"alg":"none"}'),
    "kid twice": lambda forger: forger.token(forge.compact(forger.header)[:-1] + b',"kid":"key-1"}'),
    "typ twice": lambda forger: forger.token(forge.compact(forger.header)[:-1] + b',"t\\u0079p":"at+jwt"}'),
    "list": lambda forger: forger.token([forger.header]),
    "string": lambda forger: forger.token("at+jwt"),
    "null": lambda forger: forger.token(b"null"),
    "empty object": lambda forger: forger.token({}),
    "not json": lambda forger: forger.token(b"{'alg':'HS256'}"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_header_with_two_readings_is_refused(forger: Forger, assert_refused: Refused, case: str) -> None:
    """J9, RFC 8725 section 3.11: duplicate members, and headers that are no object."""
    assert_refused(forger.client, HEADERS[case](forger))


def test_reordered_header_is_accepted(forger: Forger) -> None:
    """The control of the slow path: what counts is the content of the header and not its spelling."""
    header = b' { "typ" : "at+jwt", "kid":"key-1" ,"alg":"HS256"}'

    assert_accepted(forger.client, forger.token(header))
