"""Sign-in: what it costs beyond the hash, and whether its time tells which accounts exist."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from itertools import cycle
from statistics import median
from time import perf_counter

from argon2 import PasswordHasher
from flask import Flask
from werkzeug.security import check_password_hash

from . import goals, ours, progress
from .contenders import CHECKED, EXTENDED_BLOCKED, LOGIN, SECURITY
from .effort import Effort
from .filling import ALIVE, DISABLED, PASSWORD, addresses, cheap_hash, visitors
from .peers import security
from .report import TIMES, Row, Section, duration, ratio_row
from .runner import Environ, expect, post, ratios
from .workbench import Workbench

_CHEAP_CALLS = 20
OURS = "sign-in"
LIMITED = "sign-in, counted against the limits"
PATHS = {
    "Flask-JWT-Extended": (EXTENDED_BLOCKED, "/login"),
    "Flask-Login": (LOGIN, "/login"),
    "Flask-Security": (SECURITY, security.LOGIN),
}
_NOTES = (
    "Counted against the limits: what an app does that sets nothing. Everywhere else SECUREAUTH_THROTTLING_ENABLED is"
    " false, since none of the peers counts.",
    "Beyond the hash: with a stored hash that takes microseconds, the same for everybody, less the time of that hash.",
    "Ours stores a session that can be ended, and locks the user's row so that a password changed meanwhile opens none."
    " Flask-JWT-Extended and Flask-Login, in a view by hand, store nothing.",
    "Flask-Security stores a family of refresh tokens. Its default finds an address with lower(email), which reads the"
    " whole table: here 1,000 users.",
)


def sign_in(email: str, password: str = PASSWORD) -> Environ:
    """The environ of one of our sign-ins."""
    return post("/auth/login", {"email": email, "password": password})


def crowd(emails: list[str]) -> Iterator[Environ]:
    """Sign-ins of one user after the other, each from a network of its own: no limit is near."""
    for email, client in zip(cycle(emails), ip_network("10.0.0.0/8").hosts(), strict=False):
        yield {**sign_in(email), "REMOTE_ADDR": str(client)}


def cheap_sign_ins(bench: Workbench) -> dict[str, tuple[Flask, Callable[[str], Environ]]]:
    """By name: an app, and what signs a user in whose hash takes microseconds."""

    def peer(path: str) -> Callable[[str], Environ]:
        return lambda email: post(path, {"email": email, "password": PASSWORD}, security.ACCEPT)

    peers = {name: (bench.app(contender), peer(path)) for name, (contender, path) in PATHS.items()}
    return {OURS: (bench.cheap, sign_in), **peers}


def cost(bench: Workbench, effort: Effort) -> Section:
    """Measure sign-ins beside the raw hash, one of each kind in turn."""
    app, limited = bench.app(CHECKED), bench.built(ours.limited_app)
    visits = crowd(visitors())
    times = _interleaved(
        {
            "raw hash": lambda: _hash(bench.stored_hash),
            LIMITED: lambda: _timed(limited, next(visits), 200),
            OURS: lambda: _timed(app, sign_in(ALIVE), 200),
            "wrong": lambda: _timed(app, sign_in(ALIVE, "another-password-1"), 401),
            "unknown": lambda: _timed(app, sign_in("nobody@example.com"), 401),
            "disabled": lambda: _timed(app, sign_in(DISABLED), 401),
        },
        effort.pairs,
    )
    raw, wrong = times["raw hash"], times["wrong"]
    rows = [
        Row(case="raw hash, Werkzeug's check_password_hash", figure=duration(median(raw))),
        ratio_row(
            LIMITED, duration(median(times[LIMITED])), ratios(times[LIMITED], raw), of="hash", goal=goals.SIGN_IN
        ),
        ratio_row(OURS, duration(median(times[OURS])), ratios(times[OURS], raw), of="hash"),
        Row(case="wrong password", figure=duration(median(wrong))),
        *(
            ratio_row(
                name,
                duration(median(times[kind])),
                ratios(times[kind], wrong),
                of="wrong password",
                goal=goals.SIGN_IN_DIFFERENCE,
            )
            for kind, name in (("unknown", "unknown address"), ("disabled", "disabled account, right password"))
        ),
        *_beyond(bench, effort, median(raw)),
    ]
    return Section(title=f"Sign-in (medians of {effort.pairs} pairs)", rows=rows, notes=_NOTES)


def _interleaved(kinds: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    order, names = random.Random(0), list(kinds)
    times: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        kinds[name]()
    for done in range(rounds):
        order.shuffle(names)
        for name in names:
            times[name].append(kinds[name]())
        progress.count(done + 1, rounds)
    return times


def _beyond(bench: Workbench, effort: Effort, hash_time: float) -> Iterator[Row]:
    """What a sign-in does beside hashing, seen through a hash of microseconds: free of the hash's own noise."""
    stored, limited, visits = cheap_hash(), bench.built(ours.cheap_limited_app), crowd(addresses())
    kinds = {name: _signing_in(app, environ) for name, (app, environ) in cheap_sign_ins(bench).items()}
    kinds |= {LIMITED: lambda: _timed(limited, next(visits), 200), "hash": lambda: _cheap_hash(stored)}
    times = _interleaved(kinds, effort.pairs * _CHEAP_CALLS)
    hashing = median(times.pop("hash"))
    beyond = {name: median(found) - hashing for name, found in times.items()}
    for name in (LIMITED, OURS):
        share = beyond[name] / hash_time
        yield Row(
            case=f"{name}: beyond the hash",
            figure=duration(beyond[name]),
            ratio=f"{share:.3f} {TIMES} hash",
            value=round(share, 3),
        )
    for name in PATHS:
        ratio = round(beyond[name] / beyond[OURS], 2)
        yield Row(
            case=f"{name}, sign-in beyond the hash",
            figure=duration(beyond[name]),
            ratio=f"{ratio:.2f} {TIMES} ours",
            value=ratio,
        )


def _signing_in(app: Flask, environ: Callable[[str], Environ]) -> Callable[[], float]:
    """Each time another user: a user with many sessions is a case of its own."""
    emails = cycle(addresses())
    return lambda: _timed(app, environ(next(emails)), 200)


def _hash(stored: str) -> float:
    began = perf_counter()
    check_password_hash(stored, PASSWORD)
    return perf_counter() - began


def _cheap_hash(stored: str) -> float:
    hasher = PasswordHasher()
    began = perf_counter()
    hasher.verify(stored, PASSWORD)
    return perf_counter() - began


def _timed(app: Flask, environ: Environ, status: int) -> float:
    began = perf_counter()
    expect(app, environ, status)
    return perf_counter() - began
