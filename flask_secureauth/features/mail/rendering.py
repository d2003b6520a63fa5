"""From what a row holds to a mail: links, texts in a language, a template that the app may have replaced."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...core.mail import Message, harmless, one_line
from ...web.state import AuthState
from .settings import MailSettings

DOMAIN = "flask_secureauth"
FOLDER = "secureauth/mail"
TRANSLATIONS = Path(__file__).parents[2] / "translations"
_LOCALE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}")
_OPTIONAL = ("link", "lifetime", "device", "new_email", "reset_link")
"""What a template may ask for without every mail having it."""

_SAMPLE = {"device": "Firefox on Linux", "new_email": "lee@example.org", "reset_page": "/forgot-password"}
_WITHOUT_LINK = frozenset(
    (
        "account_exists",
        "password_changed",
        "email_change_notice",
        "email_change_taken",
        "email_change_undone",
        "account_deleted",
    )
)
_SAMPLE_LINKS = {
    "email_verification": ("/verify", 86400),
    "password_reset": ("/reset-password", 600),
    "email_change": ("/change-email", 3600),
    "email_changed": ("/undo-email-change", 604800),
}
"""Where the mails with a link lead, and for how many seconds, unless a setting says otherwise."""


class Renderer:
    """Makes mails of the app's templates: its own where it has one of the name, else the package's."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._settings: MailSettings = auth.settings["mail"]

    @property
    def _public_url(self) -> str:
        # Never from the Host header of a request. Source: security.md F9.
        return self._auth.general.public_url or ""

    def message(
        self,
        mail_id: str,
        template: str,
        *,
        locale: str,
        to: str,
        params: Mapping[str, Any],
        page: str | None,
        token: str | None,
        queued_at: datetime,
    ) -> Message:
        """Return the same mail for the same arguments."""
        catalog = self._catalog(locale)
        language = (catalog.info().get("language") or "en").replace("_", "-")
        link = self._link(page, token) if page else None
        variables = {
            **dict.fromkeys(_OPTIONAL),
            **dict(self._shown(params, catalog)),
            "_": _translator(catalog),
            "locale": language,
            "link": link,
            "email": to,
            "at": f"{queued_at:%Y-%m-%d %H:%M} UTC",
            "app_name": self._settings.app_name or self._auth.app.name,
            "public_url": self._public_url,
        }
        # The first line of the text is the subject.
        subject, _, text = self._render(f"{template}.txt", variables).strip().partition("\n")
        subject = one_line(subject)
        host = urlsplit(self._public_url).hostname or "localhost"
        return Message(
            message_id=f"<{mail_id}@{host.replace(':', '-')}>",
            to=to,
            subject=subject,
            text=_without_holes(text),
            html=self._render(f"{template}.html", {**variables, "subject": subject}),
            locale=language,
            link=link,
        )

    def sample(self, template: str, locale: str | None = None, *, to: str = "kim@example.com") -> Message:
        """Return a mail with values that nobody has sent."""
        page, lifetime = _SAMPLE_LINKS.get(template, (f"/{template.replace('_', '-')}", 600))
        linked = template not in _WITHOUT_LINK
        return self.message(
            "sample",
            template,
            locale=locale or self._settings.locale,
            to=to,
            params=_SAMPLE | ({"lifetime": lifetime} if linked else {}),
            page=page if linked else None,
            token="sample-of-a-token" if linked else None,
            queued_at=datetime(2026, 1, 21, 10, 30),
        )

    def _render(self, name: str, variables: Mapping[str, Any]) -> str:
        # Not flask.render_template: the app's context processors may want a request, and there is none.
        return self._auth.app.jinja_env.get_template(f"{FOLDER}/{name}").render(variables)

    def _link(self, page: str, token: str | None = None) -> str:
        # The token is in the fragment, which no server, log or Referer gets to see. Source: security.md section 3.
        return f"{self._public_url}{page}" + (f"#token={token}" if token else "")

    def _shown(self, params: Mapping[str, Any], catalog: gettext.NullTranslations) -> Iterator[tuple[str, Any]]:
        for name, value in params.items():
            if name == "lifetime":
                yield name, _span(catalog.ngettext, int(value))
            elif name.endswith("_page"):
                yield f"{name.removesuffix('_page')}_link", self._link(value)
            else:
                yield name, _inert(value)

    def _catalog(self, locale: str) -> gettext.NullTranslations:
        """The texts of a language: the app's, then ours, then English."""
        name = locale.replace("-", "_") if _LOCALE.fullmatch(locale) else "en"
        catalog = gettext.NullTranslations()
        babel = self._auth.app.extensions.get("babel")
        for folder in (TRANSLATIONS, *reversed(getattr(babel, "translation_directories", ()))):
            if gettext.find(DOMAIN, str(folder), [name]):
                found = gettext.translation(DOMAIN, str(folder), [name])
                found.add_fallback(catalog)
                catalog = found
        return catalog


def _translator(catalog: gettext.NullTranslations) -> Callable[..., str]:
    def translate(text: str, **values: Any) -> str:
        # A plain string, so that HTML templates escape it together with what it quotes.
        return catalog.gettext(text) % values if values else catalog.gettext(text)

    return translate


def _inert(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_inert(item) for item in value]
    return {harmless(name): _inert(item) for name, item in value.items()} if isinstance(value, dict) else value


def _span(ngettext: Callable[[str, str, int], str], seconds: int) -> str:
    """A time span in words, in its largest whole unit."""
    span = timedelta(seconds=seconds)
    if span >= timedelta(days=2) and not span % timedelta(days=1):
        count, text = span // timedelta(days=1), ngettext("%(count)d day", "%(count)d days", span.days)
    elif not span % timedelta(hours=1):
        count = span // timedelta(hours=1)
        text = ngettext("%(count)d hour", "%(count)d hours", count)
    else:
        count = max(1, span // timedelta(minutes=1))
        text = ngettext("%(count)d minute", "%(count)d minutes", count)
    return text % {"count": count}


def _without_holes(text: str) -> str:
    """Blocks that are empty leave blank lines."""
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"
