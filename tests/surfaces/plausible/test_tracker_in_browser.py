"""npm ``@plausible-analytics/tracker`` 0.4.6, unmodified, in a real browser: from the page to the statistics."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect, sync_playwright

from support.analytics import CHROME, AnalyticsServer, analytics_server
from support.asking import ask
from support.published import INSTALLED_WITHIN_S, installed_node_packages
from support.recording import RecordingSite, recording_site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(INSTALLED_WITHIN_S + 100)]

SITE = "www.example.test"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-blink-features=AutomationControlled",  # a person's browser says nothing of being driven
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)
PAGE = """<title>Page</title><p id=told></p>
<script type=module>
import {init, track} from "/tracker.js"
init({domain: "example.test", endpoint: ENDPOINT, outboundLinks: true})
const told = ({status}) => document.querySelector("#told").textContent += ` ${status}`
track("Signup", {props: {plan: "pro"}, revenue: {currency: "EUR", amount: 9.5}, interactive: false, callback: told})
history.pushState({}, "", "/second?utm_source=news")
</script>"""


@pytest.fixture(scope="module")
def tracker(request: pytest.FixtureRequest) -> str:
    folder = installed_node_packages(request.config, Path(__file__).parent / "tracker")
    return (folder / "node_modules" / "@plausible-analytics" / "tracker" / "plausible.js").read_text("utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path / "data", host=SITE.removeprefix("www.")) as running:
        yield running


@pytest.fixture
def site(tracker: str) -> Iterator[RecordingSite]:
    """Where the pages are."""
    with recording_site() as running:
        running.pages["/tracker.js"] = tracker
        yield running


# Scoped to the module: while Playwright is open, its event loop counts as running, and async tests cannot start theirs.
@pytest.fixture(scope="module")
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        opened = browser.new_page(user_agent=CHROME)
        opened.set_default_timeout(20_000)
        yield opened
        browser.close()


def rows(server: AnalyticsServer, dimension: str, *metrics: str) -> list[list[Any]]:
    query = {"site_id": "example.test", "metrics": metrics, "date_range": "all", "dimensions": [dimension]}
    answer = ask(
        server.url,
        "/api/v2/query",
        method="POST",
        headers={"authorization": f"Bearer {server.token}"},
        body=json.dumps(query).encode(),
    )
    return [[*row["dimensions"], *row["metrics"]] for row in answer.json()["results"]]


def test_what_the_tracker_sends_is_counted(page: Page, site: RecordingSite, server: AnalyticsServer) -> None:
    endpoint = server.url.replace("127.0.0.1", "stats.example.test") + "/api/event"
    site.pages["/first"] = PAGE.replace("ENDPOINT", json.dumps(endpoint))
    site.pages["/left"] = "<title>Left</title>"
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.url == endpoint else None)
    page.goto(site.url("/first"))
    expect(page.locator("#told")).to_have_text("202")
    page.wait_for_timeout(500)
    page.goto(site.url("/left"))  # engagement goes out now
    page.wait_for_timeout(500)
    names = [json.loads(request.post_data or "")["n"] for request in sent]
    assert {"pageview", "Signup", "engagement"} == set(names)
    assert rows(server, "event:name", "events", "visitors") == [["pageview", 2, 1], ["Signup", 1, 1]]
    assert rows(server, "event:page", "pageviews") == [["/first", 1], ["/second", 1]]
    assert rows(server, "event:hostname", "visitors") == [["example.test", 1]]
    assert rows(server, "visit:browser", "visits") == [["Chrome", 1]]
