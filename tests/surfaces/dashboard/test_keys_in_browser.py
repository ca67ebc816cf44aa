"""The keys of a page of statistics, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.accessibility import accessibility_problems
from support.analytics import analytics_server
from support.browsing import ARGUMENTS
from tallystick.model.site import SiteSettings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a site that guests see."""
    settings = SiteSettings(public="public")
    with analytics_server(tmp_path_factory.mktemp("site") / "data", settings=settings) as server:
        yield f"{server.url}/sites/{server.site.id}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        yield opened


def test_keys_follow_links_until_they_are_turned_off(page: Page, address: str) -> None:
    page.goto(f"{address}?period=2026-03&page=/a")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**period=2026-02&**")
    page.keyboard.press("w")
    page.wait_for_url("**period=7d&**")
    page.keyboard.press("x")
    page.wait_for_url("**?period=7d")
    expect(page.locator("details.keys label:not([hidden])")).to_have_count(1)
    page.keyboard.press("/")
    expect(page.get_by_label("Search pages")).to_be_focused()
    page.keyboard.type("w")
    expect(page.get_by_label("Search pages")).to_have_value("w")
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    page.get_by_label("Use these keys in this browser").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.reload()
    page.keyboard.press("m")
    assert page.url.endswith("?period=7d")
    assert accessibility_problems(page) == []


def test_filters_and_dates_need_no_script(page: Page, address: str) -> None:
    page.route("**/*.js*", lambda route: route.fulfill(body="}garbage{", content_type="text/javascript"))
    page.goto(f"{address}?period=7d")
    page.get_by_text("+ Filter").click()
    page.get_by_label("Filter by").select_option("Country")
    page.get_by_label("Value, or several with commas").fill("Germany, NL")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.wait_for_url("**?period=7d&country=DE,NL")
    expect(page.locator(".chips summary")).to_have_text("Country is Germany or Netherlands")
    page.locator(".chips summary").click()
    page.get_by_role("link", name="Turn into its opposite").click()
    page.wait_for_url("**?period=7d&country=!DE,NL")
    page.get_by_role("link", name="Remove the filter on Country").click()
    page.wait_for_url("**?period=7d")
    page.locator(".period-menu > summary").click()
    page.get_by_label("From").first.fill("2026-03-01")
    page.get_by_label("to", exact=True).first.fill("2026-03-31")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**?period=2026-03")
    page.go_back()
    page.wait_for_url("**?period=7d")
