"""An app that only verifies the tokens of another service: no database, no accounts, no routes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.cli import ScriptInfo
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from flask_secureauth import (
    BUILTIN,
    ConfigurationError,
    LoginSchema,
    SecureAuth,
    create_access_token,
    current_auth,
    current_session,
    current_user,
    jwt_required,
    public,
    verify_jwt_in_request,
)
from flask_secureauth.cli import secureauth
from flask_secureauth.core import jwks
from flask_secureauth.testing import frozen_clock, signed_in_client
from flask_secureauth.web.state import NoAccounts
from tests.attacks import forge
from tests.attacks.conftest import INVALID
from tests.conftest import bearer, dispose, new_sqlalchemy, sign_in, sign_up
from tests.web.views import add_views

URL = "https://issuer.example/.well-known/jwks.json"
START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
DAY = 24 * 3600


class Wire:
    """What lies between the two services: it can be cut, and it counts."""

    def __init__(self, issuer: Flask) -> None:
        self.is_cut = False
        self.fetched: list[str] = []
        self._issuer = issuer

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.is_cut:
            raise OSError("no route to host")
        body: bytes = self._issuer.test_client().get("/.well-known/jwks.json").data
        return body


@pytest.fixture
def issuer(make_app: Callable[..., Flask], ec_key: Any) -> Flask:
    """The app that signs users in."""
    return make_app(SECUREAUTH_KEYS=[{"key": forge.private_pem(ec_key), "kid": forge.KID}])


@pytest.fixture(scope="module")
def ec_key() -> Any:
    """The issuer's key."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def wire(issuer: Flask, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Connects every app of the test to ``issuer``."""
    wire = Wire(issuer)
    monkeypatch.setattr(jwks, "fetch_key_set", wire.fetch)
    return wire


def verifying_app(**settings: Any) -> Flask:
    """An app as somebody writes it who has nothing but a URL."""
    app = Flask("service")
    app.config.update({"SECUREAUTH_JWKS_URL": URL, **settings})
    SecureAuth(app)
    add_views(app)
    return app


@pytest.fixture
def service(wire: Wire) -> Flask:
    """An app that verifies what ``issuer`` signs."""
    return verifying_app()


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    """A client of ``service``."""
    return service.test_client()


@pytest.fixture
def token(issuer: Flask) -> str:
    """A token of ``issuer``."""
    client = issuer.test_client()
    sign_up(client)
    return sign_in(client)


def at(app: Flask, client: FlaskClient, token: str) -> int:
    """The status of a guarded request, once what it began is done."""
    client.get("/guarded", headers=bearer(token))
    keys = app.extensions["secureauth"].keys
    if keys._fetching:
        keys._fetching.join(10)
    return client.get("/guarded", headers=bearer(token)).status_code


@pytest.mark.parametrize("path", ["/guarded", "/called", "/async", "/fresh"])
def test_token_of_the_issuer_opens_views(client: FlaskClient, token: str, path: str) -> None:
    response = client.get(path, headers=bearer(token))

    assert (response.status_code, response.json) == (200, {"id": "1"})


def test_claims_and_session_are_there(service: Flask, client: FlaskClient, token: str) -> None:
    @service.get("/session")
    @jwt_required
    def session() -> dict[str, Any]:
        return {"id": current_session.id, "methods": current_session.methods}

    claims = client.get("/claims", headers=bearer(token)).json

    assert (claims["sub"], claims["iss"]) == ("1", "secureauth")
    assert client.get("/session", headers=bearer(token)).json == {"id": claims["sid"], "methods": ["pwd"]}


@pytest.mark.parametrize(
    ("headers", "code"), [({}, "token_missing"), (bearer("x"), "token_invalid"), (bearer(""), "token_invalid")]
)
def test_request_without_a_good_token_is_refused(client: FlaskClient, headers: dict[str, str], code: str) -> None:
    response = client.get("/guarded", headers=headers)

    assert (response.status_code, response.json["code"]) == (401, code)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_expired_token_is_told_from_a_bad_one(service: Flask, client: FlaskClient, token: str) -> None:
    with frozen_clock(service) as clock:
        clock.advance(3700)

        assert client.get("/guarded", headers=bearer(token)).json["code"] == "token_expired"


def test_old_sign_in_is_not_fresh(service: Flask, client: FlaskClient, token: str) -> None:
    with frozen_clock(service) as clock:
        clock.advance(301)

        assert client.get("/fresh", headers=bearer(token)).json["code"] == "fresh_login_required"


