"""Every route of every feature: guard, parse, call, commit, serialise. Once, here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    ServiceBusy,
    UnsupportedContentType,
)
from ..events import Client
from ..feature import Feature, Route
from .guard import authenticate, current_user, get_jwt
from .logs import current_client
from .state import AuthState


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a view gets. ``body`` is what the route's schema loaded."""

    auth: AuthState
    service: Any
    body: dict[str, Any]

    @property
    def client(self) -> Client:
        """Who sent the request."""
        return current_client()

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of a guarded route's token."""
        return get_jwt()

    @property
    def user(self) -> Any:
        """The user of a guarded route."""
        return current_user._get_current_object()


def endpoint(state: AuthState, feature: Feature, route: Route) -> Callable[..., Response]:
    """Turn a route into a Flask view."""
    service = state.services.get(feature.name)
    body = state.schemas.get(route.body, route.body)() if route.body else None
    answer = state.schemas.get(route.answer, route.answer)() if route.answer else None

    def view(**path: Any) -> Response:
        if route.guard is not None:
            authenticate(route.guard)
        call = Call(auth=state, service=service, body=load(body, read_object(_limit(state))) if body else {})
        try:
            with state.database.transaction():
                result = route.view(call, **path)
                members = answer.dump(result) if answer else result
        except HashingBusy:
            raise ServiceBusy from None
        return json_answer(members, route.status)

    return view


def json_answer(members: Any, status: int) -> Response:
    """A JSON response with the headers of every answer of ours."""
    text = current_app.json.dumps(members) + "\n"
    return Response(text, status, ANSWER_HEADERS, mimetype="application/json")


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
