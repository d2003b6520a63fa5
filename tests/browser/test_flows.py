"""The life of an account by mail: forgotten, changed, taken back, deleted. The mail server is a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flask_secureauth.testing import FrozenClock
from tests.browser.site import PASSWORD, Site
from tests.browser.support import (
    Page,
    every_site,
    expect,
    expect_dashboard,
    expect_login,
    fill_login,
    in_browser,
    mailed,
    open_dashboard,
    open_inside,
    places_of_token,
)

pytestmark = in_browser

NEW_PASSWORD = "violet-teapot-77"
RESET, CHANGE, CHANGED = "Choose a new password", "Confirm your new address", "Your address was changed"
DEAD = "This link does not work any more"
REFUSED = "Invalid credentials"


def ask_for_reset(page: Page, site: Site, email: str) -> str:
    """Ask for a link to a new password and return the one that is mailed."""
    page.goto("/forgot.html")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_focused()
    return mailed(page, site, email, RESET).link


def fill_reset(page: Page, password: str = NEW_PASSWORD) -> None:
    """Fill in the form behind the link and send it."""
    page.get_by_label("New password", exact=True).fill(password)
    page.get_by_label("Repeat password").fill(password)
    page.get_by_role("button", name="Change password").click()


def ask_for_change(page: Page, site: Site, new: str) -> str:
    """Ask for another address, on the settings, and return the link that is mailed to it."""
    open_inside(page, "/account.html")
    page.get_by_label("New e-mail").fill(new)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text(f"Please open the link in the mail to {new}.")).to_be_visible()
    return mailed(page, site, new, CHANGE).link


@every_site
def test_forgotten_password_is_replaced_by_mail(page: Page, site: Site, account: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.wait_for_url("**/forgot.html")
    link = ask_for_reset(page, site, account)

    page.goto(link)
    expect(page).to_have_url(f"{site.address}/reset-password.html")
    fill_reset(page)

    expect_login(page, site, "Your password is changed. Please sign in with it.")
    fill_login(page, account)
    expect(page.get_by_role("alert")).to_have_text(REFUSED)
    fill_login(page, account, NEW_PASSWORD)
    expect_dashboard(page, account)
    mailed(page, site, account, "Your password was changed")
    assert places_of_token(page, site, link) == []


@every_site
def test_changed_address_can_be_taken_back(page: Page, site: Site, account: str, signed_in: str) -> None:
    new = f"new-{account}"
    link = ask_for_change(page, site, new)
    page.goto(link)
    button = page.get_by_role("button", name="Confirm the new address")
    expect(button).to_be_visible()
    # Programs open links in mails, too.
    assert site.sent("POST", "/auth/email-change/confirm") == []
    button.click()
    expect(page.get_by_role("heading", name="Your address is changed")).to_be_focused()
    assert places_of_token(page, site, link) == []
    undo = mailed(page, site, account, CHANGED).link

    page.goto(undo)
    page.get_by_role("button", name="Put the old address back").click()
    expect(page.get_by_role("heading", name="Your old address is back")).to_be_focused()
    assert places_of_token(page, site, undo) == []

    page.goto(mailed(page, site, account, RESET).link)
    fill_reset(page)
    expect_login(page, site, "Your password is changed. Please sign in with it.")
    fill_login(page, new, NEW_PASSWORD)
    expect(page.get_by_role("alert")).to_have_text(REFUSED)
    fill_login(page, account, NEW_PASSWORD)
    expect_dashboard(page, account)


@every_site
def test_changed_password_signs_out_the_other_browser(
    page: Page, site: Site, account: str, signed_in: str, new_context: Callable[..., Any]
) -> None:
    other = new_context().new_page()
    open_dashboard(other, account)
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Repeat new password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()

    expect(page.locator("#password-form").get_by_role("status")).to_have_text(
        "Your password is changed. You are signed out everywhere else."
    )
    mailed(page, site, account, "Your password was changed")
    other.reload()
    expect_login(other, site, "Your session has ended. Please sign in again.")
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_role("heading", name="Password changed", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Session ended, since the password changed").first).to_be_visible()


@every_site
def test_deleted_account_is_gone(page: Page, site: Site, account: str, signed_in: str) -> None:
    open_inside(page, "/account.html")
    page.get_by_role("button", name="Delete account").click()
    expect(page.locator("#confirmation-error")).to_have_text("Type the word “delete”.")
    page.get_by_label("Type “delete” to confirm").fill("Delete")
    page.get_by_role("button", name="Delete account").click()

    expect_login(page, site, "Your account is deleted. Goodbye.")
    assert page.context.cookies() == []
    mailed(page, site, account, "Your account was deleted")
    fill_login(page, account)
    expect(page.get_by_role("alert")).to_have_text(REFUSED)


@every_site
def test_export_asks_for_the_password_once_more(
    page: Page, site: Site, account: str, clock: FrozenClock, tmp_path: Path
) -> None:
    open_dashboard(page, account)
    clock.advance(timedelta(minutes=6))
    open_inside(page, "/account.html")
    page.get_by_role("button", name="Download your data").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    password = dialog.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    password.fill("not the password")
    password.press("Enter")
    expect(dialog.locator("#proof-password-error")).to_have_text("This is not your password.")

    with page.expect_download() as download:
        password.fill(PASSWORD)
        password.press("Enter")

    download.value.save_as(tmp_path / "account.json")
    exported = json.loads((tmp_path / "account.json").read_text())
    assert (download.value.suggested_filename, exported["account"]["email"]) == ("account.json", account)
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Your data is in the file account.json")).to_be_visible()
    expect(page.get_by_role("button", name="Download your data")).to_be_focused()


def test_cancelled_proof_changes_nothing(page: Page, site: Site, account: str, clock: FrozenClock) -> None:
    open_dashboard(page, account)
    clock.advance(timedelta(minutes=6))
    open_inside(page, "/account.html")
    page.get_by_label("Type “delete” to confirm").fill("delete")
    button = page.get_by_role("button", name="Delete account")
    for leave in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.get_by_role("button", name="Cancel").click(),
    ):
        button.click()
        page.get_by_role("dialog").get_by_label("Password", exact=True).fill(PASSWORD)
        leave()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(button).to_be_enabled()

    assert page.locator("#proof-password").input_value() == ""
    assert site.sent("POST", "/auth/reauthenticate") == []
    open_inside(page, "/dashboard.html")


def test_reset_link_works_once(page: Page, site: Site, account: str) -> None:
    link = ask_for_reset(page, site, account)
    page.goto(link)
    fill_reset(page)
    expect_login(page, site, "Your password is changed. Please sign in with it.")

    page.goto(link)
    fill_reset(page, "another-teapot-78")

    expect(page.get_by_role("heading", name=DEAD)).to_be_focused()
    page.get_by_role("link", name="Ask for a new link").click()
    expect(page.get_by_role("heading", name="Forgot your password?")).to_be_visible()


def test_reset_link_runs_out(page: Page, site: Site, account: str, clock: FrozenClock) -> None:
    link = ask_for_reset(page, site, account)
    clock.advance(timedelta(minutes=11))
    page.goto(link)
    fill_reset(page)

    expect(page.get_by_role("heading", name=DEAD)).to_be_visible()


def test_reset_page_shows_what_the_policy_says_and_keeps_the_link(page: Page, site: Site, account: str) -> None:
    page.goto(ask_for_reset(page, site, account))
    fields = {"new_password": ["This password was in a data breach."]}
    page.route("**/password-reset/confirm", lambda route: route.fulfill(status=400, json={"fields": fields}), times=1)
    fill_reset(page)
    expect(page.locator("#password-error")).to_have_text("This password was in a data breach.")
    expect(page.get_by_label("New password", exact=True)).to_be_focused()

    fill_reset(page)

    expect_login(page, site, "Your password is changed. Please sign in with it.")


def test_second_link_in_the_same_tab_is_taken(page: Page, site: Site, account: str) -> None:
    page.goto("/reset-password.html#token=" + "x" * 43)
    fill_reset(page)
    expect(page.get_by_role("heading", name=DEAD)).to_be_visible()
    link = ask_for_reset(page, site, account)
    page.goto("/reset-password.html")
    expect(page.get_by_role("heading", name="Open the link from your mail")).to_be_visible()

    page.evaluate("link => location.assign(link)", link)

    expect(page.get_by_label("New password", exact=True)).to_be_visible()
    expect(page).to_have_url(f"{site.address}/reset-password.html")
    fill_reset(page)
    expect_login(page, site, "Your password is changed. Please sign in with it.")


@pytest.mark.parametrize("path", ["/change-email.html", "/undo-email-change.html"])
def test_link_of_nobody_is_explained(page: Page, path: str) -> None:
    page.goto(f"{path}#token={'x' * 43}")
    page.locator("[type=submit]").click()

    expect(page.get_by_role("heading", name=DEAD)).to_be_focused()


@pytest.mark.parametrize(
    "address",
    [
        "/change-email.html",
        "/undo-email-change.html#main",
        "/reset-password.html#token=",
        "/reset-password.html#token=%00%ff",
        "/reset-password.html#token=<img src=x onerror=alert(1)>",
    ],
)
def test_page_without_a_token_says_what_it_needs(page: Page, address: str) -> None:
    page.goto(address)

    expect(page.get_by_role("heading", name="Open the link from your mail")).to_be_visible()
    expect(page.locator("form")).to_be_hidden()


def test_answer_to_a_forgotten_password_is_the_same_for_everybody(page: Page, site: Site, email: str) -> None:
    page.goto("/forgot.html")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()

    expect(page.get_by_role("main")).to_contain_text(f"If there is an account for {email}, a mail is on its way.")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_value(email)
