"""Every page of statistics, filled, in a real browser: each is opened once and looked at in both themes and all widths.

``make pictures`` has a picture of each written to ``build/screenshots/``, to be looked at.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from support.accessibility import OF_COLORS, accessibility_problems
from support.browsing import CONTRASTS, opened_browser
from support.demo import Demo, demo_server
from tallystick.surfaces.dashboard.analytics import asking

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

PICTURES = Path(__file__).parents[3] / "build" / "screenshots"
TAKEN = "TALLYSTICK_TEST_PICTURES" in os.environ
"""Whether pictures are taken: six of a page cost as much as all that is asked of it."""
VISITS = 20_000
READABLE = 80
"""How wide the names of rows are at least, in pixels."""
NARROWEST_NAME = """
() => Math.min(1000, ...[...document.querySelectorAll(".list tbody th")].map((name) => name.clientWidth))
"""
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (1280, 768, 360)
WIDEST = 1600
HEIGHT = 900
PATIENCE_MS = 60_000
LONG = "W" * 100
RULE = "/blog/k*"
LINK_PASSWORD = "open sesame, please"

SITE = "/sites/demo.example"
FILTERED = "?period=91d&compare=year&match=weekdays&country=DE,US&source=!Google&page=~blog&by=week&graph=pageviews"
PAGES = {
    "statistics": SITE,
    "statistics-filtered": f"{SITE}{FILTERED}",
    "statistics-refused": f"{SITE}?period=never",
    "two-sites": "/sites/demo.example+notes.example",
    "one-page": f"{SITE}/page?page=/pricing",
    "list-pages": f"{SITE}/pages",
    "list-countries": f"{SITE}/countries",
    "funnels": f"{SITE}/funnels",
    "week": f"{SITE}/week",
    "now": f"{SITE}/now",
    "notes": f"{SITE}/notes",
    "note": f"{SITE}/notes/1",
    "segments": f"{SITE}/segments",
    "goals": f"{SITE}/settings/goals",
    "goal": f"{SITE}/settings/goals/2",
    "funnels-kept": f"{SITE}/settings/funnels",
    "funnel": f"{SITE}/settings/funnels/1",
    "saved-views": f"{SITE}/views?period=7d",
    "left-out": f"{SITE}/left-out",
    "left-out-count": f"{SITE}/left-out/count",
    "left-out-rules": f"{SITE}/left-out/rules?kind=path&rule=/blog*",
    "start": "/",
    "invites-to-sites": "/people/invites",
    "invites-to-server": "/admin/invites",
    "docs-found": "/docs?q=count",
    "docs-topic": "/docs/operation",
    "paths": f"{SITE}/paths",
    "paths-merge": f"{SITE}/paths/merge?path=1&path=2&into=/{LONG}",
    "paths-rename": f"{SITE}/paths/rename?path=1&name=/{LONG}",
    "paths-rules": f"{SITE}/paths/rules?rule=/blog/*",
    "paths-rules-apply": f"{SITE}/paths/rules/apply?rule={RULE}",
    "paths-delete": f"{SITE}/paths/delete?path=1&path=2",
    "sites": "/sites",
    "settings": f"{SITE}/settings",
    "collection": f"{SITE}/collection",
    "privacy": f"{SITE}/privacy",
    "exports": f"{SITE}/exports",
    "imports": f"{SITE}/imports",
    "sharing": f"{SITE}/sharing",
    "sharing-link": f"{SITE}/sharing/1",
    "admin": "/admin",
    "admin-people": "/admin/people",
    "admin-log": "/admin/log?kind=site created&person=example",
    "install": f"{SITE}/install",
    "preferences": "/user/preferences",
    "first-minutes": "/sites/empty.example",
    "public-counters": "/counters/public?find=demo",
    "public-counter": "/counters/public/demo.example/visits",
    "badge": f"/badge/demo.example/visits?label={LONG}&sparkline=1&color=green",
}
REFUSED = "the server responded with a status of 4"
"""What the browser says of an address or a form that is refused is no complaint of ours."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "WITHIN_S", 60.0)  # machines that are busy with other tests
        with demo_server(tmp_path_factory.mktemp("demo") / "data", VISITS) as served:
            yield served


@pytest.fixture(scope="module")
def browser(chromium: str, demo: Demo) -> Iterator[Browser]:
    assert demo  # the server starts before Playwright's event loop
    expect.set_options(timeout=PATIENCE_MS)
    with opened_browser(chromium) as opened:
        yield opened
    expect.set_options(timeout=None)


