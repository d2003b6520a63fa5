"""Forged claims of access tokens, each signed with the right key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.attacks import forge
from tests.attacks.conftest import INVALID, assert_accepted, forger_of
from tests.attacks.forge import Case, Forger
from tests.conftest import bearer

Refused = Callable[[FlaskClient, str], None]

DUPLICATES: dict[str, Case] = {
    "sub twice": lambda forger: forger.token(claims=forge.compact(forger.claims)[:-1] + b',"sub":"2"}'),
    "sub twice, the same": lambda forger: forger.token(claims=forge.compact(forger.claims)[:-1] + b',"sub":"1"}'),
    "exp twice": lambda forger: forger.token(claims=b'{"exp":1,' + forge.compact(forger.claims)[1:]),
    "escaped name": lambda forger: forger.token(claims=forge.compact(forger.claims)[:-1] + b',"\\u0073ub":"2"}'),
    "deep inside": lambda forger: forger.token(claims=forge.with_raw(forger.claims, "x", '{"a":[{"b":1,"b":2}]}')),
}


@pytest.mark.parametrize("case", DUPLICATES)
def test_claim_given_twice_is_refused(forger: Forger, assert_refused: Refused, case: str) -> None:
    """J9, RFC 8725 section 3.11, RFC 7519 section 4: two parsers would read two users."""
    assert_refused(forger.client, DUPLICATES[case](forger))


NUMBERS = [
    '"9999999999"', '" 999 "', '"\u0661\u0662\u0663"', '"99_999"', '""', '"never"', "true", "false", "null", "[]", "{}",
    '{"$gt":0}', "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "1" + "0" * 400, "9" * 2500, "-1", "0.5",
    "99999999999999", "253402300800", "1e9", "4102444800.0", "0x7fffffff", "01", "+1",
]  # fmt: skip


@pytest.mark.parametrize("raw", NUMBERS, ids=lambda raw: ascii(raw[:24]))
@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "auth_time"])
def test_time_that_is_no_bounded_integer_is_refused(
    forger: Forger, assert_refused: Refused, name: str, raw: str
) -> None:
    """J10, RFC 8725 section 3.11: strings, floats, booleans, NaN and giants are no times."""
    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, name, raw)))


def test_exp_of_5000_digits_is_refused(forger: Forger, assert_refused: Refused) -> None:
    """J10, CVE-2020-10735: numbers whose conversion takes quadratic time."""
    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, "exp", "1" * 5000)))


TIMES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "float": lambda claims: {"exp": float(claims["exp"])},
    "one second above the lifetime": lambda claims: {"exp": claims["iat"] + 3601},
    "ten years": lambda claims: {"exp": claims["iat"] + 315_360_000},
    "the year 9999": lambda claims: {"exp": 253_402_300_799},
    "exp is iat": lambda claims: {"exp": claims["iat"]},
    "exp before iat": lambda claims: {"exp": claims["iat"] - 1},
    "exp 0": lambda claims: {"exp": 0},
    "iat tomorrow": lambda claims: {"iat": claims["iat"] + 86_400, "exp": claims["exp"] + 86_400},
    "iat tomorrow, exp today": lambda claims: {"iat": claims["exp"] - 1},
    "nbf tomorrow": lambda claims: {"nbf": claims["iat"] + 86_400},
    "iat float": lambda claims: {"iat": float(claims["iat"])},
    "nbf float": lambda claims: {"nbf": float(claims["iat"])},
}


@pytest.mark.parametrize("case", TIMES)
def test_times_that_do_not_fit_together_are_refused(forger: Forger, assert_refused: Refused, case: str) -> None:
    """J10, RFC 9068 section 2.2: no future, and no longer life than configured."""
    claims = {**forger.claims, **TIMES[case](forger.claims)}

    assert_refused(forger.client, forger.token(claims=claims))


def test_nbf_in_the_past_is_accepted(forger: Forger) -> None:
    """The control: an nbf is allowed, and read."""
    assert_accepted(forger.client, forger.token(claims={**forger.claims, "nbf": forger.claims["iat"]}))


@pytest.mark.parametrize("name", ["iss", "sub", "exp", "iat", "jti", "sid", "auth_time", "amr"])
def test_token_without_a_claim_is_refused(forger: Forger, assert_refused: Refused, name: str) -> None:
    """J10 to J12, RFC 9068 section 2.2: every claim is required."""
    assert_refused(forger.client, forger.token(claims=forge.without(forger.claims, name)))


STRINGS = ['""', "1", "0", "true", "null", "[]", '["1"]', "{}", '"\\ud800"', '"1\\u0000"', '"' + "1" * 256 + '"']


@pytest.mark.parametrize("raw", STRINGS, ids=lambda raw: raw[:16])
@pytest.mark.parametrize("name", ["sub", "jti", "sid", "iss"])
def test_name_that_is_no_decent_string_is_refused(forger: Forger, assert_refused: Refused, name: str, raw: str) -> None:
    """J11, ASVS 1.5.3: wrong types, nothing, half a surrogate pair, NUL, too long."""
    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, name, raw)))


IDENTIFIERS = ["' OR ''='", "%", "_" * 32, "A" * 32, "0" * 31, "0" * 33, "\u0660" * 32, "0" * 31 + "\n", " " + "0" * 31]


@pytest.mark.parametrize("text", IDENTIFIERS, ids=ascii)
@pytest.mark.parametrize("name", ["sid", "jti"])
def test_identifier_that_is_not_ours_is_refused(forger: Forger, assert_refused: Refused, name: str, text: str) -> None:
    """J11: identifiers are 32 lower-case hex digits."""
    assert_refused(forger.client, forger.token(claims={**forger.claims, name: text}))


@pytest.mark.parametrize("raw", ['"pwd"', "null", "[1]", "[null]", '[["pwd"]]', '{"pwd":1}', "true"])
def test_methods_that_are_no_strings_are_refused(forger: Forger, assert_refused: Refused, raw: str) -> None:
    """J11, RFC 8176: amr is a list of strings."""
    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, "amr", raw)))


SUBJECTS = [
    "2", "-1", "0", "01", "+1", " 1", "1 ", "1.0", "1e0", "1_0", "0x1", "\u0661", "\u202e1", "1\u200b", "\uff11",
    "1' OR '1'='1", "9" * 30, "kim@example.com", "null", "None", "9223372036854775808",
]  # fmt: skip


@pytest.mark.every_database
def test_subject_that_is_no_user_is_refused(make_forger: Callable[..., Forger]) -> None:
    """J11: no spelling of a key but its own finds a user, on any database; the profile answers 404, as contracted."""
    forger = make_forger()

    for subject in SUBJECTS:
        headers = bearer(forger.token(claims={**forger.claims, "sub": subject}))
        guarded, profile = (forger.client.get(path, headers=headers) for path in ("/guarded", "/users/me"))
        assert (guarded.status_code, guarded.json) == (401, INVALID), subject
        assert (profile.status_code, profile.json["error"]) == (404, "User not found"), subject


def test_token_of_a_deleted_user_is_refused(forger: Forger) -> None:
    """J11: the user is gone, the token is genuine."""
    app = forger.client.application
    with app.app_context():
        state = app.extensions["secureauth"]
        state.database.session.execute(state.user_model.__table__.delete())
        state.database.session.commit()

    assert forger.client.get("/guarded", headers=bearer(forger.genuine)).json == INVALID
    assert forger.client.get("/users/me", headers=bearer(forger.genuine)).status_code == 404


def test_session_of_somebody_else_is_refused(forger: Forger) -> None:
    """J11, ASVS 8.2.2: a living session does not lend itself to another user."""
    other = _other_user(forger)

    for claims in ({**forger.claims, "sub": other["sub"]}, {**forger.claims, "sid": other["sid"]}):
        response = forger.client.get("/guarded", headers=bearer(forger.token(claims=claims)))
        assert (response.status_code, response.json["code"]) == (401, "session_revoked")


@pytest.mark.parametrize("staleness", [0, None])
def test_session_of_somebody_else_cannot_be_ended(make_forger: Callable[..., Forger], staleness: int | None) -> None:
    """J11, ASVS 8.2.2: logout with a borrowed sid ends nothing, also where the guard does not look."""
    forger = make_forger(SECUREAUTH_SESSION_STALENESS=staleness)
    other = _other_user(forger)

    response = forger.client.post(
        "/auth/logout", headers=bearer(forger.token(claims={**forger.claims, "sid": other["sid"]}))
    )

    assert (response.status_code, response.json["code"]) == (401, "session_revoked")
    assert forger.client.post("/auth/logout", headers=bearer(forger.token(claims=other))).status_code == 200


def _other_user(forger: Forger) -> dict[str, Any]:
    return forger_of(forger.client.application, forger.signer, "lee@example.com").claims


AUDIENCES = [
    '["api"]', '["api","x"]', '"ap"', '"apis"', '"API"', '"api "', '""', "null", "[]", "{}", '{"api":1}', '["api",1]',
    "true", "0", '"https://api"',
]  # fmt: skip


@pytest.mark.parametrize("raw", AUDIENCES)
def test_other_audience_is_refused(make_forger: Callable[..., Forger], assert_refused: Refused, raw: str) -> None:
    """J12, RFC 8725 section 3.9: aud is exactly ours; we never write a list."""
    forger = make_forger(SECUREAUTH_AUDIENCE="api")
    assert_accepted(forger.client, forger.token())

    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, "aud", raw)))


def test_missing_audience_is_refused(make_forger: Callable[..., Forger], assert_refused: Refused) -> None:
    """J12: a token for everybody is for nobody."""
    forger = make_forger(SECUREAUTH_AUDIENCE="api")

    assert_refused(forger.client, forger.token(claims=forge.without(forger.claims, "aud")))


@pytest.mark.parametrize("raw", ['"api"', "null", '""', "[]", "false"])
def test_audience_that_nobody_configured_is_refused(forger: Forger, assert_refused: Refused, raw: str) -> None:
    """J12: a token for another service that shares the key."""
    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, "aud", raw)))


ISSUERS = ['["secureauth"]', '"secure"', '"secureauth2"', '"SecureAuth"', '"secureauth "', '""', "null", "{}", "1"]


@pytest.mark.parametrize("raw", ISSUERS)
def test_other_issuer_is_refused(forger: Forger, assert_refused: Refused, raw: str) -> None:
    """J12, CVE-2024-53861 (a part of the issuer was enough), RFC 8725 section 3.8."""
    assert_refused(forger.client, forger.token(claims=forge.with_raw(forger.claims, "iss", raw)))
