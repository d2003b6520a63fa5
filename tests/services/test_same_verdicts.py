"""The service that only verifies says to every forged token what the issuer says.

The attacks are those of ``tests/attacks``, every one that an attacker can send over HTTP; here the
same functions run against two processes. Sessions are the one difference, and no forgery.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from tests.attacks import (
    forge,
    test_token_claims,
    test_token_encoding,
    test_token_headers,
    test_token_signatures,
    test_token_transport,
)
from tests.attacks.conftest import INVALID
from tests.attacks.forge import Forger
from tests.services.conftest import KIM, NOW, SIGNERS, Pair

MODULES = (test_token_claims, test_token_encoding, test_token_headers, test_token_signatures, test_token_transport)
LEFT_OUT = {
    "test_kid_of_a_megabyte_is_refused": "no HTTP server takes such a header",
    "test_giant_token_is_refused_before_it_is_decoded": "no HTTP server takes such a header",
    "test_key_that_the_token_brings_is_refused_without_a_connection": "below, where connections are possible",
    "test_token_of_4096_characters_is_the_longest": "below, for the longer signature of ES256",
}
FIXTURES = {"forger", "asymmetric", "assert_refused"}


def attacks(module: ModuleType) -> dict[str, Callable[..., None]]:
    """The tests of a module that refuse forged tokens on an app with the usual settings."""
    found = {}
    for name, test in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(test):
            wanted = set(inspect.signature(test).parameters)
            marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
            given = {argument.strip() for mark in marks for argument in mark.args[0].split(",")}
            if "assert_refused" in wanted and wanted <= FIXTURES | given:
                found[name] = test
    return {name: test for name, test in found.items() if name not in LEFT_OUT}


ATTACKS = {name: test for module in MODULES for name, test in attacks(module).items()}
globals().update(ATTACKS)


def test_no_attack_is_lost_on_the_way() -> None:
    each = [attacks(module) for module in MODULES]

    assert [len(found) for found in each] >= [8, 3, 15, 4, 1]
    assert sum(map(len, each)) == len(ATTACKS)


class _Both:
    """Stands where the attacks have a Flask client."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def get(self, path: str, *, headers: dict[str, str]) -> Any:
        """Send a token that both must judge alike; give the answer as the attacks look at it."""
        token = headers["Authorization"].removeprefix("Bearer ")
        issuer, service = self.pair.verdicts(path, token)
        assert issuer[0] == service[0]
        assert issuer[1].get("email") == service[1].get("email")

        class Answer:
            status_code, json = issuer[0], issuer[1]

        return Answer


def forger_of(pair: Pair, algorithm: str) -> Forger:
    """An attacker who holds the issuer's key."""
    genuine = pair.issuer.post("/auth/login", KIM)["access_token"]
    header, payload, _ = genuine.split(".")
    return Forger(
        client=cast("FlaskClient", _Both(pair)),
        genuine=genuine,
        header=json.loads(forge.unpack(header)),
        claims=json.loads(forge.unpack(payload)),
        signer=SIGNERS[algorithm](pair.private_key()),
    )


@pytest.fixture(scope="session")
def forgers(pairs: Callable[[str], Pair]) -> Callable[[str], Forger]:
    """Return a function: an algorithm -> a forger, who signed in once."""
    made: dict[str, Forger] = {}

    def forger(algorithm: str) -> Forger:
        if algorithm not in made:
            made[algorithm] = forger_of(pairs(algorithm), algorithm)
        return made[algorithm]

    return forger


@pytest.fixture
def forger(forgers: Callable[[str], Forger]) -> Forger:
    """A forger of an issuer that signs with ES256."""
    return forgers("ES256")


@pytest.fixture
def asymmetric(forgers: Callable[[str], Forger], pairs: Callable[[str], Pair]) -> Callable[[str], tuple[Forger, Any]]:
    """Return a function: the name of an algorithm -> a forger, and the issuer's private key."""
    return lambda algorithm: (forgers(algorithm), pairs(algorithm).private_key())


@pytest.fixture
def assert_refused() -> Callable[[FlaskClient, str], None]:
    """Return the check of one forged token: both say the same, and that is no."""

    def check(client: FlaskClient, token: str) -> None:
        for path in ("/guarded", "/users/me"):
            issuer, service = cast("_Both", client).pair.verdicts(path, token)
            if token != token.strip() and issuer[0] == 200:
                assert service[0] == 200  # HTTP takes white space away before anybody sees it.
            elif issuer[0] == 400:
                assert service[0] == 400  # The server refuses such a request by itself.
                assert not token.isprintable()
            else:
                assert issuer == service == (401, INVALID, 'Bearer error="invalid_token"')

    return check


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_genuine_token_is_accepted_by_both(forgers: Callable[[str], Forger], algorithm: str) -> None:
    """The control: what was forged is refused for that and for nothing else."""
    forger = forgers(algorithm)

    for token in (forger.genuine, forger.token()):
        for path in ("/guarded", "/users/me"):
            answer = forger.client.get(path, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json["email"]) == (200, "kim@example.com")


@pytest.mark.parametrize("number", range(7))
def test_key_that_the_token_brings_is_refused_by_both(
    forger: Forger, pairs: Callable[[str], Pair], assert_refused: Any, number: int
) -> None:
    """J5, CVE-2018-0114: also when the address in the token is one that the service may ask, the issuer's own."""
    attacker = forge.ec.generate_private_key(forge.ec.SECP256R1())
    url = f"{pairs('ES256').issuer.address}/.well-known/jwks.json"
    extra = test_token_headers._jku(forger, url, attacker)[number]

    for signer in (forger.signer, forge.es256(attacker)):
        assert_refused(forger.client, forger.token({**forger.header, **extra}, signer=signer))


def test_longest_token_is_the_same_for_both(forger: Forger, assert_refused: Any) -> None:
    """J16: the limit itself."""
    tokens = [forger.token(claims={**forger.claims, "x": "a" * filler}) for filler in range(2500, 2800)]
    longest = max((token for token in tokens if len(token) <= 4096), key=len)
    too_long = min((token for token in tokens if len(token) > 4096), key=len)

    assert len(too_long) - len(longest) <= 2
    assert forger.client.get("/guarded", headers={"Authorization": f"Bearer {longest}"}).status_code == 200
    assert_refused(forger.client, too_long)


@pytest.mark.parametrize("after", [0, 3599, 3604, 3605, 10**7, -5, -6])
def test_end_of_a_token_is_the_same_for_both(pair: Pair, after: int) -> None:
    """J23: to the second, and before its time as well."""
    token = pair.issuer.post("/auth/login", KIM)["access_token"]
    pair.service.send("GET", "/kids")  # So that it has the keys.
    pair.clock.set(NOW + after)

    issuer, service = pair.verdicts("/guarded", token)

    assert issuer == service
    assert issuer[0] == (200 if -5 <= after < 3605 else 401)
