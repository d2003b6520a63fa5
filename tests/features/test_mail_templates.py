"""The mails themselves: every flow in both languages, replaced by an app, and looking right without anything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from flask import Flask, request
from flask_babel import Babel

from flask_secureauth.core.mail import Message
from flask_secureauth.features.mail.rendering import Renderer
from flask_secureauth.testing import mails
from tests.features.post import KIM, Post
from tools import translations

TEMPLATES = Path(translations.PACKAGE / "templates/secureauth/mail")
NAMES = sorted(path.stem for path in TEMPLATES.glob("*.txt") if path.stem != "base")
LOCALES = ("en", "de")
TO_PAGES = {"email_verification", "password_reset", "email_change", "email_changed"}

each_mail = pytest.mark.parametrize("name", NAMES)
each_locale = pytest.mark.parametrize("locale", LOCALES)


def sample(app: Flask, name: str, locale: str = "en") -> Message:
    return Renderer(app.extensions["secureauth"]).sample(name, locale)


class Page(HTMLParser):
    """What is in a page: tags with their attributes, and the texts between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.texts.append(data)


def test_every_flow_has_its_mail() -> None:
    assert set(NAMES) == TO_PAGES | {
        "account_exists",
        "password_changed",
        "email_change_notice",
        "email_change_taken",
        "email_change_undone",
        "account_deleted",
    }
    assert {path.stem for path in TEMPLATES.glob("*.html")} == {*NAMES, "base"}


@each_mail
@each_locale
def test_mail_says_what_it_is_about(app: Flask, name: str, locale: str) -> None:
    message = sample(app, name, locale)

    assert 10 <= len(message.subject) <= 60
    assert "testapp" in message.text
    assert KIM in message.text
    assert "2026-01-21 10:30 UTC" in message.text
    assert "Firefox on Linux" in message.text
    assert "\n\n\n" not in message.text
    assert not re.search(r"None|%\(|{{|{%", message.text + message.html)


@each_mail
@each_locale
def test_html_says_the_same_as_the_text(app: Flask, name: str, locale: str) -> None:
    message = sample(app, name, locale)
    html = " ".join(" ".join(Page(message.html).texts).split())

    for paragraph in message.text.split("\n\n"):
        for line in paragraph.splitlines():
            assert line in html
    assert message.subject in html


@each_mail
def test_mail_has_a_link_where_the_flow_goes_on(app: Flask, name: str) -> None:
    message = sample(app, name)

    assert (message.link is not None) == (name in TO_PAGES)
    if message.link:
        assert message.text.count(message.link) == 1
        assert message.html.count(f'href="{message.link}"') == 2  # As a button, and to copy.
        assert message.token


@pytest.mark.parametrize(
    ("name", "feature", "prefix"),
    [
        ("email_verification", "email_verification", ""),
        ("password_reset", "password_reset", ""),
        ("email_change", "email_change", ""),
        ("email_changed", "email_change", "undo_"),
    ],
)
def test_sample_has_the_page_and_the_lifetime_of_its_feature(app: Flask, name: str, feature: str, prefix: str) -> None:
    settings = app.extensions["secureauth"].settings[feature]
    lifetime = getattr(settings, f"{prefix}lifetime").total_seconds()
    message = sample(app, name)

    assert message.link == f"https://app.example{getattr(settings, f'{prefix}page')}#token=sample-of-a-token"
    assert lifetime_line(message) == lifetime_line(render(app, name, lifetime=lifetime))


def lifetime_line(message: Message) -> str:
    (line,) = [line for line in message.text.splitlines() if line.startswith("The link works once")]
    return line


@each_mail
def test_html_is_whole_and_wants_nothing_from_elsewhere(app: Flask, name: str) -> None:
    message = sample(app, name, "de")
    page = Page(message.html)

    assert page.open == []
    assert dict(page.tags)["html"] == {"lang": "de"}
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "script", "link", "iframe", "form", "table", "svg"})
    assert not re.search(r"url\(|@import|src=", message.html)
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert all(str(link).startswith("https://app.example") for link in links)


def test_mails_look_right_in_the_dark(app: Flask) -> None:
    html = sample(app, "password_reset").html

    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html


def render(app: Flask, name: str, locale: str = "en", **params: Any) -> Message:
    return Renderer(app.extensions["secureauth"]).message(
        "1", name, locale=locale, to=KIM, params=params, page=None, token=None, queued_at=datetime(2026, 1, 21)
    )


