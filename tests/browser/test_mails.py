"""HTML mails on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_secureauth.features.mail.rendering import Renderer
from tests.browser.support import Page, in_browser
from tests.features.test_mail_templates import each_locale, each_mail

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = in_browser

LONGEST = f"{'w' * 64}@{'m' * 63}.{'w' * 63}.{'m' * 57}.com"


@pytest.fixture(scope="module", params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page that shows one mail after the other."""
    with browser.new_context(color_scheme=request.param, viewport={"width": 360, "height": 740}) as context:
        yield context.new_page()


@each_mail
@each_locale
def test_mail_to_the_longest_address_fits_a_phone(app: Flask, phone: Page, name: str, locale: str) -> None:
    message = Renderer(app.extensions["secureauth"]).sample(name, locale, to=LONGEST)

    phone.set_content(message.html)

    assert LONGEST in phone.inner_text("body")
    width, room = phone.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room
