"""What the processes of a server run: one contender, which the environment names. For :mod:`.server`."""

from __future__ import annotations

import os

from flask import Flask

from .contenders import CONTENDERS
from .site import Site

URL, SECRET, NAME = "SECUREAUTH_BENCHMARK_URL", "SECUREAUTH_BENCHMARK_SECRET", "SECUREAUTH_BENCHMARK_NAME"


def environment(site: Site, name: str) -> dict[str, str]:
    """What :func:`create` reads."""
    return {URL: site.url, SECRET: site.secret, NAME: name}


def create() -> Flask:
    """The app of a contender, on the database and with the secret of the run."""
    return CONTENDERS[os.environ[NAME]].build(Site(os.environ[URL], os.environ[SECRET]))
