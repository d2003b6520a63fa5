"""The thread that delivers: begun when it is needed, never gone, and nothing depends on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from flask import Flask

from flask_secureauth.core.mail import Message
from flask_secureauth.features.mail.worker import LONGEST_PAUSE, Worker
from flask_secureauth.testing import frozen_clock
from tests.conftest import dispose
from tests.features.post import KIM, LEE, Mailer, Post
from tests.smtp import smtp_server

ROOT = Path(__file__).parents[2]
SOON = 20


class Arrivals:
    """A mailer that tells when a mail arrives."""

    def __init__(self) -> None:
        self.queue: Queue[Message] = Queue()

    def send(self, message: Message) -> None:
        self.queue.put(message)

    def next(self) -> Message:
        return self.queue.get(timeout=SOON)


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def posts() -> Iterator[list[Post]]:
    """Those whose threads are stopped at the end."""
    started: list[Post] = []
    yield started
    for post in started:
        post.service.worker.stop(SOON)
        assert post.service.worker.thread is None or not post.service.worker.thread.is_alive()
        dispose(post.app)


@pytest.fixture
def post(make_app: Callable[..., Flask], arrivals: Arrivals, posts: list[Post]) -> Post:
    posts.append(Post(make_app(SECUREAUTH_MAIL_TRANSPORT=arrivals)))
    return posts[0]


def test_mail_is_sent_without_being_asked_for(post: Post, arrivals: Arrivals) -> None:
    post.queue()
    assert arrivals.next().to == KIM
    post.queue(to=LEE)
    assert arrivals.next().to == LEE


def test_thread_begins_with_the_first_mail(post: Post, arrivals: Arrivals) -> None:
    assert post.service.worker.thread is None
    post.queue()
    arrivals.next()

    assert post.service.worker.thread is not None
    assert post.service.worker.thread.daemon


def test_thread_begins_with_the_first_request_for_mails_of_an_earlier_process(
    post: Post, make_app: Callable[..., Flask], arrivals: Arrivals
) -> None:
    earlier = Post(make_app(SECUREAUTH_MAIL_TRANSPORT=None))
    earlier.queue()
    post.app.test_client().get("/health")

    assert arrivals.next().to == KIM


def test_delivery_by_command_starts_no_thread(make_app: Callable[..., Flask]) -> None:
    post = Post(make_app(SECUREAUTH_MAIL_TRANSPORT=Mailer(), SECUREAUTH_MAIL_DELIVERY="command"))
    post.queue()
    post.app.test_client().get("/health")

    assert post.service.worker.thread is None


def test_thread_survives_what_goes_wrong(
    post: Post, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: Queue[None] = Queue()
    due = post.service._rows.due

    def fail() -> Any:
        asked.put(None)
        raise RuntimeError("no database")

    monkeypatch.setattr(post.service._rows, "due", fail)
    post.service.worker.wake()
    asked.get(timeout=SOON)
    monkeypatch.setattr(post.service._rows, "due", due)
    post.queue()

    assert arrivals.next().to == KIM
    assert "The delivery of mails failed" in caplog.text


def test_thread_that_is_gone_is_begun_again(post: Post, arrivals: Arrivals) -> None:
    """As after a fork, which leaves all threads but one behind."""
    post.queue()
    arrivals.next()
    post.service.worker.stop(SOON)
    post.service.worker.reset()
    post.queue(to=LEE)

    assert arrivals.next().to == LEE


def test_stopped_thread_leaves_the_rest_in_the_outbox(make_app: Callable[..., Flask], posts: list[Post]) -> None:
    class Last:
        def send(self, message: Message) -> None:
            posts[0].service.worker._stopped.set()

    posts.append(Post(make_app(SECUREAUTH_MAIL_TRANSPORT=Last())))
    post = posts[0]
    post.service.worker.stop()  # So that both are queued before the first one goes.
    post.queue()
    post.queue(to=LEE)
    post.service.worker.reset()
    post.service.worker.wake()
    assert post.service.worker.thread is not None
    post.service.worker.thread.join(SOON)

    assert sorted(str(row.outcome) for row in post.rows()) == ["None", "sent"]


@pytest.mark.parametrize(
    ("next_due", "pause"), [(None, LONGEST_PAUSE), (-5.0, 0.0), (7.5, 7.5), (3600.0, LONGEST_PAUSE)]
)
def test_pause_lasts_until_the_next_mail_and_not_long(app: Flask, next_due: float | None, pause: float) -> None:
    worker = Worker(app, lambda: iter(()), lambda: next_due)

    assert worker._round() == pause


def test_pause_is_that_of_the_outbox(post: Post) -> None:
    with frozen_clock(post.app) as clock, post.app.app_context():
        assert post.service._pause() is None
        post.service.worker.stop()
        post.queue()
        clock.advance(-10)
        assert post.service._pause() == 10


def test_fork_gets_a_thread_of_its_own(post: Post, arrivals: Arrivals, tmp_path: Path) -> None:
    """gunicorn loads the app, forks, and each worker serves: the thread of the parent is in none of them."""
    program = tmp_path / "forking.py"
    program.write_text(FORKING.format(database=tmp_path / "forked.sqlite3", folder=tmp_path))
    finished = run(program)

    assert finished.stdout.split() == ["parent:lee@example.com", "child:kim@example.com"], finished.stderr


FORKING = """
import os
from tests.features.test_mail_worker import Arrivals, Post, SOON
from flask import Flask
from flask_secureauth import SecureAuth
from flask_secureauth.testing import CONFIG

