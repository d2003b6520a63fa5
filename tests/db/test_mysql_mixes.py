"""Keys that a collation of MySQL calls equal, and Python does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import UserMixin
from tests.conftest import bearer, new_sqlalchemy, sign_in, sign_up
from tests.db.conftest import state_of

pytestmark = pytest.mark.every_database


@pytest.mark.parametrize("subject", ["ABC", "abc ", "\u00e4bc", "\uff41bc"])
@pytest.mark.parametrize("staleness", [0, None])
def test_string_key_is_compared_in_python(make_app: Callable[..., Flask], subject: str, staleness: int | None) -> None:
    """M1 and M2: the token of a deleted user ABC must not open the account of a new user abc."""
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):
        __tablename__ = "users"
        id: Mapped[str] = mapped_column(String(36), primary_key=True, default="abc")

    app = make_app(
        before=db.init_app, secure_auth={"db": db, "user_model": User}, SECUREAUTH_SESSION_STALENESS=staleness
    )
    with app.app_context():
        db.create_all()
        sign_up(app.test_client())
        state = state_of(app)
        sign_in(app.test_client())
        sid = state.database.session.scalar(select(state.sessions._model.id))
        now = int(state.clock.timestamp())
        token = state.issuer.issue(subject=subject, session_id=sid, auth_time=now, methods=["pwd"], now=now)
        state.database.session.rollback()

    response = app.test_client().get("/users/me", headers=bearer(token))

    assert response.status_code == 404
