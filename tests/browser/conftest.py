"""A browser, the app on each database, and a page that reports what its console says."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from flask_secureauth.testing import FrozenClock, frozen_clock
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
) -> Iterator[Callable[..., Site]]:
    """Return a function that gives the app on a kind of database, started on first use with these settings."""
    started: dict[tuple[Any, ...], Site] = {}
    with ExitStack() as stack:

        def site(kind: str, **settings: Any) -> Site:
            key = (kind, *settings.items())
            if key not in started:
                folder = tmp_path_factory.mktemp(kind)
                url = f"sqlite:///{folder}/browser.sqlite3" if kind == "sqlite" else server_database(kind)
                if kind != "sqlite":
                    stack.callback(_empty, url)
                started[key] = stack.enter_context(serve(url, folder, **settings))
            started[key].requests.clear()
            return started[key]

        yield site


def _empty(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    metadata = MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        metadata.drop_all(connection)


@pytest.fixture
def site(request: pytest.FixtureRequest, browser: Browser, sites: Callable[..., Site]) -> Site:
    """The app; on SQLite unless the test names a database, and with the settings that the test names."""
    param = getattr(request, "param", "sqlite")
    return sites(param) if isinstance(param, str) else sites("sqlite", **param)


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
def signed_in(page: Page, account: str) -> str:
    """The page's visitor is signed in and on the dashboard; the access token."""
    from tests.browser.support import open_dashboard, stored_token

    open_dashboard(page, account)
    return stored_token(page) or ""


@pytest.fixture
def clock(site: Site) -> Iterator[FrozenClock]:
    """The server's clock."""
    with frozen_clock(site.app) as frozen:
        yield frozen


@pytest.fixture
def tabs(page: Page, account: str) -> list[Page]:
    """Two tabs of one visitor on the dashboard."""
    from tests.browser.support import expect_dashboard, open_dashboard

    page.context.clock.install()
    open_dashboard(page, account)
    other = page.context.new_page()
    other.goto("/dashboard.html")
    expect_dashboard(other, account)
    return [page, other]


def _note(console: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        console.append(message.text)