arrivals = Arrivals()
app = Flask("forking", instance_path="{folder}")
app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite:///{database}", SECUREAUTH_MAIL_TRANSPORT=arrivals)
SecureAuth(app)
post = Post(app)
post.queue(to="lee@example.com")
print("parent:" + arrivals.next().to, flush=True)
post.service.worker.stop(SOON)
with app.app_context():
    post.state.sqlalchemy.engine.dispose()
child = os.fork()
if not child:
    post.queue(to="kim@example.com")
    print("child:" + arrivals.next().to, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def run(program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


KILLED = """
import os, signal
from flask import Flask
from flask_secureauth import SecureAuth
from flask_secureauth.testing import CONFIG
from tests.features.post import Post

class Deadly:
    def send(self, message):
        os.kill(os.getpid(), signal.SIGKILL)

app = Flask("killed", instance_path="{folder}")
app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="{database}", SECUREAUTH_MAIL_TRANSPORT=Deadly())
app.config["SECUREAUTH_MAIL_DELIVERY"] = "command"
SecureAuth(app)
post = Post(app)
post.queue(to="kim@example.com")
post.deliver()
"""


def test_mail_of_a_killed_process_arrives(make_app: Callable[..., Flask], database_url: str, tmp_path: Path) -> None:
    """SIGKILL between the claim and the mark."""
    mailer = Mailer()
    post = Post(make_app(SECUREAUTH_MAIL_TRANSPORT=mailer, SECUREAUTH_MAIL_DELIVERY="command"))
    program = tmp_path / "killed.py"
    program.write_text(KILLED.format(folder=tmp_path, database=database_url))
    finished = run(program)
    assert finished.returncode == -signal.SIGKILL, finished.stderr

    with frozen_clock(post.app) as clock:
        assert post.deliver() == []
        clock.advance(timedelta(minutes=3))
        assert post.deliver() == ["sent"]
    assert [message.to for message in mailer.sent] == [KIM]


ENDING = """
from flask import Flask
from flask_mail import Mail
from flask_secureauth import SecureAuth
from flask_secureauth.testing import CONFIG
from tests.features.post import Post

app = Flask("ending", instance_path="{folder}")
app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="{database}", SECUREAUTH_MAIL_TRANSPORT="flask_mail")
app.config.update({settings})
Mail(app)
SecureAuth(app)
post = Post(app)
for number in range(3):
    post.queue(to=f"kim{{number}}@example.com")
"""


def test_process_that_ends_loses_no_mail_and_sends_none_twice(
    make_app: Callable[..., Flask], database_url: str, tmp_path: Path
) -> None:
    """The thread finishes the mail that it is sending; the others wait for another process."""
    mailer = Mailer()
    post = Post(make_app(SECUREAUTH_MAIL_TRANSPORT=mailer, SECUREAUTH_MAIL_DELIVERY="command"))
    program = tmp_path / "ending.py"
    with smtp_server() as server:
        program.write_text(ENDING.format(folder=tmp_path, database=database_url, settings=server.settings()))
        finished = run(program)
        sent_by_it = [mail.recipients[0] for mail in server.received]
    assert (finished.returncode, finished.stderr) == (0, "")

    post.deliver()
    everybody = [f"kim{number}@example.com" for number in range(3)]
    assert sorted([*sent_by_it, *(message.to for message in mailer.sent)]) == everybody
