"""The pages, their security headers, and what is answered where there is no page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from example_app import pages
from example_app.models import db
from flask_secureauth.core.password_policy import common_passwords
from flask_secureauth.features.audit.service import ENTRIES

FOLDER = Path(pages.__file__).parent
PAGES = {
    "/": "Sign in",
    "/index.html": "Sign in",
    "/register.html": "Create an account",
    "/forgot.html": "Forgot your password?",
    "/reset-password.html": "Choose a new password",
    "/verify.html": "Verify your address",
    "/change-email.html": "Confirm your new address",
    "/undo-email-change.html": "Keep your old address",
    "/dashboard.html": "Your account",
    "/account.html": "Settings",
    "/activity.html": "Activity",
}
FILES = ["/static/style.css", *(f"/static/js/{file.name}" for file in sorted((FOLDER / "static/js").glob("*.js")))]
IMPORT = re.compile(r'from "\./([\w-]+)\.js"')
API = [("GET", "/health"), ("GET", "/users/me"), ("POST", "/users"), ("POST", "/auth/login"), ("GET", "/auth/nothing")]


@pytest.fixture
def client(make_example: Callable[..., Flask]) -> FlaskClient:
    """A client of the app; its pages need no database."""
    return make_example().test_client()


def fetch(client: FlaskClient, path: str, method: str = "GET") -> Any:
    """Return an answer whose file is closed."""
    return client.open(path, method=method, buffered=True)


@pytest.mark.parametrize(("path", "title"), PAGES.items())
def test_page_is_html_with_its_title(client: FlaskClient, path: str, title: str) -> None:
    response = fetch(client, path)

    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert f"<title>{title} · flask_secureauth</title>" in response.text


@pytest.mark.parametrize("path", FILES)
def test_file_of_the_pages_is_served(client: FlaskClient, path: str) -> None:
    assert fetch(client, path).status_code == 200


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in [*PAGES, *FILES, "/nothing.html"]), *API])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        ("Referrer-Policy", "no-referrer"),
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    ],
)
def test_every_answer_has_the_header(client: FlaskClient, method: str, path: str, name: str, value: str) -> None:
    """F19, ASVS 3.4: pages, files, refusals and the API alike."""
    assert fetch(client, path, method).headers.getlist(name) == [value]


@pytest.mark.parametrize("path", [*PAGES, "/nothing.html"])
def test_page_runs_only_its_own_scripts_and_is_framed_by_nobody(client: FlaskClient, path: str) -> None:
    """F19: script injection and clickjacking. Source: ASVS 3.4.3, 3.4.6."""
    policy = fetch(client, path).headers["Content-Security-Policy"].split("; ")

    assert set(policy) == {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    }


@pytest.mark.parametrize(("method", "path"), API)
def test_api_answer_allows_no_content_at_all(client: FlaskClient, method: str, path: str) -> None:
    policy = fetch(client, path, method).headers["Content-Security-Policy"]

    assert policy == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("file", sorted((FOLDER / "pages").glob("*.html")), ids=lambda file: file.name)
def test_page_has_no_inline_script_or_style(file: Path) -> None:
    html = file.read_text()

    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", html)


@pytest.mark.parametrize("file", sorted((FOLDER / "pages").glob("*.html")), ids=lambda file: file.name)
def test_page_announces_every_module_that_it_will_need(file: Path) -> None:
    """Without that the browser finds out one import after the other."""
    html = file.read_text()

    announced = re.findall(r'rel="modulepreload" href="/static/js/([\w-]+)\.js"', html)
    assert announced == sorted(modules_of(*re.findall(r'<script[^>]* src="/static/js/([\w-]+)\.js"', html)))


def modules_of(*names: str) -> set[str]:
    """The modules that scripts import, and those that these import."""
    imported = {name for script in names for name in IMPORT.findall((FOLDER / f"static/js/{script}.js").read_text())}
    return imported | modules_of(*imported) if imported else imported


@pytest.mark.parametrize("file", sorted((FOLDER / "static/js").glob("*.js")), ids=lambda file: file.name)
def test_script_puts_text_in_as_text(file: Path) -> None:
    """F19: no sink that reads HTML or code."""
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|setHTMLUnsafe"

    assert not re.findall(sinks, file.read_text())


def test_no_page_or_script_loads_from_elsewhere() -> None:
    sources = [*(FOLDER / "pages").iterdir(), *(FOLDER / "static").rglob("*.*")]
    found = {
        file.name: re.findall(r"(?:src|href|from|url\()=?[\s\"'(]*((?:https?:)?//[^\s\"')]+)", file.read_text())
        for file in sources
        if file.is_file()
    }

    assert not any(found.values()), found


@pytest.mark.parametrize("path", ["/nothing", "/nothing.html", "/static/nothing.js", "/a/b/c", "/index.php"])
def test_unknown_path_shows_the_404_page(client: FlaskClient, path: str) -> None:
    response = fetch(client, path)

    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "Page not found" in response.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/nothing"),
        ("GET", "/users/nothing"),
        ("GET", "/users/me/nothing"),
        ("GET", "/health/nothing"),
        ("POST", "/nothing"),
        ("DELETE", "/nothing.html"),
    ],
)
def test_unknown_path_under_the_api_answers_json(client: FlaskClient, method: str, path: str) -> None:
    response = fetch(client, path, method)

    assert (response.status_code, response.json) == (404, {"error": "Not found", "code": "not_found"})


@pytest.mark.parametrize("path", ["/../config.py", "/..%2fconfig.py", "/static/../config.py", "/static/..%2fconfig.py"])
def test_no_path_leads_out_of_the_folder(client: FlaskClient, path: str) -> None:
    response = fetch(client, path)

    assert response.status_code == 404
    assert "DATABASE_URL" not in response.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/auth/login"), ("PUT", "/users"), ("PUT", "/users/me"), ("POST", "/health")]
)
def test_wrong_method_under_the_api_answers_json(client: FlaskClient, method: str, path: str) -> None:
    response = fetch(client, path, method)

    assert (response.status_code, response.json["error"]) == (405, "Method not allowed")
    assert response.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/dashboard.html"])
def test_wrong_method_on_a_page_answers_405(client: FlaskClient, path: str) -> None:
    assert client.post(path).status_code == 405


def crash() -> str:
    raise RuntimeError("the secret inside of the traceback")


@pytest.mark.parametrize("path", ["/crash", "/users/crash"])
def test_crash_answers_json_without_a_traceback(make_example: Callable[..., Flask], path: str) -> None:
    app = make_example()
    app.add_url_rule(path, view_func=crash)

    response = app.test_client().get(path)

    assert (response.status_code, response.json) == (500, {"error": "Internal Server Error", "code": "internal_error"})
    assert "secret inside" not in response.text
    assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.every_database
def test_crash_in_the_api_answers_json_without_a_traceback(example: Flask) -> None:
    """A schema that is not migrated is a bug of the deployment, and no business of the client."""
    with example.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO people"))

    response = example.test_client().post("/auth/login", json={"email": "a@example.com", "password": "password123"})

    assert (response.status_code, response.json) == (500, {"error": "Internal Server Error", "code": "internal_error"})


def test_every_event_of_the_audit_has_words() -> None:
    words = (FOLDER / "static/js/words.js").read_text()

    assert [entry.name for entry in ENTRIES.values() if f"  {entry.name}: " not in words] == []


def test_links_in_mails_lead_to_pages(make_example: Callable[..., Flask]) -> None:
    app = make_example()

    paths = {path for name, path in app.config.items() if name.startswith("SECUREAUTH_") and name.endswith("_PAGE")}

    assert paths <= PAGES.keys()
    assert len(paths) == 5


@pytest.mark.parametrize("path", ["/nothing", "/auth/nothing", "/static/style.css", "/"])
def test_head_answers_like_get_without_a_body(client: FlaskClient, path: str) -> None:
    head, get = fetch(client, path, "HEAD"), fetch(client, path)

    assert (head.status_code, head.data) == (get.status_code, b"")


def test_warned_passwords_are_the_most_common_ones(client: FlaskClient) -> None:
    passwords: Any = client.get("/common-passwords.json").json["passwords"]

    assert len(passwords) == 10_000
    assert "password123" in passwords
    assert common_passwords().keys() >= set(passwords)
