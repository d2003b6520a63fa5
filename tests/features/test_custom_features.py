"""Features of an app's own, written as architecture.md shows them: the same value as ours, passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import click
import pytest
from flask import Flask
from marshmallow import Schema, fields
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_secureauth import BUILTIN, AuthError, ConfigurationError, Feature, Guard, Route
from flask_secureauth.db.mixins import UTC_DATETIME, UserOwned, to_column
from flask_secureauth.events import UserRegistered
from flask_secureauth.setting_kinds import BOOLEAN, duration, setting
from flask_secureauth.web.dispatch import Call
from flask_secureauth.web.schemas import BodySchema, required_text
from flask_secureauth.web.state import AuthState
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_uuid
from tests.web.views import add_views, app_on


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Invitations."""

    lifetime: timedelta = setting(
        timedelta(days=7), duration(timedelta(minutes=1), timedelta(days=30)), "Life of an invitation."
    )
    closed: bool = setting(False, BOOLEAN, "Nobody signs in.")


class Closed(AuthError):
    """The doors are closed."""

    code = HTTPStatus.FORBIDDEN
    error_code = "invitations.closed"
    sentence = "The doors are closed"


class InvitationUsed(AuthError):
    """The invitation was used."""

    code = HTTPStatus.CONFLICT
    error_code = "invitations.used"
    sentence = "The invitation was used"


