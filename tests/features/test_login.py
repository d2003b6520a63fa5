"""Signing in."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import sign_up

pytestmark = pytest.mark.every_database


def test_login_returns_a_bearer_token(client: FlaskClient) -> None:
    sign_up(client)

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-42"})

    assert response.status_code == 200
    assert response.json["access_token"].count(".") == 2
    assert response.json["token_type"] == "Bearer"
    assert response.json["expires_in"] == 3600


@pytest.mark.parametrize("body", [{}, {"email": "kim@example.com"}, {"password": "x"}, {"email": "", "password": ""}])
def test_login_without_email_or_password_is_refused(client: FlaskClient, body: dict[str, str]) -> None:
    response = client.post("/auth/login", json=body)

    assert response.status_code == 400
    assert response.json["error"] == "Email and password required"
