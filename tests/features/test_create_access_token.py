"""``create_access_token``: a session for a user whom the app has identified by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from flask_secureauth import BUILTIN, AuthError, create_access_token
from flask_secureauth.core.jwt import RESERVED_CLAIMS
from flask_secureauth.features.sessions.tables import SessionMixin
from flask_secureauth.testing import frozen_clock
from tests.conftest import bearer, new_sqlalchemy, sign_up
from tests.features.models import model_with_switch, model_with_uuid
from tests.web.views import add_views, app_on


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app()
    add_views(app)
    return app


@pytest.fixture
def context(app: Flask, user: Any) -> Iterator[None]:
    with app.app_context():
        yield


def claims_of(client: FlaskClient, token: str) -> dict[str, Any]:
    response = client.get("/claims", headers=bearer(token))
    assert response.status_code == 200, response.text
    claims: dict[str, Any] = response.json
    return claims


def count_sessions(app: Flask) -> int:
    state = app.extensions["secureauth"]
    model = state.user_model.metadata.info["flask_secureauth"][SessionMixin]
    return int(state.sqlalchemy.session.scalar(select(func.count()).select_from(model)))


def find(app: Flask, key: Any) -> Any:
    return app.extensions["secureauth"].users.find(key)


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("identify", [lambda app, key: find(app, key), lambda app, key: key, lambda app, key: str(key)])
def test_token_for_an_object_or_a_key_works(
    app: Flask, client: FlaskClient, user: Any, identify: Callable[[Flask, Any], Any]
) -> None:
    claims = claims_of(client, create_access_token(identify(app, user)))

    assert (claims["sub"], claims["amr"]) == (str(user), ["app"])


def test_token_for_a_key_that_is_a_uuid_works(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_uuid(db))
    client = app.test_client()
    sign_up(client)
    with app.app_context():
        key = app.extensions["secureauth"].users.find_credentials("kim@example.com").key
        token = create_access_token(key)

    assert claims_of(client, token)["sub"] == str(key)


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("identity", [0, 99, "99", "kim@example.com", "", None, "1 OR 1=1", 2**70])
def test_unknown_identity_is_refused_and_opens_no_session(app: Flask, identity: Any) -> None:
    with pytest.raises(ValueError, match="no user has the key"):
        create_access_token(identity)

    assert count_sessions(app) == 0


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(("fresh", "status"), [(False, 403), (True, 200)])
def test_token_is_fresh_only_when_it_is_asked_for(client: FlaskClient, user: Any, fresh: bool, status: int) -> None:
    token = create_access_token(user, fresh=fresh)

    assert client.get("/fresh", headers=bearer(token)).status_code == status


@pytest.mark.usefixtures("context")
def test_arguments_stand_where_flask_jwt_extended_has_them(app: Flask, client: FlaskClient, user: Any) -> None:
    with frozen_clock(app):
        token = create_access_token(user, True, timedelta(minutes=5), {"tenant": "north"})
        claims = claims_of(client, token)

    assert claims["auth_time"] == claims["iat"]
    assert claims["exp"] - claims["iat"] == 300
    assert claims["tenant"] == "north"


@pytest.mark.usefixtures("context")
def test_expires_delta_shortens_the_life(client: FlaskClient, user: Any) -> None:
    claims = claims_of(client, create_access_token(user, expires_delta=timedelta(minutes=5)))

    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("delta", [timedelta(hours=1, seconds=2), timedelta(days=365), timedelta(0), timedelta(-1)])
def test_expires_delta_beyond_the_lifetime_is_refused_and_opens_no_session(
    app: Flask, user: Any, delta: timedelta
) -> None:
    with pytest.raises(ValueError, match="at most 3600 seconds"):
        create_access_token(user, expires_delta=delta)

    assert count_sessions(app) == 0


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS - {"exp"}))
def test_reserved_claim_is_refused_and_opens_no_session(app: Flask, user: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: reserved"):
        create_access_token(user, additional_claims={name: "x"})

    assert count_sessions(app) == 0


@pytest.mark.usefixtures("context")
def test_exp_among_the_additional_claims_cannot_lengthen_the_life(user: Any) -> None:
    with pytest.raises(ValueError, match="at most 3600 seconds"):
        create_access_token(user, additional_claims={"exp": int(time.time()) + 7200})


@pytest.mark.usefixtures("context")
def test_claims_that_make_the_token_too_long_are_refused(user: Any) -> None:
    with pytest.raises(ValueError, match="4096 is the limit"):
        create_access_token(user, additional_claims={"essay": "x" * 4000})


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_claim_that_is_not_json_is_refused(user: Any, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        create_access_token(user, additional_claims={"x": value})


class Locked(AuthError):
    code = 403
    error_code = "locks.locked"
    sentence = "Locked"


def test_gates_are_asked(make_app: Callable[..., Flask]) -> None:
    def gate(service: Any, user: Any, methods: Sequence[str]) -> None:
        if "app" in methods:
            raise Locked

    health, *others = BUILTIN
    app = make_app(secure_auth={"features": (replace(health, gates=(gate,)), *others)})
    sign_up(app.test_client())

    with app.app_context():
        with pytest.raises(Locked):
            create_access_token(1)
        assert count_sessions(app) == 0


def test_app_without_secure_auth_is_told_so() -> None:
    with Flask("bare").app_context(), pytest.raises(RuntimeError, match="This app has no SecureAuth"):
        create_access_token(1)


def test_disabled_user_gets_no_token(make_app: Callable[..., Flask]) -> None:
    """F27: every way in ends in one place, and that one asks."""
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    sign_up(app.test_client())
    with app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()

        with pytest.raises(AuthError):
            create_access_token(1)
        assert count_sessions(app) == 0


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("exp", [60.5, "60", None])
def test_exp_that_no_verifier_of_ours_accepts_is_refused(user: Any, exp: Any) -> None:
    value = time.time() + exp if isinstance(exp, float) else exp

    with pytest.raises(ValueError, match="exp"):
        create_access_token(user, additional_claims={"exp": value})


def test_user_who_was_never_stored_is_refused(app: Flask) -> None:
    stranger = app.extensions["secureauth"].user_model(email="new@example.com", password_hash="")

    with app.app_context():
        with pytest.raises(ValueError, match="no user"):
            create_access_token(stranger)
        assert count_sessions(app) == 0