def test_optional_view_knows_strangers_and_callers(service: Flask, client: FlaskClient, token: str) -> None:
    @service.get("/maybe")
    def maybe() -> dict[str, Any]:
        verify_jwt_in_request(optional=True)
        return {"known": bool(current_session)}

    assert client.get("/maybe").json == {"known": False}
    assert client.get("/maybe", headers=bearer(token)).json == {"known": True}
    assert client.get("/maybe", headers=bearer("x")).status_code == 401


def test_token_in_a_cookie_is_not_read(client: FlaskClient, token: str) -> None:
    for name in ("__Host-secureauth_access", "secureauth_access"):
        client.set_cookie(name, token)

    assert client.get("/guarded").json["code"] == "token_missing"


def test_views_are_closed_by_default_where_asked_for(wire: Wire, token: str) -> None:
    service = verifying_app(SECUREAUTH_DEFAULT_DENY=True)

    @service.get("/open")
    @public
    def open_view() -> dict[str, str]:
        return {}

    client = service.test_client()

    assert client.get("/bare").status_code == 401
    assert client.get("/bare", headers=bearer(token)).status_code == 200
    assert client.get("/open").status_code == 200


def test_app_gets_no_route_no_database_and_no_secret(service: Flask, client: FlaskClient) -> None:
    assert "sqlalchemy" not in service.extensions
    assert service.blueprints == {}
    assert service.config["SECRET_KEY"] is None
    for path in ("/health", "/users/me", "/auth/login", "/.well-known/jwks.json"):
        assert client.get(path).status_code == 404


def test_app_keeps_the_database_that_it_has(wire: Wire, token: str, database_url: str) -> None:
    app = Flask("service")
    app.config.update(SQLALCHEMY_DATABASE_URI=database_url, SECUREAUTH_JWKS_URL=URL)
    db = new_sqlalchemy()
    db.init_app(app)
    SecureAuth(app)
    add_views(app)

    with app.app_context():
        db.create_all()
        assert list(db.metadata.tables) == []
    assert app.test_client().get("/guarded", headers=bearer(token)).status_code == 200
    dispose(app)


def test_session_that_ended_at_the_issuer_is_not_known_here(issuer: Flask, client: FlaskClient, token: str) -> None:
    """J19: the price of no look-up; a token is good for its hour. Said in the docs."""
    assert issuer.test_client().post("/auth/logout", headers=bearer(token)).status_code == 200

    assert client.get("/guarded", headers=bearer(token)).status_code == 200


def test_what_needs_accounts_says_why_it_cannot_be(service: Flask, client: FlaskClient, token: str) -> None:
    service.testing = True

    with pytest.raises(NoAccounts, match=r"SECUREAUTH_JWKS_URL\) and has no accounts of its own"):
        client.get("/email", headers=bearer(token))
    with pytest.raises(NoAccounts), service.test_request_context():
        create_access_token("1")
    with pytest.raises(NoAccounts), service.app_context():
        current_auth()
    with pytest.raises(NoAccounts):
        service.extensions["secureauth"].sessions.check_now({})
    with service.test_request_context(headers=bearer(token)):
        verify_jwt_in_request()
        with pytest.raises(NoAccounts):
            current_user._get_current_object()


