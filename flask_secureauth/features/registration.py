"""Registration: an address and a password become an account.

The answer tells whether an address is taken (409), as the contract asks, unless addresses must be
proven before anybody signs in: then it is always the same 202, and a mail tells the owner alone.
Source: ASVS 6.2 for passwords, ASVS 15.3.3 for refusing members that no schema names, ASVS 6.3.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import click
from flask.cli import with_appcontext
from marshmallow import Schema
from sqlalchemy import inspect

from ..core.identifiers import InvalidEmail, canonical_email
from ..db.user_store import EmailTaken, ValueRefused, ValueTaken
from ..errors import AuthError, ConfigurationError, InvalidInput
from ..events import CredentialsChanged, UserRegistered
from ..feature import Feature, Route, Throttle
from ..web.dispatch import Answer, Call, load
from ..web.schemas import BodySchema, required_text
from ..web.state import AuthState, current_auth


class UserExists(AuthError):
    """An account with this address exists."""

    code = HTTPStatus.CONFLICT
    error_code = "registration.user_exists"
    sentence = "User already exists"


class AlreadyTaken(AuthError):
    """Another unique column of the user model has this value already."""

    code = HTTPStatus.CONFLICT
    error_code = "registration.value_taken"
    sentence = "Another user has one of these values already"


class RegistrationSchema(BodySchema):
    """What a newcomer sends. Add a field in a subclass, and the user's column of that name is filled."""

    email = required_text("Email")
    password = required_text("Password", load_only=True)


REGISTERING = Throttle(name="registration.client", limits=("10 per hour",), by="client")


class RegistrationService:
    """Creates accounts."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self.schema = auth.schemas.get(RegistrationSchema, RegistrationSchema)()
        _check_columns(self.schema, auth.user_model)
        self._unset = _unset(self.schema, auth.user_model)

    def sign_up(self, *, email: str, password: str, **columns: Any) -> bool:
        """Register a visitor; return whether everybody gets the same answer, since the address must be proven.

        Raises what :meth:`register` raises, but then no :exc:`UserExists`.
        """
        mailboxes = self._auth.mailboxes
        canonical, password_hash = self._prepare(email, password)
        try:
            user = self._add(canonical, password_hash, columns)
        except UserExists:
            if not mailboxes.required:
                raise
            with _refusals():
                mailboxes.registered_again(canonical, password_hash=password_hash, fields=self._unset | columns)
        else:
            mailboxes.registered(user)
        return mailboxes.required

    def register(self, *, email: str, password: str, **columns: Any) -> Any:
        """Create an account and return the user.

        ``columns`` are values for columns of the app's own. Raises
        :exc:`~flask_secureauth.errors.InvalidInput`, :exc:`UserExists`, :exc:`AlreadyTaken`.
        """
        canonical, password_hash = self._prepare(email, password)
        return self._add(canonical, password_hash, columns)

    def take_back(self, event: CredentialsChanged) -> None:
        """Empty the columns of a pending account whose password is reset: perhaps a stranger has filled them."""
        if self._unset and event.reason == "password_reset" and self._auth.mailboxes.is_pending(event.user_id):
            self._auth.users.overwrite(event.user_id, self._unset)

    def _prepare(self, email: str, password: str) -> tuple[str, str]:
        canonical = self._check(email, password)
        return canonical, self._auth.hasher.hash(password)

    def _add(self, email: str, password_hash: str, columns: dict[str, Any]) -> Any:
        auth = self._auth
        with _refusals():
            user = auth.users.add(email=email, password_hash=password_hash, now=auth.clock.now(), fields=columns)
        auth.database.announce(UserRegistered(user=user))
        return user

    def _check(self, email: str, password: str) -> str:
        problems: dict[str, list[str]] = {}
        canonical = ""
        try:
            canonical = canonical_email(email, allow_test_domain=self._auth.testing)
        except InvalidEmail as error:
            problems["email"] = [str(error)]
        of_password = self._auth.policy.problems(password, email=canonical)
        if of_password:
            problems["password"] = of_password
        if problems:
            raise InvalidInput(problems)
        return canonical


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except EmailTaken:
        raise UserExists from None
    except ValueTaken:
        raise AlreadyTaken from None
    except ValueRefused:
        raise InvalidInput({}, "A value is too long or of the wrong kind.") from None


def _check_columns(schema: Schema, user_model: type[Any]) -> None:
    columns = inspect(user_model).all_orm_descriptors.keys()
    missing = [name for name in _names(schema) if name not in columns]
    if missing:
        raise ConfigurationError(
            f"{type(schema).__name__} has the field {name}, and {user_model.__name__} has no such column."
            for name in missing
        )


def _names(schema: Schema) -> list[str]:
    return [field.attribute or name for name, field in schema.load_fields.items() if name != "password"]


def _unset(schema: Schema, user_model: type[Any]) -> dict[str, Any]:
    """What the columns of a registration hold that leaves them out; without those of which only an insert knows it."""
    unset: dict[str, Any] = {}
    columns = inspect(user_model).columns
    for name in _names(schema):
        column = columns.get(name) if name != "email" else None
        if column is None:
            continue
        if column.default is not None and column.default.is_scalar:
            unset[name] = column.default.arg
        elif column.nullable:
            unset[name] = None
    return unset


def register(call: Call) -> dict[str, str] | Answer:
    """Create the account. Where addresses must be proven, the answer is the same 202 for those that are taken."""
    if call.service.sign_up(**call.body):
        return Answer(members={"message": "Check your mail"}, status=HTTPStatus.ACCEPTED)
    return {"message": "User created"}


@click.command("create-user")
@click.argument("email")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for when not given.")
@click.option(
    "--field", "fields", multiple=True, metavar="NAME=VALUE", help="Another member of the schema; repeatable."
)
@with_appcontext
def create_user(email: str, password: str, fields: tuple[str, ...]) -> None:
    """Create an account."""
    auth = current_auth()
    service = auth.service(RegistrationService)
    members: dict[str, Any] = {"email": email, "password": password}
    for field in fields:
        name, _, value = field.partition("=")
        members.setdefault(name, value)
    try:
        body = load(service.schema, members)
        with auth.database.transaction():
            service.register(**body)
    except InvalidInput as error:
        sentences = [text for of_field in error.fields.values() for text in of_field]
        raise click.ClickException(" ".join(sentences or [str(error.description)])) from None
    except AuthError as error:
        raise click.ClickException(f"{error.description}.") from None
    click.echo(f"Created {email}.")


FEATURE = Feature(
    name="registration",
    service=RegistrationService,
    routes=(
        Route(
            "register",
            "POST",
            "/users",
            register,
            body=RegistrationSchema,
            status=201,
            errors=(UserExists, AlreadyTaken),
            throttles=(REGISTERING,),
        ),
    ),
    handlers={CredentialsChanged: RegistrationService.take_back},
    cli=(create_user,),
)
