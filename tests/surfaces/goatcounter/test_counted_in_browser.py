"""A page in a real browser, the script and the counter from a running server: from the click to the statistics."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.analytics import CHROME, AnalyticsServer, analytics_server
from support.browsing import AS_A_PERSON, opened_browser
from support.recording import RecordingSite, recording_site
from support.stored_hits import stored_hits
from tallystick.model.site import SiteSettings
from tallystick.model.text import storable

pytestmark = pytest.mark.browser

GUIDE = (Path(__file__).parents[3] / "docs" / "count-your-pages.md").read_text("utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path / "data", host=None, settings=SiteSettings(allow_counter=True)) as running:
        yield running


@pytest.fixture
def site() -> Iterator[RecordingSite]:
    """Where the pages are."""
    with recording_site() as running:
        yield running


@pytest.fixture(scope="module")
def page(chromium: str) -> Iterator[Page]:
    with opened_browser(chromium, AS_A_PERSON) as browser:
        opened = browser.new_page(user_agent=CHROME)
        opened.set_default_timeout(20_000)
        yield opened


def stats_host(server: AnalyticsServer) -> str:
    return server.url.replace("127.0.0.1", "stats.example.test")


def counts(server: AnalyticsServer) -> dict[str, int]:
    hits = server.api("GET", "/stats/hits").json()["hits"]
    return {hit["path"]: hit["count"] for hit in hits}


def test_what_a_visitor_does_reaches_the_statistics(page: Page, site: RecordingSite, server: AnalyticsServer) -> None:
    stats = stats_host(server)
    site.pages["/welcome"] = (
        f'<title>Welcome</title><script data-goatcounter="{stats}/count" async src="{stats}/count.js"></script>'
        '<button data-goatcounter-click="signup">Sign up</button>'
        "<p id=views></p>"
    )
    with page.expect_response(lambda response: "/count?" in response.url) as counted:
        page.goto(site.url("/welcome?utm_campaign=spring"))
    assert counted.value.status == 200
    with page.expect_response(lambda response: "/count?" in response.url):
        page.get_by_role("button").click()
    assert counts(server) == {"/welcome": 1, "signup": 1}
    campaigns = server.api("GET", "/stats/campaigns").json()["stats"]
    assert [(row["name"], row["count"]) for row in campaigns] == [("spring", 2)]
    browsers = server.api("GET", "/stats/browsers").json()["stats"]
    assert [(row["name"], row["count"]) for row in browsers] == [("Chrome", 2)]

    page.evaluate("goatcounter.visit_count({append: '#views', path: '/welcome'})")
    expect(page.frame_locator("iframe").locator("#gcvc-views")).to_have_text("1")
    page.evaluate("goatcounter.visit_count({append: '#views', path: 'TOTAL', type: 'svg'})")
    page.evaluate("goatcounter.visit_count({append: '#views', path: 'TOTAL', type: 'png'})")
    expect(page.locator("img")).to_have_count(2)
    for image in page.locator("img").all():
        expect(image).to_have_js_property("naturalWidth", 200)


HOSTILE = "<script>alert(1)</script>\n=1+1,\"'\x00\u2028"


def test_properties_and_events_of_the_script_are_stored(
    page: Page, site: RecordingSite, server: AnalyticsServer
) -> None:
    stats = stats_host(server)
    chosen = html.escape(
        json.dumps({"outbound": True, "downloads": True, "not_found": True, "props": {"author": "Ada"}})
    )
    bought = html.escape(json.dumps({"plan": HOSTILE, "seats": 3, "none": None, "too long": "x" * 2_001}))
    site.missing = (
        f'<title>Gone</title><a id=away href="{site.url("/", "other.test")}">away</a>'
        '<a id=file href="/a.zip?x=1">file</a>'
        f'<button data-goatcounter-click="buy" data-goatcounter-title="" data-goatcounter-props="{bought}">Buy</button>'
        "<script>addEventListener('click', (e) => e.preventDefault())</script>"
        f'<script data-goatcounter="{stats}/count" data-goatcounter-settings="{chosen}"'
        f' src="{stats}/count.js"></script>'
    )
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if "/count?" in response.url else None)
    page.goto(site.url("/gone"))
    for selector in ("#away", "#file", "button"):
        page.click(selector)
    page.wait_for_timeout(500)
    assert statuses == [200] * 5
    assert server.server.stop() == 0
    told = [(hit["name"], hit["page"], hit["props"]) for hit in stored_hits(server.server.data)]
    assert sorted(told) == [
        ("/gone", "", {"author": "Ada"}),
        ("404", "/gone", {"path": "/gone"}),
        ("File Download", "/gone", {"url": site.url("/a.zip")}),
        ("Outbound Link: Click", "/gone", {"url": site.url("/", "other.test")}),
        ("buy", "", {"plan": storable(HOSTILE), "seats": "3"}),
    ]


def test_a_page_may_read_the_number_itself(page: Page, site: RecordingSite, server: AnalyticsServer) -> None:
    site.pages["/reading"] = "<title>Reading</title>"
    page.goto(site.url("/reading"))
    read = "async (url) => (await (await fetch(url)).json()).count"
    assert page.evaluate(read, f"{stats_host(server)}/counter/%2Fnever-seen.json") == "0"


@pytest.mark.parametrize("extension", ["html", "svg"])
def test_a_style_is_applied_and_the_policy_lets_it(page: Page, server: AnalyticsServer, extension: str) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    style = "%23gcvc-for%20%7B%20font-size:%2010px%20%7D%20%23gcvc-by%20%7B%20background:%20url(/x)%20%7D"
    page.goto(f"{stats_host(server)}/counter/TOTAL.{extension}?style={style}")
    assert page.locator("#gcvc-for").evaluate("(element) => getComputedStyle(element).fontSize") == "10px"
    assert [text for text in complaints if "favicon" not in text] == []


def test_the_security_policy_of_the_guide_is_enough(page: Page, site: RecordingSite, server: AnalyticsServer) -> None:
    stats = stats_host(server)
    (told,) = re.findall(r"`(script-src [^`]+)`", GUIDE)
    policy = f"default-src 'none'; {told}".replace("https://stats.example.com", stats).replace("\n", " ")
    site.pages["/strict"] = (
        f'<meta http-equiv="content-security-policy" content="{policy}">'
        f'<body><script data-goatcounter="{stats}/count" async src="{stats}/count.js"></script>'
    )
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    with page.expect_response(lambda response: "/count?" in response.url) as counted:
        page.goto(site.url("/strict"))
    assert counted.value.status == 200
    page.evaluate("goatcounter.visit_count(); goatcounter.visit_count({type: 'png'})")
    # The page's policy forbids what waiting for a function would need.
    expect(page.locator("img")).to_have_js_property("naturalWidth", 200)
    expect(page.frame_locator("iframe").locator("#gcvc-for")).to_be_visible()
    assert [text for text in complaints if "favicon" not in text] == []
