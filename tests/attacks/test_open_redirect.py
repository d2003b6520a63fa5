"""Targets of a redirect that lead to another site."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from flask_secureauth import local_path

HOST = "app.example"

HOSTILE = {
    "two slashes": "//evil.example",
    "three slashes": "///evil.example",
    "many slashes": "/////evil.example",
    "two backslashes": "\\\\evil.example",
    "slash and backslash": "/\\evil.example",
    "backslash and slash": "\\/evil.example",
    "slash and two backslashes": "/\\\\evil.example",
    "backslash later": "/a\\evil.example",
    "scheme": "https://evil.example",
    "scheme without slashes": "https:evil.example",
    "scheme with one slash": "https:/evil.example",
    "scheme with three slashes": "http:///evil.example",
    "scheme and backslashes": "https:\\\\evil.example",
    "encoded backslash": "/%5cevil.example",
    "encoded backslash in capitals": "/%5Cevil.example",
    "encoded slash": "/%2fevil.example",
    "encoded slash in capitals": "/%2F%2Fevil.example",
    "tab": "/\t/evil.example",
    "tab in front": "\t//evil.example",
    "encoded tab": "/%09/evil.example",
    "newline": "/\n/evil.example",
    "carriage return": "/\r/evil.example",
    "space in front": " //evil.example",
    "space in front of a path": " /reports",
    "NUL": "\x00//evil.example",
    "NUL inside": "/\x00/evil.example",
    "encoded NUL": "/%00/evil.example",
    "DEL": "/\x7f/evil.example",
    "C1 control": "/\x85/evil.example",
    "escape": "/\x1b[31m",
    "user": "evil.example",
    "at sign": "@evil.example",
    "scheme of user": "user@evil.example",
    "colon": ":evil.example",
    "port": ":80/evil.example",
    "javascript": "javascript:alert(1)",
    "javascript in capitals": "JaVaScRiPt:alert(1)//",
    "javascript with a tab": "java\tscript:alert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "vbscript": "vbscript:msgbox(1)",
    "blob": "blob:https://evil.example/x",
    "file": "file:///etc/hostname",
    "response splitting": "/\r\nLocation: https://evil.example",
    "encoded response splitting": "/%0d%0aLocation:%20https://evil.example",
    "dot segment": "/.//evil.example",
    "two dots": "/..//evil.example",
    "dots later": "/a/..//evil.example",
    "encoded dots": "/a/%2e%2e//evil.example",
    "dots at the end": "/a/..",
    "line separator": "/\u2028/evil.example",
    "right-to-left override": "/\u202egpj.elpmaxe",
    "no-break space": "/\xa0/evil.example",
    "ideographic space": "/\u3000/evil.example",
    "zero width space": "/\u200b/evil.example",
    "byte order mark": "\ufeff//evil.example",
    "lone surrogate": "/\ud800",
    "full-width slashes": "\uff0f\uff0fevil.example",
    "relative": "reports",
    "relative query": "?next=1",
    "empty": "",
    "none": None,
    "very long": "/" + "a" * 2000,
    "huge": "/" + "a" * 1_000_000,
}


@pytest.mark.parametrize("target", HOSTILE.values(), ids=HOSTILE.keys())
def test_target_that_may_lead_elsewhere_becomes_the_default(target: str | None) -> None:
    """F11, CWE-601, ASVS 3.7.2, CVE-2021-32618 and CVE-2023-49438: urlsplit() sees no host in most of these."""
    assert local_path(target) == "/"
    assert local_path(target, default="/reports") == "/reports"


@pytest.mark.parametrize("target", [0, True, ["/a"], {"/a": 1}, b"/a", object()])
def test_target_that_is_no_text_becomes_the_default(target: object) -> None:
    """F17: a member of a JSON body can be anything."""
    assert local_path(target) == "/"  # type: ignore[arg-type]


GOOD = [
    "/",
    "/reports",
    "/reports/",
    "/reports/2026/11?order=desc&page=2#total",
    "/search?q=a%0Ab%5C",
    "/search?next=https://example.com/",
    "/search?next=//example.com",
    "/files/a%2Fb.txt",
    "/a//b",
    "/.well-known/security.txt",
    "/~kim/...",
    "/\u00e9t\u00e9/\u6771\u4eac",
    "/#/orders/7",
    "/@kim",
    "/a:b",
    "/" + "a" * 1999,
]


@pytest.mark.parametrize("target", GOOD)
def test_path_of_this_site_is_kept(target: str) -> None:
    assert local_path(target) == target


def _readings(location: str) -> Iterator[str]:
    """The location as browsers read it, and what is left when somebody in between decodes it or removes dots."""
    for text in (location, unquote(location)):
        # WHATWG URL Standard: controls and spaces around, tabs and newlines anywhere, backslashes.
        read = text.strip("".join(map(chr, range(33)))).translate({9: None, 10: None, 13: None}).replace("\\", "/")
        yield read
        yield urljoin("/", read) if "." in read else read


def test_no_combination_of_signs_leads_elsewhere() -> None:
    """F11: every text of up to five such pieces, as several readers understand what is let through."""
    pieces = ["/", "\\", "\t", "%2f", "%5c", "%09", ".", "..", "@", ":", "?", "#", "evil.example", "https:"]
    let_through = 0
    for length in range(1, 5):
        for combination in product(pieces, repeat=length):
            target = local_path("/" + "".join(combination), default="/default")
            let_through += target != "/default"
            for read in _readings(target.partition("?")[0].partition("#")[0]):
                parts = urlsplit(urljoin(f"https://{HOST}/", read))
                assert (parts.scheme, parts.netloc) == ("https", HOST), (combination, read)

    assert let_through > 1000


@pytest.mark.parametrize("name", [name for name, target in HOSTILE.items() if target and target.isascii()])
def test_redirect_of_an_app_stays_on_its_site(name: str) -> None:
    """F11: through a request and the Location header, which Werkzeug passes on as it is."""
    app = Flask("shop")

    @app.get("/welcome")
    def welcome() -> Response:
        return redirect(local_path(request.args.get("next")))

    response = app.test_client().get("/welcome", query_string={"next": HOSTILE[name]})

    assert (response.status_code, response.headers.getlist("Location")) == (302, ["/"])
