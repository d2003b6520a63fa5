"""What kind of device a client is."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from flask_secureauth.core import devices
from flask_secureauth.core.devices import describe_device

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    devices._parser.cache_clear()
    yield
    devices._parser.cache_clear()


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (IPHONE, "Mobile Safari on iOS"),
        ("curl/8.14.1", "curl"),
        ("Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9)", "Android on Android"),
        ("", None),
        ("zzz", None),
        ("\x00\r\n<script>alert(1)</script>", None),
    ],
)
def test_device_is_browser_and_system(user_agent: str, device: str | None) -> None:
    pytest.importorskip("ua_parser")

    assert describe_device(user_agent) == device


def test_rules_are_loaded_once() -> None:
    pytest.importorskip("ua_parser")

    assert devices._parser() is devices._parser() is not None


def test_without_the_extra_no_device_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ua_parser", None)

    assert describe_device(FIREFOX) is None
