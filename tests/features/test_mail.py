"""Mail: queued with what happens, delivered off the request, tried again, and closed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from flask_secureauth import ConfigurationError, mail_failed, mail_queued
from flask_secureauth.core.mail import MailRefused
from flask_secureauth.errors import AuthError, DatabaseUnavailable
from flask_secureauth.events import Client, UserDeleted
from flask_secureauth.features.mail.service import BY_ADDRESS, BY_CLIENT, Content, Letter, MailService
from flask_secureauth.features.mail.settings import MailSettings
from flask_secureauth.features.one_time_tokens import OneTimeTokenMixin
from flask_secureauth.testing import FrozenClock, frozen_clock, mails
from tests.conftest import sign_up
from tests.features.post import KIM, LEE, Mailer, Post


@pytest.fixture
def mailer() -> Mailer:
    return Mailer()


@pytest.fixture
def app(make_app: Callable[..., Flask], mailer: Mailer) -> Flask:
    return make_app(SECUREAUTH_MAIL_TRANSPORT=mailer, SECUREAUTH_MAIL_DELIVERY="command")


@pytest.fixture
def clock(app: Flask) -> Iterator[FrozenClock]:
    with frozen_clock(app) as frozen:
        yield frozen


@pytest.fixture
def post(app: Flask, clock: FrozenClock) -> Post:
    return Post(app)


def test_mail_is_sent_once(post: Post, mailer: Mailer) -> None:
    post.queue()

    assert post.deliver() == ["sent"]
    assert post.deliver() == []
    (message,) = mailer.sent
    assert (message.to, message.subject) == (KIM, "Your password was changed")


def test_closed_row_says_when_and_how_it_ended(post: Post, clock: FrozenClock) -> None:
    post.queue(user_id=1)
    post.deliver()

    row = post.row()
    now = clock.moment.replace(tzinfo=None)
    assert (row.outcome, row.closed_at, row.next_attempt_at, row.attempts) == ("sent", now, None, 1)
    assert (row.user_id, row.reason) == ("1", None)


def test_mail_of_a_transaction_that_is_undone_is_none(post: Post) -> None:
    def fail() -> None:
        post.service.queue("password_changed", to=KIM)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        post.run(fail)

    assert post.rows() == []


def test_mail_of_a_refusal_is_kept(post: Post) -> None:
    class Refusal(AuthError):
        error_code = sentence = "no"

    def refuse() -> None:
        post.service.queue("password_changed", to=KIM)
        raise Refusal

    with pytest.raises(Refusal):
        post.run(refuse)

    assert post.deliver() == ["sent"]


def test_queueing_is_one_insert(post: Post) -> None:
    statements: list[str] = []
    with post.app.app_context():
        engine = post.state.sqlalchemy.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    post.queue("password_reset", to="nobody@example.com", client=Client(ip="203.0.113.7"))

    assert [statement.split(" (")[0] for statement in statements] == ["INSERT INTO secureauth_mail"]


def test_signal_comes_after_the_commit(post: Post) -> None:
    heard: list[Any] = []

    def hear(sender: Any, template: str) -> None:
        heard.append((sender, template, len(post.rows())))

    with mail_queued.connected_to(hear, sender=post.app):
        post.queue()

    assert heard == [(post.app, "password_changed", 1)]


def test_template_that_nobody_registered_is_refused_at_once(post: Post) -> None:
    with pytest.raises(LookupError, match="birthday"):
        post.queue("birthday")


def test_parameters_that_are_no_mail_but_a_file_are_refused(post: Post) -> None:
    with pytest.raises(ValueError, match="too long"):
        post.queue(params={"device": "x" * 9000})


@pytest.mark.parametrize(
    "to", ["", "kim", "kim@", "@example.com", "a@b\r\nBcc: c@d", "a b@c.d", "a@b,c@d", "k" * 300 + "@x.y"]
)
def test_address_that_is_none_gets_no_row(post: Post, to: str) -> None:
    post.queue(to=to)

    assert post.rows() == []


def test_address_from_before_todays_rules_gets_mail(post: Post, mailer: Mailer) -> None:
    post.queue(to="Bob@localhost")
    post.deliver()

    assert mailer.sent[0].to == "Bob@localhost"


def test_international_domain_is_written_in_ascii(post: Post, mailer: Mailer) -> None:
    post.queue(to="kim@bücher.example")
    post.deliver()

    assert mailer.sent[0].to == "kim@xn--bcher-kva.example"


def test_stored_address_that_no_mail_can_reach_is_refused(post: Post, mailer: Mailer) -> None:
    post.service.register(
        "password_changed", lambda letter: Content(to="m\N{LATIN SMALL LETTER DOTLESS I}ke@example.com")
    )
    post.queue()

    assert post.deliver() == ["refused"]
    assert mailer.tried == []


def test_oldest_mail_goes_first(post: Post, mailer: Mailer, clock: FrozenClock) -> None:
    for number in range(25):
        post.queue(to=f"kim{number}@example.com")
        clock.advance(1)
    post.deliver()

    assert [message.to for message in mailer.sent] == [f"kim{number}@example.com" for number in range(25)]


def test_composing_looks_up_the_account_at_delivery(post: Post, client: FlaskClient, mailer: Mailer) -> None:
    post.queue("password_reset")
    sign_up(client, KIM)

    assert post.deliver() == ["sent"]
    token = mailer.sent[0].token
    assert token is not None
    assert mailer.sent[0].link == f"https://app.example/reset-password#token={token}"
    assert mailer.sent[0].link in mailer.sent[0].text
    assert mailer.sent[0].link in mailer.sent[0].html


def test_mail_to_nobody_is_closed_without_a_word(post: Post, mailer: Mailer) -> None:
    post.queue("password_reset", to="nobody@example.com")

    assert post.deliver() == ["nothing"]
    assert mailer.tried == []
    assert post.row().outcome == "nothing"


def test_composing_gets_what_was_queued(post: Post) -> None:
    letters: list[Letter] = []
    post.service.register("password_changed", lambda letter: letters.append(letter))
    post.queue(user_id=7, params={"device": "Firefox", "count": 2})
    post.deliver()

    assert letters == [Letter(to=KIM, user_id=7, params={"device": "Firefox", "count": 2})]


def test_stored_row_holds_no_secret(post: Post, client: FlaskClient, mailer: Mailer) -> None:
    sign_up(client, KIM)
    post.queue("password_reset")
    post.deliver()

    token = mailer.sent[0].token
    assert token
    assert token not in json.dumps([str(value) for value in post.row()])


def test_temporary_failure_is_tried_again_with_the_same_mail(
    post: Post, client: FlaskClient, mailer: Mailer, clock: FrozenClock
) -> None:
    sign_up(client, KIM)
    mailer.troubles = [OSError("connection refused")]
    post.queue("password_reset")

    assert post.deliver() == ["postponed"]
    assert post.deliver() == []
    clock.advance(30)
    assert post.deliver() == ["sent"]
    first, second = mailer.tried
    assert first == second
    assert first.message_id == f"<{post.row().id}@app.example>"


def test_pauses_double_up_to_an_hour_until_a_day_is_over(post: Post, mailer: Mailer, clock: FrozenClock) -> None:
    mailer.troubles = [OSError("down")] * 100
    post.queue()
    begun, pauses = clock.moment, []
    while post.deliver() == ["postponed"]:
        pause = (post.row().next_attempt_at - clock.moment.replace(tzinfo=None)).total_seconds()
        pauses.append(pause)
        clock.advance(pause)

    assert pauses[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert set(pauses[8:]) == {3600}
    assert post.row().outcome == "given_up"
    assert timedelta(hours=24) <= clock.moment - begun < timedelta(hours=25)


def test_given_up_mail_is_announced(post: Post, mailer: Mailer, clock: FrozenClock) -> None:
    heard: list[dict[str, Any]] = []
    mailer.troubles = [OSError("down")]
    post.queue()
    clock.advance(timedelta(hours=25))

    with mail_failed.connected_to(lambda sender, **facts: heard.append(facts), sender=post.app):
        assert post.deliver() == ["given_up"]

    assert heard == [{"template": "password_changed", "email": KIM, "reason": "given_up: OSError: down"}]


def test_mail_that_waited_for_days_is_tried_before_it_is_given_up(post: Post, clock: FrozenClock) -> None:
    post.queue()
    clock.advance(timedelta(days=3))

    assert post.deliver() == ["sent"]


def test_refused_mail_is_not_tried_again(post: Post, mailer: Mailer, clock: FrozenClock) -> None:
    mailer.troubles = [MailRefused("550 no such user <kim@example.com>")]
    post.queue()

    assert post.deliver() == ["refused"]
    clock.advance(timedelta(hours=2))
    assert post.deliver() == []
    assert post.row().reason == "MailRefused: 550 no such user <k***@example.com>"


def test_mail_whose_link_is_over_is_not_sent(
    post: Post, client: FlaskClient, mailer: Mailer, clock: FrozenClock
) -> None:
    sign_up(client, KIM)
    mailer.troubles = [OSError("down")]
    post.queue("password_reset")
    post.deliver()
    clock.advance(timedelta(minutes=11))

    assert post.deliver() == ["expired"]
    assert mailer.sent == []


def test_failing_composition_is_tried_again_and_leaves_no_token(
    post: Post, client: FlaskClient, mailer: Mailer, clock: FrozenClock
) -> None:
    sign_up(client, KIM)

    def fail(letter: Letter) -> Content:
        post.compose_reset(letter)
        raise RuntimeError("a mistake of ours")

    post.service.register("password_reset", fail)
    post.queue("password_reset")
    assert post.deliver() == ["postponed"]
    with post.app.app_context():
        assert post.state.database.read(select(post.state.models[OneTimeTokenMixin].id), {}) == []

    post.service.register("password_reset", post.compose_reset)
    clock.advance(30)
    assert post.deliver() == ["sent"]


def test_failing_mail_does_not_hold_up_others(post: Post, mailer: Mailer) -> None:
    mailer.troubles = [RuntimeError("this one only")]
    post.queue(to=KIM)
    post.queue(to=LEE)

    assert sorted(post.deliver()) == ["postponed", "sent"]


def test_mail_of_a_deliverer_that_died_is_taken_over_by_another(post: Post, mailer: Mailer, clock: FrozenClock) -> None:
    class Killed(BaseException):
        pass

    def die(message: Any) -> None:
        mailer.tried.append(message)
        raise Killed

    post.queue()
    mailer.send, send = die, mailer.send  # type: ignore[method-assign]
    with pytest.raises(Killed):
        post.deliver()
    mailer.send = send  # type: ignore[method-assign]

    clock.advance(timedelta(minutes=2))
    assert post.deliver() == []
    clock.advance(timedelta(minutes=1))
    assert post.deliver() == ["sent"]
    first, second = mailer.tried
    assert first.message_id == second.message_id


def test_mail_that_was_sent_is_not_sent_again_by_who_knows_it(
    post: Post, mailer: Mailer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = post.service._rows

    def fail(*arguments: Any, **values: Any) -> bool:
        raise DatabaseUnavailable

    post.queue()
    with monkeypatch.context() as patched:
        patched.setattr(rows, "close", fail)
        with pytest.raises(DatabaseUnavailable):
            post.deliver()
    clock.advance(timedelta(minutes=3))

    assert post.deliver() == ["sent"]
    assert len(mailer.tried) == 1
    assert post.row().outcome == "sent"


def test_deliverer_that_lost_its_claim_writes_nothing(post: Post, mailer: Mailer, clock: FrozenClock) -> None:
    post.queue()
    send = mailer.send

    def slow(message: Any) -> None:
        clock.advance(timedelta(minutes=4))
        mailer.send = send  # type: ignore[method-assign]
        assert post.deliver() == ["sent"]
        raise OSError("too late")

    mailer.send = slow  # type: ignore[method-assign]
    post.deliver()

    row = post.row()
    assert (row.outcome, row.attempts, row.next_attempt_at) == ("sent", 2, None)


def test_deliverer_that_lost_its_claim_while_composing_leaves_no_second_token(
    post: Post, client: FlaskClient, mailer: Mailer, clock: FrozenClock
) -> None:
    sign_up(client, KIM)

    def slow(letter: Letter) -> Content | None:
        clock.advance(timedelta(minutes=3))
        post.service.register("password_reset", post.compose_reset)
        assert post.deliver() == ["sent"]
        return post.compose_reset(letter)

    post.service.register("password_reset", slow)
    post.queue("password_reset")

    assert post.deliver() == []
    with post.app.app_context():
        assert mailer.sent[0].token == post.tokens.reveal(post.row().token_id)


class Counting:
    """Throttles that admit as often as they are told."""

    def __init__(self, admitted: int) -> None:
        self.admitted = admitted
        self.asked: list[tuple[str, str]] = []

    def admit(self, throttle: Any, subject: str) -> bool:
        self.asked.append((throttle.name, subject))
        self.admitted -= 1
        return self.admitted >= 0


def test_mail_that_a_stranger_can_have_sent_is_counted_by_address_and_client(post: Post) -> None:
    post.state.__dict__["throttles"] = counting = Counting(2)
    for spelling in ("Kim@Example.com", "kim@example.com"):
        post.queue("password_reset", to=spelling, client=Client(ip="203.0.113.7"))

    of_client, of_address = (BY_CLIENT.name, "203.0.113.7"), (BY_ADDRESS.name, KIM)
    assert counting.asked == [of_client, of_address, of_client]
    assert [row.address for row in post.rows()] == ["Kim@Example.com"]


def test_unknown_client_shares_no_bucket(post: Post) -> None:
    post.state.__dict__["throttles"] = counting = Counting(9)
    post.queue("password_reset", client=Client())

    assert counting.asked == [(BY_ADDRESS.name, KIM)]


def test_mail_that_is_nobodys_wish_is_not_counted(post: Post) -> None:
    post.state.__dict__["throttles"] = Counting(0)
    post.queue()

    assert len(post.rows()) == 1


def test_limits_are_those_of_the_design() -> None:
    """security.md section 2."""
    assert (BY_ADDRESS.limits, BY_CLIENT.limits) == (("1 per minute", "3 per hour"), ("10 per hour",))
    assert BY_ADDRESS.silent
    assert BY_CLIENT.silent


def test_deleted_user_leaves_no_mail_but_what_waits(post: Post) -> None:
    post.queue(user_id=1)
    post.queue(user_id=2, to=LEE)
    post.deliver()
    post.queue(user_id=1)
    post.run(lambda: post.state.database.announce(UserDeleted(user_id=1, email=KIM)))

    assert {(row.user_id, row.outcome) for row in post.rows()} == {("2", "sent"), ("1", None)}


def test_export_tells_a_user_which_mails_are_held(post: Post, clock: FrozenClock) -> None:
    post.queue(user_id=1, params={"device": "Firefox"})
    post.queue(user_id=2, to=LEE)
    with post.app.app_context():
        held = post.service.export(1)

    assert held == [
        {
            "mail": "password_changed",
            "address": KIM,
            "queued_at": clock.moment.isoformat(),
            "values": {"device": "Firefox"},
        }
    ]


def test_purge_deletes_closed_mails_after_a_week(post: Post, clock: FrozenClock) -> None:
    post.queue()
    post.deliver()
    clock.advance(timedelta(days=6))
    post.queue()
    result = post.app.test_cli_runner().invoke(args=["secureauth", "purge"])
    assert "secureauth_mail: 0 deleted." in result.output
    clock.advance(timedelta(days=1))

    result = post.app.test_cli_runner().invoke(args=["secureauth", "purge"])

    assert "secureauth_mail: 1 deleted." in result.output
    assert [row.outcome for row in post.rows()] == [None]


def test_log_masks_addresses(post: Post, mailer: Mailer, caplog: pytest.LogCaptureFixture) -> None:
    mailer.troubles = [OSError("cannot reach kim@example.com"), MailRefused("550 <kim@example.com>")]
    post.queue()
    post.queue(to=LEE)
    with caplog.at_level(logging.INFO, logger="flask_secureauth"):
        post.deliver()

    assert KIM not in caplog.text
    assert LEE not in caplog.text
    assert "mail_refused" in caplog.text


def test_mails_returns_what_was_sent_since(make_app: Callable[..., Flask]) -> None:
    post = Post(make_app())
    post.queue()

    assert [message.to for message in mails(post.app)] == [KIM]
    assert mails(post.app) == []


def test_mails_of_another_transport_is_an_error_that_helps(app: Flask) -> None:
    with pytest.raises(ValueError, match="memory"):
        mails(app)


def test_without_a_transport_mails_wait(make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(SECUREAUTH_MAIL_TRANSPORT=None)
    post = Post(app)
    post.queue()

    assert caplog.messages == ["SECUREAUTH_MAIL_TRANSPORT is not set: mails wait in the outbox, unsent."]
    assert post.deliver() == []
    assert post.row().attempts == 0


def test_check_notes_that_nobody_sends_mails(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_MAIL_TRANSPORT=None)
    result = app.test_cli_runner().invoke(args=["secureauth", "check"])

    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("Note: SECUREAUTH_MAIL_TRANSPORT is not set")


@pytest.mark.parametrize("transport", ["console", "memory"])
def test_transports_that_send_nothing_are_noted_outside_of_development(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    make_app(
        SECUREAUTH_MAIL_TRANSPORT=transport,
        TESTING=False,
        SECUREAUTH_PASSWORD_HASH_METHOD="scrypt:8192:8:10",
        SECRET_KEY="9dX2mVq7wLr4TzKc8sYbHf3nUj6pEa1G",
    )

    assert f'SECUREAUTH_MAIL_TRANSPORT = "{transport}"' in caplog.text


def problems_of(make_app: Callable[..., Flask], **settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        make_app(**settings)
    return raised.value.problems


def test_transport_wants_the_public_url(make_app: Callable[..., Flask]) -> None:
    (problem,) = problems_of(make_app, SECUREAUTH_PUBLIC_URL=None)

    assert problem.startswith("SECUREAUTH_PUBLIC_URL is missing")


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example",
        "https://kim@app.example",
        "https://app.example?next=1",
        "https://app.example#top",
        "app.example",
        "//app.example",
        "javascript:alert(1)",
        "https://",
        "http://localhost.evil.example",
        7,
    ],
)
def test_public_url_that_cannot_begin_a_link_is_refused(make_app: Callable[..., Flask], url: Any) -> None:
    (problem, *_) = problems_of(make_app, SECUREAUTH_PUBLIC_URL=url)

    assert problem.startswith("SECUREAUTH_PUBLIC_URL must be")


@pytest.mark.parametrize(
    "url", ["https://app.example/members/", "http://localhost:5000", "http://127.0.0.1:5000/", "http://[::1]:5000"]
)
def test_public_url_loses_its_last_slash(make_app: Callable[..., Flask], url: str) -> None:
    state = make_app(SECUREAUTH_PUBLIC_URL=url).extensions["secureauth"]

    assert state.general.public_url == url.rstrip("/")


@pytest.mark.parametrize("transport", ["smtp", 7, object()])
def test_transport_that_cannot_send_is_refused(make_app: Callable[..., Flask], transport: Any) -> None:
    (problem,) = problems_of(make_app, SECUREAUTH_MAIL_TRANSPORT=transport)

    assert problem.startswith("SECUREAUTH_MAIL_TRANSPORT must be None,")


def test_message_does_not_show_its_link_when_it_is_logged(post: Post, client: FlaskClient, mailer: Mailer) -> None:
    sign_up(client, KIM)
    post.queue("password_reset")
    post.deliver()

    assert mailer.sent[0].token not in repr(mailer.sent[0])


def test_settings_have_the_numbers_of_the_docs() -> None:
    settings = MailSettings()

    assert (settings.lifetime, settings.retention) == (timedelta(hours=24), timedelta(days=7))


def test_service_is_found_by_its_class(app: Flask) -> None:
    assert isinstance(app.extensions["secureauth"].service(MailService), MailService)