@pytest.fixture(scope="module")
def person(browser: Browser, demo: Demo) -> Iterator[BrowserContext]:
    """Whose sites the demo's are. There is an empty one, too, and a rule for paths."""
    with browser.new_context(base_url=demo.url) as context:
        context.add_cookies([{"name": "tallystick-login", "value": demo.login, "url": demo.url}])
        page = context.new_page()
        page.goto("/sites")
        page.get_by_label("Address of its statistics").fill("empty.example")
        page.get_by_role("button", name="Add the site").click()
        page.goto(f"{SITE}/paths/rules?rule={RULE}")
        page.get_by_role("button", name="Count these under one path from now on").click()
        page.goto("/hit/demo.example/visits")
        page.close()
        yield context


@pytest.fixture(scope="module")
def link(person: BrowserContext) -> str:
    """The address of a shared link with a password and a locked filter."""
    page = person.new_page()
    page.goto(f"{SITE}/sharing")
    page.get_by_label("Name", exact=True).fill(f"For the press {LONG}")
    page.get_by_label("Password", exact=True).fill(LINK_PASSWORD)
    page.get_by_label("Only visits with", exact=True).fill("page contains /blog")
    page.get_by_role("button", name="Create the link").click()
    look_at(page, "link-created")
    address = page.get_by_role("region", name="The link").inner_text().strip()
    page.close()
    return address


@pytest.fixture
def page(person: BrowserContext, demo: Demo) -> Iterator[Page]:
    """A window of the person in which nothing may be complained about."""
    with without_complaints(person, demo) as opened:
        yield opened


@contextmanager
def without_complaints(context: BrowserContext, demo: Demo) -> Iterator[Page]:
    """A window about which the browser may not complain, and which may ask no other host."""
    complaints: list[str] = []

    def watch(url: str) -> None:
        if urlsplit(url).netloc != urlsplit(demo.url).netloc:
            complaints.append(f"asked another host: {url}")

    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: watch(request.url))
    yield opened
    opened.close()
    assert [text for text in complaints if REFUSED not in text] == []


@pytest.mark.parametrize("name", PAGES)
def test_it_fits_can_be_read_and_axe_finds_nothing(page: Page, link: str, name: str) -> None:
    assert link  # it is listed on the pages about sharing
    page.goto(PAGES[name])
    look_at(page, name)


def test_a_shared_link_fits_and_can_be_read(browser: Browser, demo: Demo, link: str) -> None:
    with browser.new_context(base_url=demo.url) as guest, without_complaints(guest, demo) as page:
        page.goto(link)
        look_at(page, "link-with-password")
        page.get_by_label("Password").fill(LINK_PASSWORD)
        page.get_by_role("button", name="Open").click()
        expect(page.locator(".numbers")).to_be_visible()
        look_at(page, "link")


def test_counters_fit_and_can_be_read(page: Page) -> None:
    page.goto("/counters")
    look_at(page, "counters")
    page.get_by_role("link", name="Cups of tea").click()
    expect(page.get_by_role("heading", name="Cups of tea")).to_be_visible()
    look_at(page, "counter")


@pytest.mark.parametrize("scripts", ["with scripts", "without scripts"])
def test_a_file_is_sent_and_its_import_followed(
    person: BrowserContext, browser: Browser, demo: Demo, scripts: str
) -> None:
    assert person  # who has sites
    log: FilePayload = {
        "name": f"{LONG}.log",
        "mimeType": "text/plain",
        "buffer": f"nonsense {scripts}\n".encode(),
    }
    with browser.new_context(base_url=demo.url, java_script_enabled=scripts == "with scripts") as context:
        context.add_cookies([{"name": "tallystick-login", "value": demo.login, "url": demo.url}])
        with without_complaints(context, demo) as page:
            page.goto(f"{SITE}/settings")
            page.get_by_role("link", name="Imports").click()
            for kind, said in (
                ("Plausible: the ZIP", "The file is not a ZIP."),
                ("Access log of a web server", "It failed: No line of the file could be used. Nothing was imported."),
            ):
                page.get_by_label(kind).check()
                page.get_by_label("File", exact=True).set_input_files(log)
                page.get_by_role("button", name="Send and import").click()
                expect(page.get_by_text(said)).to_be_visible()
            expect(page.get_by_role("heading", name="1 line could not be read")).to_be_visible()
            if scripts == "with scripts":
                look_at(page, "import")


TOO_LONG = "This took too long. Try again, or choose a shorter period."
UNSEEN = "?period=2025-06"
"""A period that no other test asks for: known answers take no time."""
PARTS = {
    f"{SITE}{UNSEEN}": 9,
    f"{SITE}/page{UNSEEN}&page=/": 7,
    f"{SITE}/pages{UNSEEN}": 1,
    f"{SITE}/funnels{UNSEEN}": 1,
    f"{SITE}/week{UNSEEN}": 1,
    f"{SITE}/left-out{UNSEEN}": 8,
}
"""The parts of pages that say so themselves when they fail: numbers, chart, panels."""


