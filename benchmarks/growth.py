"""What more rows cost: the same requests with 1,000 users and sessions, and with up to a million."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import Any

from flask import Flask

from . import bulk, goals, ours
from .contenders import bearer
from .effort import Effort
from .identity import address
from .refresh import refreshing
from .report import Row, Section, duration, ratio_row
from .runner import Case, Environ, expect, get, measure, ratios
from .signin import sign_in
from .site import Site
from .workbench import Workbench

_SAMPLE = 200
_CALLS = 20
_KINDS = ("guarded request, staleness 0", "sign-in, hash of microseconds", "refresh", "list of one's sessions")
_NOTES = (
    f"Each size is a database of its own, and all are measured in the same rounds. The requests are those of {_SAMPLE}"
    " users that lie evenly in the table; who signs in is another user each time, too.",
)


def growth(bench: Workbench, effort: Effort) -> Section:
    """Fill the tables and measure."""
    with _sites(bench, effort.sizes) as apps:
        cases = [case for size, app in apps.items() for case in _cases(app, size)]
        times = measure(cases, rounds=effort.growth_rounds, calls=_CALLS)
    smallest, *larger = effort.sizes
    rows = [row for kind in _KINDS for row in _rows(kind, times, smallest, larger)]
    return Section(title=f"Growth from {smallest:,} to {larger[-1]:,} users and sessions", rows=rows, notes=_NOTES)


def _rows(kind: str, times: Any, smallest: int, larger: Sequence[int]) -> Iterator[Row]:
    base = times[_name(kind, smallest)]
    yield Row(case=_name(kind, smallest), figure=duration(median(base)))
    for size in larger:
        name = _name(kind, size)
        yield ratio_row(
            name,
            duration(median(times[name])),
            ratios(times[name], base),
            of=f"{smallest:,}",
            goal=goals.GROWTH,
        )


def _name(kind: str, size: int) -> str:
    return f"{kind}: {size:,}"


@contextmanager
def _sites(bench: Workbench, sizes: Sequence[int]) -> Iterator[dict[int, Flask]]:
    sites = {size: Site(bench.create(), bench.site.secret) for size in sizes}
    apps = {size: ours.cheap_app(site) for size, site in sites.items()}
    try:
        for size, app in apps.items():
            bulk.fill(app, size)
        yield apps
    finally:
        for site in sites.values():
            site.close()


def _cases(app: Flask, size: int) -> list[Case]:
    """Two samples: those who sign in get sessions and lists that grow, the others keep theirs."""
    visitors, members = _emails(size, first=1), _emails(size, first=2)
    signed_in = [expect(app, sign_in(email)).json for email in members]
    tokens = [bearer(answer["access_token"]) for answer in signed_in]
    rotating = refreshing([answer["refresh_token"] for answer in signed_in])
    environs = (
        _in_turn([partial(get, "/", headers) for headers in tokens]),
        _in_turn([partial(sign_in, email) for email in visitors]),
        rotating.environs,
        _in_turn([partial(get, "/auth/sessions", headers) for headers in tokens]),
    )
    return [
        Case(name=_name(kind, size), app=app, environs=make, learn=rotating.learn if kind == "refresh" else None)
        for kind, make in zip(_KINDS, environs, strict=True)
    ]


def _emails(size: int, *, first: int) -> list[str]:
    return [address(number) for number in range(first, size + 1, size // _SAMPLE)]


def _in_turn(makers: Sequence[Callable[[], Environ]]) -> Callable[[int], list[Environ]]:
    turn = cycle(makers)
    return lambda calls: [make() for make in islice(turn, calls)]
