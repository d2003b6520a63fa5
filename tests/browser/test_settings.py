"""Settings and activity of an account, what stays of them for whoever sits down next, and attempts that must wait."""

from __future__ import annotations

from typing import Any

import pytest

from flask_secureauth.testing import FrozenClock
from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    Page,
    Route,
    expect,
    expect_dashboard,
    expect_login,
    fill_login,
    in_browser,
    open_dashboard,
    open_inside,
    sign_in,
    stored_token,
)

pytestmark = in_browser

EVENT = {"at": "2026-01-21T10:30:00+00:00", "reason": None, "address": "203.0.113.0/24", "device": "Firefox on Linux"}
BROKEN = {"status": 500, "json": {"error": "Internal Server Error", "code": "internal_error"}}
only_inside = pytest.mark.parametrize("path", ["/account.html", "/activity.html"])


def events(*names: str, following: str | None = None) -> dict[str, Any]:
    """An answer of the server."""
    return {"events": [{**EVENT, "event": name} for name in names], "next": following}


@only_inside
def test_page_without_a_session_goes_to_sign_in(page: Page, site: Site, path: str) -> None:
    page.goto(path)

    expect_login(page, site)


@only_inside
def test_signing_out_leaves_nothing_behind(page: Page, site: Site, account: str, signed_in: str, path: str) -> None:
    """F29: whoever sits down next must not see the account. Source: ASVS 14.3.1."""
    page.goto("/health")
    open_inside(page, path)
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect_login(page, site, "You are signed out.")
    assert stored_token(page) is None

    page.go_back()
    expect(page).to_have_url(f"{site.address}/health")
    page.go_forward()

    expect_login(page, site)
    assert account not in page.content()


@only_inside
def test_signing_out_elsewhere_closes_the_page(page: Page, site: Site, account: str, signed_in: str, path: str) -> None:
    open_inside(page, path)
    other = page.context.new_page()
    open_inside(other, "/dashboard.html")

    other.get_by_role("button", name="Sign out", exact=True).click()

    expect_login(page, site, "You are signed out.")


def test_settings_that_the_browser_puts_away_hold_nothing(page: Page, account: str, signed_in: str) -> None:
    """F29: neither the address nor a password. Playwright switches that memory off, so the event is sent here."""
    open_inside(page, "/account.html")
    for label in ("Current password", "New password", "Repeat new password"):
        page.get_by_label(label, exact=True).fill(PASSWORD)

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")

    assert account not in page.content()
    values = page.evaluate("[...document.querySelectorAll('input')].map((input) => input.value).join('')")
    assert values == ""


def test_activity_that_the_browser_puts_away_is_empty(page: Page, signed_in: str) -> None:
    open_inside(page, "/activity.html")
    expect(page.locator("#events li")).not_to_have_count(0)

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")

    expect(page.locator("#events li")).to_have_count(0)


def test_settings_follow_whoever_signs_in_in_another_tab(page: Page, site: Site, account: str, signed_in: str) -> None:
    open_inside(page, "/account.html")
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    site.add_user(f"new-{account}")
    other = page.context.new_page()
    other.goto("/forgot.html")

    sign_in(other, f"new-{account}")

    expect(page.locator("[data-user-email]")).to_have_text(f"new-{account}")
    expect(page.get_by_label("Current password", exact=True)).to_have_value("")


def test_wrong_password_is_said_at_its_field(page: Page, signed_in: str) -> None:
    open_inside(page, "/account.html")
    page.get_by_label("Current password", exact=True).fill("not the password")
    page.get_by_label("New password", exact=True).fill("violet-teapot-77")
    page.get_by_label("Repeat new password").fill("violet-teapot-77")
    page.get_by_role("button", name="Change password").click()

    expect(page.locator("#current-password-error")).to_have_text("This is not your password.")
    expect(page.get_by_label("Current password", exact=True)).to_be_focused()


def test_own_address_is_no_new_one(page: Page, site: Site, account: str, signed_in: str) -> None:
    open_inside(page, "/account.html")
    page.get_by_label("New e-mail").fill(account.upper())
    page.get_by_role("button", name="Send the link").click()

    expect(page.locator("#email-error")).to_have_text("This is your address already.")
    assert site.sent("POST", "/users/me/email") == []


@pytest.mark.parametrize(("path", "api"), [("/account.html", "**/users/me"), ("/activity.html", "**/auth/audit")])
def test_page_that_could_not_be_loaded_offers_to_retry(page: Page, signed_in: str, path: str, api: str) -> None:
    page.route(api, lambda route: route.fulfill(**BROKEN))
    page.goto(path)
    expect(page.locator("#failure")).to_contain_text("Something went wrong on the server. Please try again.")

    page.unroute(api)
    page.get_by_role("button", name="Retry").click()

    expect(page.locator("#content")).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()


