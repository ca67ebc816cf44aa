"""The map and the lists that divide a row, in a real browser."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from support.accessibility import accessibility_problems
from support.analytics import FIREFOX, AnalyticsServer, analytics_server
from support.browsing import opened_browser

pytestmark = pytest.mark.browser

LOCATIONS = ("US-CA", "US-TX", "US-CA", "DE", "SG", "")


# Scoped to the module: while Playwright is open, its event loop counts as running, and async tests cannot start theirs.
@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("places") / "data") as server:
        hits = [
            {"path": "/", "session": f"{number}", "user_agent": FIREFOX, "location": location, "size": "1400,900,1"}
            for number, location in enumerate(LOCATIONS)
        ]
        assert server.api("POST", "/count", json={"hits": hits}).status == 202
        settings = {"settings": {"public": "public"}}
        assert server.api("PATCH", f"/sites/{server.site.id}", json=settings).status == 200
        yield server


@pytest.fixture(scope="module")
def browser(chromium: str, site: AnalyticsServer) -> Iterator[Browser]:
    assert site  # the server starts before Playwright's event loop
    with opened_browser(chromium) as opened:
        yield opened


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(browser: Browser, site: AnalyticsServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A guest's window, in which nothing may be complained about and no other host be asked."""
    complaints: list[str] = []

    def watch(url: str) -> None:
        if urlsplit(url).netloc != urlsplit(site.url).netloc:
            complaints.append(f"asked another host: {url}")

    with browser.new_context(base_url=site.url, java_script_enabled=request.param) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: watch(request.url))
        opened.goto(f"/sites/{site.site.id}?period=today")
        yield opened
    assert complaints == []


def test_a_click_on_the_map_shows_the_regions_of_the_country(page: Page) -> None:
    world = page.locator("#places svg:has(a)")
    expect(world.locator("a")).to_have_count(3)
    box = world.bounding_box()
    assert box is not None
    world.click(position={"x": 0.23 * box["width"], "y": 0.23 * box["height"]})
    expect(page.get_by_label("Filters", exact=True)).to_contain_text("United States")
    rows = page.locator("#places tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("California")
    expect(rows.first).to_contain_text("66.7%")


def test_a_click_on_a_browser_shows_its_versions(page: Page) -> None:
    page.locator("#devices").get_by_role("link", name="Browsers").click()
    page.locator("#devices").get_by_role("link", name="Firefox").click()
    expect(page.locator("#devices tbody tr")).to_have_count(1)
    expect(page.locator("#devices tbody th")).to_contain_text("Firefox 140")
    expect(page.locator("#devices")).to_contain_text("100%")


def test_the_land_is_behind_the_countries(page: Page) -> None:
    land = page.locator("#places img")
    land.scroll_into_view_if_needed()
    boxes = [land.bounding_box(), page.locator("#places svg:has(a)").bounding_box()]
    assert boxes[0] == boxes[1]
    answer = page.request.get(str(land.get_attribute("src")))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("page", [True], ids=["with scripts"], indirect=True)
def test_panels_that_follow_move_none_that_are_there(page: Page) -> None:
    first = page.locator(".panel").first
    whole = first.bounding_box()
    page.evaluate("document.querySelectorAll('.panel ~ .panel').forEach((each) => each.remove())")
    expect(page.locator(".panel")).to_have_count(1)
    assert first.bounding_box() == whole


@pytest.mark.parametrize("page", [True], ids=["with scripts"], indirect=True)
def test_the_key_has_one_square_a_colour(page: Page) -> None:
    """Style sheets are sent as one: a rule for another panel's key would add to the map's."""
    assert page.locator("#places .key").evaluate("(key) => getComputedStyle(key, '::before').content") == "none"


@pytest.mark.parametrize("page", [True], ids=["with scripts"], indirect=True)
def test_the_map_is_no_obstacle(page: Page) -> None:
    """It repeats the list, so keys pass it by and screen readers do not hear of it."""
    assert not [problem for problem in accessibility_problems(page) if "map" in str(problem)]
    page.locator("#places nav a").last.focus()
    page.keyboard.press("Tab")
    expect(page.locator("#places tbody a").first).to_be_focused()
