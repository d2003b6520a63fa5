"""``POST /auth/refresh``, beside what peers call a refresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .contenders import BARE, EXTENDED, EXTENDED_BLOCKED, SECURITY, bearer
from .effort import Effort
from .filling import addresses
from .peers import jwt_extended, security
from .report import Section, ratio_row
from .requests import ratio_rows
from .runner import Case, Environ, expect, measure, post, ratios
from .signin import sign_in
from .workbench import Workbench

OURS = "refresh"
PEER = "Flask-Security, refresh"
_NOTES = (
    "Ours changes the session's row and commits; a token that is used again ends the session.",
    "Flask-JWT-Extended does not rotate: the refresh token stays good until it expires, and alone it looks nothing up.",
    "Flask-Security rotates and commits as well, but reads before it writes: of several refreshes at once with one"
    " token more than one succeeds. A disabled user may refresh.",
)


class Rotating:
    """Refresh tokens in turn. Each is good for one call, whose answer brings its successor."""

    def __init__(
        self, tokens: list[str], *, environ: Callable[[str], Environ], successor: Callable[[Any], str]
    ) -> None:
        self._tokens = tokens
        self._environ = environ
        self._successor = successor

    def environs(self, calls: int) -> list[Environ]:
        """Requests with the next tokens."""
        used, self._tokens = self._tokens[:calls], self._tokens[calls:]
        return [self._environ(token) for token in used]

    def learn(self, answers: list[Any]) -> None:
        """Put the successors at the end."""
        self._tokens += map(self._successor, answers)


def refreshing(tokens: list[str]) -> Rotating:
    """Our refreshes."""
    return Rotating(
        tokens,
        environ=lambda token: post("/auth/refresh", {"refresh_token": token}),
        successor=lambda answer: str(answer["refresh_token"]),
    )


def refresh(bench: Workbench, effort: Effort) -> Section:
    """Measure refreshes as ratios to a bare view."""
    cases = refresh_cases(bench, effort.calls)
    times = measure([bench.case(BARE), *cases], rounds=effort.rounds, calls=effort.calls)
    rows = ratio_rows([bench.case(BARE), *cases], times, {})
    rows.append(ratio_row("Flask-Security's over ours", "", ratios(times[PEER], times[OURS]), of="ours"))
    return Section(title="Refresh", rows=rows, notes=_NOTES)


def refresh_cases(bench: Workbench, calls: int) -> list[Case]:
    """Refreshes of ours and of peers, each with the tokens of ``calls`` users."""
    emails = addresses()[:calls]
    mine = refreshing([expect(bench.cheap, sign_in(email)).json["refresh_token"] for email in emails])
    return [
        Case(name=OURS, app=bench.cheap, environs=mine.environs, learn=mine.learn),
        *_extended(bench),
        _security(bench, emails),
    ]


def _extended(bench: Workbench) -> Iterator[Case]:
    for contender in (EXTENDED, EXTENDED_BLOCKED):
        app = bench.app(contender)
        headers = bearer(jwt_extended.refresh_token(app))
        yield Case(name=f"{contender}, refresh", app=app, environs=partial(_unrotated, headers))


def _unrotated(headers: dict[str, str], calls: int) -> list[Environ]:
    return [post("/refresh", headers=headers) for _ in range(calls)]


def _security(bench: Workbench, emails: list[str]) -> Case:
    app = bench.app(SECURITY)
    theirs = Rotating(
        [security.sign_in(app, email)["refresh_token"] for email in emails],
        environ=lambda token: post("/refresh-token", {"refresh_token": token}, security.ACCEPT),
        successor=lambda answer: str(answer["response"]["user"]["refresh_token"]),
    )
    return Case(name=PEER, app=app, environs=theirs.environs, learn=theirs.learn)
