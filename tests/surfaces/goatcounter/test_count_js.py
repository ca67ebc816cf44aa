"""``count.js`` in a real browser, on pages of ours that write down what it sends."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page

import tallystick
from support.browsing import launched
from support.recording import RecordingSite, recording_site

pytestmark = pytest.mark.browser

SCRIPT = (Path(tallystick.__file__).parent / "surfaces/goatcounter/static/count.js").read_text("utf-8")
FAILING_BEACON = "navigator.sendBeacon = () => false"
NO_BEACON = "delete Navigator.prototype.sendBeacon"
BLOCKED_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('blocked') }})"
HIDDEN = "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
SHOWN = f"{HIDDEN.replace('true,', 'false,')}; document.dispatchEvent(new Event('visibilitychange'))"
NOTHING_COUNTED = "window.goatcounter = {no_onload: true}"


@pytest.fixture
def site() -> Iterator[RecordingSite]:
    with recording_site() as running:
        running.pages["/count.js"] = SCRIPT
        yield running


@contextmanager
def page_without_cookies(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        yield opened
        assert context.cookies() == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with page_without_cookies(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole_browser(browser: Browser, whole_chromium: str) -> Iterator[Browser]:
    with launched(browser.browser_type, whole_chromium) as opened:
        yield opened


@pytest.fixture
def page_of_the_whole(whole_browser: Browser) -> Iterator[Page]:
    """A page of the browser that keeps pages for the way back."""
    with page_without_cookies(whole_browser) as opened:
        yield opened


def a_page(site: RecordingSite, *, title: str = "A page", head: str = "", body: str = "", tag: str = "") -> str:
    """HTML that loads the script as its documentation says; ``tag`` is more of its attributes."""
    endpoint = site.url("/count", "stats.example.test")
    script = f'<script data-goatcounter="{endpoint}" {tag} async src="{site.url("/count.js")}"></script>'
    return f"<!doctype html><html><head><title>{title}</title>{head}{script}</head><body>{body}</body></html>"


def settings(text: str) -> str:
    return f"data-goatcounter-settings='{text}'"


def script_is_there(page: Page) -> None:
    page.wait_for_function("window.goatcounter && goatcounter.visit_count && document.readyState === 'complete'")


def test_it_is_small_and_old_browsers_can_read_it() -> None:
    assert len(SCRIPT.encode()) < 4096
    code = re.sub(r"//.*|'[^'\n]*'", "''", SCRIPT)
    assert not re.search(r"=>|`|\.\.\.|\?\.|\?\?|\b(let|const|class|async|await|of)\b|,\s*[}\])]", code)


def test_a_page_is_counted_once_it_is_loaded(page: Page, site: RecordingSite) -> None:
    site.pages["/docs"] = a_page(site, title="Docs & more")
    page.goto(site.url("/docs?utm_source=mail&x=1"))
    sent = site.only()
    width = page.evaluate("screen.width")
    assert sent.method == "POST"
    assert sent.query.pop("rnd")
    assert sent.query == {
        "p": "/docs?utm_source=mail&x=1",
        "t": "Docs & more",
        "s": str(width),
        "b": "153",  # a browser that is driven says so
        "q": "?utm_source=mail&x=1",
    }


def test_nothing_is_left_in_the_browser(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site)
    page.goto(site.url("/"))
    site.only()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


def test_the_referrer_is_the_page_that_led_here(page: Page, site: RecordingSite) -> None:
    site.pages["/from"] = f'<a href="{site.url("/to")}">on</a>'
    site.pages["/to"] = a_page(site)
    page.goto(site.url("/from"))
    page.click("a")
    assert site.only().query["r"] == site.url("/from")


@pytest.mark.parametrize(
    ("canonical", "path"),
    [
        ("/canonical?a=1", "/canonical?a=1"),
        ("http://example.test/without-www", "/without-www"),
        ("http://other.test/elsewhere", "/page?b=2"),
    ],
)
def test_a_canonical_link_of_the_same_host_names_the_path(
    page: Page, site: RecordingSite, canonical: str, path: str
) -> None:
    site.pages["/page"] = a_page(site, head=f'<link rel="canonical" href="{canonical}">')
    page.goto(site.url("/page?b=2"))
    assert site.only().query["p"] == path


@pytest.mark.parametrize("beacon", [FAILING_BEACON, NO_BEACON])
def test_without_a_beacon_an_image_counts_and_goes(page: Page, site: RecordingSite, beacon: str) -> None:
    page.add_init_script(beacon)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/"))
    sent = site.only()
    assert sent.method == "GET"
    assert sent.query["p"] == "/"
    page.wait_for_function("document.images.length === 0")


def test_a_title_that_ends_in_half_an_emoji_is_counted(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site, body=f'<a data-goatcounter-click="x">{"a" * 199}\U0001f600</a>')
    page.add_init_script(NOTHING_COUNTED)
    page.goto(site.url("/"))
    script_is_there(page)
    page.evaluate("goatcounter.bind_events()")
    page.click("a")
    assert site.only().query["t"] == "a" * 199


ELEMENTS = [
    (
        '<a data-goatcounter-click="download" data-goatcounter-title="Zip" data-goatcounter-referrer="ref">x</a>',
        {"p": "download", "t": "Zip", "r": "ref"},
    ),
    ('<a name="by-name" title="Its title" data-goatcounter-click>x</a>', {"p": "by-name", "t": "Its title"}),
    (
        '<a id="by-id" data-goatcounter-click data-goatcounter-referral="old">x</a>',
        {"p": "by-id", "t": "x", "r": "old"},
    ),
    ('<a data-goatcounter-click="each" data-goatcounter-no-session="1"><b>x</b></a>', {"t": "<b>x</b>", "ns": "true"}),
    ('<a data-goatcounter-click="each" data-goatcounter-no-session="0">x</a>', {"p": "each"}),
]


@pytest.mark.parametrize(("element", "expected"), ELEMENTS)
def test_a_click_is_an_event(page: Page, site: RecordingSite, element: str, expected: dict[str, str]) -> None:
    site.pages["/"] = a_page(site, body=element, tag=settings('{"no_onload": true}'))
    page.goto(site.url("/"))
    script_is_there(page)
    page.evaluate("goatcounter.bind_events()")  # again, as a page that added elements does
    page.click("a")
    sent = site.only().query
    assert sent.pop("e") == "true"
    assert {name: sent[name] for name in expected} == expected
    assert ("ns" in sent) == ("ns" in expected)


def test_a_middle_click_is_an_event(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site, body='<b data-goatcounter-click="ext">x</b>', tag=settings('{"no_onload": true}'))
    page.goto(site.url("/"))
    script_is_there(page)
    page.evaluate("goatcounter.bind_events()")
    page.click("b", button="middle")
    assert site.only().query["p"] == "ext"


def test_events_stay_unbound_where_the_page_wants_it(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site, body='<b data-goatcounter-click="x">x</b>', tag=settings('{"no_events": true}'))
    page.goto(site.url("/"))
    script_is_there(page)
    page.click("b")
    assert site.only().query["p"] == "/"


def test_a_visitor_opts_out_and_in_by_the_address(page: Page, site: RecordingSite) -> None:
    told: list[str] = []

    def accept(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.accept()

    page.on("dialog", accept)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/#toggle-goatcounter"))
    script_is_there(page)
    assert page.evaluate("[localStorage.skipgc, goatcounter.filter()]") == ["t", "disabled with #toggle-goatcounter"]
    page.goto("about:blank")
    page.goto(site.url("/"))
    script_is_there(page)
    site.wait_for(0)
    page.goto(site.url("/#toggle-goatcounter"))  # the same page: no load, only another hash
    page.wait_for_function("localStorage.skipgc !== 't'")
    page.reload()  # the hash is still there: off again
    page.wait_for_function("localStorage.skipgc === 't'")
    assert told == ["Not counting you", "Counting you", "Not counting you"]
    site.wait_for(0)


def run_again(page: Page, times: int) -> None:
    """Let the page run the script again, as frameworks do that replace a page's content."""
    for _ in range(times):
        page.evaluate(
            "() => new Promise((done) => document.head.append(Object.assign(document.createElement('script'),"
            " {src: '/count.js', onload: done})))"
        )


