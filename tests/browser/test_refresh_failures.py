"""The access token runs out, and the refresh does not go well: no loop, and nobody is signed out without need."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flask_secureauth.testing import FrozenClock
from tests.browser.site import Site
from tests.browser.support import (
    ASK,
    OVER,
    REFRESH,
    TURN_IS_FREE,
    Page,
    Route,
    every_site,
    expect,
    expect_dashboard,
    expect_login,
    in_browser,
    open_dashboard,
    stored_token,
    wait_for_the_next_token,
)

pytestmark = in_browser
ENDED = "Your session has ended. Please sign in again."


@pytest.mark.parametrize("path", ["/users/me", "/auth/sessions"])
def test_token_that_stays_expired_is_tried_twice_and_no_more(page: Page, site: Site, signed_in: str, path: str) -> None:
    """A server whose parts disagree about the time must not be asked for ever, and nobody is signed out for it."""
    tried: list[Route] = []
    answer: dict[str, Any] = {"status": 401, "json": {"error": "The access token has expired", "code": "token_expired"}}

    def refuse(route: Route) -> None:
        tried.append(route)
        route.fulfill(**answer)

    page.route(f"**{path}", refuse)
    site.requests.clear()

    page.reload()

    expect(page.get_by_text("The access token has expired")).to_be_visible()
    assert len(tried) == 2
    assert len(site.sent(*REFRESH)) == 1
    assert stored_token(page)


@every_site
def test_refused_refresh_signs_out_all_tabs_after_one_request(tabs: list[Page], site: Site, clock: FrozenClock) -> None:
    clock.advance(timedelta(hours=25))
    site.requests.clear()

    tabs[0].context.clock.fast_forward(OVER // timedelta(milliseconds=1))

    for tab in tabs:
        expect(tab).to_have_url(f"{site.address}/")
        expect(tab.locator("#message")).to_have_text(ENDED)
        tab.wait_for_load_state("networkidle")
        tab.wait_for_function(TURN_IS_FREE)
        tab.reload()
        expect_login(tab, site)
    assert len(site.sent(*REFRESH)) == 1
    assert stored_token(tabs[0]) is None
    assert tabs[0].context.cookies() == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "refresh_token_missing"), (401, "refresh_token_reused"), (401, "session_revoked"), (403, "csrf_failed")],
)
def test_every_refusal_of_a_refresh_ends_the_session_once(
    page: Page, site: Site, account: str, clock: FrozenClock, status: int, code: str
) -> None:
    open_dashboard(page, account)
    clock.advance(OVER)
    refused: list[Route] = []

    def refuse(route: Route) -> None:
        refused.append(route)
        route.fulfill(status=status, json={"error": "No", "code": code})

    page.route("**/auth/refresh", refuse)

    page.reload()

    expect_login(page, site, ENDED)
    page.wait_for_load_state("networkidle")
    assert len(refused) == 1


def test_cookie_that_stays_does_not_lead_round_in_circles(page: Page, site: Site, account: str) -> None:
    """The pages take the readable cookie for a session. Here it can neither be removed nor be used."""
    page.add_init_script("Object.defineProperty(document, 'cookie', {get: () => '__Host-secureauth_csrf=x', set() {}})")

    page.goto("/dashboard.html")

    expect_login(page, site, ENDED)
    page.wait_for_load_state("networkidle")
    expect_login(page, site, ENDED)
    assert len(site.sent(*REFRESH)) == 1


@pytest.mark.parametrize("status", [500, 502, 503, None])
def test_refresh_that_fails_signs_nobody_out(
    page: Page, site: Site, account: str, clock: FrozenClock, status: int | None
) -> None:
    open_dashboard(page, account)
    clock.advance(OVER)
    page.route("**/auth/refresh", lambda route: route.fulfill(status=status, json={}) if status else route.abort())
    page.reload()
    reasons = {
        503: "The service is busy right now. Please try again in a moment.",
        None: "The server could not be reached. Check your connection and try again.",
    }
    failure = page.get_by_role("alert")
    expect(failure).to_contain_text(reasons.get(status, "Something went wrong on the server. Please try again."))
    expect(failure).to_contain_text("You are still signed in.")

    page.unroute("**/auth/refresh")
    page.get_by_role("button", name="Retry").click()

    expect_dashboard(page, account)


def test_refresh_that_fails_by_itself_disturbs_nobody(page: Page, site: Site, account: str, clock: FrozenClock) -> None:
    """The tab tries again by its own clock, and the account stays in sight."""
    page.clock.install()
    open_dashboard(page, account)
    token = stored_token(page)
    clock.advance(OVER)
    page.route("**/auth/refresh", lambda route: route.fulfill(status=503, json={}))
    with page.expect_response("**/auth/refresh"):
        page.clock.fast_forward(OVER // timedelta(milliseconds=1))
    page.wait_for_function(TURN_IS_FREE)
    expect_dashboard(page, account)

    page.unroute("**/auth/refresh")
    page.clock.fast_forward(5_000)

    wait_for_the_next_token(page, token)
    expect_dashboard(page, account)


@pytest.mark.parametrize("hours", [-3, 3])
def test_wrong_clock_of_the_browser_costs_no_refresh(
    new_context: Callable[..., Any], site: Site, account: str, hours: int
) -> None:
    page = new_context().new_page()
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=hours))
    open_dashboard(page, account)

    page.reload()

    expect_dashboard(page, account)
    assert page.evaluate(ASK) == account
    assert site.sent(*REFRESH) == []


def test_clock_that_jumps_costs_one_refresh(page: Page, site: Site, account: str) -> None:
    """The browser takes its token for expired, and the server does not."""
    page.clock.install()
    open_dashboard(page, account)
    page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=3))

    assert [page.evaluate(ASK) for _ in range(3)] == [account] * 3
    assert len(site.sent(*REFRESH)) == 1
