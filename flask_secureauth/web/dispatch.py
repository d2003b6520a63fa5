"""Every route of every feature: guard, parse, call, commit, serialise. Once, here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from flask import Response, current_app, request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from ..core import strict_json
from ..core.passwords import HashingBusy
from ..errors import (
    ANSWER_HEADERS,
    BodyTooLarge,
    InvalidInput,
    MalformedBody,
    RefreshTokenReused,
    ServiceBusy,
    SessionRevoked,
    UnsupportedContentType,
)
from ..events import Client
from ..feature import Feature, Route
from .guard import GUARD, PUBLIC, authenticate, current_row, current_user, get_jwt
from .logs import current_client
from .schemas import TokensSchema
from .state import AuthState
from .transport import Tokens


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a view returns when the answer has headers of its own, in place of ours of the same names, or a status."""

    members: Any = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    status: int | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a view gets. ``body`` is what the route's schema loaded."""

    auth: AuthState
    service: Any
    body: dict[str, Any] = field(repr=False)

    @property
    def client(self) -> Client:
        """Who sent the request."""
        return current_client()

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of a guarded route's token."""
        return get_jwt()

    @property
    def user_id(self) -> Any:
        """The key of a guarded route's user."""
        return self.auth.users.key(self.claims["sub"])

    @property
    def email(self) -> str:
        """The address of a live route's user, from the guard's look: it begins no transaction, unlike ``user``."""
        return str(current_row().user_email)

    @property
    def user(self) -> Any:
        """The user of a guarded route."""
        return current_user._get_current_object()


def endpoint(state: AuthState, feature: Feature, route: Route) -> Callable[..., Response]:
    """Turn a route into a Flask view."""
    service = state.services.get(feature.name)
    body = state.schemas.get(route.body, route.body)() if route.body else None
    schema = state.schemas.get(route.answer, route.answer)() if route.answer else None

    def view(**path: Any) -> Response:
        if route.guard is not None:
            authenticate(route.guard)
        if route.throttles:
            _demand(state, route)
        may_set_cookies = isinstance(schema, TokensSchema) and state.transport.may_set_cookies()
        call = Call(auth=state, service=service, body=load(body, read_object(_limit(state))) if body else {})

        def unit() -> Answer:
            answer = _answer(state, route.view(call, **path), may_set_cookies)
            return replace(answer, members=schema.dump(answer.members)) if schema else answer

        try:
            answer = state.database.run(unit)
        except HashingBusy:
            raise ServiceBusy from None
        except (RefreshTokenReused, SessionRevoked):
            # Not in the unit, which may be undone and tried again. Where there is a guard, it has seen to its cookies.
            if route.guard is None:
                state.transport.delete_with_refusal()
            raise
        return json_answer(answer, answer.status or route.status)

    setattr(view, GUARD, route.guard or PUBLIC)
    return view


def _demand(state: AuthState, route: Route) -> None:
    """Count the request before anything of it is read. Raises :exc:`~flask_secureauth.errors.TooManyRequests`."""
    client = current_client()
    with state.database.transaction():
        for throttle in route.throttles:
            subject = client.ip if throttle.by == "client" else get_jwt()["sid"]
            state.throttles.demand(throttle, subject, client=client)


def _answer(state: AuthState, result: Any, may_set_cookies: bool) -> Answer:
    if isinstance(result, Answer):
        return result
    if isinstance(result, Tokens):
        members, headers = state.transport.hand_out(result, set_cookies=may_set_cookies)
        return Answer(members=members, headers=headers)
    return Answer(members=result)


def json_answer(answer: Answer, status: int) -> Response:
    """A JSON response with the headers of every answer of ours."""
    own = {name for name, _ in answer.headers}
    headers = [*(header for header in ANSWER_HEADERS if header[0] not in own), *answer.headers]
    text = current_app.json.dumps(answer.members) + "\n"
    return Response(text, status, headers, mimetype="application/json")


def _limit(state: AuthState) -> int:
    ours = state.general.max_content_length
    of_app = current_app.config["MAX_CONTENT_LENGTH"]
    return ours if of_app is None else min(ours, of_app)


def load(schema: Schema, members: dict[str, Any]) -> dict[str, Any]:
    """Return what ``schema`` makes of ``members``. Raises :exc:`~flask_secureauth.errors.InvalidInput`."""
    try:
        return cast("dict[str, Any]", schema.load(members))
    except ValidationError as error:
        raise InvalidInput(_sentences(error.messages), getattr(schema, "sentence", None)) from None


def read_object(limit: int) -> dict[str, Any]:
    """Return the JSON object in the request's body of at most ``limit`` bytes; an absent body is an empty one.

    Raises :exc:`~flask_secureauth.errors.BodyTooLarge`, ``UnsupportedContentType``, ``MalformedBody``.
    """
    # Werkzeug cuts a body of unannounced length at its limit and says nothing: leave room to see that it is longer.
    request.max_content_length = limit + 1
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise BodyTooLarge from None
    except ClientDisconnected:
        raise MalformedBody("The body ended too early.") from None
    if len(raw) > limit:
        raise BodyTooLarge
    if not raw:
        return {}
    if not request.is_json or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedContentType
    try:
        value = strict_json.loads(raw)
    except strict_json.InvalidJson as error:
        raise MalformedBody(f"The body is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise MalformedBody
    return value


def _sentences(messages: Any) -> dict[str, list[str]]:
    """Flatten marshmallow's messages, which nest for lists and mappings, to a list for each field."""
    return {str(name): list(_flat(of_field)) for name, of_field in messages.items()}


def _flat(messages: Any) -> list[str]:
    if isinstance(messages, str):
        return [messages]
    nested = messages.values() if isinstance(messages, Mapping) else messages
    return [sentence for item in nested for sentence in _flat(item)]
