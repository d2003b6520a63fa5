"""What the eye sees: widths, light and dark, contrast, motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.site import PASSWORD, Site
from tests.browser.support import Page, expect, expect_dashboard, in_browser

pytestmark = in_browser

PAGES = {
    "/": "Sign in",
    "/register.html": "Create an account",
    "/forgot.html": "Forgot your password?",
    "/reset-password.html#token=a": "Choose a new password",
    "/verify.html#token=a": "Verify your address",
    "/change-email.html#token=a": "Confirm your new address",
    "/undo-email-change.html#token=a": "Keep your old address",
    "/dashboard.html": "Your account",
    "/account.html": "Settings",
    "/activity.html": "Activity",
    "/nothing": "Page not found",
}
PROTECTED = ("/dashboard.html", "/account.html", "/activity.html")
WIDTHS = {360: 740, 768: 1024, 1440: 900}
each_kind_of_page = pytest.mark.parametrize("path", ["/", "/dashboard.html", "/activity.html", "/nothing"])
every_page = pytest.mark.parametrize("path", PAGES)
every_scheme = pytest.mark.parametrize("scheme", ["light", "dark"])

CONTRASTS = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b]
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const unseen = '.skip, .visually-hidden, [aria-hidden=true], noscript';
  const texts = [...document.querySelectorAll('body *')].filter((element) =>
    element.checkVisibility({visibilityProperty: true}) && !element.closest(unseen)
    && [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return texts.map((element) => {
    const [text, behind] = [channels(getComputedStyle(element).color), background(element)].map(luminance);
    const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    return [element.textContent.trim().slice(0, 40), Math.round(ratio * 100) / 100];
  });
}"""


@pytest.fixture
def open_page(
    new_context: Callable[..., Any], site: Site, account: str, console: list[str]
) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page with the options of a context, signed in where that is needed.

    The console says nothing about any of them, but that /nothing is a 404.
    """

    def open_it(path: str, **options: Any) -> Page:
        token = site.sign_in(account) if path in PROTECTED else None
        page: Page = new_context(token, **options).new_page()
        page.goto(path)
        expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
        if token:
            expect(page.locator("#content")).to_be_visible()
        if path == "/dashboard.html":
            expect_dashboard(page, account)
        return page

    yield open_it
    assert [line for line in console if "status of 404" not in line] == []


@every_page
@pytest.mark.parametrize("width", WIDTHS)
def test_page_never_scrolls_sideways(open_page: Callable[..., Page], path: str, width: int) -> None:
    page = open_page(path, viewport={"width": width, "height": WIDTHS[width]})

    sizes = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    outside = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((element) => element.checkVisibility()"
        " && element.getBoundingClientRect().right > innerWidth + 1).map((element) => element.outerHTML.slice(0, 80))"
    )
    assert sizes == [width, width]
    assert outside == []


def test_longest_address_fits_a_phone(site: Site, new_context: Callable[..., Any]) -> None:
    email = f"{'w' * 64}@{'m' * 63}.{'w' * 63}.{'m' * 50}.com"
    site.add_user(email)
    phone = new_context(site.sign_in(email), viewport={"width": 360, "height": 740}).new_page()
    phone.goto("/dashboard.html")

    expect(phone.locator("[data-user-email]")).to_have_text(email)
    assert phone.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("width", WIDTHS)
def test_longest_device_fits(site: Site, account: str, new_context: Callable[..., Any], width: int) -> None:
    page = new_context(site.sign_in(account), viewport={"width": width, "height": WIDTHS[width]}).new_page()
    moment = "2026-01-21T10:30:00+00:00"
    times = dict.fromkeys(("created_at", "last_used_at", "expires_at"), moment)
    session = {"id": "a", "device": "W" * 200, "address": "2001:db8:aaaa::/48", "current": True, **times}
    page.route("**/auth/sessions", lambda route: route.fulfill(json={"sessions": [session]}))
    page.goto("/dashboard.html")

    expect_dashboard(page, account)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@every_page
@every_scheme
def test_text_is_easy_to_read(open_page: Callable[..., Page], path: str, scheme: str) -> None:
    """WCAG 1.4.3: a contrast of 4.5 or more for every text."""
    page = open_page(path, color_scheme=scheme, reduced_motion="reduce")

    contrasts = page.evaluate(CONTRASTS)

    assert len(contrasts) > 3
    assert [entry for entry in contrasts if entry[1] < 4.5] == []


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
@each_kind_of_page
def test_page_follows_the_colour_scheme(open_page: Callable[..., Page], path: str, scheme: str, is_dark: bool) -> None:
    page = open_page(path, color_scheme=scheme)

    shade = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")

    assert (sum(shade) < 3 * 128) is is_dark


@each_kind_of_page
def test_reduced_motion_stops_every_animation(open_page: Callable[..., Page], path: str) -> None:
    """WCAG 2.3.3."""
    page = open_page(path, reduced_motion="reduce")

    assert page.evaluate("document.getAnimations().length") == 0


def test_motion_is_there_for_everybody_else(open_page: Callable[..., Page]) -> None:
    page = open_page("/", reduced_motion="no-preference")

    assert page.evaluate("document.getAnimations().length") > 0


@pytest.mark.parametrize("path", [path for path in PAGES if path not in ("/nothing", "/activity.html")])
def test_what_is_pressed_is_large_enough_for_a_finger(open_page: Callable[..., Page], path: str) -> None:
    """WCAG 2.5.8: at least 24 by 24 pixels; ours have 44 where they stand alone."""
    page = open_page(path, viewport={"width": 360, "height": 740})

    pressed = [*page.get_by_role("button").all(), *page.locator("nav a").all()]
    boxes = [button.bounding_box() for button in pressed]

    assert boxes
    assert all(box and box["height"] >= 44 and box["width"] >= 44 for box in boxes)


@pytest.mark.parametrize("path", ["/", "/register.html", "/verify.html#token=a", "/account.html"])
def test_form_works_at_twice_the_text_size(open_page: Callable[..., Page], path: str) -> None:
    """WCAG 1.4.4 and 1.4.10: 1280 pixels at 400 % are 320."""
    page = open_page(path, viewport={"width": 320, "height": 640})
    page.locator("input[type=password]").first.fill(PASSWORD)

    assert page.evaluate("document.documentElement.scrollWidth") == 320
