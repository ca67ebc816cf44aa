"""The pages in a real browser: they count, obey their own security policy, and fit on every screen."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Request, Route, expect

from support.browsing import CONTRASTS
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

PAGES = ("/", "/docs", "/docs/events")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data") as server:
        yield server


@pytest.fixture
def settings() -> dict[str, Any]:
    """What kind of browser window; tests override it."""
    return {}


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about; a test that provokes some clears it."""
    return []


@pytest.fixture
def page(browser: Browser, site: RunningServer, settings: dict[str, Any], complaints: list[str]) -> Iterator[Page]:
    """A fresh window, in which nothing may be complained about and no other host be asked."""

    def watch(request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(site.url).netloc:
            complaints.append(f"asked another host: {request.url}")

    with browser.new_context(base_url=site.url, **settings) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", watch)
        yield opened
        assert not context.cookies()
    assert complaints == []


def counted(site: RunningServer) -> int:
    return int(site.get("/get/tallystick/welcome").json()["value"] or 0)


def test_the_page_counts_its_visit_and_the_button_adds_one(page: Page, site: RunningServer) -> None:
    before = counted(site)
    page.goto("/")
    expect(page.locator("output")).to_have_text(f"{before + 1:,}")
    page.get_by_role("button", name="Add one").click()
    expect(page.locator("output")).to_have_text(f"{before + 2:,}")
    assert counted(site) == before + 2


def test_a_count_that_fails_is_told(page: Page, complaints: list[str]) -> None:
    page.goto("/")
    expect(page.locator("p[role=status]")).to_be_empty()
    page.route("**/hit/**", lambda route: route.fulfill(status=503, json={"error": "Not acknowledged."}))
    page.get_by_role("button", name="Add one").click()
    expect(page.locator("p[role=status]")).to_have_text("That was not counted. Please try again.")
    page.unroute_all()
    page.get_by_role("button", name="Add one").click()
    expect(page.locator("p[role=status]")).to_be_empty()
    assert len(complaints) == 1
    assert "503" in complaints.pop()


def test_a_counter_that_nobody_may_add_to_is_still_shown(page: Page, complaints: list[str]) -> None:
    page.route("**/hit/**", lambda route: route.fulfill(status=403, json={"value": 1234}))
    page.goto("/")
    expect(page.locator("output")).to_have_text("1,234")
    expect(page.locator("p[role=status]")).to_have_text("This counter does not let anyone add to it.")
    assert len(complaints) == 1
    assert "403" in complaints.pop()


@pytest.mark.parametrize("settings", [{"java_script_enabled": False}])
def test_without_javascript_the_number_is_shown_and_the_button_counts(page: Page, site: RunningServer) -> None:
    before = counted(site)
    page.goto("/")
    expect(page.locator("output")).to_have_text(f"{before:,}")
    page.get_by_role("button", name="Add one").click()
    expect(page.locator("body")).to_have_text(f'{{"value":{before + 1}}}')


@pytest.mark.parametrize("settings", [{"java_script_enabled": False}])
def test_without_javascript_the_api_can_be_read(page: Page) -> None:
    page.goto("/docs")
    page.get_by_role("searchbox", name="Find an operation").fill("POST /api/v0/count")
    page.get_by_role("button", name="Find").click()
    page.locator(".operations").get_by_role("link", name="/api/v0/count").click()
    expect(page.get_by_role("heading", name="Store hits")).to_be_in_viewport()
    page.get_by_role("navigation", name="On this page").get_by_role("link", name="/api/v0/me").click()
    expect(page.get_by_role("heading", name="Whose token it is")).to_be_in_viewport()


@pytest.mark.parametrize("path", ["/", "/docs/public-counters"])
def test_behind_a_proxy_examples_show_the_address_that_the_browser_sees(
    page: Page, site: RunningServer, path: str
) -> None:
    def through_a_proxy(route: Route) -> None:
        route.fulfill(response=route.fetch(headers={**route.request.headers, "host": "inner.test:8080"}))

    page.route(f"{site.url}{path}", through_a_proxy)
    page.goto(path)
    expect(page.locator("code", has_text=f"curl {site.url}/hit/").first).to_be_visible()
    expect(page.locator("code", has_text="inner.test")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_it_fits_and_can_be_read(page: Page, path: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [pair for pair in contrasts if pair[0] < 4.5] == []


@pytest.mark.parametrize("path", PAGES)
def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Page, path: str) -> None:
    page.goto(path)
    reachable = page.locator("a[href], button, [tabindex='0']").count()
    # Looked at when the focus comes, and read once: asking after each key takes three times as long.
    page.evaluate(
        "() => { window.reached = []; document.addEventListener('focusin', ({target}) => {"
        " const {outlineStyle, outlineWidth} = getComputedStyle(target);"
        " reached.push([outlineStyle, parseFloat(outlineWidth)]); }); }"
    )
    for _ in range(reachable):
        page.keyboard.press("Tab")
    reached = page.evaluate("reached")
    assert len(reached) == reachable
    assert all(style == "solid" and width >= 2 for style, width in reached)


@pytest.mark.parametrize("path", PAGES)
def test_headings_make_an_outline(page: Page, path: str) -> None:
    page.goto(path)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((heading) => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main").count() == 1


def test_the_policy_keeps_foreign_scripts_out(page: Page, complaints: list[str]) -> None:
    page.goto("/docs")
    with pytest.raises(Error, match="TrustedScript"):
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'ran = true'}))")
    assert page.evaluate("typeof ran") == "undefined"
    assert len(complaints) == 1
    assert "TrustedScript" in complaints.pop()
