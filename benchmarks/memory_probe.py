"""Run in a new interpreter: prints the resident memory, in KiB, after each step of an app's life.

It imports nothing but what it measures, without the extras: ``bare`` is an app without us, ``ours`` one with us.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .identity import session_id
from .import_probe import EXTRAS, resident_kib

TOKENS, SESSIONS = 4096, 10_000
_WARM_UP = 500


class _Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=_Base)


def bare(url: str) -> None:
    """An app that reads a row on each request."""
    app = _app(url)
    app.add_url_rule("/", view_func=lambda: str(db.session.execute(select(text("1"))).scalar()))
    _ask(app, ({} for _ in range(_WARM_UP)))
    print(resident_kib())


def ours(url: str) -> None:
    """Ours, after a few requests; with a full cache of tokens; with a full memory of sessions as well."""
    from flask_secureauth import SecureAuth, UserMixin, jwt_required

    class User(UserMixin, db.Model):  # type: ignore[name-defined, misc]
        __tablename__ = "users"
        is_active: Mapped[bool] = mapped_column(default=True)

    app = _app(url)
    app.config.update(SECRET_KEY="only this process knows it, and it ends soon", SECUREAUTH_SESSION_STALENESS=60)
    SecureAuth(app, db=db, user_model=User)
    app.add_url_rule("/", view_func=jwt_required(lambda: "ok"))
    headers = _headers(app)
    for numbers in ([1] * _WARM_UP, [1] * TOKENS, range(1, SESSIONS + 1)):
        _ask(app, map(headers, numbers))
        print(resident_kib())


def _app(url: str) -> Flask:
    app = Flask("benchmark_memory")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    return app


def _headers(app: Flask) -> Callable[[int], dict[str, str]]:
    """What makes another token each time, of the session of user ``number``."""
    issuer = app.extensions["secureauth"].issuer

    def headers(number: int) -> dict[str, str]:
        now = int(time.time())
        token = issuer.issue(
            subject=str(number), session_id=session_id(number), auth_time=now, methods=["pwd"], now=now
        )
        return {"Authorization": f"Bearer {token}"}

    return headers


def _ask(app: Flask, headers: Iterable[dict[str, Any]]) -> None:
    client = app.test_client()
    for item in headers:
        response = client.get("/", headers=item)
        assert response.status_code == 200, response.text


if __name__ == "__main__":
    sys.modules.update(dict.fromkeys(EXTRAS))  # type: ignore[arg-type]
    {"bare": bare, "ours": ours}[sys.argv[1]](sys.argv[2])
