"""The whole way without a mouse, and never without seeing where one is."""

from __future__ import annotations

from datetime import timedelta

from flask_secureauth.testing import FrozenClock
from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    Page,
    expect,
    expect_dashboard,
    expect_login,
    in_browser,
    mailed,
    open_dashboard,
)

pytestmark = in_browser

TABS = ("Overview", "Settings", "Activity")
FOCUSED = """() => {
  const {id, textContent, ariaLabel} = document.activeElement;
  const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
  const visible = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
  return {name: id || ariaLabel || textContent.trim(), visible};
}"""


def tab(page: Page, *names: str) -> None:
    """Press Tab once for each name, and see the focus arrive there visibly. Source: WCAG 2.4.3, 2.4.7."""
    for name in names:
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused == {"name": name, "visible": True}


def test_whole_journey_by_keyboard_alone(page: Page, site: Site, email: str, console: list[str]) -> None:
    page.goto("/")
    tab(page, "Skip to the form", "flask_secureauth", "email", "password", "Show password", "remember", "submit")
    tab(page, "Forgot your password?", "Create an account")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Create an account")).to_be_visible()

    tab(page, "Skip to the form")
    page.keyboard.press("Enter")
    tab(page, "email")
    page.keyboard.type(email)
    tab(page, "password")
    page.keyboard.type(PASSWORD)
    tab(page, "Show password")
    page.keyboard.press("Space")
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    tab(page, "confirm")
    page.keyboard.type(PASSWORD)
    tab(page, "Show repeated password", "submit")
    page.keyboard.press("Space")

    expect_login(page, site, "Your account is ready. Please sign in.")
    tab(page, "Skip to the form", "flask_secureauth", "email", "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    expect_dashboard(page, email)
    tab(page, "Skip to your account", "flask_secureauth", "logout")
    page.keyboard.press("Enter")

    expect_login(page, site, "You are signed out.")
    assert console == []


def test_retry_panel_by_keyboard_alone(page: Page, account: str, signed_in: str) -> None:
    page.route("**/users/me", lambda route: route.fulfill(status=500, json={}))
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()

    page.unroute("**/users/me")
    tab(page, "Skip to your account", "flask_secureauth", "logout", *TABS, "retry")
    page.keyboard.press("Enter")

    expect_dashboard(page, account)
    expect(page.get_by_role("main")).to_be_focused()


def test_new_password_by_keyboard_alone(page: Page, site: Site, account: str) -> None:
    page.goto("/forgot.html")
    tab(page, "Skip to the form", "flask_secureauth", "email")
    page.keyboard.type(account)
    tab(page, "Send the link")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Check your mail")).to_be_focused()
    tab(page, "Try again", "Sign in")

    page.goto(mailed(page, site, account, "Choose a new password").link)
    tab(page, "Skip to the form", "flask_secureauth", "password")
    page.keyboard.type("violet-teapot-77")
    tab(page, "Show password", "confirm")
    page.keyboard.type("violet-teapot-77")
    page.keyboard.press("Enter")

    expect_login(page, site, "Your password is changed. Please sign in with it.")


def test_settings_by_keyboard_alone(page: Page, site: Site, account: str, clock: FrozenClock) -> None:
    """The dialog takes the focus, keeps it, and gives it back. Source: WCAG 2.1.2, 2.4.3."""
    open_dashboard(page, account)
    tab(page, "Skip to your account", "flask_secureauth", "logout", "Overview", "Settings")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_visible()
    tab(page, "Skip to your settings", "flask_secureauth", "logout", *TABS, "current-password", "Show current password")
    tab(page, "new-password", "Show new password", "confirm", "Show repeated password", "Change password")
    tab(page, "email", "Send the link", "Download your data", "confirmation")
    page.keyboard.type("delete")
    clock.advance(timedelta(minutes=6))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Is it you?")).to_be_visible()
    expect(page.locator("#proof-password")).to_be_focused()
    tab(page, "Show password", "Continue", "Cancel")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_label("Type “delete” to confirm")).to_be_focused()
    assert site.sent("POST", "/auth/reauthenticate") == []


def test_skip_link_is_first_and_leads_to_the_form(page: Page) -> None:
    page.goto("/")
    tab(page, "Skip to the form")

    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
