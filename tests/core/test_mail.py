"""What a mail may show of what strangers typed, and which addresses it can go to."""

from __future__ import annotations

import re

import pytest

from flask_secureauth.core.mail import Message, harmless, mailable, one_line


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Kim", "Kim"),
        ("Kim O'Hara-Núñez, Jr.", "Kim O'Hara-Núñez, Jr."),
        ("Firefox 128.0 on Linux", "Firefox 128.0 on Linux"),
        ("203.0.113.7", "203.0.113.7"),
        ("http://evil.example/reset", "http evil example/reset"),
        ("evil.example", "evil example"),
        ("evil\u3002example", "evil example"),
        ("//evil", "evil"),
        ("http:////evil", "http evil"),
        ("http://203.0.113.7/reset", "http 203.0.113.7/reset"),
        ("<a href=x>", "a href x"),
        ("kim\r\nBcc: lee", "kim Bcc: lee"),
        ("a\x1b[31mb", "a 31mb"),
        ("a\u202eb", "a b"),
        ("kim@evil.example", "k***@evil.example"),
        ("call +1-800-555@now", "***"),
        ("x" * 300, "x" * 64),
        ("", ""),
        ("🦊", ""),
        ("\ud800", ""),
    ],
)
def test_harmless_keeps_names_and_breaks_links(typed: str, shown: str) -> None:
    assert harmless(typed) == shown


@pytest.mark.parametrize("typed", ["a//b", "a:////b", "a:/\x00/b", "://://", "a.b.c.d", "1.a", "a.1"])
def test_harmless_leaves_nothing_that_becomes_a_link_again(typed: str) -> None:
    shown = harmless(typed)

    assert "//" not in shown
    assert not re.search(r"[a-z]\.|\.[a-z]", shown)


@pytest.mark.parametrize(
    ("address", "spelling"),
    [
        ("kim@example.com", "kim@example.com"),
        ("Kim@Example.com", "Kim@Example.com"),
        ("bob@localhost", "bob@localhost"),
        ("kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("", None),
        ("kim", None),
        ("kim@a@b", None),
        ("kim@example.com,lee@example.com", None),
        ("kim@example.com\r\nBcc: lee@example.com", None),
        ("kim@example.com\x00", None),
        (" kim@example.com", None),
        ("Kim <kim@example.com>", None),
        ('"kim lee"@example.com', None),
        ("m\N{LATIN SMALL LETTER DOTLESS I}ke@example.com", None),
        ("k" * 250 + "@example.com", None),
        ("\ud800@example.com", None),
    ],
)
def test_mailable_is_one_address_in_ascii(address: str, spelling: str | None) -> None:
    assert mailable(address) == spelling


def test_one_line_ends_no_header() -> None:
    assert one_line("a\r\nBcc: b\u2028c\x00d\te") == "a Bcc: b c d e"


@pytest.mark.parametrize(
    ("link", "token"),
    [(None, None), ("https://app.example/sign-in", None), ("https://app.example/reset#token=a-b_c", "a-b_c")],
)
def test_token_is_that_of_the_link(link: str | None, token: str | None) -> None:
    message = Message(message_id="<1@app.example>", to="kim@example.com", subject="", text="", html="", link=link)

    assert message.token == token