def test_the_state_is_the_documents_however_often_the_script_runs(page: Page, site: RecordingSite) -> None:
    told: list[str] = []

    def accept(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.accept()

    page.on("dialog", accept)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/#toggle-goatcounter"))
    script_is_there(page)
    run_again(page, 2)
    assert page.evaluate("localStorage.skipgc") == "t"
    page.evaluate("location.hash = 'toggled'")
    page.evaluate("location.hash = 'toggle-goatcounter'")
    page.wait_for_function("localStorage.skipgc !== 't'")
    run_again(page, 2)
    assert told == ["Not counting you", "Counting you"]


def test_a_hidden_page_that_runs_it_three_times_is_counted_once_it_is_seen(page: Page, site: RecordingSite) -> None:
    page.add_init_script(HIDDEN)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/"))
    script_is_there(page)
    run_again(page, 2)
    site.wait_for(0)
    page.evaluate(SHOWN)
    page.evaluate(SHOWN)
    site.only()


def test_clicks_heed_the_settings_of_the_last_run(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site, body="<b data-goatcounter-click=x>b</b>", tag=settings('{"no_onload": true}'))
    page.goto(site.url("/"))
    script_is_there(page)
    page.evaluate("goatcounter.bind_events()")
    moved = site.url("/count", "moved.example.test")
    page.evaluate("() => { window.goatcounter = {no_onload: true, endpoint: '" + moved + "'} }")
    page.evaluate("document.querySelector('[data-goatcounter]').removeAttribute('data-goatcounter')")
    run_again(page, 2)
    page.evaluate("goatcounter.bind_events()")
    with page.expect_request("**/count?*") as asked:
        page.click("b")
    assert asked.value.url.startswith(moved)
    site.only()


@pytest.mark.parametrize("runs", [1, 3])
def test_back_to_a_page_that_the_browser_kept_is_a_pageview(
    page_of_the_whole: Page, site: RecordingSite, runs: int
) -> None:
    page = page_of_the_whole
    kept = "<script>addEventListener('pageshow', (e) => { window.kept = e.persisted })</script>"
    site.pages["/first"] = a_page(site, head=kept)
    site.pages["/second"] = a_page(site)
    page.goto(site.url("/first"))
    site.wait_for(1)
    run_again(page, runs - 1)
    page.goto(site.url("/second"))
    site.wait_for(runs + 1)
    page.evaluate("history.back()")
    page.wait_for_url("**/first", wait_until="commit")
    paths = [sent.query["p"] for sent in site.wait_for(runs + 2)]
    assert page.evaluate("window.kept") is True
    assert paths == ["/first"] * runs + ["/second", "/first"]


def test_back_to_a_kept_page_that_counts_nothing_by_itself_is_none(
    page_of_the_whole: Page, site: RecordingSite
) -> None:
    page = page_of_the_whole
    site.pages["/first"] = a_page(site, tag=settings('{"no_onload": true}'))
    site.pages["/second"] = a_page(site)
    page.goto(site.url("/first"))
    script_is_there(page)
    page.goto(site.url("/second"))
    site.wait_for(1)
    page.evaluate("history.back()")
    page.wait_for_url("**/first", wait_until="commit")
    site.wait_for(1)


def test_an_application_counts_its_own_navigation(page: Page, site: RecordingSite) -> None:
    site.pages["/app"] = a_page(site, title="App")
    page.goto(site.url("/app"))
    site.wait_for(1)
    page.evaluate("history.pushState({}, '', '/app/inbox'); goatcounter.count({path: '/app/inbox', title: 'Inbox'})")
    page.evaluate("history.pushState({}, '', '/app/sent'); goatcounter.count()")
    told = [(sent.query["p"], sent.query["t"]) for sent in site.wait_for(3)]
    assert told == [("/app", "App"), ("/app/inbox", "Inbox"), ("/app/sent", "App")]


def test_vars_may_be_functions_of_what_would_be_sent(page: Page, site: RecordingSite) -> None:
    site.pages["/x"] = a_page(site, head=f"<script>{NOTHING_COUNTED}</script>", title="T")
    page.goto(site.url("/x"))
    script_is_there(page)
    page.evaluate(
        "goatcounter.count({path: (p) => p + '/more', title: (t) => t + '!', referrer: () => 'r', event: true,"
        " no_session: true})"
    )
    sent = site.only().query
    assert [sent[name] for name in ("p", "t", "r", "e", "ns")] == ["/x/more", "T!", "r", "true", "true"]


def test_a_path_of_null_is_not_counted(page: Page, site: RecordingSite) -> None:
    site.pages["/x"] = a_page(site, head="<script>window.goatcounter = {path: () => null}</script>")
    page.goto(site.url("/x"))
    script_is_there(page)
    assert page.evaluate("goatcounter.url() === undefined")
    site.wait_for(0)


def test_a_counter_that_is_asked_for_early_waits_for_its_place(page: Page, site: RecordingSite) -> None:
    site.pages["/x"] = (
        f"<script>{NOTHING_COUNTED}</script><script data-goatcounter='/count' src='/count.js'></script>"
        "<script>goatcounter.visit_count({append: '#here'})</script><body><p id=here></p>"
    )
    page.goto(site.url("/x"))
    assert page.locator("#here iframe").get_attribute("src") == "/counter/%2Fx.html"
    assert page.locator("#here iframe").get_attribute("frameborder") == "0"


def test_the_page_may_set_everything_in_the_tag(page: Page, site: RecordingSite) -> None:
    chosen = '{"path": "/p", "title": "t", "referrer": "r", "event": true, "count": "no"}'
    site.pages["/x"] = a_page(site, tag=settings(chosen))
    page.goto(site.url("/x"))
    sent = site.only().query
    assert [sent[name] for name in "ptre"] == ["/p", "t", "r", "true"]


def test_the_endpoint_may_be_set_by_the_page(page: Page, site: RecordingSite) -> None:
    own = f"<script>window.goatcounter = {{endpoint: '{site.url('/count', 'own.test')}'}}</script>"
    site.pages["/x"] = f"{own}<script async src='/count.js'></script>"
    page.goto(site.url("/x"))
    assert site.only().query["p"] == "/x"


def test_without_an_endpoint_the_console_tells(page: Page, site: RecordingSite) -> None:
    site.pages["/x"] = "<script async src='/count.js'></script>"
    with page.expect_console_message() as told:
        page.goto(site.url("/x"))
    assert told.value.text == "not counted: no path or endpoint"
    site.wait_for(0)


def test_data_has_what_is_sent(page: Page, site: RecordingSite) -> None:
    site.pages["/x"] = a_page(site, head=f"<script>{NOTHING_COUNTED}</script>")
    page.goto(site.url("/x?name=a+b%26c&empty="))
    script_is_there(page)
    data = page.evaluate("goatcounter.get_data()")
    assert data.keys() - {"ns"} == {"p", "r", "t", "e", "s", "b", "q"}
    assert data["e"] is False
    assert page.evaluate("[goatcounter.get_query('name'), goatcounter.get_query('none')]") == ["a b&c", None]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("localhost", "localhost"),
        ("127.0.0.1", "localhost"),
        ("10.example.test", False),
        ("localhost.example.test", False),
    ],
)
def test_pages_on_the_own_machine_are_not_counted(page: Page, site: RecordingSite, host: str, reason: object) -> None:
    site.pages["/"] = a_page(site)
    page.goto(site.url("/", host))
    script_is_there(page)
    assert page.evaluate("goatcounter.filter()") == reason
    site.wait_for(0 if reason else 1)


