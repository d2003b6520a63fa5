"""The visitor's language, where the app knows it."""

from __future__ import annotations

from flask import Flask, has_request_context

from ..core.extras import import_extra


def current_locale(app: Flask) -> str | None:
    """Return the language that Flask-Babel has for the current request; ``None`` without either."""
    if "babel" not in app.extensions or not has_request_context():
        return None
    locale = import_extra("flask_babel", what="The visitor's language", extra="babel").get_locale()
    return str(locale) if locale else None
