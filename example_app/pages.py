"""The pages, their security headers, and what is answered when there is no page."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from flask import Blueprint, Flask, Response, request, send_from_directory
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as PlainResponse

from flask_secureauth.core.password_policy import common_passwords
from flask_secureauth.errors import InternalError, UnknownPath

PAGES = Path(__file__).parent / "pages"
API = frozenset(("auth", "users", "health"))
_WARNED_PASSWORDS = 10_000

_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Source: ASVS 3.4. A browser heeds Strict-Transport-Security only over TLS."""

NAMES = sorted(file.stem for file in PAGES.glob("*.html") if file.stem != "404")

pages = Blueprint("pages", __name__)


@pages.get("/")
@pages.get(f"/<any({', '.join(map(repr, NAMES))}):name>.html")
def show(name: str = "index") -> Response:
    """One of the pages. They are the same for everybody; data comes through the API."""
    return send_from_directory(PAGES, f"{name}.html")


@pages.get("/common-passwords.json")
def warned_passwords() -> dict[str, list[str]]:
    """The most common passwords, for the warning while one types."""
    return {"passwords": list(islice(common_passwords(), _WARNED_PASSWORDS))}


def init_app(app: Flask) -> None:
    """Add the pages to ``app``."""
    app.register_blueprint(pages)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(500, _crash)
    app.after_request(_secure)


def _not_found(error: HTTPException) -> PlainResponse:
    if request.method not in ("GET", "HEAD") or request.path.split("/")[1] in API:
        return UnknownPath().get_response(request.environ)
    return Response((PAGES / "404.html").read_text(), status=404)


def _crash(error: Exception) -> PlainResponse:
    return InternalError().get_response(request.environ)


def _secure(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
