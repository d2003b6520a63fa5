"""Health: an answer that costs nothing and says nothing."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event


def test_health_answers_ok(client: FlaskClient) -> None:
    response = client.get("/health")

    assert (response.status_code, response.json) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == "no-store"


def test_health_answers_without_the_database(app: Flask, client: FlaskClient) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a connection was taken")

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "checkout", refuse)

    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("header", ["Bearer a.b.c", "Basic a2ltOmtpbQ=="])
def test_health_ignores_credentials(client: FlaskClient, header: str) -> None:
    assert client.get("/health", headers={"Authorization": header}).status_code == 200
