"""Access tokens in the wrong place, and other things in the place of an access token."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from flask_secureauth import get_jwt_identity, jwt_required
from tests.attacks import forge
from tests.attacks.conftest import assert_accepted, forger_of
from tests.attacks.forge import Case, Forger
from tests.conftest import bearer

Refused = Callable[[FlaskClient, str], None]


def _refresh_shaped(forger: Forger, secret: bytes) -> str:
    body = f"{forger.claims['sid']}.1"
    return f"{body}.{hmac.digest(secret, body.encode(), 'sha256').hex()}"


STRANGERS: dict[str, Case] = {
    "random hex": lambda forger: "6f1d" * 16,
    "random base64url": lambda forger: "x_-9" * 11,
    "session id": lambda forger: str(forger.claims["sid"]),
    "token id": lambda forger: str(forger.claims["jti"]),
    "refresh token": lambda forger: _refresh_shaped(forger, forge.SECRET),
    "refresh token of a guessed key": lambda forger: _refresh_shaped(forger, b""),
    "session cookie": lambda forger: URLSafeTimedSerializer("only for tests", "cookie-session").dumps({"sub": "1"}),
    "csrf token": lambda forger: URLSafeTimedSerializer("only for tests", "csrf").dumps("1"),
    "uuid": lambda forger: "0f8fad5b-d9cb-469f-a165-70867728950e",
    "password hash": lambda forger: "scrypt:32768:8:1$salt$0011223344",
    "basic credentials": lambda forger: base64.b64encode(b"kim@example.com:kraken-vulcan-42").decode(),
    "foreign library, our secret": lambda forger: jwt.encode({**forger.claims}, forge.SECRET, "HS256"),
    "foreign library, our kid": lambda forger: jwt.encode(
        {**forger.claims}, forge.SECRET, "HS256", headers={"kid": forge.KID}
    ),
    "refresh type": lambda forger: forger.token({**forger.header, "typ": "rt+jwt"}),
    "ticket": lambda forger: forger.token({**forger.header, "typ": "mfa+jwt"}),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_string_of_another_purpose_is_refused_and_nothing_is_consumed(
    forger: Forger, assert_refused: Refused, case: str
) -> None:
    """J13, RFC 8725 sections 2.8 and 3.12: one kind of token is never taken for another."""
    assert_refused(forger.client, STRANGERS[case](forger))
    assert_accepted(forger.client, forger.genuine)


OTHER_APPS: dict[str, dict[str, Any]] = {
    "key": {"SECUREAUTH_KEYS": [{"key": "Zk8p-1sWq_7yTn3uRb5vXe0mLd9gJh2c", "kid": forge.KID}]},
    "kid": {"SECUREAUTH_KEYS": [{"key": forge.SECRET, "kid": "key-2"}]},
    "issuer": {"SECUREAUTH_ISSUER": "https://other.example"},
    "audience": {"SECUREAUTH_AUDIENCE": "other"},
}


@pytest.mark.parametrize("difference", OTHER_APPS)
def test_token_of_another_app_is_refused(
    make_app: Callable[..., Flask], forger: Forger, assert_refused: Refused, difference: str
) -> None:
    """J13, RFC 8725 section 3.12: another key, issuer or audience, with the same users and sessions."""
    settings = {"SECUREAUTH_KEYS": [{"key": forge.SECRET, "kid": forge.KID}], **OTHER_APPS[difference]}
    other = forger_of(make_app(**settings), forge.hs(), "lee@example.com")

    assert_refused(forger.client, other.genuine)


HEADERS: dict[str, Callable[[str], str]] = {
    "two tokens and a comma": lambda token: f"Bearer {token},{token}",
    "two tokens, comma and space": lambda token: f"Bearer {token}, {token}",
    "two tokens and a space": lambda token: f"Bearer {token} {token}",
    "two headers": lambda token: f"Bearer {token},Bearer {token}",
    "parameter": lambda token: f'Bearer token="{token}"',
    "two spaces": lambda token: f"Bearer  {token}",
    "space and tab": lambda token: f"Bearer \t{token}",
    "trailing space": lambda token: f"Bearer {token} ",
    "trailing comma": lambda token: f"Bearer {token},",
    "scheme twice": lambda token: f"Bearer Bearer {token}",
    "folded line": lambda token: f"Bearer {token}\r\n X: y",
    "only the scheme": lambda token: "Bearer",
    "nothing": lambda token: "Bearer ",
    "only spaces": lambda token: "Bearer    ",
    "latin-1": lambda token: f"Bearer \xe9{token}",
    "utf-8": lambda token: "Bearer \xf0\x9f\x98\x80",
    "null": lambda token: "Bearer null",
    "undefined": lambda token: "Bearer undefined",
}


@pytest.mark.parametrize("header", HEADERS)
def test_header_that_is_not_one_token_is_refused(forger: Forger, header: str) -> None:
    """J22, RFC 6750 section 2.1, RFC 9110 section 5.3: two tokens, two headers, signs that are none of ours."""
    sent = HEADERS[header](forger.genuine)

    for path in ("/guarded", "/users/me"):
        response = forger.client.get(path, environ_overrides={"HTTP_AUTHORIZATION": sent})
        assert (response.status_code, response.json["code"]) == (401, "token_invalid")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_scheme_in_any_letter_case_is_accepted(forger: Forger, scheme: str) -> None:
    """J22, RFC 9110 section 11.1."""
    response = forger.client.get("/guarded", headers={"Authorization": f"{scheme} {forger.genuine}"})

    assert response.status_code == 200


SCHEMES: dict[str, Callable[[str], str]] = {
    "basic": lambda token: f"Basic {token}",
    "token": lambda token: f"Token {token}",
    "jwt": lambda token: f"JWT {token}",
    "dpop": lambda token: f"DPoP {token}",
    "no scheme": str,
    "empty": lambda token: "",
    "dotless letter": lambda token: "Bear\xc4\xb1r " + token,
    "second scheme": lambda token: f"Basic a, Bearer {token}",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_scheme_is_no_token(forger: Forger, scheme: str) -> None:
    """J22, RFC 6750 section 3.1: 401 without an error attribute, since no credentials of ours came."""
    sent = SCHEMES[scheme](forger.genuine)

    response = forger.client.get("/guarded", environ_overrides={"HTTP_AUTHORIZATION": sent})

    assert (response.status_code, response.json["code"]) == (401, "token_missing")
    assert response.headers["WWW-Authenticate"] == "Bearer"


DAMAGED: dict[str, Callable[[str], str]] = {
    "space in front": lambda token: f" Bearer {token}",
    "no space": lambda token: f"Bearer{token}",
    "tab": lambda token: f"Bearer\t{token}",
    "colon": lambda token: f"Bearer: {token}",
    "latin-1 space": lambda token: f"Bearer\xa0{token}",
}


PLACES: dict[str, dict[str, Any]] = {
    "query": {"query_string": {"access_token": "TOKEN", "token": "TOKEN", "jwt": "TOKEN"}},
    "form": {"method": "POST", "data": {"access_token": "TOKEN"}},
    "json": {"method": "POST", "json": {"access_token": "TOKEN"}},
    "cookie": {"headers": {"Cookie": "access_token_cookie=TOKEN; access_token=TOKEN; session=TOKEN"}},
    "other header": {"headers": {"X-Access-Token": "TOKEN", "X-Authorization": "Bearer TOKEN", "Token": "TOKEN"}},
    "proxy header": {"headers": {"Proxy-Authorization": "Bearer TOKEN", "X-Forwarded-Authorization": "Bearer TOKEN"}},
}


def _filled(value: Any, token: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, token) for name, item in value.items()}
    return value.replace("TOKEN", token)


@pytest.fixture
def open_forger(make_app: Callable[..., Flask]) -> Forger:
    """A forger of an app with a view that takes any method, and one whose token is optional."""

    def add_views(app: Flask) -> None:
        @app.route("/anything", methods=["GET", "POST"])
        @jwt_required
        def anything() -> dict[str, str]:
            return {}

        @app.get("/optional")
        @jwt_required(optional=True)
        def optional() -> dict[str, str | None]:
            return {"sub": get_jwt_identity()}

    return forger_of(make_app(before=add_views, SECUREAUTH_KEYS=[{"key": forge.SECRET, "kid": forge.KID}]), forge.hs())


@pytest.mark.parametrize("path", ["/anything", "/optional"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_bearer_is_a_bad_token_and_no_anonymous_visitor(open_forger: Forger, damage: str, path: str) -> None:
    """J22: what starts like Bearer is refused, also where a token is optional."""
    sent = DAMAGED[damage](open_forger.genuine)

    response = open_forger.client.get(path, environ_overrides={"HTTP_AUTHORIZATION": sent})

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")


@pytest.mark.parametrize("place", PLACES)
def test_token_in_another_place_is_not_read(open_forger: Forger, place: str) -> None:
    """J22, RFC 6750 section 5.3, ASVS 14.2.1: URLs and bodies end up in logs; cookies want a defence against CSRF."""
    response = open_forger.client.open("/anything", **_filled(PLACES[place], open_forger.genuine))

    assert (response.status_code, response.json["code"]) == (401, "token_missing")


@pytest.mark.parametrize("place", PLACES)
def test_bad_header_never_falls_back(open_forger: Forger, place: str) -> None:
    """J22, tokens-and-sessions.md: a header that is there decides alone."""
    request = _filled(PLACES[place], open_forger.genuine)
    headers = {**request.pop("headers", {}), **bearer("bad")}

    response = open_forger.client.open("/anything", headers=headers, **request)

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")


@pytest.mark.parametrize("header", HEADERS)
def test_bad_header_is_refused_where_a_token_is_optional(open_forger: Forger, header: str) -> None:
    """J22: "optional" lets requests without a token in, and never those with a bad one."""
    sent = HEADERS[header](open_forger.genuine)

    response = open_forger.client.get("/optional", environ_overrides={"HTTP_AUTHORIZATION": sent})

    assert (response.status_code, response.json["code"]) == (401, "token_invalid")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_scheme_is_anonymous_where_a_token_is_optional(open_forger: Forger, scheme: str) -> None:
    """J22: another scheme is no token, so nobody is signed in by it."""
    sent = SCHEMES[scheme](open_forger.genuine)

    response = open_forger.client.get("/optional", environ_overrides={"HTTP_AUTHORIZATION": sent})

    assert (response.status_code, response.json) == (200, {"sub": None})
