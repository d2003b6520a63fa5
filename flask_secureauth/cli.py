"""``flask secureauth``: the commands that belong to no feature, and those of every feature.

Registered as a plugin of Flask as well as on the app, so that ``generate-key`` and ``check`` work
for an app that cannot start yet.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, NoAppException, ScriptInfo, with_appcontext

from .db import purge as db_purge
from .errors import ConfigurationError
from .features import BUILTIN
from .settings import EXTENSION
from .web.default_deny import describe_guard
from .web.state import NoAccounts, Verification, current_auth


class _Group(AppGroup):
    """Adds the commands of the app's features, which may be more than the built-in ones."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted({*super().list_commands(ctx), *_feature_commands(ctx)})

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what keeps the app from starting, or from doing this, needs no traceback."""
        try:
            return super().invoke(ctx)
        except (ConfigurationError, NoAccounts) as error:
            raise click.ClickException(str(error)) from None

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
    remarks: Sequence[str] = ()
    try:
        app = ctx.ensure_object(ScriptInfo).load_app()
    except ConfigurationError as error:
        problems = list(error.problems)
    except NoAppException as error:
        raise click.ClickException(str(error)) from None
    else:
        problems = _problems(app)
        remarks = getattr(app.extensions.get(EXTENSION), "remarks", ())
    for problem in problems:
        click.echo(f"- {problem}")
    if problems:
        click.echo(f"{len(problems)} to mend.")
        ctx.exit(1)
    click.echo("Settings and database are in order.")
    for remark in remarks:
        click.echo(f"Note: {remark}")


@secureauth.command("purge")
@with_appcontext
def purge() -> None:
    """Delete what ended long ago: sessions, and what else the features keep. Safe to run at any time."""
    auth = current_auth()
    for feature in auth.features:
        conditions = feature.purge(auth.services[feature.name]) if feature.purge else {}
        for mixin, condition in conditions.items():
            model = auth.models[mixin]
            table, deleted = model.__table__.name, 0
            total = db_purge.count(model, condition, auth.database)
            with click.progressbar(length=total, label=table) as bar:
                for batch in db_purge.purge(model, condition, auth.database):
                    bar.update(batch)
                    deleted += batch
            click.echo(f"{table}: {deleted} deleted.")


@secureauth.command("routes")
@with_appcontext
def routes() -> None:
    """List every route of the app with its guard."""
    lines = [
        (rule.rule, ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})), describe_guard(rule))
        for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule)
    ]
    paths, methods = max(len(line[0]) for line in lines), max(len(line[1]) for line in lines)
    for path, method, guard in lines:
        click.echo(f"{path:<{paths}}  {method:<{methods}}  {guard}")


def _problems(app: Flask) -> list[str]:
    if EXTENSION not in app.extensions:
        return ["This app has no SecureAuth: call SecureAuth(app), or init_app(app)."]
    with app.app_context():
        state: Verification = app.extensions[EXTENSION]
        return state.examine()
