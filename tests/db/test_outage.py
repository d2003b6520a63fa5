"""The database goes down and comes back: 503, and then work as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import make_url
from werkzeug.test import TestResponse

from flask_secureauth import SecureAuth, jwt_required
from flask_secureauth.testing import CONFIG
from tests.conftest import PASSWORD, bearer, dispose, new_sqlalchemy, sign_in, sign_up
from tests.db.proxy import Proxy
from tests.visitor import Visitor

pytestmark = pytest.mark.parametrize("database_url", ["mariadb", "postgresql"], indirect=True)


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    """A proxy in front of the server, running."""
    url = make_url(database_url)
    ports = {"mysql": 3306, "postgresql": 5432}
    proxy = Proxy(url.host or "127.0.0.1", url.port or ports[url.get_backend_name()])
    proxy.start()
    yield proxy
    proxy.stop()


def _app(database_url: str, proxy: Proxy, **options: Any) -> Flask:
    url = make_url(database_url).set(host="127.0.0.1", port=proxy.port)
    app = Flask("testapp")
    app.config.update(CONFIG, PROPAGATE_EXCEPTIONS=False, SQLALCHEMY_ENGINE_OPTIONS=options)
    app.config["SQLALCHEMY_DATABASE_URI"] = url.render_as_string(hide_password=False)

    @app.get("/guarded")
    @jwt_required
    def guarded() -> dict[str, str]:
        return {}

    db = new_sqlalchemy()
    db.init_app(app)
    SecureAuth(app, db=db)
    with app.app_context():
        db.create_all()
    return app


@pytest.fixture
def app(database_url: str, proxy: Proxy) -> Iterator[Flask]:
    """An app behind the proxy, with pool_pre_ping as the docs ask."""
    app = _app(database_url, proxy, pool_pre_ping=True)
    yield app
    dispose(app)


LOGIN = {"email": "kim@example.com", "password": PASSWORD}
CHANGE = {"current_password": PASSWORD, "new_password": "walrus-quartz-17"}
REQUESTS: dict[str, Callable[[Visitor], TestResponse]] = {
    "register": lambda visitor: visitor.post("/users", {"email": "lee@example.com", "password": PASSWORD}),
    "login": lambda visitor: visitor.post("/auth/login", LOGIN),
    "refresh": lambda visitor: visitor.refresh(),
    "password reset": lambda visitor: visitor.post("/auth/password-reset", {"email": "kim@example.com"}),
    "password change": lambda visitor: visitor.post("/users/me/password", CHANGE),
    "profile": lambda visitor: visitor.get("/users/me"),
    "view of the app": lambda visitor: visitor.get("/guarded"),
    "logout": lambda visitor: visitor.post("/auth/logout"),
}


def _assert_unavailable(response: TestResponse) -> None:
    assert (response.status_code, response.json["code"]) == (503, "database_unavailable")
    assert response.json["error"].startswith("The service is unavailable")
    assert response.headers["Retry-After"].isdecimal()
    for secret in ("127.0.0.1", "mysql", "psycopg", "OperationalError", "refused"):
        assert secret not in response.text


@pytest.mark.parametrize("name", REQUESTS)
def test_outage_is_503_and_leaves_no_trace(app: Flask, proxy: Proxy, name: str) -> None:
    """F30, ASVS 16.5.2: closed, never open; no traceback and no address; and it works again without a restart."""
    visitor = Visitor(app).sign_up()

    proxy.stop()
    for _ in range(3):
        _assert_unavailable(REQUESTS[name](visitor))
    proxy.start()

    assert REQUESTS[name](visitor).status_code in (200, 201, 202)


def test_what_needs_no_database_works_during_an_outage(app: Flask, proxy: Proxy) -> None:
    """The process lives, and refuses forged tokens as ever."""
    client = app.test_client()

    proxy.stop()

    assert client.get("/health").status_code == 200
    assert client.get("/guarded").status_code == 401
    assert client.get("/guarded", headers=bearer("a.b.c")).json["code"] == "token_invalid"
    assert client.post("/users", json={"email": "kim"}).status_code == 400


@pytest.mark.parametrize("name", REQUESTS)
def test_cut_connections_are_not_noticed(app: Flask, proxy: Proxy, name: str) -> None:
    """M17: a server that restarts or times out between two requests costs nobody an error, thanks to pool_pre_ping."""
    visitor = Visitor(app).sign_up()

    proxy.cut()

    assert REQUESTS[name](visitor).status_code in (200, 201, 202)


def test_cut_connection_without_ping_is_503_once(database_url: str, proxy: Proxy) -> None:
    """M17: without pool_pre_ping one request finds the dead connection; the next has a new one."""
    app = _app(database_url, proxy)
    client = app.test_client()
    sign_up(client)
    headers = bearer(sign_in(client))

    proxy.cut()

    _assert_unavailable(client.get("/users/me", headers=headers))
    assert client.get("/users/me", headers=headers).status_code == 200
    dispose(app)


def test_connection_that_is_lost_inside_a_request_undoes_it(app: Flask, proxy: Proxy) -> None:
    """F30: the row of a registration whose commit never came is not there afterwards."""
    client = app.test_client()
    state = app.extensions["secureauth"]
    with app.app_context():
        session = state.database.session
        session.add(state.user_model(email="kim@example.com", password_hash="!"))
        session.flush()
        proxy.cut()
        response = client.post("/users", json={"email": "lee@example.com", "password": PASSWORD})

    _assert_unavailable(response)
    sign_up(client)
    sign_up(client, "lee@example.com")


def test_exhausted_pool_is_503(database_url: str, proxy: Proxy) -> None:
    """F30: when every connection is taken, whoever waits too long is told to come back."""
    app = _app(database_url, proxy, pool_size=1, max_overflow=0, pool_timeout=0.1)
    client = app.test_client()
    sign_up(client)
    with app.app_context():
        connection = app.extensions["sqlalchemy"].engine.connect()

    _assert_unavailable(REQUESTS["login"](Visitor(app)))
    connection.close()

    assert sign_in(client)
    dispose(app)
