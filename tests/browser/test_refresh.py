"""The access token runs out: one refresh for all tabs and all calls, and everybody goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from flask_secureauth.testing import FrozenClock
from tests.browser.site import Site
from tests.browser.support import (
    ASK,
    OVER,
    REFRESH,
    RUN_OUT_HERE,
    TURN_IS_FREE,
    Page,
    Route,
    every_site,
    expect_dashboard,
    expect_login,
    in_browser,
    open_dashboard,
    refresh_cookie,
    stored_token,
    wait_for_the_next_token,
    wait_until,
)

pytestmark = in_browser
ASK_TEN_TIMES = """() => {
  window.answers = import('/static/js/auth.js').then(({currentUser}) =>
    Promise.all(Array.from({length: 10}, () => currentUser().then(({email}) => email))));
}"""


@every_site
def test_two_tabs_left_open_past_the_end_share_one_refresh(
    tabs: list[Page], site: Site, account: str, clock: FrozenClock
) -> None:
    """Both clocks pass the end of the token. Each tab does what it does by itself, then what its visitor does."""
    token = stored_token(tabs[0])
    clock.advance(OVER)
    site.requests.clear()

    tabs[0].context.clock.fast_forward(OVER // timedelta(milliseconds=1))

    for tab in tabs:
        wait_for_the_next_token(tab, token)
    assert [tab.evaluate(ASK) for tab in tabs] == [account, account]
    for tab in tabs:
        tab.reload()
        expect_dashboard(tab, account)
        tab.wait_for_function(TURN_IS_FREE)
    assert len(site.sent(*REFRESH)) == 1


def test_hidden_tab_waits_until_it_is_looked_at(page: Page, site: Site, account: str, clock: FrozenClock) -> None:
    """A forgotten tab must not keep a session from its end by idleness. Source: ASVS 7.3.1."""
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => globalThis.isHidden})")
    page.clock.install()
    open_dashboard(page, account)
    token = stored_token(page)
    page.evaluate("globalThis.isHidden = true")
    clock.advance(OVER)
    site.requests.clear()
    page.clock.fast_forward(OVER // timedelta(milliseconds=1))
    page.wait_for_function(TURN_IS_FREE)
    assert site.sent(*REFRESH) == []

    page.evaluate("globalThis.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")

    wait_for_the_next_token(page, token)
    expect_dashboard(page, account)
    assert len(site.sent(*REFRESH)) == 1


class TestShortTokens:
    """Tokens that live for two seconds of the ordinary time."""

    @pytest.fixture
    def site(self, request: pytest.FixtureRequest, sites: Callable[..., Site]) -> Site:
        """The app with short tokens."""
        short = {"SECUREAUTH_ACCESS_TOKEN_LIFETIME": 2, "SECUREAUTH_LEEWAY": 0}
        return sites(getattr(request, "param", "sqlite"), **short)

    @every_site
    def test_two_tabs_go_on_with_one_refresh_for_each_token(self, page: Page, site: Site, account: str) -> None:
        open_dashboard(page, account)
        other = page.context.new_page()
        other.goto("/dashboard.html")

        for _ in range(3):
            wait_for_the_next_token(page, stored_token(page))

        used = [request.cookies["__Host-secureauth_refresh"] for request in site.sent(*REFRESH)]
        assert len(used) >= 3
        assert len(set(used)) == len(used)
        for tab in (page, other):
            expect_dashboard(tab, account)
            assert tab.evaluate(ASK) == account


@every_site
@pytest.mark.parametrize("knows", [True, False], ids=["by_its_own_clock", "from_the_server"])
def test_ten_calls_in_each_of_two_tabs_share_one_refresh(
    page: Page, site: Site, account: str, clock: FrozenClock, knows: bool
) -> None:
    open_dashboard(page, account)
    other = page.context.new_page()
    other.goto("/register.html")
    expect_dashboard(other, account)
    clock.advance(OVER)
    site.requests.clear()
    if knows:
        page.evaluate(RUN_OUT_HERE)

    for tab in (page, other):
        tab.evaluate(ASK_TEN_TIMES)

    assert [tab.evaluate("answers") for tab in (page, other)] == [[account] * 10] * 2
    assert len(site.sent(*REFRESH)) == 1


def test_tab_whose_turn_it_is_sees_what_the_one_before_stored(page: Page, site: Site) -> None:
    """Two tabs may be two processes, and their storage is the same only after a while."""
    count = """() => {
      const add = () => localStorage.setItem('count', 1 + Number(localStorage.getItem('count')));
      window.counted = import('/static/js/token.js').then(async ({alone}) => {
        for (let turn = 0; turn < 40; turn += 1) await alone(add);
      });
    }"""
    tabs = [page, page.context.new_page()]
    for tab in tabs:
        tab.goto("/register.html")
    for tab in tabs:
        tab.evaluate(count)
    for tab in tabs:
        tab.evaluate("counted")

    assert page.evaluate("localStorage.getItem('count')") == "80"


def test_browser_without_locks_and_channels_refreshes_and_follows(
    page: Page, site: Site, account: str, clock: FrozenClock
) -> None:
    page.context.add_init_script(
        "delete globalThis.BroadcastChannel; Object.defineProperty(navigator, 'locks', {value: undefined})"
    )
    other = page.context.new_page()
    other.goto("/register.html")
    open_dashboard(page, account)
    expect_dashboard(other, account)
    clock.advance(OVER)
    site.requests.clear()

    page.evaluate(ASK_TEN_TIMES)
    assert page.evaluate("answers") == [account] * 10
    assert len(site.sent(*REFRESH)) == 1
    page.get_by_role("button", name="Sign out", exact=True).click()

    expect_login(other, site, "You are signed out.")


@every_site
def test_visitor_who_comes_back_is_refreshed_and_let_in(
    page: Page, site: Site, account: str, clock: FrozenClock
) -> None:
    open_dashboard(page, account)
    token = stored_token(page)
    page.goto("/health")
    clock.advance(OVER)
    site.requests.clear()

    page.goto("/")

    expect_dashboard(page, account)
    assert stored_token(page) != token
    assert len(site.sent(*REFRESH)) == 1


def test_call_that_another_tab_overtook_is_repeated_with_the_new_token(
    page: Page, site: Site, account: str, signed_in: str
) -> None:
    held: list[Route] = []
    page.route("**/users/me", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/users/me"):
        page.evaluate(f"() => {{ window.answer = {ASK}; }}")
    site.sign_out(signed_in)
    page.evaluate("token => localStorage.setItem('access_token', token)", site.sign_in(account))
    wait_until(page, lambda: bool(held))

    held[0].continue_()

    assert page.evaluate("answer") == account


def test_page_that_is_left_still_takes_the_next_refresh_token(
    page: Page, site: Site, account: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the server would take the old one for stolen, and end the session."""
    open_dashboard(page, account)
    answered, left, serve = Event(), Event(), site.app.wsgi_app

    def hold(environ: Any, start_response: Any) -> Any:
        answer = serve(environ, start_response)
        if environ["PATH_INFO"] == REFRESH[1]:
            answered.set()
            assert left.wait(30)
        return answer

    clock.advance(OVER)
    monkeypatch.setattr(site.app, "wsgi_app", hold)
    page.evaluate(f"void {ASK}.catch(() => null)")
    assert answered.wait(30)
    before = refresh_cookie(page)
    page.goto("/static/icon.svg")
    left.set()
    wait_until(page, lambda: refresh_cookie(page) != before)
    clock.advance(timedelta(seconds=30))

    page.goto("/dashboard.html")

    expect_dashboard(page, account)
