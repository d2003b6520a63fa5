"""What the tests in a browser share. Importing it skips the module when Playwright is not installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.browser.site import PASSWORD, Site
from tests.servers import missing
from tests.smtp import Received

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
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)
ASK = "import('/static/js/auth.js').then(({currentUser}) => currentUser()).then(({email}) => email)"
"""A call with the access token, for the address of its user."""

RUN_OUT_HERE = "localStorage.setItem('access_token_note', JSON.stringify({ends: Date.now() - 1, renewable: true}))"
"""From now on the page takes its access token for expired, and the server does not."""

TURN_IS_FREE = "navigator.locks.query().then(({held, pending}) => held.length + pending.length === 0)"
"""No tab is refreshing or about to."""

OVER = timedelta(hours=1, seconds=6)
"""Longer than an access token lives."""

REFRESH = ("POST", "/auth/refresh")

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


def sign_in(page: Page, email: str, *, remember: bool = False) -> None:
    """Sign in without the form, on any page of the app."""
    page.evaluate(
        "values => import('/static/js/auth.js').then(({login}) => login(...values))", [email, PASSWORD, remember]
    )


def open_dashboard(page: Page, email: str, *, remember: bool = False) -> None:
    """Sign in and open the dashboard."""
    page.goto("/")
    sign_in(page, email, remember=remember)
    page.goto("/dashboard.html")
    expect_dashboard(page, email)


def expect_dashboard(page: Page, email: str) -> None:
    """The dashboard shows the account."""
    expect(page.get_by_role("heading", name="Your account", exact=True)).to_be_visible()
    expect(page.locator("[data-user-email]")).to_have_text(email)
    expect(page.locator("#sessions li")).not_to_have_count(0)


def expect_login(page: Page, site: Site, message: str = "") -> None:
    """The login page is there, with this message."""
    expect(page).to_have_url(f"{site.address}/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#message")).to_have_text(message)


def mailed(page: Page, site: Site, to: str, subject: str) -> Received:
    """Wait for a mail."""
    wait_until(page, lambda: bool(site.mails(to, subject)))
    return site.mails(to, subject)[-1]


def places_of_token(page: Page, site: Site, link: str) -> list[str]:
    """Return where the token of a mailed link can be read: addresses of this tab, requests. Source: ASVS 14.2.1."""
    token = link.partition("#token=")[2]
    assert len(token) == 43
    history = page.context.new_cdp_session(page).send("Page.getNavigationHistory")
    visited = [entry["url"] for entry in history["entries"]]
    told = [f"{request.url} {request.referrer}" for request in site.requests]
    return [place for place in (*visited, *told) if token in place]


def open_inside(page: Page, path: str) -> None:
    """Open a page that only signed-in visitors see, and wait for what it shows."""
    page.goto(path)
    expect(page.locator("#content")).to_be_visible()


def stored_token(page: Page) -> str | None:
    """The token that the page keeps."""
    token: str | None = page.evaluate("localStorage.getItem('access_token')")
    return token


def wait_for_the_next_token(tab: Page, token: str | None) -> None:
    """Until the tab knows another token than this one, and no tab is about to ask for one."""
    tab.wait_for_function("token => localStorage.getItem('access_token') !== token", arg=token)
    tab.wait_for_function(TURN_IS_FREE)


def refresh_cookie(page: Page) -> str:
    """Return the value of the cookie that scripts cannot read."""
    values = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    return values["__Host-secureauth_refresh"]


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what no event tells, at most 30 seconds."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came true")
