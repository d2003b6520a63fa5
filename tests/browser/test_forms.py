"""The forms: checks while one types, messages that are announced, what a password manager and a screen reader find."""

from __future__ import annotations

import pytest

from tests.browser.site import PASSWORD
from tests.browser.support import Page, expect, fill_registration, in_browser
from tests.browser.test_looks import PAGES, PROTECTED

pytestmark = in_browser


@pytest.fixture
def register(page: Page) -> Page:
    """The registration page."""
    page.goto("/register.html")
    return page


def test_wrong_address_is_said_on_leaving_and_taken_back_while_typing(register: Page) -> None:
    address = register.get_by_label("E-mail")
    address.fill("kim@")
    expect(register.locator("#email-error")).to_be_empty()

    address.press("Tab")
    expect(register.locator("#email-error")).to_have_text("Enter a full e-mail address.")
    expect(address).to_have_attribute("aria-invalid", "true")

    address.fill("kim@example.com")
    expect(register.locator("#email-error")).to_be_empty()
    expect(address).to_have_attribute("aria-invalid", "false")


def test_passing_through_an_empty_field_is_no_mistake(register: Page) -> None:
    register.get_by_label("E-mail").focus()
    register.keyboard.press("Tab")

    expect(register.get_by_label("Password", exact=True)).to_be_focused()
    expect(register.locator("#email-error")).to_be_empty()


@pytest.mark.parametrize(
    ("password", "feedback"),
    [
        ("short", "5 of 8 characters"),
        ("😀😀😀😀", "4 of 8 characters"),
        ("aaaaaaaaaaaa", "Easy to guess"),
        ("violet-42", "Fair"),
        ("violet-42-kraken", "Strong"),
        ("violet-42-krak", "Good"),
        ("ab" * 129, "2 too many"),
    ],
)
def test_strength_follows_the_typing(register: Page, password: str, feedback: str) -> None:
    register.get_by_label("Password", exact=True).fill(password)

    expect(register.locator("#password-strength")).to_have_text(feedback)


def test_common_password_is_warned_about_and_accepted(register: Page, email: str) -> None:
    register.get_by_label("Password", exact=True).fill("password123")
    expect(register.locator("#password-warning")).to_have_text("This is a common password, so it is easy to guess.")

    fill_registration(register, email, "password123")

    expect(register.locator("#message")).to_contain_text("Your account is ready.")


def test_password_with_the_name_of_the_address_is_warned_about(register: Page) -> None:
    register.get_by_label("E-mail").fill("kimberley@example.com")
    register.get_by_label("Password", exact=True).fill("my-Kimberley-7")

    expect(register.locator("#password-warning")).to_have_text("It contains the name from your e-mail.")


def test_repeated_password_follows_the_first(register: Page) -> None:
    register.get_by_label("Password", exact=True).fill(PASSWORD)
    register.get_by_label("Repeat password").fill(PASSWORD[:-1])
    register.get_by_label("Repeat password").press("Tab")
    register.get_by_label("E-mail").focus()
    mismatch = register.locator("#confirm-error")
    expect(mismatch).to_have_text("The passwords do not match.")

    register.get_by_label("Password", exact=True).fill(PASSWORD[:-1])

    expect(mismatch).to_be_empty()


def test_nothing_is_sent_while_a_field_is_wrong(register: Page, email: str) -> None:
    sent: list[str] = []
    register.on("request", lambda request: sent.append(request.method))

    fill_registration(register, email, PASSWORD, PASSWORD + "!")

    expect(register.locator("#confirm-error")).to_have_text("The passwords do not match.")
    assert "POST" not in sent


@pytest.mark.parametrize(
    ("entries", "first"),
    [
        (("", "", ""), "E-mail"),
        (("kim@example.com", "short", "short"), "Password"),
        (("kim@example.com", PASSWORD, ""), "Repeat password"),
    ],
    ids=["address", "password", "repeated"],
)
def test_focus_goes_to_the_first_wrong_field(register: Page, entries: tuple[str, str, str], first: str) -> None:
    fill_registration(register, entries[0], entries[1], entries[2])

    expect(register.get_by_label(first, exact=True)).to_be_focused()


def test_focus_goes_to_the_first_empty_field_at_sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill("kim@example.com")

    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    expect(page.locator("#password-error")).to_have_text("Enter your password.")


