"""How sessions end: by their users, by the app, by the limit; and who is told why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from flask_secureauth import (
    create_access_token,
    current_user,
    jwt_required,
    revoke_sessions,
    sessions_ended,
    user_logged_out,
)
from flask_secureauth.testing import frozen_clock
from tests.conftest import PASSWORD, bearer, new_sqlalchemy, sign_up
from tests.features.models import model_with_switch, model_with_uuid
from tests.visitor import Visitor, session_rows
from tests.web.views import add_views, app_on

Told = list[tuple[str, int, str]]


@pytest.fixture
def told(app: Flask) -> Iterator[Told]:
    """What the two signals say: reason, number of sessions, key of the user."""
    found: Told = []

    def ended(sender: Flask, user_id: Any, session_ids: Any, reason: str) -> None:
        committed = {row.id for row in session_rows(app) if row.revoke_reason == reason}
        assert set(session_ids) <= committed
        found.append((reason, len(session_ids), str(user_id)))

    def logged_out(sender: Flask, user_id: Any, session_id: str) -> None:
        found.append(("signed out", 1, str(user_id)))

    with sessions_ended.connected_to(ended, app), user_logged_out.connected_to(logged_out, app):
        yield found


def reasons(app: Flask) -> Counter[str | None]:
    return Counter(row.revoke_reason for row in session_rows(app))


@pytest.fixture
def three(app: Flask) -> tuple[Visitor, Visitor, Visitor]:
    """Kim at two places, and Lee."""
    add_views(app)
    kim = Visitor(app).sign_up()
    return kim, Visitor(app).sign_in(), Visitor(app).sign_up("lee@example.com")


def alive(*visitors: Visitor) -> list[bool]:
    """Whether both tokens of each still work. A session that is refreshed stays what it was."""
    answers = [(visitor.get("/guarded").status_code, visitor.refresh().status_code) for visitor in visitors]
    assert set(answers) <= {(200, 200), (401, 401)}
    return [answer == (200, 200) for answer in answers]


SCOPES: dict[str, tuple[list[bool], Counter[str | None], Told, str]] = {
    "local": ([False, True, True], Counter({None: 2, "logout": 1}), [("logout", 1, "1")], "Signed out"),
    "others": ([True, False, True], Counter({None: 2, "logout_others": 1}), [("logout_others", 1, "1")], "elsewhere"),
    "global": (
        [False, False, True],
        Counter({None: 1, "logout": 1, "logout_global": 1}),
        [("logout", 1, "1"), ("logout_global", 1, "1")],
        "Signed out",
    ),
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.every_database
def test_logout_ends_what_its_scope_says(
    app: Flask, three: tuple[Visitor, Visitor, Visitor], told: Told, scope: str
) -> None:
    """ASVS 7.4.1, 7.4.3 and 7.5.2."""
    stays, found, events, message = SCOPES[scope]

    response = three[0].post("/auth/logout", {"scope": scope})

    assert response.status_code == 200
    assert response.json["message"].endswith(message)
    assert reasons(app) == found
    assert [fact for fact in told if fact[0] != "signed out"] == events
    assert [fact for fact in told if fact[0] == "signed out"] == [("signed out", 1, "1")] * (scope != "others")
    assert alive(*three) == stays


def test_logout_without_a_scope_is_local(three: tuple[Visitor, Visitor, Visitor]) -> None:
    three[0].post("/auth/logout")

    assert alive(*three) == [False, True, True]


@pytest.mark.parametrize("scope", ["", "all", "LOCAL", "local ", None, 1, True, ["local"], {}])
def test_unknown_scope_is_refused_and_ends_nothing(
    app: Flask, three: tuple[Visitor, Visitor, Visitor], told: Told, scope: Any
) -> None:
    response = three[0].post("/auth/logout", {"scope": scope})

    assert (response.status_code, list(response.json["fields"])) == (400, ["scope"])
    assert reasons(app) == {None: 3}
    assert told == []


def test_logout_of_others_tells_nobody_when_there_are_none(
    app: Flask, three: tuple[Visitor, Visitor, Visitor], told: Told
) -> None:
    assert three[2].post("/auth/logout", {"scope": "others"}).status_code == 200
    assert told == []


def test_sessions_that_ended_by_themselves_are_not_ended_again(app: Flask, told: Told) -> None:
    """The reason in a row is the first one; what ran out of time is nothing to sign out of."""
    with frozen_clock(app) as clock:
        Visitor(app).sign_up()
        clock.advance(86_400)
        visitor = Visitor(app).sign_in()
        visitor.post("/auth/logout", {"scope": "global"})

    assert reasons(app) == {None: 1, "logout": 1}
    assert [reason for reason, _, _ in told] == ["logout", "signed out"]


@pytest.mark.every_database
def test_app_ends_every_session_of_a_user(app: Flask, three: tuple[Visitor, Visitor, Visitor], told: Told) -> None:
    with app.app_context():
        ended = revoke_sessions(1)

    assert ended == 2
    assert told == [("admin", 2, "1")]
    assert reasons(app) == {None: 1, "admin": 2}
    assert alive(*three) == [False, False, True]


def test_app_gives_a_reason_of_its_own(app: Flask, three: tuple[Visitor, Visitor, Visitor], told: Told) -> None:
    with app.app_context():
        revoke_sessions("2", reason="fraud")
        assert revoke_sessions("2", reason="fraud") == 0

    assert told == [("fraud", 1, "2")]
    assert reasons(app)["fraud"] == 1


@pytest.mark.every_database
def test_disabling_a_user_and_ending_the_sessions_is_one_transaction(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_switch(db)
    app = app_on(make_app, db, User)
    visitor = Visitor(app).sign_up()
    with app.app_context():
        user = db.session.get(User, 1)
        user.is_active = False
        assert revoke_sessions(user) == 1

    with app.app_context():
        assert db.session.scalars(select(User.is_active)).all() == [False]
    assert visitor.get("/guarded").json["code"] == "session_revoked"


def test_current_user_is_a_user(make_app: Callable[..., Flask]) -> None:
    def add(app: Flask) -> None:
        @app.post("/out")
        @jwt_required
        def out() -> dict[str, int]:
            return {"ended": revoke_sessions(current_user)}

    app = make_app(before=add)
    visitor = Visitor(app).sign_up().sign_in()

    assert visitor.post("/out").json == {"ended": 2}
    assert visitor.post("/out").status_code == 401


def test_sessions_of_a_user_with_another_kind_of_key_are_ended(make_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    app = app_on(make_app, db, model_with_uuid(db))
    Visitor(app).sign_up()
    (row,) = session_rows(app)
    assert isinstance(row.user_id, UUID)
    with app.app_context():
        assert revoke_sessions(row.user_id) == 1


@pytest.mark.parametrize("nobody", [None, "", "kim@example.com", "1.0", " 1", True, 2**70, [1]])
@pytest.mark.every_database
def test_what_is_no_key_stands_for_nobody_and_never_for_everybody(
    app: Flask, three: tuple[Visitor, Visitor, Visitor], nobody: Any
) -> None:
    """A user who was not found, handed on without a look: nobody else may be signed out by it."""
    with app.app_context(), pytest.raises(ValueError, match="no user has the key"):
        revoke_sessions(nobody)

    assert reasons(app) == {None: 3}


def test_user_that_was_never_stored_is_nobody(app: Flask, three: tuple[Visitor, Visitor, Visitor]) -> None:
    user_model = app.extensions["secureauth"].user_model
    with app.app_context(), pytest.raises(ValueError, match="no user has the key"):
        revoke_sessions(user_model(email="lou@example.com"))

    assert reasons(app) == {None: 3}


def test_key_of_nobody_ends_nothing(app: Flask, three: tuple[Visitor, Visitor, Visitor]) -> None:
    with app.app_context():
        assert revoke_sessions(7) == 0

    assert reasons(app) == {None: 3}


@pytest.mark.every_database
def test_oldest_session_makes_room(make_app: Callable[..., Flask]) -> None:
    """ASVS 7.1.2: as many as the setting says, and the one that has been there longest goes, used or not."""
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=2)
    add_views(app)
    found: list[tuple[str, Any]] = []

    def ended(sender: Flask, session_ids: Any, reason: str, **facts: Any) -> None:
        found.append((reason, tuple(session_ids)))

    with frozen_clock(app) as clock, sessions_ended.connected_to(ended, app):
        first = Visitor(app).sign_up()
        clock.advance(1)
        second = Visitor(app).sign_in()
        other = Visitor(app).sign_up("lee@example.com")
        clock.advance(1)
        first.refresh()
        third = Visitor(app).sign_in()

    oldest = session_rows(app)[0]
    assert found == [("limit", (oldest.id,))]
    assert oldest.revoke_reason == "limit"
    assert alive(first, second, third, other) == [False, True, True, True]


def test_ended_sessions_take_no_room(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=2)
    add_views(app)
    kept = Visitor(app).sign_up()
    for _ in range(3):
        Visitor(app).sign_in().post("/auth/logout")

    Visitor(app).sign_in()

    assert alive(kept) == [True]


@pytest.mark.every_database
def test_new_session_is_never_the_one_that_goes(make_app: Callable[..., Flask]) -> None:
    """J23: the clock was set back, so all others seem newer; who signs in is let in all the same."""
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=3)
    add_views(app)
    with frozen_clock(app) as clock:
        former = [Visitor(app).sign_up(), Visitor(app).sign_in(), Visitor(app).sign_in()]
        clock.advance(-3600)
        for _ in range(5):
            assert alive(Visitor(app).sign_in()) == [True]
        clock.advance(3600)

        assert Counter(alive(*former))[True] <= 3
    assert reasons(app)[None] == 3


def test_single_session_for_each_user(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=1)
    add_views(app)
    with frozen_clock(app):
        first = Visitor(app).sign_up()
        second = Visitor(app).sign_in()

    assert alive(first, second) == [False, True]


def test_sessions_of_the_app_count_too(make_app: Callable[..., Flask]) -> None:
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=1)
    add_views(app)
    visitor = Visitor(app).sign_up()
    with app.app_context():
        token = create_access_token(1)

    assert app.test_client().get("/guarded", headers=bearer(token)).status_code == 200
    assert alive(visitor) == [False]


@pytest.mark.every_database
def test_sign_ins_at_once_keep_to_the_limit(make_app: Callable[..., Flask]) -> None:
    """M9, ASVS 15.4.2: the lock on the user's row has them counted one after the other."""
    app = make_app(SECUREAUTH_SESSION_MAX_PER_USER=3)
    sign_up(app.test_client())
    start = Barrier(8)

    def sign_in(_: int) -> int:
        start.wait(30)
        body = {"email": "kim@example.com", "password": PASSWORD}
        return app.test_client().post("/auth/login", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sign_in, range(8))) == [200] * 8

    assert reasons(app) == {None: 3, "limit": 5}
