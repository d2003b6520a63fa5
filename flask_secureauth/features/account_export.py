"""Account export: all that is held about a user, for that user, as one JSON document.

The account's own columns, and what each feature says it holds (``Feature.export``). Nothing that
proves who a user is: no hash, no token, no key. Source: GDPR articles 15 and 20, ASVS 14.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from math import isfinite
from typing import Any

from sqlalchemy import inspect

from ..errors import ConfigurationError, FreshLoginRequired
from ..events import AccountExported
from ..feature import SENSITIVE, Feature, Route, Throttle
from ..setting_kinds import TEXTS, setting
from ..web.dispatch import Answer, Call
from ..web.state import AuthState

EXPORTING = Throttle(name="account_export.session", limits=("10 per hour",), by="session")
_ATTACHMENT = (("Content-Disposition", 'attachment; filename="account.json"'),)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an export shows of an account."""

    without: tuple[str, ...] = setting(
        (),
        TEXTS,
        "Attributes of the user model that an export leaves out, next to password_hash and deferred columns.",
    )


class AccountExportService:
    """Collects what is held about a user."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        settings: Settings = auth.settings["account_export"]
        self._without = {"password_hash", *settings.without}
        known = inspect(auth.user_model).all_orm_descriptors.keys()
        unknown = sorted(self._without.difference(known))
        if unknown:
            model = auth.user_model.__name__
            raise ConfigurationError(
                [f"SECUREAUTH_ACCOUNT_EXPORT_WITHOUT: {model} has no attribute {', '.join(unknown)}."]
            )

    def export(self, user: Any) -> dict[str, Any]:
        """Return all that is held about ``user``: the account, and a part for each feature that holds something."""
        auth = self._auth
        user_id = auth.users.identify(user)
        parts = {
            feature.name: feature.export(auth.services[feature.name], user_id)
            for feature in auth.features
            if feature.export
        }
        auth.database.announce(AccountExported(user_id=user_id))
        return {"account": self._account(user), **{name: _plain(part) for name, part in parts.items()}}

    def _account(self, user: Any) -> dict[str, Any]:
        mapper = inspect(user).mapper
        names = {item.key: item.key.removeprefix("_") for item in mapper.column_attrs if not item.deferred}
        return {
            # "_created_at" holds what "created_at" shows with its time zone.
            name: _plain(getattr(user, name if name in mapper.all_orm_descriptors else key))
            for key, name in names.items()
            if self._without.isdisjoint((key, name))
        }


def _plain(value: Any) -> Any:
    """Return what JSON can say of a column's value."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)


def show(call: Call) -> Answer:
    """Show all that is held about the user of the token, as a file to keep."""
    return Answer(members=call.service.export(call.user), headers=_ATTACHMENT)


FEATURE = Feature(
    name="account_export",
    settings=Settings,
    service=AccountExportService,
    routes=(
        Route(
            "show",
            "GET",
            "/users/me/export",
            show,
            guard=SENSITIVE,
            errors=(FreshLoginRequired,),
            throttles=(EXPORTING,),
        ),
    ),
)