class InvitationMixin(UserOwned):
    """An invitation, written by a user."""

    __tablename__ = "secureauth_invitations"

    word: Mapped[str] = mapped_column(String(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UTC_DATETIME)


class InviteSchema(BodySchema):
    """What an inviting user sends."""

    word = required_text("Word")


class InvitationSchema(Schema):
    """What is shown of an invitation."""

    word = fields.String()


class InvitationService:
    """Writes and lists invitations."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self.settings: Settings = auth.settings["invitations"]
        self._model = auth.models[InvitationMixin]

    def write(self, user_id: Any, word: str) -> Any:
        """Write an invitation and return it."""
        expires_at = to_column(self._auth.clock.now() + self.settings.lifetime)
        invitation = self._model(word=word, user_id=user_id, expires_at=expires_at)
        self._auth.database.session.add(invitation)
        return invitation

    def words(self) -> list[str]:
        """All words."""
        return list(self._auth.database.session.scalars(select(self._model.word)))


def refuse_while_closed(service: InvitationService, user: Any, methods: Sequence[str]) -> None:
    if service.settings.closed:
        raise Closed


def inviting_claim(service: InvitationService, user: Any) -> Mapping[str, Any]:
    return {"invites": user.email.startswith("kim")}


def invite_back(service: InvitationService, event: UserRegistered) -> None:
    if event.user.email.startswith("broken"):
        raise RuntimeError("the handler failed")
    service.write(event.user.id, f"from-{event.user.email}")


def write(call: Call) -> Any:
    return call.service.write(call.user.id, call.body["word"])


def use(call: Call, word: str) -> dict[str, str]:
    call.service.write(call.user.id, f"{word}-tried")
    if word == "crash":
        raise RuntimeError("a bug of the view")
    raise InvitationUsed


@click.command("list-invitations")
def list_invitations() -> None:
    """Show the invitations."""
    click.echo("invitations")


FEATURE = Feature(
    name="invitations",
    requires=("login",),
    settings=Settings,
    tables=(InvitationMixin,),
    service=InvitationService,
    routes=(
        Route(
            "write",
            "POST",
            "/invitations",
            write,
            body=InviteSchema,
            answer=InvitationSchema,
            status=201,
            guard=Guard(),
        ),
        Route("use", "POST", "/invitations/<word>", use, guard=Guard(), errors=(InvitationUsed,)),
    ),
    gates=(refuse_while_closed,),
    claims=(inviting_claim,),
    handlers={UserRegistered: invite_back},
    cli=(list_invitations,),
)


@pytest.fixture
def app_with(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Build an app with the feature."""

    def build(**settings: Any) -> Flask:
        app = make_app(secure_auth={"features": (*BUILTIN, FEATURE)}, **settings)
        add_views(app)
        return app

    return build


def words(app: Flask) -> list[str]:
    with app.app_context():
        return sorted(app.extensions["secureauth"].service(InvitationService).words())


@pytest.mark.every_database
def test_route_of_a_feature_loads_calls_commits_and_dumps(app_with: Callable[..., Flask]) -> None:
    app = app_with()
    client = app.test_client()
    sign_up(client)

    response = client.post("/invitations", json={"word": "tea"}, headers=bearer(sign_in(client)))

    assert (response.status_code, response.json) == (201, {"word": "tea"})
    assert "tea" in words(app)


def test_route_of_a_feature_has_an_endpoint_named_after_it(app_with: Callable[..., Flask]) -> None:
    app = app_with(SECUREAUTH_URL_PREFIX="/api")

    with app.test_request_context():
        assert app.url_for("secureauth.invitations.use", word="tea") == "/api/invitations/tea"


def test_guard_of_a_feature_refuses_before_the_body_is_read(app_with: Callable[..., Flask]) -> None:
    response = app_with().test_client().post("/invitations", data="{", content_type="application/json")

    assert (response.status_code, response.json["code"]) == (401, "token_missing")


def test_schema_of_a_feature_refuses_what_it_does_not_name(app_with: Callable[..., Flask]) -> None:
    client = app_with().test_client()
    sign_up(client)

    response = client.post("/invitations", json={"word": "tea", "user_id": 9}, headers=bearer(sign_in(client)))

    assert response.json["fields"] == {"user_id": ["This member is not known."]}


@pytest.mark.every_database
def test_refusal_by_a_feature_keeps_what_was_written_before_it(app_with: Callable[..., Flask]) -> None:
    app = app_with()
    client = app.test_client()
    sign_up(client)

    response = client.post("/invitations/tea", headers=bearer(sign_in(client)))

    assert (response.status_code, response.json["code"]) == (409, "invitations.used")
    assert "tea-tried" in words(app)


@pytest.mark.every_database
def test_crash_in_a_feature_answers_500_and_rolls_back(app_with: Callable[..., Flask]) -> None:
    app = app_with()
    client = app.test_client()
    sign_up(client)

    response = client.post("/invitations/crash", headers=bearer(sign_in(client)))

    assert response.status_code == 500
    assert response.json == {"error": "Internal Server Error", "code": "internal_error"}
    assert "crash-tried" not in words(app)


def test_setting_of_a_feature_is_read_under_its_name(app_with: Callable[..., Flask]) -> None:
    app = app_with(SECUREAUTH_INVITATIONS_LIFETIME=3600)

    service = app.extensions["secureauth"].service(InvitationService)

    assert service.settings == Settings(lifetime=timedelta(hours=1))


def test_setting_of_a_feature_is_checked_with_the_others(app_with: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        app_with(SECUREAUTH_INVITATIONS_LIFETIME="a week", SECUREAUTH_INVITATION_CLOSED=True)

    assert raised.value.problems == (
        "SECUREAUTH_INVITATION_CLOSED is not a setting. Did you mean SECUREAUTH_INVITATIONS_CLOSED?",
        "SECUREAUTH_INVITATIONS_LIFETIME must be a timedelta or seconds, from 60 to 2592000.",
    )


def test_setting_of_a_feature_that_is_not_there_is_unknown(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError, match="SECUREAUTH_INVITATIONS_LIFETIME is not a setting"):
        make_app(SECUREAUTH_INVITATIONS_LIFETIME=3600)


def test_gate_refuses_a_sign_in_with_the_right_password(app_with: Callable[..., Flask]) -> None:
    client = app_with(SECUREAUTH_INVITATIONS_CLOSED=True).test_client()
    sign_up(client)

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": PASSWORD})

    assert (response.status_code, response.json) == (
        403,
        {"error": "The doors are closed", "code": "invitations.closed"},
    )


def test_gate_is_not_asked_about_a_wrong_password(app_with: Callable[..., Flask]) -> None:
    client = app_with(SECUREAUTH_INVITATIONS_CLOSED=True).test_client()
    sign_up(client)

    response = client.post("/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-43"})

    assert response.json["code"] == "login.invalid_credentials"


def test_claims_of_a_feature_are_in_the_token(app_with: Callable[..., Flask]) -> None:
    client = app_with().test_client()
    sign_up(client)

    response = client.get("/claims", headers=bearer(sign_in(client)))

    assert response.json["invites"] is True


@pytest.mark.every_database
def test_handler_acts_in_the_transaction_of_the_event(app_with: Callable[..., Flask]) -> None:
    app = app_with()
    client = app.test_client()

    response = client.post("/users", json={"email": "broken@example.com", "password": PASSWORD})
    sign_up(client)

    assert response.status_code == 500
    assert words(app) == ["from-kim@example.com"]
    # Nobody was registered, so the address is free.
    assert client.post("/auth/login", json={"email": "broken@example.com", "password": PASSWORD}).status_code == 401


@pytest.mark.every_database
def test_table_of_a_feature_follows_the_type_of_the_users_key(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_uuid(db), secure_auth={"features": (*BUILTIN, FEATURE)})
    client = app.test_client()
    sign_up(client)

    assert client.post("/invitations", json={"word": "tea"}, headers=bearer(sign_in(client))).status_code == 201
    assert type(db.metadata.tables["secureauth_invitations"].c.user_id.type) is type(
        db.metadata.tables["accounts"].c.id.type
    )


def test_command_of_a_feature_is_under_secureauth(app_with: Callable[..., Flask]) -> None:
    result = app_with().test_cli_runner().invoke(args=["secureauth", "list-invitations"])

    assert (result.exit_code, result.output) == (0, "invitations\n")


def test_command_of_a_feature_is_listed_in_the_help(app_with: Callable[..., Flask]) -> None:
    result = app_with().test_cli_runner().invoke(args=["secureauth", "--help"])

    assert "list-invitations" in result.output


def test_built_in_feature_is_adapted_with_replace(make_app: Callable[..., Flask]) -> None:
    def show(call: Call) -> dict[str, str]:
        return {"status": "fine"}

    health, *others = BUILTIN
    (route,) = health.routes
    mine = replace(health, routes=(replace(route, view=show, path="/healthz"),))

    client = make_app(secure_auth={"features": (mine, *others)}).test_client()

    assert client.get("/healthz").json == {"status": "fine"}


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ((FEATURE, *BUILTIN), "The feature invitations needs login, before it in features=."),
        ((*BUILTIN, FEATURE, FEATURE), "The feature invitations is there twice; leave the other one out."),
        (
            (*BUILTIN, Feature(name="password", settings=Settings)),
            "The feature password has the name of a group of settings; choose another one.",
        ),
        ((), "The feature sessions is missing: jwt_required asks it whether a session is alive."),
    ],
)
def test_features_that_do_not_fit_are_refused(
    make_app: Callable[..., Flask], features: tuple[Feature, ...], problem: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_app(secure_auth={"features": features})

    assert raised.value.problems == (problem,)