def test_activity_loads_more_and_the_focus_goes_on(page: Page, signed_in: str) -> None:
    def answer(route: Route) -> None:
        is_first = "before" not in route.request.url
        page_of = events("user_created", following="abc") if is_first else events("authn_login_fail", "never_heard_of")
        route.fulfill(json=page_of)

    page.route("**/auth/audit*", answer)
    open_inside(page, "/activity.html")
    page.get_by_role("button", name="Load more").click()

    titles = page.locator("#events h2")
    expect(titles).to_have_text(["Account created", "Somebody failed to sign in", "never heard of"])
    expect(titles.nth(1)).to_be_focused()
    expect(page.locator("#loaded")).to_have_text("2 more")
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()


def test_activity_stays_when_more_cannot_be_loaded(page: Page, signed_in: str) -> None:
    page.route("**/auth/audit", lambda route: route.fulfill(json=events("user_created", following="abc")))
    page.route("**/auth/audit?*", lambda route: route.fulfill(**BROKEN))
    open_inside(page, "/activity.html")
    page.get_by_role("button", name="Load more").click()

    expect(page.get_by_role("alert")).to_contain_text("The list could not be loaded. Something went wrong")
    expect(page.locator("#events li")).to_have_count(1)
    expect(page.get_by_role("button", name="Load more")).to_be_focused()


def test_empty_activity_says_so(page: Page, signed_in: str) -> None:
    page.route("**/auth/audit", lambda route: route.fulfill(json=events()))
    open_inside(page, "/activity.html")

    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()


@pytest.mark.parametrize(("path", "api"), [("/", "**/auth/login"), ("/forgot.html", "**/auth/password-reset")])
def test_too_many_attempts_count_down_to_the_next(page: Page, path: str, api: str) -> None:
    """The words change in silence: a timer is no region that a screen reader reads out. Source: WCAG 4.1.3."""
    page.clock.install()
    refusal = {"status": 429, "json": {"code": "too_many_requests"}, "headers": {"Retry-After": "150"}}
    page.route(api, lambda route: route.fulfill(**refusal))
    page.goto(path)
    page.get_by_label("E-mail").fill("kim@example.com")
    if path == "/":
        page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("[type=submit]").click()
    message = page.get_by_role("alert")
    expect(message).to_have_text("Too many attempts. Please try again in 3 minutes.")

    page.clock.fast_forward(100_000)
    expect(message.get_by_role("timer")).to_have_text("in 50 seconds")
    page.clock.fast_forward(60_000)

    expect(page.get_by_role("status").filter(has_text="You can try again now.")).to_be_visible()


@pytest.mark.parametrize("site", [{"SECUREAUTH_THROTTLING_ENABLED": True}], indirect=True)
def test_guesser_has_to_wait(page: Page, site: Site, account: str, clock: FrozenClock) -> None:
    guesser = site.app.test_client()
    for _ in range(5):
        guesser.post("/auth/login", json={"email": account, "password": "not the password"})
    page.goto("/")
    fill_login(page, account)
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts. Please try again in")

    clock.advance(31)
    fill_login(page, account)

    expect_dashboard(page, account)


def test_dialog_says_when_to_try_again(page: Page, account: str) -> None:
    refusal = {"status": 429, "json": {"code": "too_many_requests"}, "headers": {"Retry-After": "30"}}
    page.route("**/auth/reauthenticate", lambda route: route.fulfill(**refusal))
    stale = {"status": 403, "json": {"code": "fresh_login_required"}}
    page.route("**/users/me/export", lambda route: route.fulfill(**stale))
    open_dashboard(page, account)
    open_inside(page, "/account.html")
    page.get_by_role("button", name="Download your data").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Continue").click()

    expect(dialog.get_by_role("alert")).to_contain_text("Too many attempts. Please try again in")


def test_session_that_ends_while_the_dialog_is_open_signs_out_kindly(page: Page, site: Site, signed_in: str) -> None:
    stale = {"status": 403, "json": {"code": "fresh_login_required"}}
    page.route("**/users/me/export", lambda route: route.fulfill(**stale))
    open_inside(page, "/account.html")
    page.get_by_role("button", name="Download your data").click()
    site.sign_out(signed_in)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Continue").click()

    expect_login(page, site, "Your session has ended. Please sign in again.")
