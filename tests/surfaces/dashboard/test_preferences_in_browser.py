"""Every preference is saved in a real browser, and its consequence seen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.browsing import opened_browser
from support.demo import Demo, demo_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]

SITE = "/sites/demo.example"
VISITS = 1_500
PATIENCE_MS = 30_000
DARK = "rgb(22, 19, 15)"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_server(tmp_path_factory.mktemp("demo") / "data", VISITS) as served:
        yield served


@pytest.fixture(scope="module")
def browser(chromium: str, demo: Demo) -> Iterator[Browser]:
    assert demo  # the server starts before Playwright's event loop
    with opened_browser(chromium) as opened:
        yield opened


@pytest.fixture
def person(browser: Browser, demo: Demo) -> Iterator[BrowserContext]:
    with browser.new_context(base_url=demo.url, locale="en-GB", color_scheme="light") as context:
        context.add_cookies([{"name": "tallystick-login", "value": demo.login, "url": demo.url}])
        yield context


def test_every_preference_is_saved_and_has_its_consequence(person: BrowserContext) -> None:
    page = person.new_page()
    page.set_default_timeout(PATIENCE_MS)
    assert data(person, "")["timezone"] == "UTC"

    # In the demo it is 15:20 UTC on Tuesday, 10 March 2026: in Tokyo it is Wednesday.
    choose(page, "Time zone", "Tokyo (Japan)")
    today = data(person, "?period=today")
    assert (today["timezone"], today["period"]["first"]) == ("Asia/Tokyo", "2026-03-11")
    page.goto(f"{SITE}/week")
    expect(page.locator(".foot")).to_contain_text("by the clocks of Asia/Tokyo")
    first_days = page.locator("table.heat tbody th")
    expect(first_days.first).to_have_text("Mon")

    choose(page, "First day of the week", "Sunday")
    assert data(person, "?period=week")["period"] == {"name": "week", "first": "2026-03-08", "last": "2026-03-14"}
    series = data(person, "?period=91d&by=week")["series"]
    assert (series["by"], series["labels"][-1]) == ("sunday_week", "2026-03-08")
    page.goto(f"{SITE}?period=91d&by=week")
    expect(page.locator(".time-chart").first).to_be_visible()
    expect(page.get_by_role("link", name="Weeks")).to_have_attribute("aria-current", "true")
    expect(page.locator("footer.bar")).to_be_attached()
    expect(first_days.first).to_have_text("Sun")

    choose(page, "Numbers", "1.234.567,8")
    page.goto("/counters")
    page.get_by_label("Name", exact=True).fill("Cups of coffee")
    page.get_by_role("button", name="Create the counter").click()
    page.wait_for_url("**done=created")
    counter = page.url.partition("?")[0]
    page.goto(f"{counter}/settings")
    page.get_by_label("New value").fill("1234")
    page.get_by_role("button", name="Set the value", exact=True).click()
    page.goto(counter)
    value = page.locator("[data-value]").first
    expect(value).to_have_text("1.234")
    page.get_by_role("button", name="Add 1", exact=True).click()
    expect(value).to_have_text("1.235")

    choose(page, "Dates", "2026-03-09")
    page.goto(f"{SITE}?period=2026-03-01..2026-03-09")
    expect(page.locator(".period-menu > summary")).to_have_text("2026-03-01 \N{EN DASH} 2026-03-09")

    choose(page, "Clock", "12 hours (2:05 pm)")
    page.goto("/user")
    expect(page.locator("#logins ~ form time").first).to_have_text("2026-03-11, 12:20\xa0am JST")

    choose(page, "Colours", "dark")
    page.goto(SITE)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")

    choose(page, "Language", "Deutsch")
    expect(page.get_by_role("heading", level=1)).to_have_text("Eigene Einstellungen")
    page.get_by_label("Sprache", exact=True).first.select_option(label="wie im Browser")
    page.get_by_role("button", name="Speichern").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your preferences")


def test_guests_see_what_their_browser_asks_for(browser: Browser, demo: Demo) -> None:
    with browser.new_context(base_url=demo.url, color_scheme="dark", java_script_enabled=False) as guest:
        page = guest.new_page()
        page.goto("/login")
        assert page.locator("html").get_attribute("data-theme") is None
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK


def choose(page: Page, label: str, option: str) -> None:
    """Save one preference."""
    page.goto("/user/preferences")
    page.get_by_label(label, exact=True).first.select_option(label=option)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**done=changed")


def data(person: BrowserContext, query: str) -> Any:
    """The statistics of the site as data."""
    return person.request.get(f"{SITE}.json{query}").json()
