"""``flask secureauth mail``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from flask_secureauth.core.mail import MailRefused
from flask_secureauth.errors import DatabaseUnavailable
from flask_secureauth.testing import FrozenClock, frozen_clock
from tests.features.post import KIM, LEE, Mailer, Post
from tests.smtp import smtp_server

MOMENT = datetime(2026, 1, 21, 10, 30, tzinfo=UTC)


@pytest.fixture
def mailer() -> Mailer:
    return Mailer()


@pytest.fixture
def post(make_app: Callable[..., Flask], mailer: Mailer) -> Post:
    return Post(make_app(SECUREAUTH_MAIL_TRANSPORT=mailer, SECUREAUTH_MAIL_DELIVERY="command"))


@pytest.fixture
def clock(post: Post) -> Iterator[FrozenClock]:
    with frozen_clock(post.app, MOMENT) as frozen:
        yield frozen


def invoke(post: Post, *arguments: str) -> Result:
    return post.app.test_cli_runner().invoke(args=["secureauth", "mail", *arguments])


def test_deliver_counts_what_became_of_the_mails(post: Post, clock: FrozenClock, mailer: Mailer) -> None:
    post.queue()
    post.queue("password_reset", to="nobody@example.com")
    result = invoke(post, "deliver")

    assert result.exit_code == 0
    assert sorted(result.output.splitlines()[-1].split(", ")) == ["1 nothing", "1 sent"]
    assert [message.to for message in mailer.sent] == [KIM]


def test_deliver_of_nothing_says_so(post: Post) -> None:
    result = invoke(post, "deliver")

    assert (result.exit_code, result.output) == (0, "No mail is due.\n")


def test_deliver_exits_with_1_when_a_mail_was_given_up(post: Post, clock: FrozenClock, mailer: Mailer) -> None:
    mailer.troubles = [OSError("down")]
    post.queue()
    clock.advance(timedelta(hours=25))
    result = invoke(post, "deliver")

    assert result.exit_code == 1
    assert "1 given_up" in result.output


def test_deliver_exits_with_0_when_a_server_refuses_an_address(post: Post, clock: FrozenClock, mailer: Mailer) -> None:
    mailer.troubles = [MailRefused("550")]
    post.queue()

    assert invoke(post, "deliver").exit_code == 0


def test_deliver_without_a_transport_says_what_is_missing(make_app: Callable[..., Flask]) -> None:
    result = invoke(Post(make_app(SECUREAUTH_MAIL_TRANSPORT=None)), "deliver")

    assert result.exit_code == 1
    assert result.output == "Error: SECUREAUTH_MAIL_TRANSPORT is not set: nobody sends mails.\n"


def test_deliver_without_a_database_needs_no_traceback(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise DatabaseUnavailable

    monkeypatch.setattr(post.service._rows, "count_due", fail)
    result = invoke(post, "deliver")

    assert result.exit_code == 1
    assert result.output.startswith("Error: The service is unavailable")


def test_list_shows_what_was_not_sent(post: Post, clock: FrozenClock, mailer: Mailer) -> None:
    mailer.troubles = [OSError("down")]
    post.queue()
    post.deliver()
    mailer.troubles = [MailRefused("550 no such user")]
    clock.advance(1)
    post.queue(to=LEE)
    post.deliver()
    clock.advance(1)
    post.queue(to="ann@example.com")
    post.deliver()
    clock.advance(1)
    post.queue(to="zoe@example.com")

    assert invoke(post, "list").output.splitlines() == [
        "2026-01-21 10:30  password_changed  k***@example.com  1 attempt, the next at 10:30: OSError: down",
        "2026-01-21 10:30  password_changed  l***@example.com  refused: MailRefused: 550 no such user",
        "2026-01-21 10:30  password_changed  z***@example.com  waits for its first attempt",
        "3 not sent; times are in UTC.",
    ]


def test_retry_makes_waiting_mails_due(post: Post, clock: FrozenClock, mailer: Mailer) -> None:
    mailer.troubles = [OSError("down")]
    post.queue()
    post.deliver()

    assert invoke(post, "retry").output == "1 due now.\n"
    assert post.deliver() == ["sent"]
    assert invoke(post, "retry").output == "0 due now.\n"


def test_retry_leaves_a_mail_that_is_being_sent_to_its_deliverer(
    post: Post, clock: FrozenClock, mailer: Mailer
) -> None:
    outputs: list[str] = []
    mailer.send = lambda message: outputs.append(invoke(post, "retry").output)  # type: ignore[method-assign]
    post.queue()
    post.deliver()

    assert outputs == ["0 due now.\n"]


def test_preview_prints_subject_and_text(post: Post) -> None:
    lines = invoke(post, "preview", "password_reset").output.splitlines()

    assert lines[0] == "Subject: Choose a new password"
    assert "https://app.example/reset-password#token=sample-of-a-token" in lines


def test_preview_prints_html_in_a_language(post: Post) -> None:
    output = invoke(post, "preview", "password_reset", "--locale", "de", "--html").output

    assert output.startswith("<!doctype html>")
    assert '<html lang="de">' in output


def test_preview_of_no_template_names_it(post: Post) -> None:
    result = invoke(post, "preview", "birthday")

    assert (result.exit_code, result.output) == (1, "Error: There is no template secureauth/mail/birthday.txt.\n")


FOLLOWING = """
from flask import Flask
from flask_mail import Mail
from flask_secureauth import SecureAuth
from flask_secureauth.testing import CONFIG
from tests.features.post import Post

app = Flask("following", instance_path="{folder}")
app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="{database}", SECUREAUTH_MAIL_TRANSPORT="flask_mail")
app.config.update({settings}, SECUREAUTH_MAIL_DELIVERY="command")
Mail(app)
SecureAuth(app)
Post(app)
"""


def test_deliver_follows_until_it_is_interrupted(post: Post, database_url: str, tmp_path: Path) -> None:
    with smtp_server() as server:
        program = tmp_path / "following.py"
        program.write_text(FOLLOWING.format(folder=tmp_path, database=database_url, settings=server.settings()))
        arguments = ["-m", "flask", "--app", str(program), "secureauth", "mail", "deliver", "--follow"]
        root = Path(__file__).parents[2]
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            post.queue()
            assert server.next(30).recipients == [KIM]
            post.queue(to=LEE)
            assert server.next(30).recipients == [LEE]
            wait_until_closed(post)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert sum(map(int, re.findall(r"(\d) sent", output))) == 2


def wait_until_closed(post: Post) -> None:
    """The server has the mail a moment before the row says so."""
    deadline = time.monotonic() + 20
    while any(row.closed_at is None for row in post.rows()):
        assert time.monotonic() < deadline
        time.sleep(0.02)  # Another process writes it.
