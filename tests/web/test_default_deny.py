"""``SECUREAUTH_DEFAULT_DENY``: what nobody thought of is closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.views import MethodView, View

from flask_secureauth import current_user, get_jwt_identity, jwt_required, public, verify_jwt_in_request
from tests.db.conftest import counted
from tests.visitor import COOKIES, Visitor
from tests.web.conftest import MakeDenied
from tests.web.views import answers, page


def _plain(app: Flask) -> None:
    @app.route("/view", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def view() -> dict[str, Any]:
        return {"id": get_jwt_identity(), "email": current_user.email}


def _asynchronous(app: Flask) -> None:
    @app.get("/view")
    async def view() -> dict[str, Any]:
        return {"id": get_jwt_identity()}


def _function_without_name(app: Flask) -> None:
    app.add_url_rule("/view", view_func=page())


class Listing(View):
    def dispatch_request(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}


class Methods(MethodView):
    def get(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    @jwt_required
    async def post(self) -> dict[str, Any]:
        return {"id": get_jwt_identity()}

    @public
    def put(self) -> dict[str, Any]:
        return {}

    @jwt_required(optional=True)
    def patch(self) -> dict[str, Any]:
        return {}


def _class(app: Flask) -> None:
    app.add_url_rule("/view", view_func=Listing.as_view("listing"))


def _method_view(app: Flask) -> None:
    app.add_url_rule("/view", view_func=Methods.as_view("methods"))


def _blueprint(app: Flask) -> None:
    area = Blueprint("area", __name__)
    area.get("/view")(page())
    app.register_blueprint(area)


def _nested_blueprint(app: Flask) -> None:
    inner = Blueprint("inner", __name__)
    inner.get("/view")(page())
    outer = Blueprint("outer", __name__)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)


def _host(app: Flask) -> None:
    app.get("/<path:anything>")(lambda anything: {})


VIEWS = {
    "plain": _plain,
    "async": _asynchronous,
    "lambda": _function_without_name,
    "class": _class,
    "method view": _method_view,
    "blueprint": _blueprint,
    "nested blueprint": _nested_blueprint,
    "catch-all": _host,
}


@pytest.mark.parametrize("kind", VIEWS)
def test_view_that_says_nothing_is_closed(denied: MakeDenied, kind: str) -> None:
    """ASVS 8.2.1, CWE-862."""
    assert answers(denied(VIEWS[kind]), "/view") == (401, 200)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_is_closed(denied: MakeDenied, method: str) -> None:
    app = denied(_plain)

    response = app.test_client().open("/view", method=method)
    assert (response.status_code, Visitor(app).sign_up().open(method, "/view").status_code) == (401, 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_mark_on_a_single_method_opens_nothing(denied: MakeDenied, method: str) -> None:
    """The class is the view; what one of its methods says is asked afterwards."""
    assert answers(denied(_method_view), "/view", method) == (401, 200)


def test_view_that_is_registered_later_is_closed(denied: MakeDenied) -> None:
    app = denied()
    _plain(app)

    assert answers(app, "/view") == (401, 200)


def test_view_that_is_replaced_later_is_closed(denied: MakeDenied) -> None:
    """The mark is on the function and not on its name."""

    def add(app: Flask) -> None:
        app.get("/view", endpoint="view")(public(page()))

    app = denied(add)
    app.view_functions["view"] = page()

    assert answers(app, "/view") == (401, 200)


def test_files_are_closed_until_they_are_opened(denied: MakeDenied, tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("a {}")

    def add(app: Flask) -> None:
        app.static_folder = str(tmp_path)

    app = denied(add)
    assert answers(app, "/static/style.css") == (401, 200)
    app.view_functions["static"] = public(app.view_functions["static"])

    assert app.test_client().get("/static/style.css", buffered=True).status_code == 200


def test_unknown_path_stays_404_and_known_path_stays_405(denied: MakeDenied) -> None:
    """A path that does not exist is no secret worth a 401; it would send clients to their login."""
    client = denied(_blueprint).test_client()

    assert client.get("/nothing").status_code == 404
    assert client.get("/auth/nothing").status_code == 404
    assert client.post("/view").status_code == 405


def test_redirect_to_the_path_with_a_slash_stays(denied: MakeDenied) -> None:
    app = denied(lambda app: app.add_url_rule("/view/", "view", page()))

    assert app.test_client().get("/view").status_code == 308
    assert answers(app, "/view/") == (401, 200)


def test_automatic_answer_to_options_stays_open(denied: MakeDenied) -> None:
    """A browser asks before it sends a token, and without one: a 401 here would break every preflight."""
    app = denied(_plain)
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}

    response = app.test_client().options("/view", headers=preflight)

    assert response.status_code == 200
    assert "POST" in response.headers["Allow"]
    assert app.test_client().options("/users/me").status_code == 200


def test_view_that_answers_options_itself_is_closed(denied: MakeDenied) -> None:
    app = denied(lambda app: app.add_url_rule("/view", "view", page(), methods=["GET", "OPTIONS"]))

    assert app.test_client().options("/view").status_code == 401


@pytest.mark.parametrize("when", ["before", "after"])
def test_functions_of_the_app_run_after_the_question(denied: MakeDenied, when: str) -> None:
    """They may ask who it is, and nothing of the app runs for a stranger."""
    seen: list[str | None] = []

    def look() -> None:
        if request.path == "/view":
            seen.append(get_jwt_identity())

    def add(app: Flask) -> None:
        _plain(app)
        if when == "before":
            app.before_request(look)

    app = denied(add)
    if when == "after":
        app.before_request(look)

    assert answers(app, "/view") == (401, 200)
    assert seen == ["1"]


@pytest.mark.parametrize("kind", ["plain", "guarded", "by the app", "class"])
@pytest.mark.every_database
def test_nothing_is_asked_twice(denied: MakeDenied, kind: str) -> None:
    """One statement for each request, whoever asks how often."""

    def add(app: Flask) -> None:
        def view() -> dict[str, Any]:
            return {"email": current_user.email}

        if kind == "class":
            app.add_url_rule("/view", view_func=_Guarded.as_view("guarded"))
            return
        app.add_url_rule("/view", "view", jwt_required(view) if kind == "guarded" else view)
        if kind == "by the app":
            app.before_request(lambda: verify_jwt_in_request(optional=True))

    app = denied(add)
    visitor = Visitor(app).sign_up()

    with counted(app) as statements:
        assert visitor.get("/view").status_code == 200
    assert len(statements) == 1, statements


class _Guarded(MethodView):
    decorators = [jwt_required]

    @jwt_required
    def get(self) -> dict[str, Any]:
        return {"email": current_user.email}


def test_our_own_routes_are_what_they_were(denied: MakeDenied) -> None:
    app = denied()
    visitor = Visitor(app).sign_up()

    assert app.test_client().get("/health").status_code == 200
    assert app.test_client().get("/users/me").json["code"] == "token_missing"
    assert visitor.get("/users/me").status_code == 200
    with counted(app) as statements:
        visitor.get("/users/me")
    assert len(statements) == 1
    assert visitor.refresh().status_code == 200
    assert visitor.post("/auth/logout").status_code == 200


def test_deleted_user_is_told_what_the_route_says(denied: MakeDenied) -> None:
    """The guard of the route is asked, and not a poorer one in its place."""
    app = denied()
    visitor = Visitor(app).sign_up()
    state = app.extensions["secureauth"]
    with app.app_context():
        state.sqlalchemy.session.query(state.user_model).delete()
        state.sqlalchemy.session.commit()

    assert visitor.get("/users/me").json["code"] == "profile.user_not_found"


def test_cookies_need_the_proof_against_csrf_here_too(denied: MakeDenied) -> None:
    visitor = Visitor(denied(_plain, **COOKIES)).sign_up()

    assert visitor.get("/view", headers={"X-CSRF-Token": None}).status_code == 200
    assert visitor.post("/view", headers={"X-CSRF-Token": None}).json["code"] == "csrf_failed"
    assert visitor.post("/view").status_code == 200


def test_without_the_setting_nothing_is_closed(make_app: Callable[..., Flask]) -> None:
    app = make_app(before=_blueprint)

    assert app.test_client().get("/view").status_code == 200


def test_routes_tells_who_is_let_in(denied: MakeDenied) -> None:
    def add(app: Flask) -> None:
        _plain(app)
        app.add_url_rule("/open", "open", public(page()))
        app.add_url_rule("/known", "known", jwt_required(optional=True)(page()))
        app.add_url_rule("/fresh", "fresh", jwt_required(fresh=True, locations=("header", "cookie"))(page()))
        app.add_url_rule("/nobody", "nobody")

    lines = denied(add).test_cli_runner().invoke(args=["secureauth", "routes"]).output.splitlines()
    found = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}

    assert found["/view"] == ["DELETE,GET,PATCH,POST,PUT", "token (by default)"]
    assert found["/open"] == ["GET", "public"]
    assert found["/known"] == ["GET", "token, optional"]
    assert found["/fresh"] == ["GET", "token, fresh 300 s, in header or cookie"]
    assert found["/nobody"] == ["GET", "token (by default)"]
    assert found["/auth/login"] == ["POST", "public"]
    assert found["/auth/logout"] == ["POST", "token"]
    assert found["/static/<path:filename>"] == ["GET", "token (by default)"]
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)


def test_routes_of_an_app_without_the_setting_names_what_is_open(make_app: Callable[..., Flask]) -> None:
    output = make_app(before=_plain).test_cli_runner().invoke(args=["secureauth", "routes"]).output

    assert "/view" in output
    assert [line.split(maxsplit=2)[2] for line in output.splitlines() if line.startswith("/view")] == ["not guarded"]
