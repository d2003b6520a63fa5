"""A browser, the app on each database, and a page that reports what its console says."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from tests.browser.site import Site, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

_FAILED_REQUEST = "Failed to load resource"


# For this package only: Playwright keeps an event loop running, which async views of other tests cannot have.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    from tests.browser.support import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def sites(
    tmp_path_factory: pytest.TempPathFactory, server_database: Callable[[str], str]
) -> Iterator[Callable[[str], Site]]:
    """Return a function that gives the app on a kind of database, started on first use."""
    started: dict[str, Site] = {}
    with ExitStack() as stack:

        def site(kind: str) -> Site:
            if kind not in started:
                folder = tmp_path_factory.mktemp(kind)
                url = f"sqlite:///{folder}/browser.sqlite3" if kind == "sqlite" else server_database(kind)
                if kind != "sqlite":
                    stack.callback(_empty, url)
                started[kind] = stack.enter_context(serve(url, folder))
            return started[kind]

        yield site


def _empty(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    metadata = MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        metadata.drop_all(connection)


@pytest.fixture
def site(request: pytest.FixtureRequest, browser: Browser, sites: Callable[[str], Site]) -> Site:
    """The app; on SQLite unless the test names a database."""
    return sites(getattr(request, "param", "sqlite"))


@pytest.fixture
def email() -> str:
    """An address that no other test uses."""
    return f"kim-{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture
def account(site: Site, email: str) -> str:
    """The address of a registered user."""
    site.add_user(email)
    return email


@pytest.fixture
def console() -> list[str]:
    """What pages complained about: errors, warnings, uncaught exceptions, violations of the content policy."""
    return []


@pytest.fixture
def new_context(browser: Browser, site: Site, console: list[str]) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that opens a context whose pages report to ``console``, with a token in its storage."""
    with ExitStack() as stack:

        def new(token: str | None = None, **options: Any) -> BrowserContext:
            if token:
                stored = {"origin": site.address, "localStorage": [{"name": "access_token", "value": token}]}
                options["storage_state"] = {"origins": [stored]}
            # Without motion a click need not wait for the card to have risen.
            standard = {"base_url": site.address, "locale": "en-GB", "timezone_id": "UTC", "reduced_motion": "reduce"}
            context = browser.new_context(**{**standard, **options})
            stack.callback(context.close)
            context.set_default_timeout(30_000)
            context.on("console", lambda message: _note(console, message))
            context.on("weberror", lambda error: console.append(str(error.error)))
            context.on("dialog", lambda dialog: console.append(f"dialog {dialog.message}"))
            return context

        yield new


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """A context of this test alone."""
    return new_context()


@pytest.fixture
def page(context: BrowserContext, console: list[str]) -> Iterator[Page]:
    """A page. Whatever the test does, no script fails and the content policy is kept."""
    yield context.new_page()
    assert [line for line in console if _FAILED_REQUEST not in line] == []


@pytest.fixture
def signed_in(page: Page, site: Site, account: str) -> str:
    """The page's visitor is signed in and on the dashboard; the access token."""
    token = site.sign_in(account)
    page.goto("/")
    page.evaluate("token => localStorage.setItem('access_token', token)", token)
    page.goto("/dashboard.html")
    page.locator("[data-user-email]").get_by_text(account).wait_for()
    return token


def _note(console: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        console.append(message.text)
