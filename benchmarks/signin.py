"""Sign-in: what it costs beyond the hash, and whether its time tells which accounts exist."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter

from flask import Flask
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.test import EnvironBuilder

from . import goals, progress
from .apps import ALIVE, CHEAP, CHEAP_METHOD, DISABLED, PASSWORD, Workbench
from .report import TIMES, Row, Section, duration, ratio_row
from .runner import Effort, Environ, WrongAnswer, answer, ratios

_CHEAP_CALLS = 20


def sign_in(email: str, password: str = PASSWORD) -> Environ:
    """The environ of a sign-in; its body can be read once."""
    body = json.dumps({"email": email, "password": password})
    return EnvironBuilder(path="/auth/login", method="POST", data=body, content_type="application/json").get_environ()


def cost(bench: Workbench, effort: Effort) -> Section:
    """Measure sign-ins beside the raw hash, one of each kind in turn."""
    progress.note("sign-in")
    app = bench.checked
    times = _interleaved(
        {
            "raw hash": lambda: _hash(bench.stored_hash),
            "sign-in": lambda: _timed(app, sign_in(ALIVE), 200),
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
            "sign-in", duration(median(times["sign-in"])), ratios(times["sign-in"], raw), of="hash", goal=goals.SIGN_IN
        ),
        _beyond(bench, effort, median(raw)),
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
    ]
    return Section(title=f"Sign-in (medians of {effort.pairs} pairs)", rows=rows)


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


def _beyond(bench: Workbench, effort: Effort, hash_time: float) -> Row:
    """What a sign-in does beside hashing, seen through a hash of microseconds: free of the hash's own noise."""
    stored = generate_password_hash(PASSWORD, CHEAP_METHOD)
    times = _interleaved(
        {"sign-in": lambda: _timed(bench.cheap, sign_in(CHEAP), 200), "hash": lambda: _hash(stored)},
        effort.pairs * _CHEAP_CALLS,
    )
    beyond = median(times["sign-in"]) - median(times["hash"])
    return Row(
        case="sign-in beyond the hash, with a hash of microseconds",
        figure=duration(beyond),
        ratio=f"{beyond / hash_time:.3f} {TIMES} hash",
    )


def _hash(stored: str) -> float:
    began = perf_counter()
    verified = check_password_hash(stored, PASSWORD)
    spent = perf_counter() - began
    if not verified:
        raise WrongAnswer("the raw hash does not verify")
    return spent


def _timed(app: Flask, environ: Environ, status: int) -> float:
    began = perf_counter()
    found = answer(app, environ)
    spent = perf_counter() - began
    if int(found[:3]) != status:
        raise WrongAnswer(f"a sign-in was answered {found} instead of {status}")
    return spent
