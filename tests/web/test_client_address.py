"""Who sends a request, through proxies that are trusted and past them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_secureauth import ConfigurationError
from flask_secureauth.web.logs import current_client


def _ip(app: Flask, *, peer: str | None = "10.0.0.1", **headers: str) -> str | None:
    environ = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    with app.test_request_context(environ_base={"REMOTE_ADDR": peer}, environ_overrides=environ):
        return current_client().ip


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "true_client_ip", "client_ip"])
def test_no_header_is_trusted_by_default(app: Flask, header: str) -> None:
    """ASVS 4.1.3: whoever sends it writes there what they like."""
    assert _ip(app, **{header: "192.0.2.1"}) == "10.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9, 192.0.2.1", "192.0.2.1"),
        (2, "203.0.113.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (2, "192.0.2.1", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "192.0.2.1,", "10.0.0.1"),
        (1, "192.0.2.1, unknown", "10.0.0.1"),
        (1, "192.0.2.1:4711", "192.0.2.1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "::ffff:192.0.2.1", "192.0.2.1"),
        (1, " 192.0.2.1\t", "192.0.2.1"),
        (1, "," * 5000, "10.0.0.1"),
    ],
)
def test_address_is_that_before_the_trusted_proxies(
    make_app: Callable[..., Flask], trusted: int, forwarded: str, expected: str
) -> None:
    app = make_app(SECUREAUTH_TRUSTED_PROXIES=trusted)
    assert _ip(app, x_forwarded_for=forwarded) == expected


@pytest.mark.parametrize("header", ["forwarded", "x_real_ip", "true_client_ip"])
def test_only_one_header_is_ever_read(make_app: Callable[..., Flask], header: str) -> None:
    app = make_app(SECUREAUTH_TRUSTED_PROXIES=1)
    assert _ip(app, **{header: "192.0.2.1"}) == "10.0.0.1"


def test_server_behind_a_socket_has_no_address(make_app: Callable[..., Flask]) -> None:
    assert _ip(make_app(), peer="") is None


@pytest.mark.parametrize("value", [-1, 17, "1", True, None])
def test_setting_is_a_small_number(make_app: Callable[..., Flask], value: Any) -> None:
    with pytest.raises(ConfigurationError, match="SECUREAUTH_TRUSTED_PROXIES must be a whole number from 0 to 16"):
        make_app(SECUREAUTH_TRUSTED_PROXIES=value)
