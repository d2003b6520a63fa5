"""The tree of what is raised: one status, one code and one sentence for each refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder

from flask_secureauth import AuthError, ConfigurationError, InvalidInput, NotAuthenticated, SecureAuthError
from flask_secureauth import errors as module
from flask_secureauth.features.login import InvalidCredentials
from flask_secureauth.features.profile import UserNotFound
from flask_secureauth.features.registration import AlreadyTaken, UserExists


def refusals(root: type[AuthError] = AuthError) -> Iterator[type[AuthError]]:
    """Every refusal of the package that has a code."""
    for kind in root.__subclasses__():
        if kind.__module__.startswith("flask_secureauth."):
            if hasattr(kind, "error_code"):
                yield kind
            yield from refusals(kind)


REFUSALS = sorted(set(refusals()), key=lambda kind: kind.__name__)
STATUS = {
    "InvalidInput": 400,
    "MalformedBody": 400,
    "BodyTooLarge": 413,
    "UnsupportedContentType": 415,
    "TokenMissing": 401,
    "TokenInvalid": 401,
    "TokenExpired": 401,
    "SessionRevoked": 401,
    "FreshLoginRequired": 403,
    "UnknownPath": 404,
    "CsrfFailed": 403,
    "WrongPassword": 403,
    "RefreshTokenMissing": 401,
    "RefreshTokenInvalid": 401,
    "RefreshTokenReused": 401,
    "RepeatedCookie": 400,
    "NotAllowed": 405,
    "TooManyRequests": 429,
    "InternalError": 500,
    "ServiceBusy": 503,
    "DatabaseUnavailable": 503,
}


def make(kind: type[AuthError]) -> AuthError:
    arguments = {InvalidInput: ({},), module.NotAllowed: (["GET"],), module.TooManyRequests: (30,)}
    return kind(*arguments.get(kind, ()))


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_refusal_has_its_status(name: str, status: int) -> None:
    assert getattr(module, name).code == status


@pytest.mark.parametrize(
    ("kind", "status"), [(InvalidCredentials, 401), (UserExists, 409), (AlreadyTaken, 409), (UserNotFound, 404)]
)
def test_refusal_of_a_feature_has_its_status(kind: type[AuthError], status: int) -> None:
    assert kind.code == status


def test_codes_are_unique() -> None:
    codes = [kind.error_code for kind in REFUSALS if "error_code" in vars(kind)]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusal_is_one_of_ours_and_an_http_exception(kind: type[AuthError]) -> None:
    assert issubclass(kind, SecureAuthError)
    assert issubclass(kind, HTTPException)
    assert isinstance(kind.code, int)


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusal_answers_json_with_error_and_code(kind: type[AuthError]) -> None:
    response = make(kind).get_response(EnvironBuilder().get_environ())

    body = json.loads(response.get_data())
    assert response.status_code == kind.code
    assert (body["error"], body["code"]) == (kind.sentence, kind.error_code)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if kind.code == 401])
def test_refusal_401_carries_a_challenge(kind: type[AuthError]) -> None:
    """RFC 9110 section 15.5.2: a 401 without WWW-Authenticate is no 401."""
    response = make(kind).get_response(EnvironBuilder().get_environ())

    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if kind.code == 503])
def test_refusal_503_says_when_to_come_back(kind: type[AuthError]) -> None:
    response = make(kind).get_response(EnvironBuilder().get_environ())

    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("name", ["TokenMissing", "TokenInvalid", "TokenExpired", "SessionRevoked"])
def test_refusals_of_a_token_are_caught_together(name: str) -> None:
    assert issubclass(getattr(module, name), NotAuthenticated)


def test_sentence_can_be_replaced_where_it_is_raised() -> None:
    assert UserExists("Taken").data == {"error": "Taken", "code": "registration.user_exists"}


def test_fields_are_told_for_invalid_input_only() -> None:
    with_fields = [kind.__name__ for kind in REFUSALS if "fields" in make(kind).data]

    assert with_fields == ["InvalidInput"]


def test_configuration_error_lists_its_problems() -> None:
    error = ConfigurationError(["Set A.", "Set B."])

    assert error.problems == ("Set A.", "Set B.")
    assert str(error) == "flask_secureauth is not configured correctly:\n  - Set A.\n  - Set B."
    assert not isinstance(error, HTTPException)


def test_tree_in_the_docstring_names_every_class() -> None:
    drawn = module.__doc__ or ""

    for name, kind in vars(module).items():
        if isinstance(kind, type) and issubclass(kind, SecureAuthError):
            assert name in drawn, name
