"""``flask secureauth``: the commands that belong to no feature, and those of every feature.

Registered as a plugin of Flask as well as on the app, so that ``generate-key`` and ``check`` work
for an app that cannot start yet.
"""

from __future__ import annotations

import secrets

import click
from flask import Flask
from flask.cli import AppGroup, NoAppException, ScriptInfo

from .db.doctor import examine
from .errors import ConfigurationError
from .features import BUILTIN
from .web.state import EXTENSION


class _Group(AppGroup):
    """Adds the commands of the app's features, which may be more than the built-in ones."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted({*super().list_commands(ctx), *_feature_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        return super().get_command(ctx, cmd_name) or _feature_commands(ctx).get(cmd_name)


def _feature_commands(ctx: click.Context) -> dict[str, click.Command]:
    try:
        state = ctx.ensure_object(ScriptInfo).load_app().extensions.get(EXTENSION)
    except Exception:
        # An app that cannot start still gets help; "check" says what is wrong with it.
        state = None
    features = state.features if state else BUILTIN
    return {command.name or "": command for feature in features for command in feature.cli}


@click.group("secureauth", cls=_Group)
def secureauth() -> None:
    """Accounts, keys and settings of flask_secureauth."""


@secureauth.command("generate-key", with_appcontext=False)
def generate_key() -> None:
    """Print a new secret key."""
    click.echo(secrets.token_urlsafe(32))


@secureauth.command("check", with_appcontext=False)
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the settings and the database."""
    try:
        app = ctx.ensure_object(ScriptInfo).load_app()
    except ConfigurationError as error:
        problems = list(error.problems)
    except NoAppException as error:
        raise click.ClickException(str(error)) from None
    else:
        problems = _problems(app)
    for problem in problems:
        click.echo(f"- {problem}")
    if problems:
        click.echo(f"{len(problems)} to mend.")
        ctx.exit(1)
    click.echo("Settings and database are in order.")


def _problems(app: Flask) -> list[str]:
    if EXTENSION not in app.extensions:
        return ["This app has no SecureAuth: call SecureAuth(app), or init_app(app)."]
    with app.app_context():
        return examine(app.extensions[EXTENSION].user_model, app.extensions[EXTENSION].sqlalchemy)