def test_each_part_that_fails_says_so_and_can_be_tried_again(page: Page) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "WITHIN_S", 0.0)
        for path, parts in PARTS.items():
            page.goto(path)
            said = page.locator("main .failed")
            assert said.count() == parts, path
            assert {text.removesuffix(" Try again") for text in said.all_inner_texts()} == {TOO_LONG}
            expect(said.get_by_role("link", name="Try again")).to_have_count(parts)
        page.goto("/sites?period=year")
        expect(page.get_by_text("The statistics cannot be read at the moment. Try again soon.")).to_have_count(2)
        patch.setattr(asking, "answered", broken)
        page.goto(SITE)
        expect(page.get_by_text("Something went wrong here. The server's log has the details.")).to_have_count(8)
        look_at(page, "statistics-failed")
    page.locator("#sources").get_by_role("link", name="Try again").click()
    expect(page.locator("#sources tbody tr")).to_have_count(9)
    expect(page.locator(".failed")).to_have_count(0)


async def broken(*_question: Any, **_options: Any) -> dict[str, Any]:
    """Answers no question."""
    raise RuntimeError


def test_each_part_without_figures_says_so(page: Page) -> None:
    nothing = "Nothing in this period."
    empty, old = "/sites/empty.example", "?period=2024-01-01"
    for path, text, times in (
        (f"{SITE}{old}", nothing, 6),
        (f"{SITE}{old}", "Nothing was left out in this period.", 1),
        (f"{SITE}/page?page=/&period=2024-01-01", nothing, 5),
        (f"{SITE}/pages{old}", nothing, 1),
        (f"{SITE}/pages?from=200", "There are not so many rows.", 1),
        (f"{SITE}/week{old}", nothing, 1),
        (f"{SITE}/left-out{old}", nothing, 7),
        (f"{SITE}/left-out/count{old}", "There are no hits of bots in this period", 1),
        (f"{SITE}/now?page=/nowhere", "Nobody in the last 30 minutes.", 3),
        (f"{empty}/notes", "There are no notes yet.", 1),
        (f"{empty}/segments", "There are no segments yet.", 1),
        (f"{empty}/settings/goals", "There are no goals yet.", 1),
        (f"{empty}/settings/funnels", "There are no funnels yet.", 1),
        (f"{empty}/sharing", "There are no links yet.", 1),
        (f"{empty}/left-out/rules", "No network, country, path, host or campaign.", 1),
        ("/sites", "No hits yet.", 1),
        ("/sites?find=nothing", "No site has a name like this.", 1),
    ):
        page.goto(path)
        assert page.get_by_text(text).count() == times, path


def test_a_first_funnel_is_added_on_the_page_that_misses_it(page: Page) -> None:
    page.goto("/sites/notes.example/funnels")
    page.get_by_role("link", name="Add a funnel").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Reads")
    page.get_by_role("combobox", name="Step 1").fill("/")
    page.get_by_role("combobox", name="Step 2").fill("/**")
    page.get_by_role("button", name="Keep the funnel").click()
    page.get_by_role("link", name="See how many visits take each step").click()
    expect(page.get_by_role("heading", name="Reads")).to_be_visible()


def test_paper_has_what_is_shown_and_nothing_to_press(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 794, "height": 1123})
    page.goto(f"{SITE}{FILTERED}")
    expect(page.locator("footer.bar")).to_be_attached()
    if TAKEN:
        page.screenshot(path=PICTURES / "statistics-print.png", full_page=True)
    for shown in (
        "h1",
        ".numbers",
        ".time-chart",
        ".period-menu > summary",
        ".compare-menu > summary",
        "#sources tbody",
    ):
        expect(page.locator(shown).first).to_be_visible()
    expect(page.locator(".chips")).to_contain_text("Page contains blog")
    for left_out in ("button", "input", "select", "nav a:not(.panel [aria-current])", ".add-note", ".keys", "footer"):
        assert page.locator(left_out).locator("visible=true").count() == 0, left_out
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert [pair for pair in page.evaluate(CONTRASTS) if pair[0] < 4.5] == []


def look_at(page: Page, name: str) -> None:
    """Look for what may not be on any page, and take pictures of this one where they are wanted."""
    expect(page.locator("footer.bar")).to_be_attached()  # pages come in parts
    assert page.locator("h1").count() == 1
    assert page.locator("[style], script:not([src])").count() == 0
    if TAKEN:
        take_pictures(page, name)
    page.eval_on_selector_all("details", "all => all.forEach((details) => { details.open = true })")
    for width in (*WIDTHS, WIDEST):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(NARROWEST_NAME) >= READABLE
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        assert [pair for pair in page.evaluate(CONTRASTS) if pair[0] < 4.5] == []
        assert accessibility_problems(page, *(OF_COLORS if theme != THEMES[0] else ())) == []


def take_pictures(page: Page, name: str) -> None:
    """Write pictures of a page in both themes and all widths."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=PICTURES / f"{name}-{width}-{theme}.png", full_page=True, animations="disabled")
