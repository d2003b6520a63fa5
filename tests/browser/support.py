"""What the tests in a browser share. Importing it skips the module when Playwright is not installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.site import PASSWORD, Site
from tests.servers import missing

try:
    from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
except ImportError:
    if TYPE_CHECKING or os.environ.get("CI"):
        raise
    pytest.skip("Playwright is not here. Install it (pip install playwright).", allow_module_level=True)

__all__ = ["Page", "Route", "expect"]

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
in_browser = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
every_site = pytest.mark.parametrize("site", ["sqlite", "mariadb"], indirect=True)
expect.set_options(timeout=30_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the Chromium that is on the PATH."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("Chromium", "Install it (apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def fill_login(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the login form and send it."""
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def fill_registration(page: Page, email: str, password: str = PASSWORD, repeated: str | None = None) -> None:
    """Fill in the registration form and send it."""
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Repeat password").fill(password if repeated is None else repeated)
    page.get_by_role("button", name="Create account").click()


def expect_dashboard(page: Page, email: str) -> None:
    """The dashboard shows the account."""
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_visible()
    expect(page.locator("[data-user-email]")).to_have_text(email)


def expect_login(page: Page, site: Site, message: str = "") -> None:
    """The login page is there, with this message."""
    expect(page).to_have_url(f"{site.address}/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#message")).to_have_text(message)


def stored_token(page: Page) -> str | None:
    """The token that the page keeps."""
    token: str | None = page.evaluate("localStorage.getItem('access_token')")
    return token