def test_pages_on_the_own_machine_are_counted_when_allowed(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site, tag=settings('{"allow_local": true}'))
    page.goto(site.url("/", "localhost"))
    site.only()


def test_a_file_is_not_counted(page: Page, site: RecordingSite, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(a_page(site))
    page.goto(file.as_uri())
    script_is_there(page)
    assert page.evaluate("goatcounter.filter()") == "localfile"
    site.wait_for(0)


def test_settings_that_are_no_json_are_passed_over(page: Page, site: RecordingSite) -> None:
    site.pages["/"] = a_page(site, tag=settings("{no_onload: true"))
    page.goto(site.url("/"))
    assert site.only().query["p"] == "/"


@pytest.mark.parametrize(("allowed", "times"), [("false", 0), ("true", 1)])
def test_a_page_in_a_frame_is_counted_only_when_allowed(
    page: Page, site: RecordingSite, allowed: str, times: int
) -> None:
    site.pages["/inner"] = a_page(site, tag=settings(f'{{"allow_frame": {allowed}}}'))
    site.pages["/"] = '<iframe src="/inner"></iframe>'
    page.goto(site.url("/"))
    page.wait_for_function("!!frames[0].goatcounter?.visit_count")
    site.wait_for(times)


def test_a_page_in_the_background_is_counted_when_it_is_seen(page: Page, site: RecordingSite) -> None:
    page.add_init_script(HIDDEN)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/"))
    script_is_there(page)
    site.wait_for(0)
    page.evaluate(SHOWN)
    page.evaluate(SHOWN)
    site.only()


def test_blocked_storage_stops_nothing(page: Page, site: RecordingSite) -> None:
    page.add_init_script(BLOCKED_STORAGE)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/"))
    site.only()


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("window.callPhantom = 1", 150),
        ("window.__nightmare = 1", 151),
        ("document.__selenium_unwrapped = 1", 152),
        ("document.__webdriver_evaluate = 1", 152),
        ("document.__driver_evaluate = 1", 152),
        ("0", 153),
        ("Object.defineProperty(navigator, 'webdriver', {value: false})", 0),
    ],
)
def test_tools_that_drive_a_browser_are_told(page: Page, site: RecordingSite, mark: str, code: int) -> None:
    page.add_init_script(mark)
    site.pages["/"] = a_page(site)
    page.goto(site.url("/"))
    assert site.only().query["b"] == str(code)


