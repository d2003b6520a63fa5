"""Keys: who verifies our tokens gets the public halves, and operators replace keys without signing anybody out.

A key is *pending* while everybody gets to know it, then *signing*, then *verifying* what it signed
before, then gone. Source: RFC 7517 section 5, RFC 8725 section 3.10, ASVS 11.1.1 and 11.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from re import fullmatch
from typing import Any

import click
from flask.cli import NoAppException, ScriptInfo, with_appcontext

from ..core.clock import Clock
from ..core.extras import MissingExtra
from ..core.jwks import NoKeys
from ..core.key_file import FileKeys, KeyFile, MissingKeyFile
from ..core.key_ring import KeyRing, KeySet, VerifyingSource, at_moment, superseded_at
from ..core.keys import ALGORITHMS, InvalidKey, Key
from ..errors import ConfigurationError, DatabaseUnavailable
from ..feature import Feature, Route
from ..settings import EXTENSION
from ..web.dispatch import Answer, Call
from ..web.state import AuthState, current_auth, current_verification
from .sessions.service import SessionService

MAX_AGE = 300
"""Seconds for which anybody may keep a copy of the key set."""
HEADERS = (
    ("Cache-Control", f"public, max-age={MAX_AGE}"),
    ("Vary", "Accept-Encoding"),  # It is the same for everybody: a shared cache may answer, too.
)
UNTIL_KNOWN = "15m"
"""When a new key signs by default: after the caches and the copies of verifiers, 5 minutes each, and some patience."""


class Refused(Exception):
    """A key stays where it is; the message says why and what to do."""


class KeyService:
    """Publishes the keys of the app, and retires those in its file."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth

    def key_set(self) -> dict[str, Any]:
        """Return the JWK Set: the public members of every key, pending ones too; nothing of a secret."""
        ring = self._auth.keys.ring(self._auth.clock.timestamp())
        published = (key.public_jwk() for key in ring.known)
        return {"keys": [members for members in published if members is not None]}

    def retire(self, kid: str, *, force: bool = False) -> int:
        """Take a key out of the file, and return how many sessions that signs out.

        Without ``force`` it has to be a key that nobody needs any more. Raises :exc:`Refused`,
        :exc:`~flask_secureauth.core.keys.InvalidKey`.
        """
        auth, now = self._auth, self._auth.clock.timestamp()
        file = file_of(auth.keys)
        keys = file.read()
        key = next((key for key in keys if key.kid == kid), None)
        if key is None:
            raise Refused(f"{file.path} has no key {kid}; it has {', '.join(key.kid for key in keys)}.")
        if key is at_moment(keys, now)[0][0]:
            raise Refused(
                f"{kid} signs. Add its successor with 'flask secureauth keys add', and retire {kid} after that."
            )
        is_pending = key.signs_from > now  # Nothing was ever made with it.
        live = 0 if is_pending else auth.service(SessionService).count_live(kid)
        if not (is_pending or force):
            self._refuse_needed(key, keys, now=now, live=live)
        file.remove(kid)
        return live

    def _refuse_needed(self, key: Key, keys: tuple[Key, ...], *, now: float, live: int) -> None:
        rules = self._auth.general
        until = (superseded_at(key, keys, now) or 0) + (rules.access_token_lifetime + rules.leeway).total_seconds()
        if now < until:
            raise Refused(
                f"Access tokens of {key.kid} are good until {_moment(until)}. Retire it then, or with --force now."
            )
        if live:
            raise Refused(
                f"{_sessions(live)} will refresh with a token of {key.kid}, and be moved to the signing key by that. "
                "Retire it later; --force signs them out."
            )


def file_of(keys: VerifyingSource) -> KeyFile:
    """Return the file behind an app's keys. Raises :exc:`Refused` for keys that no command can change."""
    if not isinstance(keys, FileKeys):
        raise Refused(f"The keys of this app come from {keys.origin}; commands change those of SECUREAUTH_KEY_FILE.")
    return keys.file


