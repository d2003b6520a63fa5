"""Takes the pictures of the pages: ``python -m tests.browser.pictures FOLDER``.

Login, registration and dashboard at three widths, light and dark, and ``overview.png`` for the README.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.site import Site, serve
from tests.browser.support import chromium, expect_dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EMAIL = "ada@example.com"
PATHS = {"login": "/", "register": "/register.html", "dashboard": "/dashboard.html"}
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
            for name, width, scheme in product(PATHS, SIZES, SCHEMES):
                _take(browser, site, name, width=width, scheme=scheme).screenshot(
                    path=folder / f"{name}-{width}-{scheme}.png", full_page=True
                )
            _take(browser, site, "login", width=1440, scheme="light").screenshot(path=folder / "overview.png")


def _take(browser: Browser, site: Site, name: str, *, width: int, scheme: str) -> Page:
    token = {"name": "access_token", "value": site.sign_in(EMAIL)}
    context = browser.new_context(
        base_url=site.address,
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
        reduced_motion="reduce",
        storage_state={"origins": [{"origin": site.address, "localStorage": [token]}]} if name == "dashboard" else None,
        timezone_id="UTC",
        viewport={"width": width, "height": SIZES[width]},
    )
    page = context.new_page()
    page.goto(PATHS[name])
    if name == "dashboard":
        expect_dashboard(page, EMAIL)
    return page


if __name__ == "__main__":
    main()
