"""``count.js`` in a real browser: properties, links that lead away, downloads, pages that are not there."""

import html
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import tallystick
from support.published import INSTALLED_WITHIN_S, installed_node_packages
from support.recording import RecordingSite, recording_site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(INSTALLED_WITHIN_S + 100)]

ROOT = Path(__file__).resolve().parents[3]
STATIC = Path(tallystick.__file__).parent / "surfaces/goatcounter/static"
SCRIPT = (STATIC / "count.js").read_text("utf-8")
MAKING = runpy.run_path(str(ROOT / "tools" / "make_count_js.py"))
OUTBOUND, DOWNLOAD = "Outbound Link: Click", "File Download"
STAYS = "<script>addEventListener('click', (e) => e.preventDefault())</script>"
"""Links are clicked, and the page is still there."""


@pytest.fixture(scope="module")
def running_site() -> Iterator[RecordingSite]:
    with recording_site() as running:
        yield running


@pytest.fixture
def site(running_site: RecordingSite) -> RecordingSite:
    running_site.counted.clear()
    running_site.missing = ""
    running_site.pages = {"/count.js": SCRIPT}
    return running_site


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        yield opened


def a_page(site: RecordingSite, body: str = "", *, tag: str = "", **settings: object) -> str:
    """HTML that loads the script with settings; ``tag`` is more of the script's attributes."""
    endpoint = site.url("/count", "stats.example.test")
    chosen = html.escape(json.dumps(settings))
    return (
        f"<!doctype html><title>Title</title><body>{body}"
        f'<script data-goatcounter="{endpoint}" data-goatcounter-settings="{chosen}" {tag} src="/count.js"></script>'
        "<script>window.done = true</script>"
    )


def opened_page(page: Page, site: RecordingSite, body: str = "", *, at: str = "/page", **settings: Any) -> None:
    """A page that has counted nothing yet, unless ``no_onload`` is false."""
    settings.setdefault("no_onload", True)
    site.pages[at.partition("?")[0]] = a_page(site, body, **settings)
    page.goto(site.url(at))
    page.wait_for_function("window.done && !!goatcounter.visit_count")


Sent = tuple[str, dict[str, Any] | None]
"""Path or name, and properties."""


def are_sent(site: RecordingSite, *expected: Sent) -> dict[str, dict[str, str]]:
    """These are counted and no others. Requests of the same moment may overtake one another.

    Returns:
        The last request of each path or name.
    """
    found = [sent.query for sent in site.wait_for(len(expected))]
    told = [(sent.get("p", ""), json.loads(sent["props"]) if "props" in sent else None) for sent in found]
    assert sorted(told, key=str) == sorted(expected, key=str)
    site.counted.clear()
    return {sent.get("p", ""): sent for sent in found}


def test_the_served_script_is_made_of_its_source(request: pytest.FixtureRequest) -> None:
    packages = installed_node_packages(request.config, ROOT / "tools" / "terser")
    assert MAKING["small"](STATIC / "count.source.js", packages) == SCRIPT
    assert len(SCRIPT.encode()) < 4_096


# Properties.


def test_properties_of_the_page(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, no_onload=False, props={"author": "Ada & Bob", "words": 1200, "draft": False})
    are_sent(site, ("/page", {"author": "Ada & Bob", "words": 1200, "draft": False}))


CALLS: list[tuple[str, dict[str, Any] | None]] = [
    ("{props: {plan: 'pro'}}", {"plan": "pro"}),
    ('{props: \'{"plan": "pro"}\'}', {"plan": "pro"}),
    ("{props: () => ({plan: 'pro'})}", {"plan": "pro"}),
    ("{props: undefined}", {"of": "the page"}),
    ("{}", {"of": "the page"}),
    ("{props: null}", None),
    ("{props: ''}", None),
]


def test_properties_of_calls(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, props={"of": "the page"})
    for arguments, _ in CALLS:
        page.evaluate(f"goatcounter.count({arguments})")
    are_sent(site, *(("/page", props) for _, props in CALLS))
    assert "props" not in page.evaluate("goatcounter.get_data({props: null})")


