"""Asking another service for something over HTTP: what the settings name, within bounds, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from time import monotonic
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)


def is_loopback(url: str) -> bool:
    """Whether ``url`` is on this very machine, so that nobody can listen or answer in its place."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def fetch(url: str, *, headers: Mapping[str, str], limit: int, timeout: float) -> bytes:
    """GET ``url`` and return at most ``limit`` bytes; no redirect is followed.

    ``timeout`` bounds each wait for the network, and about the whole body; a name server may take longer.
    Raises OSError, :exc:`http.client.HTTPException` or ValueError.
    """
    # The opener knows no other scheme.
    request = Request(url, headers={"User-Agent": "flask-secureauth", **headers})  # noqa: S310
    deadline = monotonic() + timeout
    try:
        with _opener(url).open(request, timeout=timeout) as response:
            body = b""
            while part := response.read1(limit):
                body += part
                if len(body) > limit:
                    raise ValueError(f"it is larger than {limit} bytes")
                if monotonic() > deadline:
                    raise TimeoutError("it takes too long to arrive")
            return body
    except HTTPError as error:
        error.close()
        raise ValueError(f"it is answered with {error.code}") from None


def _opener(url: str) -> OpenerDirector:
    # Plain HTTP is for this machine: a proxy would carry it elsewhere.
    proxies: dict[str, str] | None = {} if urlsplit(url).scheme == "http" else None
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(proxies),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
