"""Identifiers that come back."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_secureauth import AuthError
from tests.conftest import bearer, sign_up


@pytest.mark.every_database
def test_token_of_deleted_user_is_not_one_of_the_next_user(app: Flask, client: FlaskClient, token: str) -> None:
    """J11: SQLite gives the number of a deleted row away again, and keeps its sessions."""
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.delete(state.users.find(1))
        state.sqlalchemy.session.commit()
    sign_up(client, "sam@example.com")

    assert client.get("/users/me", headers=bearer(token)).status_code == 404


def test_refusal_without_status_is_not_a_success(app: Flask, client: FlaskClient) -> None:
    class Own(AuthError):
        error_code = "own.refusal"
        sentence = "No"

    @app.get("/own")
    def own() -> None:
        raise Own

    assert client.get("/own").status_code == 400