COUNTERS: list[tuple[str, str, dict[str, Any], str]] = [
    ("{}", "iframe", {"width": "200", "height": "80"}, "/counter/%2Fpage.html"),
    ("{type: 'png', no_branding: true}", "img", {"height": "60"}, "/counter/%2Fpage.png?no_branding=true"),
    (
        "{type: 'svg', path: 'TOTAL', attr: {width: 99, id: 'x'}}",
        "img",
        {"width": "99", "id": "x"},
        "/counter/TOTAL.svg",
    ),
    (
        "{path: '/a?b', append: '#here', start: 'week', end: '2026-01-02', style: '#gcvc-by { display: none }'}",
        "#here iframe",
        {},
        "/counter/%2Fa%3Fb.html?style=%23gcvc-by%20%7B%20display%3A%20none%20%7D&start=week&end=2026-01-02",
    ),
]


@pytest.mark.parametrize(("options", "element", "attributes", "target"), COUNTERS)
def test_the_visitor_counter_is_inserted(  # noqa: PLR0913, PLR0917  # the row
    page: Page, site: RecordingSite, options: str, element: str, attributes: dict[str, str], target: str
) -> None:
    site.pages["/page"] = a_page(site, head=f"<script>{NOTHING_COUNTED}</script>", body='<div id="here"></div>')
    page.goto(site.url("/page"))
    script_is_there(page)
    page.evaluate(f"goatcounter.visit_count({options})")
    inserted = page.locator(element)
    assert inserted.get_attribute("src") == site.url(target, "stats.example.test").replace("/count/", "/")
    assert {name: inserted.get_attribute(name) for name in attributes} == attributes
