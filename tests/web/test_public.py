"""``@public`` and the marks of guards, and what decorators make of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask
from flask.views import View

from flask_secureauth import current_user, get_jwt_identity, jwt_required, public
from tests.db.conftest import counted
from tests.visitor import Visitor
from tests.web.conftest import MakeDenied
from tests.web.views import answers, page


def test_public_view_is_open_and_knows_nobody(denied: MakeDenied) -> None:
    def add(app: Flask) -> None:
        @app.get("/view")
        @public
        def view() -> dict[str, str]:
            """What it costs."""
            return {}

        assert (view.__name__, view.__doc__) == ("view", "What it costs.")

    app = denied(add)

    assert answers(app, "/view") == (200, 200)
    assert app.test_client().get("/view", headers={"Authorization": "Bearer bad"}).status_code == 200
    with counted(app) as statements:
        Visitor(app).get("/view")
    assert statements == []


def test_public_class_is_opened_by_its_decorators(denied: MakeDenied) -> None:
    class Prices(View):
        decorators = [public]

        def dispatch_request(self) -> dict[str, Any]:
            return {}

    app = denied(lambda app: app.add_url_rule("/view", view_func=Prices.as_view("prices")))

    assert answers(app, "/view") == (200, 200)


def test_async_view_can_be_public(denied: MakeDenied) -> None:
    def add(app: Flask) -> None:
        @app.get("/view")
        @public
        async def view() -> dict[str, str]:
            return {}

    assert answers(denied(add), "/view") == (200, 200)


def test_view_with_a_guard_keeps_its_own_terms(denied: MakeDenied) -> None:
    def add(app: Flask) -> None:
        @app.get("/view")
        @jwt_required(optional=True)
        def view() -> dict[str, Any]:
            return {"id": get_jwt_identity()}

    app = denied(add)

    assert app.test_client().get("/view").json == {"id": None}
    assert Visitor(app).sign_up().get("/view").json == {"id": "1"}
    assert app.test_client().get("/view", headers={"Authorization": "Bearer bad"}).status_code == 401


def _transparent(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        return view(*arguments, **named)

    return wrapped


def _opaque(view: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **named: view(*arguments, **named)


@pytest.mark.parametrize("wrap", [_transparent, _opaque])
@pytest.mark.parametrize(("mark", "handed_on"), [(public, 200), (jwt_required(optional=True), 200)])
def test_decorator_hands_a_mark_on_or_the_view_is_closed(
    denied: MakeDenied, wrap: Callable[..., Any], mark: Callable[..., Any], handed_on: int
) -> None:
    app = denied(lambda app: app.add_url_rule("/view", "view", wrap(mark(page()))))

    assert answers(app, "/view") == ((handed_on if wrap is _transparent else 401), 200)


def test_decorator_that_answers_by_itself_does_not_open_a_view(denied: MakeDenied) -> None:
    """ASVS 14.2.2: a cache above the guard would hand one user's answer to everybody."""
    kept: dict[str, Any] = {}

    def cached(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def wrapped() -> Any:
            if "answer" not in kept:
                kept["answer"] = view()
            return kept["answer"]

        return wrapped

    def add(app: Flask) -> None:
        @app.get("/view")
        @cached
        @jwt_required
        def view() -> dict[str, Any]:
            return {"email": current_user.email}

    app = denied(add)
    assert Visitor(app).sign_up().get("/view").json == {"email": "kim@example.com"}

    assert app.test_client().get("/view").status_code == 401


@pytest.mark.parametrize("order", [lambda view: public(jwt_required(view)), lambda view: jwt_required(public(view))])
def test_view_is_public_or_guarded_and_never_both(order: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="@public or @jwt_required, not both"):
        order(page())
