"""Bring the catalogs up to date with the texts of the mails, and compile them: ``python tools/translations.py``.

A text that is new stands in German as an empty string, which a test finds. English is the source.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).parents[1] / "flask_secureauth"
TRANSLATIONS = PACKAGE / "translations"
DOMAIN = "flask_secureauth"
LANGUAGES = ("de", "en")
# The same files whenever this runs.
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_SOURCES = [("features/mail/rendering.py", "python"), ("templates/**", "jinja2")]


def extract() -> Catalog:
    """Return every text of the mails."""
    catalog = new_catalog()
    for _, _, text, _, context in extract_from_dir(PACKAGE, _SOURCES):
        catalog.add(text, context=context)
    return catalog


def new_catalog(language: str | None = None) -> Catalog:
    """Return an empty catalog."""
    return Catalog(
        language,
        project="flask_secureauth",
        version="1",
        header_comment="# Texts of the mails of flask_secureauth. Made by tools/translations.py.",
        last_translator="the authors of flask_secureauth",
        language_team=language,
        creation_date=_MOMENT,
        revision_date=_MOMENT,
        fuzzy=False,
    )


def path(language: str, kind: str) -> Path:
    """Return where a catalog is: ``po`` for people, ``mo`` for programs."""
    return TRANSLATIONS / language / "LC_MESSAGES" / f"{DOMAIN}.{kind}"


def read(language: str) -> Catalog:
    """Return what has been translated so far."""
    with path(language, "po").open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, texts: Catalog) -> Catalog:
    """Return a catalog of exactly ``texts``, with the translations that there are."""
    catalog = new_catalog(language)
    known = read(language) if path(language, "po").is_file() else catalog
    for message in texts:
        if message.id:
            found = known.get(message.id)
            string = message.id if language == "en" else (found.string if found else "")
            catalog.add(message.id, string, flags=message.flags)
    return catalog


def main() -> None:
    """Write both files of each language."""
    texts = extract()
    for language in LANGUAGES:
        catalog = updated(language, texts)
        path(language, "po").parent.mkdir(parents=True, exist_ok=True)
        with path(language, "po").open("wb") as file:
            write_po(file, catalog, width=120, no_location=True, sort_output=True)
        with path(language, "mo").open("wb") as file:
            write_mo(file, catalog)


if __name__ == "__main__":
    main()
