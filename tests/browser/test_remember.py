"""What a browser keeps of a session: until it is closed, or for weeks, and never the refresh token within reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    Page,
    every_site,
    expect_dashboard,
    expect_login,
    in_browser,
    open_dashboard,
    refresh_cookie,
    sign_in,
    stored_token,
)

pytestmark = in_browser


@every_site
@pytest.mark.parametrize("remember", [False, True])
def test_checkbox_decides_how_long_the_browser_keeps_the_cookies(
    page: Page, site: Site, account: str, remember: bool
) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(account)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Keep me signed in").set_checked(remember)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect_dashboard(page, account)

    kept = {cookie["name"]: cookie["expires"] for cookie in page.context.cookies()}
    assert kept.keys() == {"__Host-secureauth_refresh", "__Host-secureauth_csrf"}
    days = [(ends - datetime.now(UTC).timestamp()) / 86_400 for ends in kept.values()]
    assert all(13 < count <= 30 for count in days) if remember else set(kept.values()) == {-1}


def test_closed_browser_forgets_who_is_not_to_be_remembered(page: Page, site: Site, account: str) -> None:
    """The next person at this computer. A closed browser drops session cookies and keeps its storage."""
    open_dashboard(page, account)
    page.goto("/health")
    page.context.clear_cookies()
    site.requests.clear()

    page.goto("/")

    expect_login(page, site)
    assert stored_token(page) is None
    page.goto("/dashboard.html")
    expect_login(page, site)
    assert site.sent("GET", "/users/me") == []


def test_remembered_visitor_needs_nothing_but_the_cookies(
    page: Page, new_context: Callable[..., Any], site: Site, account: str
) -> None:
    open_dashboard(page, account, remember=True)
    later = new_context(storage_state={"cookies": page.context.cookies(), "origins": []}).new_page()

    later.goto("/")

    expect_dashboard(later, account)


@every_site
def test_no_script_can_reach_the_refresh_token(page: Page, site: Site, account: str) -> None:
    """Whoever injects a script takes at most an hour. Source: ASVS 3.3.4, 14.3.3; RFC 6265 section 4.1.2.6."""
    page.goto("/")
    with page.expect_response("**/auth/login") as login:
        sign_in(page, account)
    answer = login.value.json()
    page.goto("/dashboard.html")
    expect_dashboard(page, account)
    secret = refresh_cookie(page)

    reachable = page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])")
    assert answer.keys() == {"access_token", "token_type", "expires_in"}
    assert answer["access_token"] in reachable
    assert secret not in reachable
    assert "secureauth_refresh" not in reachable
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["value"] == secret]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