def show(call: Call) -> Answer:
    """Publish the keys that verify access tokens. A secret is never among them."""
    return Answer(members=call.service.key_set(), headers=HEADERS)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(ctx: click.Context, option: click.Parameter, text: str) -> timedelta:
    found = fullmatch(r"([0-9]{1,6})([smhd]?)", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no duration such as 90s, 15m, 2h or 1d.", ctx, option)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


@click.group("keys")
def commands() -> None:
    """Show, add and retire the keys that sign access tokens."""


@commands.command("list")
@with_appcontext
def list_keys() -> None:
    """Show every key with its state. What is secret is never shown."""
    state = current_verification()
    now = state.clock.timestamp()
    try:
        ring = state.keys.ring(now)
    except NoKeys as error:
        raise click.ClickException(f"There is no key set at {state.keys.origin}: {error}.") from None
    click.echo(f"Keys of {state.keys.origin}:")
    rows = [("KID", "ALGORITHM", "STATE", ""), *_described(ring, now)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _described(ring: KeySet, now: float) -> Iterator[tuple[str, str, str, str]]:
    for key in ring.known:
        since = superseded_at(key, reversed(ring.known), now)
        if isinstance(ring, KeyRing) and key is ring.signing:
            state, moment = "signing", f"since {_moment(key.signs_from)}"
        elif key.signs_from > now:
            state, moment = "pending", f"signs from {_moment(key.signs_from)}"
        else:
            state, moment = "verifying", f"since {_moment(since)}" if since else ""
        yield key.kid, key.algorithm, state, moment if key.signs_from else ""


@commands.command("add")
@click.option(
    "--algorithm", type=click.Choice(ALGORITHMS), help="That of the other keys by default, and ES256 for the first one."
)
@click.option(
    "--signs-in",
    callback=_duration,
    default=UNTIL_KNOWN,
    show_default=True,
    metavar="DURATION",
    help="When it begins to sign. Until then it is published, so that everybody who verifies knows it in time. "
    "The first key of a file signs at once.",
)
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The key file, for use without an app. By default that of the app.",
)
@click.pass_context
def add(ctx: click.Context, algorithm: str | None, signs_in: timedelta, path: Path | None) -> None:
    """Add a new key to the key file, and make the file if there is none."""
    file, clock = (KeyFile(path), Clock()) if path else _file_of_app(ctx)
    now = clock.timestamp()
    try:
        key = file.add(algorithm, now=now, signs_in=signs_in.total_seconds())
    except (InvalidKey, MissingExtra) as error:
        raise click.ClickException(f"{error}.") from None
    moment = "from now on" if key.signs_from <= now else f"from {_moment(key.signs_from)}"
    click.echo(f"Added {key.kid} ({key.algorithm}) to {file.path}. It signs {moment}.")


def _file_of_app(ctx: click.Context) -> tuple[KeyFile, Clock]:
    try:
        app = ctx.ensure_object(ScriptInfo).load_app()
    except ConfigurationError as error:
        # Without its first key the app cannot start, and this is how it gets it.
        missing = [cause.path for cause in error.causes if isinstance(cause, MissingKeyFile)]
        if len(error.problems) == len(missing) == 1:
            return KeyFile(missing[0]), Clock()
        raise
    except NoAppException as error:
        raise click.ClickException(f"{error} Name the key file with --file.") from None
    if EXTENSION not in app.extensions:
        raise click.ClickException("This app has no SecureAuth. Name the key file with --file.")
    state = app.extensions[EXTENSION]
    try:
        return file_of(state.keys), state.clock
    except Refused as error:
        raise click.ClickException(f"{error} Set it, or name a file with --file.") from None


@commands.command("retire")
@click.argument("kid")
@click.option("--force", is_flag=True, help="Also while tokens of the key are alive. Their users are signed out.")
@with_appcontext
def retire(kid: str, force: bool) -> None:
    """Take a key out of the key file. Nothing that it signed is accepted any more."""
    auth = current_auth()
    try:
        with auth.database.transaction():
            signed_out = auth.service(KeyService).retire(kid, force=force)
    except Refused as error:
        raise click.ClickException(str(error)) from None
    except InvalidKey as error:
        raise click.ClickException(f"{error}.") from None
    except DatabaseUnavailable as error:
        raise click.ClickException(str(error.description)) from None
    click.echo(f"Retired {kid}." + (f" {_sessions(signed_out)} cannot refresh any more." if signed_out else ""))


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


FEATURE = Feature(
    name="keys",
    requires=("sessions",),
    service=KeyService,
    routes=(Route("show", "GET", "/.well-known/jwks.json", show),),
    cli=(commands,),
)
