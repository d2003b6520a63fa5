"""The whole way without a mouse, and never without seeing where one is."""

from __future__ import annotations

from tests.browser.site import PASSWORD, Site
from tests.browser.support import Page, expect, expect_dashboard, expect_login, in_browser

pytestmark = in_browser

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
    tab(page, "Skip to the form", "flask_secureauth", "email", "password", "Show password", "submit")
    tab(page, "Create an account")
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
    tab(page, "Skip to your account", "flask_secureauth", "logout", "retry")
    page.keyboard.press("Enter")

    expect_dashboard(page, account)
    expect(page.get_by_role("main")).to_be_focused()


def test_skip_link_is_first_and_leads_to_the_form(page: Page) -> None:
    page.goto("/")
    tab(page, "Skip to the form")

    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
