"""How a person moves between pages of statistics, in a real browser: by keys, with scripts and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from support.accessibility import accessibility_problems
from support.analytics import CHROME, EMAIL, AnalyticsServer, analytics_server
from support.browsing import opened_browser
from support.pages import PASSWORD
from tallystick.model.site import SiteSettings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with opened_browser(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    """A server with a public site, which has some hits."""
    settings = SiteSettings(public="public")
    with analytics_server(tmp_path_factory.mktemp("site") / "data", settings=settings, password=PASSWORD) as server:
        for path in ("/blog/one", "/blog/two", "/about"):
            assert server.pixel(p=path, t=f"All of {path}").status == 200
        yield server


@pytest.fixture(scope="module")
def context(browser: Browser, server: AnalyticsServer) -> Iterator[BrowserContext]:
    """The browser of the owner, who has another site and has pinned it."""
    with browser.new_context(base_url=server.url, locale="en") as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto("/sites")
        page.locator("[name=cname]").fill("zwei.example.com")
        page.locator("[name=cname]").press("Enter")
        page.wait_for_url("**done=created")
        page.goto("/sites")
        page.get_by_role("button", name="Pin").nth(1).click()
        page.wait_for_load_state()
        page.close()
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("place", ["/pages", "/page?page=/about", "/funnels", "/week", "/left-out"])
def test_every_page_of_statistics_has_keys(page: Page, place: str) -> None:
    page.goto(f"/sites/stats.example.com{place}")
    page.keyboard.press("w")
    page.wait_for_url("**period=7d**")
    expect(page.locator("details.keys label:not([hidden])")).to_have_count(1)
    page.get_by_text("+ Filter").focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.get_by_label("Use these keys in this browser")).to_be_focused()
    assert accessibility_problems(page) == []
    page.keyboard.press("m")  # no key but Esc while the list is open
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("+ Filter")).to_be_focused()
    assert "period=7d" in page.url
    page.keyboard.press("Control+m")
    assert "period=7d" in page.url
    page.keyboard.press("1")
    page.wait_for_url("**/sites/zwei.example.com?period=7d")


def test_numbers_lead_to_sites_in_the_order_of_their_cards(page: Page, server: AnalyticsServer) -> None:
    page.goto("/sites/stats.example.com")
    keys = page.locator("details.keys")
    keys.locator("summary").click()
    assert keys.locator("a").all_inner_texts() == ["zwei.example.com", "stats.example.com"]
    page.keyboard.press("2")
    page.wait_for_url("**/sites/stats.example.com")
    with page.context.browser.new_context(java_script_enabled=False, locale="de") as other:  # type: ignore[union-attr]
        guest = other.new_page()
        guest.goto(f"{server.url}/sites/stats.example.com")
        guest.locator("details.keys summary").click()
        expect(guest.locator("details.keys")).to_contain_text("Schließen, was offen ist")
        assert guest.locator("details.keys a").count() == 0
        assert guest.get_by_role("dialog").count() == 0


def test_values_are_offered_while_a_filter_is_typed(page: Page) -> None:
    page.goto("/sites/stats.example.com")
    page.get_by_text("+ Filter").click()
    value = page.get_by_label("Value, or several with commas")
    with page.expect_response("**/values.json?*find=blog*"):
        value.fill("blog")
    offered = page.locator("form[data-values] datalist option")
    expect(offered).to_have_count(2)
    assert sorted(offered.all_text_contents()) == ["/blog/one", "/blog/two"]
    with page.expect_response("**/values.json?*find=ab*"):
        value.fill("/blog/one,ab")
    expect(offered).to_have_count(1)
    assert offered.get_attribute("value") == "/blog/one,/about"
    page.get_by_label("Filter by").select_option("Country")
    with page.expect_response("**/values.json?*of=country*"):
        value.fill("")
    expect(offered).to_have_count(0)
    assert accessibility_problems(page) == []


def test_a_goal_is_offered_what_the_site_has(page: Page, server: AnalyticsServer) -> None:
    assert server.pixel(p="/a,bc").status == 200
    page.goto("/sites/stats.example.com/settings/goals")
    with page.expect_response("**/values.json?of=page&find=a%2Cb"):
        page.get_by_label("Page", exact=True).fill("a,b")
    offered = page.locator("#pages option")
    expect(offered).to_have_count(1)
    assert offered.get_attribute("value") == "/a,bc"  # one value as it is: the comma separates nothing
    page.get_by_text("Properties that the hit must have").click()
    page.get_by_label("Name of property 1").fill("plan")
    with page.expect_response("**/values.json?of=prop%3Aplan&find=pro"):
        page.get_by_label("Value of property 1").fill("pro")
    with page.expect_response("**/values.json?of=prop&find=pla"):
        page.get_by_label("Name of property 2").fill("pla")
    page.goto("/sites/stats.example.com/settings/funnels")
    with page.expect_response("**/values.json?of=step&find=a%2Cb"):
        page.get_by_label("Step 2", exact=True).fill("a,b")
    expect(page.locator("#steps option")).to_have_count(1)


def test_values_are_offered_without_scripts(browser: Browser, server: AnalyticsServer) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{server.url}/sites/stats.example.com?period=today")
        page.get_by_text("+ Filter").click()
        page.get_by_label("Filter by").select_option("Entry page")
        page.get_by_role("button", name="Filter", exact=True).click()
        page.wait_for_url("**add=entry+page**")
        assert page.locator("datalist option").first.get_attribute("value") == "/blog/one"
        page.get_by_label("Value, or several with commas").fill("/blog/one")
        page.get_by_role("button", name="Filter", exact=True).click()
        page.wait_for_url("**entry_page=/blog/one")


MARK = "window.stays = true"
STAYS = "window.stays === true"


def test_the_next_page_is_loaded_in_place(page: Page) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto("/sites/stats.example.com?period=month&compare=off")
    page.evaluate(MARK)
    later = page.get_by_role("link", name="Earlier")
    row = page.locator("#pages").get_by_role("link", name="/blog/one", exact=True)
    row.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 0
    row.click()
    page.wait_for_url("**?period=month&compare=off&page=/blog/one")
    expect(page.locator(".chips summary")).to_have_text("Page is /blog/one")
    expect(page.locator("#week")).to_have_count(1)
    expect(page.locator("main > .foot")).to_have_count(1)
    assert page.evaluate("scrollY") == before
    assert page.locator(".languages [name=back]").input_value().endswith("page=/blog/one")
    expect(page.locator("body > [aria-live]")).to_have_text(re.compile("^stats.example.com, "))
    assert accessibility_problems(page) == []
    later.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**?period=20**")
    expect(later).to_be_focused()
    expect(page.locator("details.keys label:not([hidden])")).to_have_count(1)
    page.keyboard.press("?")  # keys are there after a swap, and their list
    expect(page.get_by_role("dialog").get_by_role("checkbox")).to_be_visible()
    page.keyboard.press("Escape")
    page.go_back()
    page.wait_for_url("**?period=month&compare=off&page=/blog/one")
    page.go_back()
    page.wait_for_url("**?period=month&compare=off")
    expect(page.locator(".chips")).to_have_count(0)
    page.go_forward()
    expect(page.locator(".chips summary")).to_have_text("Page is /blog/one")
    page.get_by_label("Search pages").fill("blog")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=blog**")
    expect(page.locator(".chips")).to_contain_text("Pages with “blog”")
    assert page.title().endswith(" Tallystick")
    assert page.evaluate(STAYS)
    assert not problems


def test_a_page_comes_in_parts(page: Page, server: AnalyticsServer) -> None:
    page.goto("/sites/stats.example.com?period=7d")
    page.evaluate(MARK)
    page.evaluate(
        "new PerformanceObserver((list) => { for (const each of list.getEntries()) window.moved = each.value; })"
        ".observe({ type: 'layout-shift', buffered: false })"
    )
    page.locator(".number").nth(1).click()
    page.wait_for_url("**graph=visits")
    expect(page.locator("main > details.keys")).to_have_count(1)
    names = page.locator(".panels > section").evaluate_all("all => all.map((each) => each.id)")
    assert names[:5] == ["pages", "sources", "places", "devices", "goals"]
    assert len(set(names)) == len(names)
    assert page.evaluate(STAYS)
    assert page.evaluate("window.moved ?? 0") < 0.02
    # The number of visitors still moves.
    assert server.pixel(p="/later", headers={"x-forwarded-for": "192.0.2.9", "user-agent": CHROME}).status == 200
    expect(page).to_have_title(re.compile(r"^\([0-9]+\) stats"))


@pytest.mark.parametrize("answer", ["failure", "error", "file", "another page"])
def test_what_cannot_be_swapped_is_loaded_as_always(page: Page, answer: str) -> None:
    asked: list[str] = []

    def intercept(route: Route) -> None:
        asked.append("load" if route.request.is_navigation_request() else "swap")
        if asked[-1] == "load":
            route.continue_()
        elif answer == "failure":
            route.abort()
        elif answer == "error":
            route.fulfill(status=503, content_type="text/html", body="<main>No</main>")
        elif answer == "file":
            route.fulfill(content_type="text/plain", body="No")
        else:
            route.fulfill(content_type="text/html", body="<!doctype html><body class=login><main>No</main>")

    # Before the page is loaded: what a loaded page sends just then may pass by.
    page.route("**period=28d*", intercept)
    page.goto("/sites/stats.example.com?period=7d")
    page.evaluate("document.documentElement.dataset.stays = ''")
    page.keyboard.press("t")
    # What the page has become, not what the browser says of its requests: it may keep pages, and then misses some.
    expect(page.locator("html[data-stays]")).to_have_count(0, timeout=60_000)
    page.wait_for_url("**?period=28d")
    expect(page.locator("details.keys")).to_have_count(1)
    expect(page.locator("main.statistics")).to_be_visible()
    assert page.url.endswith("?period=28d")
    assert asked[0] == "swap"


def test_other_clicks_are_the_browsers(page: Page) -> None:
    page.goto("/sites/stats.example.com?period=7d")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Earlier").click(modifiers=["Control"])
    opened.value.close()
    assert page.url.endswith("?period=7d")
    page.evaluate(MARK)
    page.locator(".head .live").click()
    page.wait_for_url("**/now*")
    assert not page.evaluate(STAYS)


def test_a_view_is_kept_and_opened_from_the_menu(page: Page) -> None:
    page.goto("/sites/stats.example.com?period=7d&page=~blog&graph=pageviews")
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("link", name="Keep this view").click()
    page.get_by_label("Name").fill("The blog")
    page.get_by_role("button", name="Keep the view").click()
    page.wait_for_url("**/views?done=added")
    assert accessibility_problems(page) == []
    page.goto("/sites/stats.example.com")
    page.get_by_text("Views", exact=True).click()
    assert accessibility_problems(page) == []
    page.get_by_role("link", name="The blog").click()
    page.wait_for_url("**?period=7d&graph=pageviews&page=~blog")
    expect(page.locator(".chips summary")).to_have_text("Page contains blog")
    page.goto("/sites/stats.example.com/views")
    page.get_by_text("Rename or delete").click()
    page.get_by_role("button", name="Delete the view").click()
    page.wait_for_url("**/views?done=deleted")
    expect(page.get_by_text("There are no saved views yet.")).to_be_visible()