@pytest.mark.parametrize("label", ["Password", "Repeat password"])
def test_password_is_shown_and_hidden(register: Page, label: str) -> None:
    field = register.get_by_label(label, exact=True)
    button = register.get_by_role("button", name="Show password" if label == "Password" else "Show repeated password")
    field.fill(PASSWORD)
    expect(field).to_have_attribute("type", "password")

    button.click()
    expect(field).to_have_attribute("type", "text")
    expect(button).to_have_attribute("aria-pressed", "true")

    button.click()
    expect(field).to_have_attribute("type", "password")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_shown_password_is_hidden_on_sending(page: Page) -> None:
    """A browser must not remember the password as an ordinary text."""
    page.goto("/")
    page.get_by_label("E-mail").fill("kim@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Show password").click()

    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "password")


def test_server_names_the_wrong_field(register: Page, email: str) -> None:
    fields = {"email": ["Not a valid email address."], "password": ["Too easy."]}
    register.route("**/users", lambda route: route.fulfill(status=400, json={"error": "Bad", "fields": fields}))

    fill_registration(register, email)

    expect(register.locator("#email-error")).to_have_text("Not a valid email address.")
    expect(register.locator("#password-error")).to_have_text("Too easy.")
    expect(register.get_by_label("E-mail")).to_be_focused()


def test_address_that_only_the_server_refuses_is_said_at_its_field(register: Page) -> None:
    fill_registration(register, "kim@exa_mple.com")

    expect(register.locator("#email-error")).to_have_text("Not a valid email address.")


@pytest.mark.parametrize(
    ("path", "label", "autocomplete", "kind"),
    [
        ("/", "E-mail", "username", "email"),
        ("/", "Password", "current-password", "password"),
        ("/register.html", "E-mail", "email", "email"),
        ("/register.html", "Password", "new-password", "password"),
        ("/register.html", "Repeat password", "new-password", "password"),
        ("/forgot.html", "E-mail", "username", "email"),
        ("/reset-password.html#token=a", "New password", "new-password", "password"),
        ("/reset-password.html#token=a", "Repeat password", "new-password", "password"),
        ("/verify.html#token=a", "Password", "current-password", "password"),
    ],
)
def test_field_tells_a_password_manager_what_it_is(
    page: Page, path: str, label: str, autocomplete: str, kind: str
) -> None:
    """WCAG 1.3.5; ASVS 6.2.7 for paste and password managers."""
    page.goto(path)
    field = page.get_by_label(label, exact=True)

    expect(field).to_have_attribute("autocomplete", autocomplete)
    expect(field).to_have_attribute("type", kind)


def test_checkbox_is_off_at_first_and_explains_itself(page: Page) -> None:
    """WCAG 3.3.2; whoever does not choose is not kept signed in."""
    page.goto("/")
    checkbox = page.get_by_role("checkbox", name="Keep me signed in")
    expect(checkbox).not_to_be_checked()
    expect(checkbox).to_have_accessible_description("For up to 30 days. Better not on a computer that you share.")

    page.get_by_text("Keep me signed in").click()
    expect(checkbox).to_be_checked()
    checkbox.press("Space")
    expect(checkbox).not_to_be_checked()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/", ["email", "password"]),
        ("/register.html", ["email", "password", "confirm"]),
        ("/forgot.html", ["email"]),
        ("/reset-password.html", ["password", "confirm"]),
        ("/verify.html", ["password", "email"]),
    ],
)
def test_field_points_to_its_announced_error(page: Page, path: str, fields: list[str]) -> None:
    """WCAG 3.3.1, 4.1.3."""
    page.goto(path)

    for name in fields:
        assert f"{name}-error" in (page.locator(f"#{name}").get_attribute("aria-describedby") or "")
        expect(page.locator(f"#{name}-error")).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize("path", PAGES)
def test_page_has_one_main_part_and_one_heading(page: Page, path: str, signed_in_where_needed: None) -> None:
    page.goto(path)

    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


@pytest.fixture
def signed_in_where_needed(request: pytest.FixtureRequest) -> None:
    """Signs in for the pages that only signed-in visitors see."""
    if request.node.callspec.params["path"] in PROTECTED:
        request.getfixturevalue("signed_in")
