"""Mail through Flask-Mail, to a real SMTP server: one that works, and those that do not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_mail import Mail, email_dispatched

from flask_secureauth import ConfigurationError
from flask_secureauth.core import extras
from flask_secureauth.features.mail.transports import FlaskMailer
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.conftest import sign_up
from tests.features.post import KIM, LEE, Post
from tests.smtp import SmtpServer, closed_port, silent_server, smtp_server


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with smtp_server() as running:
        yield running


def make_post(make_app: Callable[..., Flask], server: SmtpServer, **settings: Any) -> Post:
    app = make_app(
        before=Mail,
        **server.settings(),
        **{"SECUREAUTH_MAIL_TRANSPORT": "flask_mail", "SECUREAUTH_MAIL_DELIVERY": "command", **settings},
    )
    return Post(app)


@pytest.fixture
def post(make_app: Callable[..., Flask], server: SmtpServer) -> Post:
    return make_post(make_app, server)


@pytest.fixture
def clock(post: Post) -> Iterator[FrozenClock]:
    with frozen_clock(post.app) as frozen:
        yield frozen


def test_mail_arrives(post: Post, server: SmtpServer) -> None:
    sign_up(post.app.test_client(), KIM)
    post.queue("password_reset")

    assert post.deliver() == ["sent"]
    received = server.next()
    message = received.message
    assert (received.sender, received.recipients) == ("app@app.example", [KIM])
    assert (message["From"], message["To"]) == ("app@app.example", KIM)
    assert message["Subject"] == "Choose a new password"
    assert message["Message-ID"] == f"<{post.row().id}@app.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert received.link.startswith("https://app.example/reset-password#token=")
    assert received.link in received.html


def test_umlauts_arrive(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    post = make_post(make_app, server, SECUREAUTH_MAIL_LOCALE="de", SECUREAUTH_MAIL_APP_NAME="Bücherei")
    post.queue()
    post.deliver()

    received = server.next()
    assert received.message["Subject"] == "Ihr Passwort wurde geändert"
    assert "Bücherei" in received.text
    assert "Bücherei" in received.html


def test_sender_may_have_a_name(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    app = make_app(
        before=Mail,
        **{**server.settings(), "MAIL_DEFAULT_SENDER": ("The app", "app@app.example")},
        SECUREAUTH_MAIL_TRANSPORT="flask_mail",
        SECUREAUTH_MAIL_DELIVERY="command",
    )
    post = Post(app)
    post.queue()
    post.deliver()

    received = server.next()
    assert (received.sender, received.message["From"]) == ("app@app.example", "The app <app@app.example>")


def test_recipient_whom_the_server_does_not_know_is_refused_for_good(
    post: Post, server: SmtpServer, clock: FrozenClock
) -> None:
    server.recipient_reply = "550 no such user"
    post.queue()

    assert post.deliver() == ["refused"]
    clock.advance(timedelta(hours=2))
    assert post.deliver() == []


def test_recipient_who_is_busy_is_tried_again(post: Post, server: SmtpServer, clock: FrozenClock) -> None:
    server.recipient_reply = "451 try later"
    post.queue()

    assert post.deliver() == ["postponed"]
    assert post.row().reason == "SMTPResponseException: (451, 'try later')"
    server.recipient_reply = None
    clock.advance(30)
    assert post.deliver() == ["sent"]


def test_content_that_the_server_refuses_is_refused_for_good(post: Post, server: SmtpServer) -> None:
    server.content_reply = "554 looks like spam"
    post.queue()

    assert post.deliver() == ["refused"]


def test_content_that_the_server_puts_off_is_tried_again(post: Post, server: SmtpServer, clock: FrozenClock) -> None:
    server.content_reply = "452 disk full"
    post.queue()

    assert post.deliver() == ["postponed"]
    server.content_reply = None
    clock.advance(30)
    assert post.deliver() == ["sent"]


def test_server_that_is_down_gets_the_mail_when_it_is_back(post: Post, server: SmtpServer, clock: FrozenClock) -> None:
    mail = post.app.extensions["mail"]
    with closed_port() as port:
        mail.port = port
        post.queue()
        assert post.deliver() == ["postponed"]

    mail.port = server.port
    clock.advance(30)
    assert post.deliver() == ["sent"]
    assert server.next().recipients == [KIM]


def test_server_that_never_answers_is_left_after_the_timeout(post: Post) -> None:
    with silent_server() as port:
        post.app.extensions["mail"].port = port
        post.service.mailer._timeout = 0.05  # type: ignore[union-attr]
        post.queue()

        assert post.deliver() == ["postponed"]
    assert "timed out" in post.row().reason


def test_no_connection_to_the_database_is_held_while_the_server_is_slow(post: Post, server: SmtpServer) -> None:
    held: list[int] = []
    send = post.service.mailer.send  # type: ignore[union-attr]

    def look(message: Any) -> None:
        held.append(post.state.sqlalchemy.engine.pool.checkedout())  # type: ignore[attr-defined]
        send(message)

    post.service.mailer.send = look  # type: ignore[union-attr, method-assign]
    sign_up(post.app.test_client(), KIM)
    post.queue("password_reset")
    post.deliver()

    assert held == [0]


def test_mail_whose_fate_is_unknown_is_sent_again_under_the_same_name(
    post: Post, server: SmtpServer, clock: FrozenClock
) -> None:
    """The server takes the mail and is gone before it says so."""
    server.hangs_up = True
    post.queue()
    assert post.deliver() == ["postponed"]
    server.hangs_up = False
    clock.advance(30)
    assert post.deliver() == ["sent"]

    first, second = server.next().message, server.next().message
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_body(("plain",)).get_content() == second.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_goodbye_that_goes_wrong_does_not_send_twice(
    post: Post, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr("smtplib.SMTP.quit", fail)
    post.queue()

    assert post.deliver() == ["sent"]


def test_certificate_of_the_server_is_checked(post: Post, server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """ASVS 12.3.2: Flask-Mail alone would take any certificate."""
    contexts: list[Any] = []

    def starttls(self: Any, *, context: Any) -> None:
        contexts.append(context)

    monkeypatch.setattr("smtplib.SMTP.starttls", starttls)
    post.app.extensions["mail"].use_tls = True
    post.queue()
    post.deliver()

    assert [(context.check_hostname, context.verify_mode.name) for context in contexts] == [(True, "CERT_REQUIRED")]


def test_server_without_tls_gets_nothing_where_tls_is_asked_for(post: Post, server: SmtpServer) -> None:
    post.app.extensions["mail"].use_tls = True
    post.queue()

    assert post.deliver() == ["postponed"]
    assert server.received == []


def test_suppressed_mails_are_recorded_by_flask_mail(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    post = make_post(make_app, server)
    mail = post.app.extensions["mail"]
    mail.suppress = True
    with mail.record_messages() as recorded:
        post.queue()
        post.deliver()

    assert [message.recipients for message in recorded] == [[KIM]]
    assert server.received == []


def test_receiver_of_flask_mails_signal_that_fails_does_not_send_twice(post: Post, server: SmtpServer) -> None:
    def fail(app: Flask, message: Any) -> None:
        raise RuntimeError

    post.queue()
    with email_dispatched.connected_to(fail, sender=post.app):
        assert post.deliver() == ["sent"]


@pytest.mark.every_database
def test_two_deliverers_send_each_mail_once(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    first, second = make_post(make_app, server), make_post(make_app, server)
    for number in range(30):
        first.queue(to=f"kim{number}@example.com")
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def deliver(post: Post) -> None:
        start.wait()
        outcomes.extend(post.deliver())

    threads = [threading.Thread(target=deliver, args=(post,)) for post in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert outcomes == ["sent"] * 30
    assert sorted(mail.recipients[0] for mail in server.received) == sorted(f"kim{n}@example.com" for n in range(30))


@pytest.mark.every_database
def test_every_step_works_on_every_database(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    post = make_post(make_app, server)
    with frozen_clock(post.app) as clock:
        sign_up(post.app.test_client(), KIM)
        server.recipient_reply = "451 try later"
        post.queue("password_reset", params={"device": "Füchschen 🦊"})
        post.queue("password_reset", to=LEE)
        assert sorted(post.deliver()) == ["nothing", "postponed"]
        server.recipient_reply = None
        clock.advance(30)
        assert post.deliver() == ["sent"]
        clock.advance(timedelta(days=8))
        result = post.app.test_cli_runner().invoke(args=["secureauth", "purge"])

    assert "secureauth_mail: 2 deleted." in result.output


def problem_of(make_app: Callable[..., Flask], **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        make_app(SECUREAUTH_MAIL_TRANSPORT="flask_mail", **settings)
    (problem,) = raised.value.problems
    return problem


def test_flask_mail_has_to_be_there_first(make_app: Callable[..., Flask]) -> None:
    assert problem_of(make_app).endswith("call Mail(app) before SecureAuth.")


def test_sender_has_to_be_known(make_app: Callable[..., Flask]) -> None:
    assert problem_of(make_app, before=Mail).startswith("MAIL_DEFAULT_SENDER is missing")


def test_missing_extra_is_named(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", fail)

    assert "pip install 'flask-secureauth[mail]'" in problem_of(make_app)


def test_answer_is_the_same_while_the_server_is_down(make_app: Callable[..., Flask], server: SmtpServer) -> None:
    """F2, CVE-2024-45231: what the mail server does reaches no request."""
    post = make_post(make_app, server)

    @post.app.post("/forgot")
    def forgot() -> dict[str, str]:
        with post.state.database.transaction():
            post.service.queue("password_reset", to=KIM)
        return {"message": "Check your mail"}

    client: FlaskClient = post.app.test_client()
    up = client.post("/forgot")
    with closed_port() as port:
        post.app.extensions["mail"].port = port
        down = client.post("/forgot")
        post.deliver()

    assert (up.status, up.data) == (down.status, down.data)


def test_mailer_leaves_the_timeout_of_all_sockets_alone(post: Post) -> None:
    import socket

    assert isinstance(post.service.mailer, FlaskMailer)
    assert socket.getdefaulttimeout() is None
