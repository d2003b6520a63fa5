"""Everything that one run measures on one database, made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from flask import Flask
from sqlalchemy import make_url

from . import ours
from .contenders import CONTENDERS, checked
from .databases import Create, version
from .filling import fill
from .peers import security
from .runner import Case, get, repeated
from .signers import Signer, signers
from .site import Site


class Workbench:
    """The apps of one run on one database, and their requests."""

    def __init__(self, create: Create) -> None:
        self.create = create
        self.site = Site(create())
        self.database = version(self.site.url)
        self.dialect = make_url(self.site.url).get_backend_name()
        self._apps: dict[Callable[[Site], Flask], Flask] = {}
        self.stored_hash = fill(self.built(checked))

    def built(self, build: Callable[[Site], Flask]) -> Flask:
        """The app that ``build`` makes; the same one each time."""
        if build not in self._apps:
            self._apps[build] = build(self.site)
            if build is security.app:
                security.fill(self._apps[build])
        return self._apps[build]

    def app(self, name: str) -> Flask:
        """The app of a contender."""
        return self.built(CONTENDERS[name].build)

    def headers(self, name: str) -> dict[str, str]:
        """What a client must send to be let in by a contender."""
        return CONTENDERS[name].credentials(self.site, self.app(name))

    def case(self, name: str) -> Case:
        """The guarded request of a contender, always with the same credentials."""
        return Case(name=name, app=self.app(name), environs=repeated(get(CONTENDERS[name].path, self.headers(name))))

    @property
    def cheap(self) -> Flask:
        """Ours, with a hash of microseconds."""
        return self.built(ours.cheap_app)

    @cached_property
    def signers(self) -> dict[str, Signer]:
        """A key for each algorithm."""
        return signers(self.site.secret)


@contextmanager
def workbench(create: Create) -> Iterator[Workbench]:
    """A workbench whose connections are closed at the end."""
    bench = Workbench(create)
    try:
        yield bench
    finally:
        bench.site.close()
