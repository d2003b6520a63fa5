"""Mails say what the app says, and nothing that a stranger has written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask_mail import Mail

from flask_secureauth.features.mail.service import Content
from flask_secureauth.testing import mails
from tests.conftest import sign_up
from tests.features.post import KIM, Post
from tests.smtp import SmtpServer, smtp_server

BAIT = [
    "http://evil.example/reset",
    "https://app.example.evil.example",
    "evil.example",
    "www.evil.example/x",
    "//evil.example",
    "evil\u3002example",
    '"><a href="http://evil.example">Click</a>',
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ config }}",
    "{% include 'x' %}",
    "%(email)s %s",
    "Kim\r\nBcc: victim@example.com\r\n\r\nBuy",
    "javascript:alert(1)",
    "mailto:mallory@evil.example?subject=x",
    "\u202egnp.exe",
    "\x1b]8;;http://evil.example\x07click",
    "Call +1 800 555 0199 now! " * 20,
]


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with smtp_server() as running:
        yield running


@pytest.mark.parametrize("bait", BAIT)
@pytest.mark.parametrize("name", ["device", "new_email"])
def test_what_a_visitor_typed_is_inert(app: Flask, bait: str, name: str) -> None:
    """F35, F19: phishing by display name; a mail of a trusted sender that carries the attacker's link."""
    post = Post(app)
    post.service.register("email_change_notice")
    post.queue("email_change_notice", params={name: bait})

    (message,) = mails(app)
    for text in (message.text, message.html):
        assert "evil.example" not in text.replace("m***@evil.example", "")
        assert not re.search(r"<script|onerror=|<img|{{|{%|\x1b|\u202e", text)
        assert set(re.findall(r"https?://[^/\"<\s]+", text)) == {"https://app.example"}
        assert text.count("555") <= 3
    assert message.subject == "Your address is about to change"


def test_what_is_nested_is_inert_too(app: Flask) -> None:
    """F35."""
    post = Post(app)
    post.queue(params={"device": [{"name": "http://evil.example"}]})

    assert "evil.example" not in mails(app)[0].text


def test_names_are_cut_at_64_characters(app: Flask) -> None:
    """F35: whoever writes a name does not get a paragraph."""
    post = Post(app)
    post.queue(params={"device": "x" * 300})

    assert max(len(found) for found in re.findall("x+", mails(app)[0].text)) == 64


def test_params_cannot_take_the_place_of_the_mails_own_values(app: Flask) -> None:
    """F35: a parameter named like the link is not the link."""
    post = Post(app)
    names = {"link": "l", "public_url": "u", "app_name": "n", "email": "e", "_": "f", "locale": "x", "at": "t"}
    post.queue(params={**names, "subject": "s"})

    (message,) = mails(app)
    assert message.link is None
    assert KIM in message.text
    assert "https://app.example" in message.text


@pytest.mark.parametrize(
    "to",
    [
        "kim@example.com\r\nBcc: victim@example.com",
        "kim@example.com\nBcc: victim@example.com",
        "kim@example.com,victim@example.com",
        "kim@example.com victim@example.com",
        "Kim <victim@example.com>",
        "<victim@example.com>",
        "kim@example.com\x00",
    ],
)
def test_address_with_another_one_inside_gets_no_mail(
    make_app: Callable[..., Flask], server: SmtpServer, to: str
) -> None:
    """F10: one mail, to the stored address only, whatever the row or the composer says."""
    post = smtp_post(make_app, server)
    post.queue(to=to)
    post.service.register("password_changed", lambda letter: Content(to=to))
    post.queue()

    assert post.deliver() == ["refused"]
    assert server.received == []


def test_subject_ends_no_header(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    """F10: CRLF in what a subject is made of."""
    name = "The app\r\nBcc: victim@example.com\r\n\r\nBody"
    post = smtp_post(make_app, server, SECUREAUTH_MAIL_APP_NAME=name)
    post.app.jinja_env.globals["app"] = name
    post.queue()
    post.deliver()

    received = server.next()
    assert received.recipients == [KIM]
    assert received.message["Bcc"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example;proto=http"},
        {"X-Original-Host": "evil.example", "X-Forwarded-Proto": "http"},
    ],
)
def test_link_begins_with_the_public_url_whatever_the_request_says(app: Flask, headers: dict[str, str]) -> None:
    """F9: reset poisoning; the token would go to the attacker's server."""
    post = Post(app)

    @app.post("/forgot")
    def forgot() -> str:
        with post.state.database.transaction():
            post.service.queue("password_reset", to=KIM)
        return ""

    client = app.test_client()
    sign_up(client, KIM)
    assert client.post("/forgot", headers=headers).status_code == 200

    (message,) = mails(app)
    assert message.link is not None
    assert message.link.startswith("https://app.example/reset-password#token=")
    assert "evil.example" not in message.text + message.html


def test_token_is_in_the_fragment_of_the_link(app: Flask) -> None:
    """F29: what is in path or query gets into logs, histories and Referer headers."""
    post = Post(app)
    sign_up(app.test_client(), KIM)
    post.queue("password_reset")

    (message,) = mails(app)
    assert message.link is not None
    before, _, fragment = message.link.partition("#")
    assert before == "https://app.example/reset-password"
    assert fragment == f"token={message.token}"


def test_failing_mail_writes_no_token_into_the_log(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    """security.md section 3: logs hold no token and no link."""
    tokens: list[str | None] = []

    class Broken:
        def send(self, message: Any) -> None:
            tokens.append(message.token)
            raise RuntimeError(f"cannot send {message!r}")

    post = Post(make_app(SECUREAUTH_MAIL_TRANSPORT=Broken(), SECUREAUTH_MAIL_DELIVERY="command"))
    sign_up(post.app.test_client(), KIM)
    post.queue("password_reset")

    assert post.deliver() == ["postponed"]
    assert str(tokens[0]) not in caplog.text + str(post.row())


def smtp_post(make_app: Callable[..., Flask], server: SmtpServer, **settings: Any) -> Post:
    return Post(
        make_app(
            before=Mail,
            **server.settings(),
            SECUREAUTH_MAIL_TRANSPORT="flask_mail",
            SECUREAUTH_MAIL_DELIVERY="command",
            **settings,
        )
    )
