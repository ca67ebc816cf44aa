"""What people do on the pages of statistics: with scripts, with blocked ones, and with scripts that are garbage."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from support.browsing import opened_browser
from support.demo import Demo, demo_server
from tallystick.surfaces.dashboard.analytics import asking

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

PATIENCE_MS = 60_000
SITE = "/sites/demo.example"
GARBAGE = {"garbage": ("}{ not a script", "text/javascript"), "html": ("<h1>Not found</h1>", "text/html")}
OPERATORS = {
    "is": ("/pricing", "page=/pricing"),
    "is not": ("/", "page=!/"),
    "contains": ("BLOG", "page=~BLOG"),
    "does not contain": ("docs", "page=!~docs"),
    "matches": ("^/(blog|docs)", "page=*%5E/%28blog%7Cdocs%29"),
    "does not match": ("g$", "page=!*g%24"),
}
PERIODS = {
    "Today": ("today", "Today"),
    "Yesterday": ("yesterday", "Yesterday"),
    "7 days": ("7d", "7 days"),
    "91 days": ("91d", "91 days"),
    "Month": ("month", "This month"),
    "Year": ("year", "This year"),
    "All": ("all", "All time"),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "WITHIN_S", 60.0)  # machines that are busy with other tests
        with demo_server(tmp_path_factory.mktemp("demo") / "data", 2_000) as served:
            yield served


@pytest.fixture(scope="module")
def browser(chromium: str, demo: Demo) -> Iterator[Browser]:
    assert demo  # the server starts before Playwright's event loop
    expect.set_options(timeout=PATIENCE_MS)
    with opened_browser(chromium) as opened:
        yield opened
    expect.set_options(timeout=None)


@pytest.fixture(params=["with scripts", "without scripts", "garbage", "html"])
def scripts(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Browser, demo: Demo, scripts: str) -> Iterator[Page]:
    """A window of the person whose site it is."""
    with browser.new_context(base_url=demo.url, java_script_enabled=scripts != "without scripts") as context:
        context.add_cookies([{"name": "tallystick-login", "value": demo.login, "url": demo.url}])
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE_MS)
        if scripts in GARBAGE:
            opened.route("**/static/*.js?*", lambda route: replaced(route, *GARBAGE[scripts]))
        yield opened


def replaced(route: Route, text: str, kind: str) -> None:
    route.fulfill(body=text, content_type=kind)


def whole(page: Page) -> None:
    """The page has come to its end, and nothing on it has failed."""
    expect(page.locator("footer.bar")).to_be_attached()
    expect(page.locator(".failed")).to_have_count(0)


@pytest.mark.parametrize("scripts", ["with scripts", "garbage"], indirect=True)
def test_each_operator_is_chosen_in_the_form(page: Page) -> None:
    page.goto(f"{SITE}/pages")
    for operator, (value, parameter) in OPERATORS.items():
        page.locator("[data-add-filter]").click()
        sheet = page.locator("details.menu", has=page.locator("[data-add-filter]"))
        sheet.get_by_label("Filter by").select_option("Page")
        sheet.get_by_label("Comparison").select_option(operator)
        sheet.get_by_label("Value, or several with commas").fill(value)
        sheet.get_by_role("button", name="Filter", exact=True).click()
        expect(page).to_have_url(re.compile(re.escape(f"/pages?{parameter}") + "$"))
        expect(page.locator(".chips summary")).to_have_text(f"Page {operator} {value}")
        whole(page)
        expect(page.locator(".list tbody tr").first).to_be_visible()
        page.get_by_role("link", name="Remove the filter on Page").click()
        expect(page.locator(".chips")).to_have_count(0)


@pytest.mark.parametrize("scripts", ["with scripts", "without scripts"], indirect=True)
def test_periods_are_chosen_stepped_through_and_compared(page: Page) -> None:
    page.goto(f"{SITE}/week")
    for label, (name, words) in PERIODS.items():
        page.get_by_role("navigation", name="Period").get_by_role("link", name=label, exact=True).click()
        expect(page).to_have_url(re.compile(rf"\?period={name}$"))
        expect(page.locator(".period-menu > summary")).to_have_text(words)
        whole(page)
    page.locator(".period-menu > summary").click()
    page.get_by_label("From").first.fill("2026-02-10")
    page.get_by_label("to", exact=True).first.fill("2026-02-19")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"\?period=2026-02-10\.\.2026-02-19$"))
    page.get_by_role("link", name="Earlier").click()
    expect(page).to_have_url(re.compile(r"\?period=2026-01-31\.\.2026-02-09$"))
    page.get_by_role("link", name="Later").click()
    expect(page).to_have_url(re.compile(r"\?period=2026-02-10\.\.2026-02-19$"))
    for label, query in (("Year before", "&compare=year"), ("Off", "&compare=off"), ("Previous period", "")):
        page.locator(".compare-menu > summary").click()
        page.get_by_role("navigation", name="Compared with").get_by_role("link", name=label).click()
        expect(page).to_have_url(re.compile(rf"2026-02-19{query}$"))
        expect(page.locator(".compare-menu > summary")).to_have_text("Not compared" if label == "Off" else label)
    page.locator(".compare-menu > summary").click()
    page.get_by_role("link", name="Compare the same days of the week").click()
    expect(page).to_have_url(re.compile(r"&match=weekdays$"))
    page.locator(".compare-menu > summary").click()
    compared = page.locator(".compare-menu")
    compared.get_by_label("From").fill("2026-01-06")
    compared.get_by_label("to", exact=True).fill("2026-01-15")
    compared.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"&compare=2026-01-06\.\.2026-01-15&match=weekdays$"))
    whole(page)


def test_the_main_path_needs_no_script(page: Page, scripts: str) -> None:
    page.goto(f"{SITE}?period=month")
    whole(page)
    numbers = page.locator(".numbers").inner_text()
    # Into the chart and back. Without scripts the table below it has the same links.
    page.locator(".time-chart summary", has_text="All numbers of this chart").click()
    page.locator(".time-chart").get_by_role("link", name="Wed, 4 Mar 2026").last.click()
    expect(page).to_have_url(re.compile(r"\?period=2026-03-04$"))
    whole(page)
    page.go_back(wait_until="commit")  # a page that the browser has kept is not loaded again
    expect(page.locator(".numbers")).to_have_text(re.compile(re.escape(numbers.split()[1])))
    # A row filters everything; the chip removes it.
    page.locator("#places").get_by_role("link", name="Germany").click()
    expect(page.locator(".chips summary")).to_have_text("Country is Germany")
    expect(page.locator("#places tbody tr").first).to_contain_text(", Germany")
    whole(page)
    # The filter is kept as a segment.
    page.get_by_role("link", name="Keep as a segment").click()
    page.get_by_label("Name").last.fill(f"Germans, {scripts}")
    page.get_by_role("button", name="Keep the segment").click()
    expect(page.get_by_role("status")).to_have_text("The segment is kept.")
    page.get_by_role("link", name=f"Germans, {scripts}").click()
    expect(page.locator(".chips summary")).to_have_text(f"Segment is Germans, {scripts}")
    # The search, with words that have a meaning.
    page.goto(f"{SITE}/pages?period=28d")
    page.get_by_label("Search pages").fill("/blog at:start")
    page.get_by_label("Search pages").press("Enter")
    expect(page.locator(".chips")).to_contain_text("Pages with “/blog at:start”")
    assert {text[:5] for text in page.locator(".list tbody th").all_inner_texts()} == {"/blog"}
    page.get_by_label("Search pages").fill("blog in:title :not")
    page.get_by_label("Search pages").press("Enter")
    expect(page.get_by_role("link", name="/pricing", exact=True)).to_be_visible()
    page.goto(f"{SITE}/events?q=is:event")
    expect(page.locator(".list tbody tr").first).to_be_visible()
    # A note from the chart.
    page.goto(f"{SITE}?period=7d")
    page.get_by_text("Add a note").click()
    page.locator(".note-text input").fill(f"Seen, {scripts}")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".chart-notes")).to_contain_text(f"Seen, {scripts}")
    expect(page).to_have_url(re.compile(r"\?period=7d"))
    # Funnels, and out of one page's own view.
    page.get_by_role("link", name="Funnels").click()
    expect(page.locator(".panel").first).to_contain_text("of the first step")
    page.goto(f"{SITE}?period=28d")
    page.get_by_role("link", name="Ways to and from /pricing").click()
    expect(page.get_by_role("heading", name="Went to")).to_be_visible()
    whole(page)


def test_the_demo_shows_its_sites_to_guests(browser: Browser, demo: Demo) -> None:
    with browser.new_context(base_url=demo.url) as guest:
        page = guest.new_page()
        for site in ("demo.example", "notes.example"):
            page.goto(f"/sites/{site}")
            expect(page.get_by_role("heading", level=1)).to_have_text(site)
            whole(page)