def test_properties_of_a_click(page: Page, site: RecordingSite) -> None:
    attribute = html.escape(json.dumps({"plan": "pro", "é": "<&\"'"}))
    body = (
        f'<b id=one data-goatcounter-click=buy data-goatcounter-props="{attribute}">x</b>'
        "<b id=two data-goatcounter-click=look>x</b>"
    )
    opened_page(page, site, body)
    page.evaluate("goatcounter.bind_events()")
    page.click("#one")
    page.click("#two")
    are_sent(site, ("buy", {"plan": "pro", "é": "<&\"'"}), ("look", None))


# Links that lead away.

LINKS = {
    "away": "http://other.test/there?a=1#part",
    "file": "http://other.test/file.zip",
    "secure": "https://other.test/",
    "own": "/elsewhere",
    "own-without-www": "http://example.test/elsewhere",
    "letter": "mailto:someone@example.com",
    "call": "tel:+123",
    "run": "javascript:void 0",
    "part": "#part",
}
LIST = STAYS + "".join(f'<p><a id="{name}" href="{target}"><i>{name}</i></a>' for name, target in LINKS.items())


def test_links_that_lead_away(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, LIST, at="/page?a=1", outbound=True)
    for name in LINKS:
        page.click(f"#{name} i")
    sent = are_sent(site, *((OUTBOUND, {"url": LINKS[name]}) for name in ("away", "file", "secure")))[OUTBOUND]
    assert (sent["e"], sent["page"]) == ("true", "/page?a=1")
    assert not {"t", "r"} & set(sent)


def test_links_are_counted_only_where_the_page_wants_it(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, LIST, no_onload=False)
    for name in ("away", "file"):
        page.click(f"#{name}")
    are_sent(site, ("/page", None))


def test_any_way_to_follow_a_link_counts_once(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, LIST, outbound=True)
    page.click("#away")
    page.click("#away", modifiers=["Control"])
    page.click("#away", modifiers=["Shift"])
    page.click("#away", button="middle")
    page.focus("#away")
    page.keyboard.press("Enter")
    page.click("#away", button="right")
    are_sent(site, *[(OUTBOUND, {"url": LINKS["away"]})] * 5)


def test_links_that_come_later_and_listeners_of_the_page_change_nothing(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, STAYS, outbound=True)
    again = "done => document.body.append(Object.assign(document.createElement('script'), {src, onload: done}))"
    page.evaluate(f"(src) => new Promise({again})", "/count.js")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<a id=x href=http://other.test/>x</a>');"
        "document.querySelector('#x').addEventListener('click', (e) => e.stopPropagation())"
    )
    page.evaluate("document.dispatchEvent(new MouseEvent('click'))")
    page.evaluate("document.querySelector('#x').onclick = () => false")
    page.click("#x")
    are_sent(site, (OUTBOUND, {"url": "http://other.test/"}))


def test_a_link_with_an_event_of_its_own_is_counted_by_that_alone(page: Page, site: RecordingSite) -> None:
    body = (
        f"{STAYS}<a id=link data-goatcounter-click=own href=http://other.test/>a</a>"
        "<a href=http://other.test/><b id=inner data-goatcounter-click=in>a</b></a>"
    )
    opened_page(page, site, body, outbound=True)
    page.evaluate("goatcounter.bind_events()")
    page.click("#link")
    page.click("#inner")
    are_sent(site, ("own", None), ("in", None))


def test_the_page_is_left_and_its_click_is_counted(page: Page, site: RecordingSite) -> None:
    target = site.url("/there", "other.test")
    site.pages["/there"] = "<title>There</title>"
    opened_page(page, site, f'<a id=x href="{target}">x</a>', outbound=True, no_onload=False)
    page.click("#x")
    page.wait_for_url(target)
    expect(page).to_have_title("There")
    are_sent(site, ("/page", None), (OUTBOUND, {"url": target}))


# Downloads.

