"""For WSGI servers: ``gunicorn example_app.wsgi:app``."""

from . import create_app

app = create_app()