def test_crash_for_want_of_accounts_is_logged_with_the_reason(
    client: FlaskClient, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.get("/email", headers=bearer(token)).status_code == 500
    assert "has no accounts of its own" in caplog.text


def test_issuer_and_audience_must_match(issuer: Flask, wire: Wire, token: str) -> None:
    """J12."""
    for settings in ({"SECUREAUTH_ISSUER": "https://other.example"}, {"SECUREAUTH_AUDIENCE": "api"}):
        response = verifying_app(**settings).test_client().get("/guarded", headers=bearer(token))
        assert (response.status_code, response.json) == (401, INVALID)


def test_token_that_lives_longer_than_configured_is_refused(wire: Wire, token: str) -> None:
    service = verifying_app(SECUREAUTH_ACCESS_TOKEN_LIFETIME=600)

    assert service.test_client().get("/guarded", headers=bearer(token)).json == INVALID


def test_without_any_key_requests_are_refused_for_the_moment(
    service: Flask, client: FlaskClient, wire: Wire, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F30: fail closed, and say so as what it is."""
    wire.is_cut = True
    with frozen_clock(service) as clock:
        for _ in range(5):
            response = client.get("/guarded", headers=bearer(token))
            assert (response.status_code, response.json["code"]) == (503, "keys_unavailable")
            assert response.headers["Retry-After"] == "30"
        assert client.get("/guarded").status_code == 401
        assert len(wire.fetched) == 1
        assert [record.levelname for record in caplog.records] == ["ERROR"]

        wire.is_cut = False
        assert client.get("/guarded", headers=bearer(token)).status_code == 503
        clock.advance(30)
        assert client.get("/guarded", headers=bearer(token)).status_code == 200


def test_outage_of_the_issuer_is_not_felt_for_a_day(
    issuer: Flask, service: Flask, client: FlaskClient, wire: Wire
) -> None:
    with frozen_clock(service, START) as clock, frozen_clock(issuer, START) as of_issuer:
        sign_up(issuer.test_client())
        assert at(service, client, sign_in(issuer.test_client())) == 200
        wire.is_cut = True
        for step in (300, 3600, DAY - 3900):
            clock.advance(step)
            of_issuer.advance(step)
            assert at(service, client, sign_in(issuer.test_client())) == 200
        clock.advance(1)
        assert at(service, client, sign_in(issuer.test_client())) == 503


def problems_of(**settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        verifying_app(**settings)
    return raised.value.problems


@pytest.mark.parametrize(
    "url",
    [
        "",
        "issuer.example/jwks.json",
        "ftp://issuer.example/keys",
        "file:///etc/passwd",
        "data:application/json,{}",
        "https://",
        "https:///keys",
        "https://user:password@issuer.example/keys",
        "https://issuer.example/keys#first",
        "https://issuer.example:0/keys",
        "https://issuer.example:x/keys",
        "https://issuer.example/a b",
        "https://issuer.example/\n",
        "https://[issuer/keys",
        "https://\u0456ssuer.example/keys",
        b"https://issuer.example/keys",
        5,
        True,
    ],
)
def test_url_that_is_none_is_refused(url: object) -> None:
    """CWE-918: whoever answers there can sign in as anybody."""
    assert problems_of(SECUREAUTH_JWKS_URL=url) == (
        "SECUREAUTH_JWKS_URL must be a URL that starts with https://, without a user and a fragment.",
    )


@pytest.mark.parametrize("url", ["http://issuer.example/keys", "http://10.0.0.1/keys", "http://localhost.example/"])
def test_plain_http_is_refused(url: str) -> None:
    (problem,) = problems_of(SECUREAUTH_JWKS_URL=url)

    assert problem.startswith("SECUREAUTH_JWKS_URL must be an https URL; ")
    verifying_app(SECUREAUTH_JWKS_URL=url, TESTING=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000/keys", "http://localhost/keys", "http://[::1]:5000/keys"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    verifying_app(SECUREAUTH_JWKS_URL=url)


def test_settings_of_accounts_are_refused() -> None:
    problems = problems_of(
        SECUREAUTH_KEYS=["x" * 40],
        SECUREAUTH_KEY_FILE="keys.json",
        SECUREAUTH_SESSION_STALENESS=0,
        SECUREAUTH_PASSWORD_MIN_LENGTH=12,
        SECUREAUTH_URL_PREFIX="/api",
        JWT_SECRET_KEY="x" * 40,
    )

    assert [problem.split()[0] for problem in problems] == [
        "SECUREAUTH_KEYS",
        "SECUREAUTH_KEY_FILE",
        "SECUREAUTH_SESSION_STALENESS",
        "SECUREAUTH_PASSWORD_MIN_LENGTH",
        "SECUREAUTH_URL_PREFIX",
        "JWT_SECRET_KEY",
    ]
    assert problems[0] == (
        "SECUREAUTH_KEYS has no use beside SECUREAUTH_JWKS_URL, with which an app only verifies tokens."
    )


def test_all_problems_are_told_at_once() -> None:
    problems = problems_of(SECUREAUTH_JWKS_URL="x", SECUREAUTH_ISSUR="y", SECUREAUTH_LEEWAY=60)

    assert [problem.split()[0] for problem in problems] == [
        "SECUREAUTH_ISSUR",
        "SECUREAUTH_JWKS_URL",
        "SECUREAUTH_LEEWAY",
    ]
    assert problems[0].endswith("Did you mean SECUREAUTH_ISSUER?")


@pytest.mark.parametrize(
    "arguments",
    [
        {"db": new_sqlalchemy()},
        {"features": BUILTIN[:-1]},
        {"features": tuple(replace(feature) for feature in BUILTIN if feature.name == "sessions")},
        {"schemas": {LoginSchema: type("Mine", (LoginSchema,), {})}},
    ],
    ids=["db", "features", "copied features", "schemas"],
)
def test_arguments_about_accounts_are_refused(arguments: dict[str, Any]) -> None:
    app = Flask("service")
    app.config["SECUREAUTH_JWKS_URL"] = URL

    with pytest.raises(ConfigurationError, match="SecureAuth\\(app\\) takes nothing else"):
        SecureAuth(app, **arguments)


def test_second_call_for_one_app_is_refused() -> None:
    app = verifying_app()

    with pytest.raises(ConfigurationError, match="has a SecureAuth already"):
        SecureAuth(app)


def test_url_of_none_is_an_app_with_accounts(make_app: Callable[..., Flask]) -> None:
    assert make_app(SECUREAUTH_JWKS_URL=None).test_client().get("/health").status_code == 200


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)

    assert problems_of() == (
        "SECUREAUTH_JWKS_URL: Verifying with public keys needs an extra: pip install 'flask-secureauth[crypto]'.",
    )


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    """Run ``flask secureauth``; return the exit code and what it prints."""
    result = CliRunner().invoke(secureauth, list(arguments), obj=ScriptInfo(create_app=lambda: app))
    return result.exit_code, result.output


def test_check_fetches_the_keys(service: Flask, wire: Wire) -> None:
    assert run(service, "check") == (0, "Settings and database are in order.\n")
    assert wire.fetched == [URL]


def test_check_says_that_there_are_no_keys(service: Flask, wire: Wire) -> None:
    wire.is_cut = True

    assert run(service, "check") == (
        1,
        "- SECUREAUTH_JWKS_URL: there is no key set: no route to host.\n1 to mend.\n",
    )


def test_keys_of_the_issuer_are_listed(service: Flask, wire: Wire) -> None:
    code, output = run(service, "keys", "list")

    assert code == 0
    assert output.splitlines() == [f"Keys of {URL}:", "KID    ALGORITHM  STATE", "key-1  ES256      verifying"]


def test_list_without_keys_says_why(service: Flask, wire: Wire) -> None:
    wire.is_cut = True

    assert run(service, "keys", "list") == (1, f"Error: There is no key set at {URL}: no route to host.\n")


@pytest.mark.parametrize("arguments", [["keys", "add"], ["keys", "retire", "a"], ["purge"]], ids=" ".join)
def test_commands_for_accounts_say_why_they_cannot(service: Flask, arguments: list[str]) -> None:
    code, output = run(service, *arguments)

    assert code == 1
    assert "Traceback" not in output
    assert "SECUREAUTH_KEY_FILE" in output or "has no accounts of its own" in output


def test_routes_are_listed_with_their_guard(service: Flask) -> None:
    code, output = run(service, "routes")

    assert code == 0
    assert "/guarded  " in output


def test_signed_in_client_needs_no_issuer(wire: Wire) -> None:
    """``flask_secureauth.testing`` for the tests of such a service."""
    service = verifying_app(SECUREAUTH_ISSUER="https://issuer.example", SECUREAUTH_AUDIENCE="api")

    kim = signed_in_client(service, "7", claims={"roles": ["admin"]})
    lee = signed_in_client(service, 8, fresh=False)

    assert kim.get("/claims").json.items() >= {"sub": "7", "aud": "api", "roles": ["admin"]}.items()
    assert kim.get("/fresh").status_code == 200
    assert lee.get("/guarded").json == {"id": "8"}
    assert lee.get("/fresh").json["code"] == "fresh_login_required"
    assert kim.get("/guarded").status_code == 200
    assert wire.fetched == []
    with frozen_clock(service) as clock:
        clock.advance(3700)
        assert kim.get("/guarded").json["code"] == "token_expired"


def test_issuer_and_verifier_live_in_one_process(issuer: Flask, service: Flask, token: str) -> None:
    """Nothing is kept outside of an app."""
    assert isinstance(issuer.extensions["sqlalchemy"], SQLAlchemy)
    assert issuer.test_client().get("/users/me", headers=bearer(token)).status_code == 200
    assert service.test_client().get("/guarded", headers=bearer(token)).status_code == 200


def test_flood_of_unknown_keys_fetches_nothing(
    service: Flask, client: FlaskClient, wire: Wire, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """J20: whoever sends tokens does not decide when we ask the issuer."""
    caplog.set_level(logging.INFO, "flask_secureauth")
    assert client.get("/guarded", headers=bearer(token)).status_code == 200
    _, payload, signature = token.split(".")

    for number in range(200):
        header = forge.segment(forge.compact({"alg": "ES256", "kid": f"unknown-{number}", "typ": "at+jwt"}))
        assert client.get("/guarded", headers=bearer(f"{header}.{payload}.{signature}")).json == INVALID

    assert len(wire.fetched) == 1