@pytest.mark.parametrize(
    ("seconds", "locale", "words"),
    [
        (600, "en", "for 10 minutes"),
        (60, "en", "for 1 minute"),
        (3600, "en", "for 1 hour"),
        (86400, "en", "for 24 hours"),
        (604800, "en", "for 7 days"),
        (5400, "en", "for 90 minutes"),
        (600, "de", "gilt 10 Minuten"),
        (3600, "de", "gilt 1 Stunde"),
        (604800, "de", "gilt 7 Tage"),  # codespell:ignore
    ],
)
def test_lifetime_is_in_words(app: Flask, seconds: int, locale: str, words: str) -> None:
    assert words in render(app, "password_reset", locale, lifetime=seconds).text


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de-AT", "de"), ("de_AT", "de"), ("en", "en"), ("fr", "en"), ("../../../de", "en"), ("", "en")],
)
def test_language_is_one_that_there_is(app: Flask, locale: str, language: str) -> None:
    message = render(app, "password_changed", locale)

    assert message.locale == language
    assert f'<html lang="{language}">' in message.html


def test_setting_says_the_language(make_app: Callable[..., Flask]) -> None:
    post = Post(make_app(SECUREAUTH_MAIL_LOCALE="de"))
    post.queue()

    assert mails(post.app)[0].subject == "Ihr Passwort wurde geändert"


def test_flask_babel_says_the_language_of_the_visitor(make_app: Callable[..., Flask]) -> None:
    def before(app: Flask) -> None:
        Babel(app, locale_selector=lambda: request.accept_languages.best_match(["de", "en"]))

    post = Post(make_app(before=before))

    @post.app.post("/notice")
    def notice() -> str:
        with post.state.database.transaction():
            post.service.queue("password_changed", to=KIM)
        return ""

    for language in ("de", "en"):
        post.app.test_client().post("/notice", headers={"Accept-Language": language})
    post.queue()  # And off a request the setting does, whatever the selector would say.

    assert [message.locale for message in mails(post.app)] == ["de", "en", "en"]


def test_app_replaces_a_template_by_its_path(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    folder = tmp_path / "templates/secureauth/mail"
    folder.mkdir(parents=True)
    (folder / "password_changed.txt").write_text("Hello {{ email }}\n\n{{ _('Your password was changed') }}\n")

    def before(app: Flask) -> None:
        app.template_folder = str(tmp_path / "templates")

    post = Post(make_app(before=before, SECUREAUTH_MAIL_LOCALE="de"))
    post.queue()

    (message,) = mails(post.app)
    assert message.subject == f"Hello {KIM}"
    assert message.text == "Ihr Passwort wurde geändert\n"
    assert "<h1" in message.html


def test_app_replaces_the_layout_of_all(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    folder = tmp_path / "templates/secureauth/mail"
    folder.mkdir(parents=True)
    (folder / "base.html").write_text("<html lang=x><b>ACME</b>{% block body %}{% endblock %}</html>")

    def before(app: Flask) -> None:
        app.template_folder = str(tmp_path / "templates")

    html = sample(make_app(before=before), "password_reset").html

    assert html.startswith("<html lang=x><b>ACME</b>")


def test_context_processors_of_the_app_are_left_alone(app: Flask) -> None:
    """They may want a request, and there is none."""

    @app.context_processor
    def wants_a_request() -> dict[str, Any]:
        return {"path": request.path}

    post = Post(app)
    post.queue()

    assert len(mails(app)) == 1


def test_app_translates_and_rewords_with_a_catalog_of_its_own(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    for language, text in (("fr", "Nouveau secret"), ("de", "Passwort neu")):
        catalog = Catalog(language)
        catalog.add("Your password was changed", text)
        folder = tmp_path / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        with (folder / "flask_secureauth.mo").open("wb") as file:
            translations.write_mo(file, catalog)

    app = make_app(before=Babel, BABEL_TRANSLATION_DIRECTORIES=str(tmp_path))

    french, german = sample(app, "password_changed", "fr"), sample(app, "password_changed", "de")
    assert (french.subject, french.locale) == ("Nouveau secret", "fr")
    assert "If it was you, there is nothing to do." in french.text
    assert german.subject == "Passwort neu"
    assert "Wenn Sie es waren" in german.text  # codespell:ignore


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_catalog_holds_every_text_translated(language: str) -> None:
    """If not: ``python tools/translations.py``, then translate what is empty."""
    catalog, texts = translations.read(language), translations.extract()

    assert {message.id for message in catalog if message.id} == {message.id for message in texts if message.id}
    assert [
        message.id for message in catalog if message.id and (message.fuzzy or not _strings(message.string)[0])
    ] == []


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_compiled_catalog_is_the_one_that_people_edit(language: str) -> None:
    with translations.path(language, "mo").open("rb") as file:
        compiled = read_mo(file)

    assert _texts(compiled) == _texts(translations.read(language))


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_translations_quote_what_the_text_quotes(language: str) -> None:
    for message in translations.read(language):
        if message.id:
            wanted = {name for text in _strings(message.id) for name in re.findall(r"%\(\w+\)[sd]", text)}
            for text in _strings(message.string):
                assert set(re.findall(r"%\(\w+\)[sd]", text)) == wanted
                assert "%" not in re.sub(r"%\(\w+\)[sd]", "", text)


def _texts(catalog: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {_strings(message.id): _strings(message.string) for message in catalog if message.id}


def _strings(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
