"""The import of users, put together: one command, and no route."""

from __future__ import annotations

from ...feature import Feature
from .cli import import_users
from .service import UserImportService

FEATURE = Feature(name="user_import", service=UserImportService, cli=(import_users,))
