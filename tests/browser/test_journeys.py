"""What a visitor goes through: registration, sign-in, dashboard, sign-out, and what may go wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from example_app.models import User, db
from flask_secureauth.testing import frozen_clock
from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    Page,
    Route,
    every_site,
    expect,
    expect_dashboard,
    expect_login,
    fill_login,
    fill_registration,
    in_browser,
    stored_token,
    wait_until,
)

pytestmark = in_browser
ENDED = "Your session has ended. Please sign in again."
BROKEN = {"status": 500, "json": {"error": "Internal Server Error", "code": "internal_error"}}


@every_site
def test_newcomer_registers_signs_in_and_signs_out(page: Page, site: Site, email: str, console: list[str]) -> None:
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    fill_registration(page, email)
    expect(page.get_by_role("status").get_by_text("Your account is ready. Taking you to sign in…")).to_be_visible()

    expect_login(page, site, "Your account is ready. Please sign in.")
    expect(page.get_by_label("E-mail")).to_have_value(email)
    fill_login(page, email)

    expect_dashboard(page, email)
    assert stored_token(page)
    page.get_by_role("button", name="Sign out", exact=True).click()

    expect_login(page, site, "You are signed out.")
    assert stored_token(page) is None
    assert console == []


@every_site
def test_dashboard_shows_the_account(page: Page, site: Site, account: str, signed_in: str, console: list[str]) -> None:
    client = site.app.test_client()
    me = client.get("/users/me", headers={"Authorization": f"Bearer {signed_in}"}).json

    expect(page.locator("[data-user-id]")).to_have_text(str(me["id"]))
    created = page.locator("[data-user-created]")
    expect(created).to_contain_text(str(datetime.now(UTC).year))
    moment = created.get_attribute("datetime") or ""
    assert datetime.fromisoformat(moment) == datetime.fromisoformat(me["created_at"]).replace(
        microsecond=datetime.fromisoformat(moment).microsecond
    )
    assert console == []


@every_site
def test_wrong_password_is_said_and_can_be_corrected(page: Page, account: str) -> None:
    page.goto("/")
    fill_login(page, account, "not the password")

    expect(page.get_by_role("alert")).to_have_text("Invalid credentials")
    expect(page.get_by_label("E-mail")).to_have_value(account)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
    fill_login(page, account)
    expect_dashboard(page, account)


@every_site
def test_taken_address_leads_to_sign_in(page: Page, site: Site, account: str) -> None:
    page.goto("/register.html")
    fill_registration(page, account)

    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.locator("#email-error")).to_have_text("This address has an account. Sign in")
    page.locator("#email-error").get_by_role("link", name="Sign in").click()
    expect_login(page, site)
    expect(page.get_by_label("E-mail")).to_have_value(account)


@pytest.mark.parametrize("path", ["/", "/index.html", "/register.html"])
def test_signed_in_visitor_goes_straight_to_the_dashboard(
    page: Page, account: str, signed_in: str, path: str, console: list[str]
) -> None:
    page.goto(path)

    expect_dashboard(page, account)
    assert console == []


def test_dashboard_without_a_token_goes_to_sign_in(page: Page, site: Site, console: list[str]) -> None:
    page.goto("/dashboard.html")

    expect_login(page, site)
    assert console == []


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "null", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_dashboard_with_a_bad_token_forgets_it(page: Page, site: Site, token: str) -> None:
    page.goto("/health")
    page.evaluate("token => localStorage.setItem('access_token', token)", token)
    page.goto("/dashboard.html")

    expect_login(page, site, ENDED)
    assert stored_token(page) is None


@every_site
def test_revoked_session_signs_out_kindly(page: Page, site: Site, signed_in: str) -> None:
    site.sign_out(signed_in)
    page.reload()

    expect_login(page, site, ENDED)
    assert stored_token(page) is None


def test_session_that_is_over_signs_out_kindly(page: Page, site: Site, signed_in: str) -> None:
    with frozen_clock(site.app) as clock:
        clock.advance(timedelta(hours=25))
        page.reload()

        expect_login(page, site, ENDED)


def test_expired_token_of_no_session_is_forgotten(page: Page, site: Site, account: str) -> None:
    with frozen_clock(site.app, datetime.now(UTC) - timedelta(hours=2)):
        token = site.sign_in(account)
    page.goto("/health")
    page.evaluate("token => localStorage.setItem('access_token', token)", token)

    page.goto("/")

    expect_login(page, site, ENDED)
    assert stored_token(page) is None
    assert site.sent("POST", "/auth/refresh") == []


def test_deleted_user_is_signed_out_kindly(page: Page, site: Site, account: str, signed_in: str) -> None:
    with site.app.app_context():
        db.session.execute(delete(User).where(User.email == account))
        db.session.commit()

    page.reload()

    expect_login(page, site, ENDED)


def test_notice_is_shown_once(page: Page, site: Site, signed_in: str) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect_login(page, site, "You are signed out.")

    page.reload()

    expect_login(page, site)


@every_site
def test_signing_out_in_one_tab_signs_out_the_other(page: Page, site: Site, signed_in: str, account: str) -> None:
    other = page.context.new_page()
    other.goto("/dashboard.html")
    expect_dashboard(other, account)

    other.get_by_role("button", name="Sign out", exact=True).click()

    expect_login(page, site, "You are signed out.")
    expect_login(other, site, "You are signed out.")
    assert account not in page.content()


def test_signing_in_in_one_tab_signs_in_the_other(page: Page, account: str) -> None:
    page.goto("/")
    other = page.context.new_page()
    other.goto("/register.html")

    fill_login(page, account)

    expect_dashboard(other, account)


def test_back_after_signing_out_shows_nothing(page: Page, site: Site, signed_in: str, account: str) -> None:
    """F29: whoever sits down next must not see the account. Source: ASVS 14.3.1."""
    page.goto("/health")
    page.goto("/dashboard.html")
    expect_dashboard(page, account)
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect_login(page, site, "You are signed out.")

    page.go_back()
    expect(page).to_have_url(f"{site.address}/health")
    page.go_back()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert account not in page.content()


def test_back_after_another_tab_signed_out_shows_nothing(page: Page, site: Site, signed_in: str, account: str) -> None:
    page.goto("/health")
    other = page.context.new_page()
    other.goto("/dashboard.html")
    other.get_by_role("button", name="Sign out", exact=True).click()
    expect_login(other, site, "You are signed out.")

    page.go_back()

    expect_login(page, site)
    assert account not in page.content()


def test_page_that_the_browser_puts_away_holds_no_account(page: Page, account: str, signed_in: str) -> None:
    """F29: a browser brings a page back as it was left. Playwright switches that off, so the events are sent here."""
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    put_away = page.content()

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")

    assert account not in put_away
    expect_dashboard(page, account)


def test_reload_keeps_the_visitor_signed_in(page: Page, account: str, signed_in: str, console: list[str]) -> None:
    page.reload()

    expect_dashboard(page, account)
    assert console == []


def test_server_error_offers_to_retry(page: Page, account: str, signed_in: str) -> None:
    page.route("**/users/me", lambda route: route.fulfill(**BROKEN))
    page.reload()
    failure = page.get_by_role("alert")
    expect(failure).to_contain_text("Your account could not be loaded")
    expect(failure).to_contain_text("Something went wrong on the server. Please try again.")
    expect(failure).to_contain_text("You are still signed in.")

    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("button", name="Retry")).to_be_focused()
    page.unroute("**/users/me")
    page.get_by_role("button", name="Retry").click()

    expect_dashboard(page, account)
    expect(failure).to_be_hidden()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (BROKEN, "Something went wrong on the server. Please try again."),
        ({"status": 502, "body": "<h1>Bad Gateway</h1>"}, "Something went wrong on the server. Please try again."),
        ({"status": 200, "json": {}}, "Something went wrong on the server. Please try again."),
        (
            {"status": 503, "json": {"error": "x"}, "headers": {"Retry-After": "7"}},
            "The service is busy right now. Please try again in 7 seconds.",
        ),
        (None, "The server could not be reached. Check your connection and try again."),
    ],
    ids=["crash", "proxy", "nonsense", "busy", "unreachable"],
)
def test_failure_at_sign_in_is_said_and_keeps_the_entries(
    page: Page, account: str, answer: dict[str, Any] | None, text: str
) -> None:
    page.route("**/auth/login", lambda route: route.fulfill(**answer) if answer else route.abort())
    page.goto("/")
    fill_login(page, account)

    expect(page.get_by_role("alert")).to_have_text(text)
    expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
    page.unroute("**/auth/login")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect_dashboard(page, account)


def test_signing_out_works_without_the_server(page: Page, site: Site, signed_in: str) -> None:
    page.route("**/auth/logout", lambda route: route.abort())

    page.get_by_role("button", name="Sign out", exact=True).click()

    expect(page.locator("#message")).to_contain_text("You are signed out in this browser.")
    assert stored_token(page) is None


def test_signing_out_ends_the_session_on_the_server(page: Page, site: Site, signed_in: str) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect_login(page, site, "You are signed out.")

    response = site.app.test_client().get("/users/me", headers={"Authorization": f"Bearer {signed_in}"})
    assert response.status_code == 401


@pytest.mark.parametrize("path", ["/", "/register.html", "/dashboard.html"])
def test_page_without_javascript_says_what_it_needs(new_context: Callable[..., Any], path: str) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(path)

    notice = page.locator("noscript p")
    expect(notice).to_be_visible()
    assert "This page needs JavaScript" in notice.inner_text()
    expect(page.locator("form, #app")).to_be_hidden()


def test_unknown_page_leads_back(page: Page, site: Site) -> None:
    page.goto("/nothing.html")

    page.get_by_role("link", name="Go to sign in").click()

    expect_login(page, site)


def test_button_is_busy_until_the_answer_comes(page: Page, account: str) -> None:
    held: list[Route] = []
    page.route("**/auth/login", lambda route: held.append(route))
    page.goto("/")
    fill_login(page, account)

    busy = page.locator("#submit")
    expect(busy).to_have_text("Signing in…")
    expect(busy).to_be_disabled()
    expect(busy).to_have_attribute("aria-busy", "true")
    page.get_by_label("Password", exact=True).press("Enter")
    wait_until(page, lambda: bool(held))
    held[0].continue_()

    expect_dashboard(page, account)
    assert len(held) == 1
