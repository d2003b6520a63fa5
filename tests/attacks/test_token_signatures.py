"""Forged signatures of access tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

from tests.attacks import forge
from tests.attacks.conftest import assert_accepted
from tests.attacks.forge import Case, Forger
from tests.conftest import bearer

Refused = Callable[[FlaskClient, str], None]


def _signature(change: Callable[[bytes], bytes]) -> Case:
    def case(forger: Forger) -> str:
        message = forger.message()
        return f"{message}.{forge.segment(change(forger.signer(message.encode())))}"

    return case


def _of_ecdsa(change: Callable[[int, int], tuple[int, int]]) -> Case:
    def turn(raw: bytes) -> bytes:
        r, s = change(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return _signature(turn)


SIGNATURES: dict[str, Case] = {
    "stripped": _signature(lambda raw: b"\0"),
    "truncated": _signature(lambda raw: raw[:-1]),
    "half": _signature(lambda raw: raw[: len(raw) // 2]),
    "extended": _signature(lambda raw: raw + b"\0"),
    "extended in front": _signature(lambda raw: b"\0" + raw),
    "twice": _signature(lambda raw: raw + raw),
    "zeros": _signature(lambda raw: bytes(len(raw))),
    "ones": _signature(lambda raw: b"\xff" * len(raw)),
    "one bit": _signature(lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
    "hexadecimal": _signature(lambda raw: raw.hex().encode()),
}
ECDSA: dict[str, Case] = {
    "r = s = n": _of_ecdsa(lambda r, s: (forge.P256_ORDER, forge.P256_ORDER)),
    "r = 0": _of_ecdsa(lambda r, s: (0, s)),
    "s = 0": _of_ecdsa(lambda r, s: (r, 0)),
    "r = s = 1": _of_ecdsa(lambda r, s: (1, 1)),
    "r and s exchanged": _of_ecdsa(lambda r, s: (s, r)),
    "der": _signature(forge.dss_der),
    "65 bytes": _signature(lambda raw: b"\x04" + raw),
}


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
@pytest.mark.parametrize("case", SIGNATURES)
def test_damaged_signature_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused, algorithm: str, case: str
) -> None:
    """J17, CVE-2022-21449 (zeros verified): stripped, cut, longer, zero."""
    forger, _ = asymmetric(algorithm)

    assert_refused(forger.client, SIGNATURES[case](forger))


@pytest.mark.parametrize("case", SIGNATURES)
def test_damaged_mac_is_refused(forger: Forger, assert_refused: Refused, case: str) -> None:
    """J17: the same with HMAC; a beginning of it is not enough."""
    assert_refused(forger.client, SIGNATURES[case](forger))


@pytest.mark.parametrize("case", ECDSA)
def test_crafted_ecdsa_signature_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused, case: str
) -> None:
    """J17, CVE-2022-21449, RFC 7518 section 3.4: psychic numbers, DER, a length that is not 64."""
    forger, _ = asymmetric("ES256")

    assert_refused(forger.client, ECDSA[case](forger))


def test_signature_of_another_key_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused
) -> None:
    """J17: right curve, wrong key; and a curve whose signature is longer."""
    forger, _ = asymmetric("ES256")

    assert_refused(forger.client, forger.token(signer=forge.es256(ec.generate_private_key(ec.SECP256R1()))))
    assert_refused(forger.client, forger.token(signer=forge.es256(ec.generate_private_key(ec.SECP384R1()), size=48)))


def test_malleated_eddsa_signature_is_refused(
    asymmetric: Callable[[str], tuple[Forger, Any]], assert_refused: Refused
) -> None:
    """J17, RFC 8032 section 5.1.7: S plus the order is no second signature."""
    forger, _ = asymmetric("EdDSA")

    def turn(raw: bytes) -> bytes:
        return raw[:32] + (int.from_bytes(raw[32:], "little") + forge.ED25519_ORDER).to_bytes(32, "little")

    assert_refused(forger.client, _signature(turn)(forger))


def test_malleated_ecdsa_signature_outlives_no_logout(
    asymmetric: Callable[[str], tuple[Forger, Any]],
) -> None:
    """J17: (r, n - s) is a genuine second signature, so what ends is the session and not the text of one token."""
    forger, _ = asymmetric("ES256")
    twin = _of_ecdsa(lambda r, s: (r, forge.P256_ORDER - s))(forger)
    assert_accepted(forger.client, twin)

    assert forger.client.post("/auth/logout", headers=bearer(forger.genuine)).status_code == 200

    for token in (twin, forger.genuine):
        response = forger.client.get("/guarded", headers=bearer(token))
        assert (response.status_code, response.json["code"]) == (401, "session_revoked")
