"""F19: text that looks like HTML stays text, wherever it comes from. Source: ASVS 1.3.1, 3.2.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.site import Site
from tests.browser.support import (
    Page,
    expect,
    expect_dashboard,
    fill_login,
    fill_registration,
    in_browser,
    open_dashboard,
)

pytestmark = in_browser

POLYGLOTS = [
    "<img/src=x/onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "'-alert(1)-'",
    "javascript:/*--></title></style></textarea></script><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+alert(1)//'>",
    "{{7*7}}${7*7}<%=7*7%>",
]


def injected(page: Page) -> int:
    """How many elements there are that only an attack can have put there."""
    return page.locator("main img, main script, main [onerror], main [onload], main svg[onload]").count()


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_address_that_is_an_attack_stays_text(page: Page, site: Site, polyglot: str, console: list[str]) -> None:
    """A stored address comes back to the dashboard and its title."""
    email = f"{polyglot}@example.com"
    site.add_user(email)
    page.goto("/")

    fill_login(page, email)

    expect_dashboard(page, email)
    assert injected(page) == 0
    assert console == []


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_answer_that_is_an_attack_stays_text(page: Page, polyglot: str) -> None:
    page.route("**/auth/login", lambda route: route.fulfill(status=400, json={"error": polyglot}))
    page.goto("/")

    fill_login(page, "kim@example.com")

    expect(page.get_by_role("alert")).to_have_text(polyglot)
    assert injected(page) == 0


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_field_error_that_is_an_attack_stays_text(page: Page, polyglot: str) -> None:
    page.route("**/users", lambda route: route.fulfill(status=400, json={"fields": {"email": [polyglot]}}))
    page.goto("/register.html")

    fill_registration(page, "kim@example.com")

    expect(page.locator("#email-error")).to_have_text(polyglot)
    assert injected(page) == 0


def test_profile_that_is_an_attack_stays_text(page: Page, signed_in: str) -> None:
    attack = POLYGLOTS[0]
    profile = {"id": attack, "email": attack, "created_at": "2026-01-21T10:30:00+00:00"}
    page.route("**/users/me", lambda route: route.fulfill(json=profile))

    page.reload()

    expect(page.locator("[data-user-id]")).to_have_text(attack)
    assert injected(page) == 0


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_device_that_is_an_attack_stays_text(
    new_context: Callable[..., Any], account: str, polyglot: str, console: list[str]
) -> None:
    """Whoever steals a password chooses what his browser calls itself; its owner sees that in the list."""
    page = new_context(user_agent=f"{polyglot} Firefox/140.0 {polyglot}").new_page()

    open_dashboard(page, account)

    expect(page.locator("#sessions li h3")).to_contain_text("Firefox")
    assert injected(page) == 0
    assert console == []


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_session_that_is_an_attack_stays_text(page: Page, account: str, polyglot: str) -> None:
    """Every member of the answer, should a parser or a proxy ever pass more of it on."""
    moment = "2026-01-21T10:30:00+00:00"
    texts = dict.fromkeys(("id", "device", "address"), polyglot)
    times = dict.fromkeys(("created_at", "last_used_at", "expires_at"), moment)
    other = {**texts, **times, "current": False, "methods": [polyglot]}
    page.route("**/auth/sessions", lambda route: route.fulfill(json={"sessions": [other]}))
    page.route("**/auth/sessions/**", lambda route: route.fulfill(json={}))

    open_dashboard(page, account)

    expect(page.locator("#sessions li h3")).to_have_text(polyglot, use_inner_text=True)
    expect(page.locator("#sessions dd").first).to_have_text(polyglot)
    assert injected(page) == 0
    page.locator("#sessions li button").click()
    expect(page.locator("#sessions").get_by_role("status")).to_have_text(f"{polyglot} is signed out.")
    assert injected(page) == 0


def test_activity_that_is_an_attack_stays_text(page: Page, signed_in: str) -> None:
    """What a browser calls itself, and events that this page does not know."""
    attack = POLYGLOTS[0]
    event = {"at": "2026-01-21T10:30:00+00:00", **dict.fromkeys(("event", "reason", "address", "device"), attack)}
    page.route("**/auth/audit", lambda route: route.fulfill(json={"events": [event], "next": None}))

    page.goto("/activity.html")

    expect(page.locator("#events h2")).to_have_text(attack)
    assert injected(page) == 0


def test_address_in_an_answer_stays_text(page: Page) -> None:
    page.route("**/auth/password-reset", lambda route: route.fulfill(status=202, json={}))
    page.goto("/forgot.html")
    page.get_by_label("E-mail").fill("<b>kim</b>@example.com")
    page.get_by_role("button", name="Send the link").click()

    expect(page.locator("[data-address]")).to_have_text("<b>kim</b>@example.com")
    assert page.locator("main b").count() == 0


def test_notice_that_is_an_attack_stays_text(page: Page) -> None:
    page.goto("/health")
    page.evaluate(
        "text => sessionStorage.setItem('notice', JSON.stringify({kind: text, text, email: text}))", POLYGLOTS[0]
    )

    page.goto("/")

    expect(page.locator("#message")).to_have_text(POLYGLOTS[0])
    assert injected(page) == 0


def test_policy_stops_an_inline_script(context, console: list[str]) -> None:  # type: ignore[no-untyped-def]
    """The second line of defence, should text ever go in as HTML."""
    page = context.new_page()
    page.goto("/")

    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')"
    )

    expect(page.locator("main img")).to_have_count(1)
    page.wait_for_event("console", lambda message: "Content Security Policy" in message.text) if not console else None
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in line for line in console)
