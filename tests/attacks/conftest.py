"""What the attack tests share: apps with known keys, and what a refusal looks like."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth import current_user, jwt_required
from tests.attacks import forge
from tests.attacks.forge import Forger
from tests.conftest import bearer, sign_in, sign_up

INVALID = {"error": "Invalid access token", "code": "token_invalid"}


def add_guarded_view(app: Flask) -> None:
    """A view of the app's own."""

    @app.get("/guarded")
    @jwt_required
    def guarded() -> dict[str, str]:
        return {"email": current_user.email}


@pytest.fixture
def make_forger(make_app: Callable[..., Flask]) -> Callable[..., Forger]:
    """Return a function that builds an app with a key and gives a forger who holds that key."""

    def make(key: Any = forge.SECRET, signer: forge.Signer | None = None, **settings: Any) -> Forger:
        app = make_app(before=add_guarded_view, SECUREAUTH_KEYS=[{"key": key, "kid": forge.KID}], **settings)
        return forger_of(app, signer or forge.hs())

    return make


def forger_of(app: Flask, signer: forge.Signer, email: str = "kim@example.com") -> Forger:
    """Register and sign in through HTTP, and take the token to pieces."""
    client = app.test_client()
    sign_up(client, email)
    genuine = sign_in(client, email)
    header, payload, _ = genuine.split(".")
    return Forger(
        client=client,
        genuine=genuine,
        header=json.loads(forge.unpack(header)),
        claims=json.loads(forge.unpack(payload)),
        signer=signer,
    )


@pytest.fixture
def forger(make_forger: Callable[..., Forger]) -> Forger:
    """A forger of an app that signs with HS256."""
    return make_forger()


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    """A key for ES256."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def ed_key() -> ed25519.Ed25519PrivateKey:
    """A key for EdDSA."""
    return ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    """A key for PS256."""
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture
def asymmetric(
    make_forger: Callable[..., Forger],
    ec_key: ec.EllipticCurvePrivateKey,
    ed_key: ed25519.Ed25519PrivateKey,
    rsa_key: rsa.RSAPrivateKey,
) -> Callable[[str], tuple[Forger, Any]]:
    """Return a function: the name of an algorithm -> a forger of an app that signs with it, and the private key."""

    def make(algorithm: str) -> tuple[Forger, Any]:
        key: Any = {"ES256": ec_key, "EdDSA": ed_key, "PS256": rsa_key}[algorithm]
        signer = {"ES256": forge.es256, "EdDSA": forge.eddsa, "PS256": forge.ps256}[algorithm](key)
        return make_forger(forge.private_pem(key), signer), key

    return make


@pytest.fixture
def assert_refused(caplog: pytest.LogCaptureFixture) -> Callable[[FlaskClient, str], None]:
    """Return the check of one forged token.

    Always 401 with the same body and headers, on a view of the app's and on one of ours, soon, and with one line in
    the log that says why and does not repeat the token.
    """
    caplog.set_level(logging.INFO, "flask_secureauth")

    def check(client: FlaskClient, token: str) -> None:
        for path in ("/guarded", "/users/me"):
            caplog.clear()
            began = time.process_time()
            response = client.get(path, environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {token}"})
            assert time.process_time() - began < 1
            assert (response.status_code, response.json) == (401, INVALID)
            assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
            (record,) = caplog.records
            assert record.getMessage().startswith("token_refused reason='")
            assert len(record.getMessage()) < 400
            assert len(token) < 16 or token not in record.getMessage()

    return check


def assert_accepted(client: FlaskClient, token: str) -> None:
    """The token opens both views: what tests forge is refused for what was changed, and for nothing else."""
    for path in ("/guarded", "/users/me"):
        response = client.get(path, headers=bearer(token))
        assert (response.status_code, response.json["email"]) == (200, "kim@example.com")
