"""Registration where an address has to be verified: the same answer for everybody, and a link in a mail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    Page,
    every_site,
    expect,
    expect_dashboard,
    expect_login,
    fill_login,
    fill_registration,
    in_browser,
    mailed,
    places_of_token,
    wait_until,
)

pytestmark = in_browser

LINK = "Confirm your address"


@pytest.fixture
def site(request: pytest.FixtureRequest, browser: object, sites: Callable[..., Site]) -> Site:
    """The app, which wants addresses verified."""
    return sites(getattr(request, "param", "sqlite"), SECUREAUTH_EMAIL_VERIFICATION_MODE="required")


def register(page: Page, email: str) -> None:
    """Register, and see the answer that everybody gets."""
    page.goto("/register.html")
    fill_registration(page, email)
    expect(page.get_by_role("heading", name="Check your mail")).to_be_focused()
    expect(page.get_by_role("main")).to_contain_text(f"We have sent a mail to {email}.")


def verify(page: Page, password: str = PASSWORD) -> None:
    """Fill in the form behind the link and send it."""
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Verify").click()


@every_site
def test_newcomer_verifies_the_address_and_signs_in(page: Page, site: Site, email: str) -> None:
    register(page, email)
    page.goto("/")
    fill_login(page, email)
    expect(page.get_by_role("alert")).to_have_text("Invalid credentials")
    # Whoever knows the password and has not verified the address gets another link, and the first one is void.
    wait_until(page, lambda: len(site.mails(email, LINK)) == 2)
    link = mailed(page, site, email, LINK).link

    page.goto(link)
    expect(page).to_have_url(f"{site.address}/verify.html")
    verify(page, "not the password")
    expect(page.locator("#password-error")).to_have_text("This is not the password of the account.")
    verify(page)

    expect_login(page, site, "Your address is verified. Please sign in.")
    fill_login(page, email)
    expect_dashboard(page, email)
    assert places_of_token(page, site, link) == []


def test_registering_again_looks_the_same_and_is_told_by_mail(page: Page, site: Site, account: str) -> None:
    register(page, account)

    mailed(page, site, account, "You already have an account")


def test_dead_link_leads_to_another_one(page: Page, site: Site, email: str) -> None:
    register(page, email)
    mailed(page, site, email, LINK)
    page.goto("/verify.html#token=" + "x" * 43)
    verify(page)
    expect(page.get_by_role("alert")).to_have_text("This link has run out, or it was used before. Ask for another one.")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_focused()
    wait_until(page, lambda: len(site.mails(email, LINK)) == 2)
