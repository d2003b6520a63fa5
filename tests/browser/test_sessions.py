"""The card "Where you are signed in": what it lists, and how one signs out elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    ASK,
    FIREFOX,
    IPHONE,
    RUN_OUT_HERE,
    Page,
    Route,
    every_site,
    expect,
    expect_dashboard,
    expect_login,
    in_browser,
    open_dashboard,
    stored_token,
    wait_until,
)
from tests.browser.test_keyboard import TABS, tab

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = in_browser
ENDED = "Your session has ended. Please sign in again."


@pytest.fixture
def elsewhere(new_context: Callable[..., Any], site: Site, account: str) -> Page:
    """A page of another browser, Firefox on Linux, in which the same visitor is signed in."""
    page: Page = new_context(user_agent=FIREFOX).new_page()
    open_dashboard(page, account)
    return page


def row(page: Page, device: str) -> Locator:
    """The entry of a device."""
    return page.locator("#sessions").get_by_role("listitem").filter(has_text=device)


def said(page: Page) -> Locator:
    """What the card says, and a screen reader with it."""
    return page.locator("#sessions").get_by_role("status")


@every_site
def test_card_lists_every_session_and_marks_this_one(
    page: Page, elsewhere: Page, site: Site, account: str, console: list[str]
) -> None:
    open_dashboard(page, account)

    entries = page.locator("#sessions").get_by_role("listitem")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("This browser")
    expect(entries.first).to_have_attribute("aria-current", "true")
    other = row(page, "Firefox on Linux")
    expect(other.get_by_text("This browser")).to_be_hidden()
    expect(other).to_contain_text("127.0.0.0/24")
    expect(other.locator("time")).to_have_count(2)
    assert console == []


@every_site
def test_ended_session_leaves_the_list_and_its_browser(
    page: Page, elsewhere: Page, site: Site, account: str, console: list[str]
) -> None:
    open_dashboard(page, account)

    row(page, "Firefox on Linux").get_by_role("button", name="Sign out Firefox on Linux").click()

    expect(said(page)).to_have_text("Firefox on Linux is signed out.")
    expect(page.locator("#sessions li")).to_have_count(1)
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_focused()
    expect(page.get_by_role("button", name="Sign out elsewhere")).to_be_hidden()
    elsewhere.reload()
    expect_login(elsewhere, site, ENDED)
    page.reload()
    expect_dashboard(page, account)
    expect(page.locator("#sessions li")).to_have_count(1)


def test_session_that_ended_meanwhile_counts_as_ended(page: Page, elsewhere: Page, site: Site, account: str) -> None:
    open_dashboard(page, account)
    site.sign_out(stored_token(elsewhere) or "")

    row(page, "Firefox on Linux").get_by_role("button").click()

    expect(said(page)).to_have_text("Firefox on Linux is signed out.")
    expect(page.locator("#sessions li")).to_have_count(1)


@every_site
def test_signing_out_elsewhere_keeps_this_session(
    page: Page, elsewhere: Page, new_context: Callable[..., Any], site: Site, account: str
) -> None:
    phone = new_context(user_agent=IPHONE).new_page()
    open_dashboard(phone, account)
    open_dashboard(page, account)
    expect(page.locator("#sessions li")).to_have_count(3)

    page.get_by_role("button", name="Sign out elsewhere").click()

    expect(said(page)).to_have_text("You are signed out everywhere else.")
    expect(page.locator("#sessions li")).to_have_count(1)
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_focused()
    for other in (elsewhere, phone):
        other.reload()
        expect_login(other, site, ENDED)
    page.reload()
    expect_dashboard(page, account)


@every_site
def test_signing_out_everywhere_ends_all_of_them(page: Page, elsewhere: Page, site: Site, account: str) -> None:
    open_dashboard(page, account)

    page.get_by_role("button", name="Sign out everywhere").click()

    expect_login(page, site, "You are signed out everywhere.")
    assert stored_token(page) is None
    assert page.context.cookies() == []
    elsewhere.reload()
    expect_login(elsewhere, site, ENDED)


def test_signing_out_of_this_entry_is_signing_out(page: Page, elsewhere: Page, site: Site, account: str) -> None:
    open_dashboard(page, account)

    page.get_by_role("button", name="Sign out here").click()

    expect_login(page, site, "You are signed out.")
    elsewhere.reload()
    expect_dashboard(elsewhere, account)


def test_card_by_keyboard_alone(page: Page, elsewhere: Page, site: Site, account: str) -> None:
    open_dashboard(page, account)
    tab(page, "Skip to your account", "flask_secureauth", "logout", *TABS, "Sign out here", "Sign out Firefox on Linux")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_focused()

    tab(page, "Sign out here", "Sign out everywhere")
    page.keyboard.press("Space")

    expect_login(page, site, "You are signed out everywhere.")


@pytest.mark.parametrize(
    ("selector", "path"),
    [
        ("li:not([aria-current]) button", "**/auth/sessions/*"),
        ("[data-elsewhere]", "**/auth/logout"),
        ("[data-everywhere]", "**/auth/logout"),
    ],
    ids=["one", "elsewhere", "everywhere"],
)
def test_failure_is_explained_and_can_be_tried_again(
    page: Page, elsewhere: Page, account: str, selector: str, path: str
) -> None:
    open_dashboard(page, account)
    held: list[Route] = []
    page.route(path, lambda route: held.append(route))
    button = page.locator("#sessions").locator(selector)
    button.press("Enter")
    expect(button).to_be_disabled()
    expect(button).to_have_text("Signing out…")
    expect(button).to_have_attribute("aria-busy", "true")
    # The page shows that it waits a moment before Playwright tells of the request.
    wait_until(page, lambda: bool(held))

    held[0].fulfill(status=503, json={}, headers={"Retry-After": "7"})

    expect(said(page)).to_have_text("The service is busy right now. Please try again in 7 seconds.")
    expect(button).to_be_focused()
    expect(button).to_be_enabled()
    expect(page.locator("#sessions li")).to_have_count(2)


def test_list_that_cannot_be_loaded_is_explained_and_tried_again(page: Page, account: str) -> None:
    page.route("**/auth/sessions", lambda route: route.fulfill(status=500, json={}))
    page.goto("/")
    page.get_by_label("E-mail").fill(account)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    expect(page.locator("[data-user-email]")).to_have_text(account)
    expect(said(page)).to_contain_text("The list could not be loaded. Something went wrong on the server.")
    expect(page.locator("#session")).to_be_hidden()

    page.unroute("**/auth/sessions")
    page.get_by_role("button", name="Try again").press("Enter")

    expect(page.locator("#sessions li")).to_have_count(1)
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_focused()
    expect(said(page)).to_be_empty()


def test_list_that_is_drawn_anew_keeps_the_focus(page: Page, elsewhere: Page, account: str) -> None:
    open_dashboard(page, account)
    button = page.get_by_role("button", name="Sign out Firefox on Linux")
    button.focus()
    before = button.element_handle()
    other = page.context.new_page()
    other.goto("/dashboard.html")
    expect_dashboard(other, account)

    other.evaluate(RUN_OUT_HERE)
    other.evaluate(ASK)

    page.wait_for_function("button => !button.isConnected", arg=before)
    expect(button).to_be_focused()


def test_session_card_says_how_long_one_stays_signed_in(page: Page, account: str) -> None:
    open_dashboard(page, account)
    card = page.locator("#session")

    expect(card.locator("[data-session-left]")).to_have_text("24 hours left")
    expect(card).to_contain_text("You stay signed in until")
    expect(card).to_contain_text("is renewed by itself")


def test_remembered_session_lasts_for_weeks(page: Page, account: str) -> None:
    open_dashboard(page, account, remember=True)

    expect(page.locator("[data-session-left]")).to_have_text("30 days left")


def test_page_that_is_put_away_names_no_device(page: Page, elsewhere: Page, account: str) -> None:
    """F29: a browser brings a page back as it was left."""
    open_dashboard(page, account)

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")

    assert "Firefox on Linux" not in page.content()
