"""Each algorithm at each staleness, with a token that was seen and with one that was not."""

from __future__ import annotations

from flask import Flask

from . import goals, ours
from .contenders import BARE, bearer
from .effort import Effort
from .peers import by_hand, jwt_extended
from .report import Section
from .requests import ratio_rows
from .runner import Case, Environ, get, measure, repeated
from .signers import ALGORITHMS, Signer
from .workbench import Workbench

_STALENESS = {"None": None, "60 s": 60, "0": 0}
# Those of HS256 stand beside the guarded requests.
_GOALS = {f"{name}, staleness None, token seen": goals.TOKEN_SEEN for name in ALGORITHMS[1:]}
_NOTES = (
    "First seen: another token of a session that is in the database and, at 60 s, was looked at before.",
    "Once in 60 s a request at staleness 60 s costs what one at staleness 0 costs.",
)


def tokens(bench: Workbench, effort: Effort) -> Section:
    """Measure ours at each staleness, and the peers that look nothing up."""
    cases = [bench.case(BARE)]
    for name in ALGORITHMS:
        signer = bench.signers[name]
        for label, staleness in _STALENESS.items():
            app = ours.app(bench.site, staleness=staleness, signer=signer)
            cases += _cases(f"{name}, staleness {label}", app)
        cases += _peers(signer)
    times = measure(cases, rounds=effort.rounds, calls=effort.calls)
    rows = ratio_rows(cases, times, _GOALS)
    return Section(title="Each algorithm at each staleness", rows=rows, notes=_NOTES)


def _cases(name: str, app: Flask) -> list[Case]:
    token, mint = ours.token(app), ours.minter(app)

    def environs(calls: int) -> list[Environ]:
        return [get("/", bearer(mint())) for _ in range(calls)]

    return [
        Case(name=f"{name}, token seen", app=app, environs=repeated(get("/", bearer(token)))),
        Case(name=f"{name}, first seen", app=app, environs=environs),
    ]


def _peers(signer: Signer) -> list[Case]:
    by_pyjwt, extended = by_hand.pyjwt_app(signer), jwt_extended.alone_app(signer)
    name = signer.algorithm
    return [
        Case(
            name=f"{name}, PyJWT by hand",
            app=by_pyjwt,
            environs=repeated(get("/", bearer(by_hand.pyjwt_token(signer)))),
        ),
        Case(
            name=f"{name}, Flask-JWT-Extended",
            app=extended,
            environs=repeated(get("/", bearer(jwt_extended.token(extended)))),
        ),
    ]
