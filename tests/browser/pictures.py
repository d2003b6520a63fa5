"""Takes the pictures of the pages: ``python -m tests.browser.pictures FOLDER``.

Every page at three widths, light and dark, and ``overview.png`` for the README.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.site import Site, serve
from tests.browser.support import FIREFOX, IPHONE, chromium, open_dashboard, open_inside

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EMAIL = "ada@example.com"
PATHS = {
    "login": "/",
    "register": "/register.html",
    "forgot": "/forgot.html",
    "reset-password": "/reset-password.html#token=a",
    "verify": "/verify.html#token=a",
    "change-email": "/change-email.html#token=a",
    "undo-email-change": "/undo-email-change.html#token=a",
    "dashboard": "/dashboard.html",
    "account": "/account.html",
    "activity": "/activity.html",
}
PROTECTED = ("dashboard", "account", "activity")
SIZES = {360: 740, 768: 1024, 1440: 900}
SCHEMES = ("light", "dark")


def main() -> None:
    """Take all pictures."""
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m tests.browser.pictures FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as instance:
        url = f"sqlite:///{instance}/pictures.sqlite3"
        with serve(url, Path(instance)) as site, chromium() as browser:
            site.add_user(EMAIL)
            open_dashboard(browser.new_context(base_url=site.address, user_agent=IPHONE).new_page(), EMAIL)
            for name, width, scheme in product(PATHS, SIZES, SCHEMES):
                page = _take(browser, site, name, width=width, scheme=scheme)
                page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                if name in PROTECTED:
                    page.get_by_role("button", name="Sign out", exact=True).click()
                    page.wait_for_url(f"{site.address}/")
                page.context.close()
            _take(browser, site, "login", width=1440, scheme="light").screenshot(path=folder / "overview.png")


def _take(browser: Browser, site: Site, name: str, *, width: int, scheme: str) -> Page:
    context = browser.new_context(
        base_url=site.address,
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
        reduced_motion="reduce",
        timezone_id="UTC",
        user_agent=FIREFOX,
        viewport={"width": width, "height": SIZES[width]},
    )
    page = context.new_page()
    if name in PROTECTED:
        open_dashboard(page, EMAIL, remember=True)
        open_inside(page, PATHS[name])
    else:
        page.goto(PATHS[name])
    return page


if __name__ == "__main__":
    main()