FILES = {
    "zip": "/files/a.b.ZIP?version=2#part",
    "pdf": "paper.pdf",
    "page": "/page.html",
    "named": "/zip",
    "query": "/get?file=a.zip",
    "away": "http://other.test/report.xlsx?x=1",
}
SHELF = STAYS + "".join(f'<p><a id="{name}" href="{target}">{name}</a>' for name, target in FILES.items())
DOWNLOADS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (
        {"downloads": True},
        [(DOWNLOAD, "/files/a.b.ZIP"), (DOWNLOAD, "/paper.pdf"), (DOWNLOAD, "http://other.test/report.xlsx")],
    ),
    (
        {"downloads": True, "outbound": True},
        [(DOWNLOAD, "/files/a.b.ZIP"), (DOWNLOAD, "/paper.pdf"), (OUTBOUND, "http://other.test/report.xlsx?x=1")],
    ),
    ({"downloads": ["html", "pdf"]}, [(DOWNLOAD, "/paper.pdf"), (DOWNLOAD, "/page.html")]),
    ({"downloads": "html"}, [(DOWNLOAD, "/page.html")]),
]


@pytest.mark.parametrize(("settings", "expected"), DOWNLOADS)
def test_downloads(page: Page, site: RecordingSite, settings: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    opened_page(page, site, SHELF, **settings)
    for name in FILES:
        page.click(f"#{name}")
    right = [(name, {"url": url if url.startswith("http") else site.url(url)}) for name, url in expected]
    are_sent(site, *right)


# Pages that are not there.


def not_there(page: Page, site: RecordingSite, at: str, html_of_it: str) -> None:
    site.missing = html_of_it
    page.goto(site.url(at))
    page.wait_for_function("window.done && !!goatcounter.visit_count")


def test_a_page_that_was_answered_with_404(page: Page, site: RecordingSite) -> None:
    not_there(page, site, "/gone?x=1", a_page(site, not_found=True))
    sent = are_sent(site, ("/gone?x=1", None), ("404", {"path": "/gone"}))
    assert (sent["404"]["e"], sent["404"]["page"]) == ("true", "/gone?x=1")
    assert "page" not in sent["/gone?x=1"]
    # An application that shows another page meanwhile, by itself or by a script that runs again.
    page.evaluate("history.pushState({}, '', '/there'); goatcounter.count()")
    again = "done => document.body.append(Object.assign(document.createElement('script'), {src, onload: done}))"
    page.evaluate(f"(src) => new Promise({again})", "/count.js")
    are_sent(site, ("/there", None), ("/there", None))


def test_other_pages_are_no_404(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, no_onload=False, not_found=True)
    are_sent(site, ("/page", None))
    not_there(page, site, "/gone", a_page(site))
    are_sent(site, ("/gone", None))


def test_a_page_says_itself_that_it_is_none(page: Page, site: RecordingSite) -> None:
    opened_page(page, site, "<p data-goatcounter-not-found>Not here", no_onload=False)
    are_sent(site, ("/page", None), ("404", {"path": "/page"}))
    site.pages["/tag"] = a_page(site, tag="data-goatcounter-not-found")
    page.goto(site.url("/tag"))
    are_sent(site, ("/tag", None), ("404", {"path": "/tag"}))


def test_a_404_that_nobody_looks_at_is_none_yet(page: Page, site: RecordingSite) -> None:
    page.add_init_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    not_there(page, site, "/gone", a_page(site, not_found=True))
    site.wait_for(0)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
    page.evaluate("for (let n = 0; n < 2; n++) document.dispatchEvent(new Event('visibilitychange'))")
    are_sent(site, ("/gone", None), ("404", {"path": "/gone"}))


def test_nothing_is_counted_of_a_visitor_who_has_opted_out(page: Page, site: RecordingSite) -> None:
    page.add_init_script("localStorage.skipgc = 't'")
    not_there(page, site, "/gone", a_page(site, LIST, not_found=True, outbound=True, downloads=True))
    page.click("#away")
    page.click("#file")
    site.wait_for(0)
