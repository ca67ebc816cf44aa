"""Plausible's published scripts, unmodified, in a real browser: from what a page does to the statistics.

npm ``@plausible-analytics/tracker`` 0.4.6, ``plausible-tracker`` 0.3.9 and ``plausible-client`` 2.0.0.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Response, expect

from support.analytics import CHROME, AnalyticsServer, analytics_server
from support.asking import ask
from support.browsing import AS_A_PERSON, opened_browser
from support.bundling import bundled
from support.published import INSTALLED_WITHIN_S, installed_node_packages
from support.recording import RecordingSite, recording_site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(INSTALLED_WITHIN_S + 100)]

SITE = "www.example.test"


@pytest.fixture(scope="module")
def scripts(request: pytest.FixtureRequest) -> dict[str, str]:
    """The published scripts by their addresses; two of them as a bundler would put them on a page."""
    packages = installed_node_packages(request.config, Path(__file__).parent / "tracker") / "node_modules"
    return {
        "/tracker.js": (packages / "@plausible-analytics" / "tracker" / "plausible.js").read_text("utf-8"),
        "/plausible-tracker.js": bundled(packages, "plausible-tracker", known_as="published"),
        "/plausible-client.js": bundled(packages, "plausible-client", known_as="published"),
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path / "data", host=SITE.removeprefix("www.")) as running:
        yield running


@pytest.fixture
def site(scripts: dict[str, str]) -> Iterator[RecordingSite]:
    """Where the pages are."""
    with recording_site() as running:
        running.pages |= scripts
        running.pages["/left"] = "<title>Left</title>"
        yield running


@pytest.fixture(scope="module")
def opened_page(chromium: str) -> Iterator[Page]:
    with opened_browser(chromium, AS_A_PERSON) as browser:
        opened = browser.new_page(user_agent=CHROME, viewport={"width": 1280, "height": 720})
        opened.set_default_timeout(20_000)
        yield opened


@pytest.fixture
def page(opened_page: Page) -> Iterator[Page]:
    yield opened_page
    opened_page.goto("about:blank")


@pytest.fixture
def sent(page: Page) -> Iterator[list[Request]]:
    """What is told to the server."""
    told: list[Request] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/event"):
            told.append(request)

    page.on("request", note)
    yield told
    page.remove_listener("request", note)


def bodies(sent: list[Request]) -> list[dict[str, Any]]:
    return [json.loads(request.post_data or "") for request in sent]


def answers(sent: list[Request], name: str) -> list[Response]:
    found = [request.response() for request in sent if json.loads(request.post_data or "")["n"] == name]
    return [answer for answer in found if answer is not None]


def api_host(server: AnalyticsServer) -> str:
    return server.url.replace("127.0.0.1", "stats.example.test")


def given(page: Page, site: RecordingSite, text: str, *, at: str = "/first") -> None:
    """A page that loads a script and does something with it."""
    site.pages[at.partition("#")[0]] = f"<!doctype html><title>Page</title>{text}"
    page.goto(site.url(at))


def all_told(page: Page, sent: list[Request], amount: int) -> None:
    """So many events are told, and their answers are there, and shortly after that no more of them."""
    page.wait_for_function("true")
    for _ in range(100):
        if len(sent) >= amount:
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(300)
    assert len(sent) == amount, bodies(sent)


def rows(server: AnalyticsServer, dimension: str, *metrics: str) -> list[list[Any]]:
    query = {"site_id": "example.test", "metrics": metrics, "date_range": "all", "dimensions": [dimension]}
    answer = ask(
        server.url,
        "/api/v2/query",
        method="POST",
        headers={"authorization": f"Bearer {server.token}"},
        body=json.dumps(query).encode(),
    )
    return sorted([*row["dimensions"], *row["metrics"]] for row in answer.json()["results"])


def events(server: AnalyticsServer) -> dict[str, int]:
    """How often each event was counted; pageviews too."""
    return dict(rows(server, "event:name", "events"))


def pages(server: AnalyticsServer) -> dict[str, int]:
    return dict(rows(server, "event:page", "pageviews"))


HIDDEN = "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})"
LINKS = """<a id=away href="http://other.test/there?a=1">away</a> <a id=file href="/files/report.pdf?x=1">file</a>
<script>
for (const link of document.querySelectorAll("a"))
  for (const kind of ["click", "auxclick"]) link.addEventListener(kind, (e) => e.preventDefault())
</script>"""
PAGE = """<p id=told></p>
<script type=module>
import {init, track} from "/tracker.js"
init({domain: "example.test", endpoint: ENDPOINT, outboundLinks: true})
const told = ({status}) => document.querySelector("#told").textContent += ` ${status}`
track("Signup", {props: {plan: "pro"}, revenue: {currency: "EUR", amount: 9.5}, interactive: false, callback: told})
history.pushState({}, "", "/second?utm_source=news")
</script>"""


# @plausible-analytics/tracker


def test_what_the_tracker_sends_is_counted(
    page: Page, site: RecordingSite, server: AnalyticsServer, sent: list[Request]
) -> None:
    given(page, site, PAGE.replace("ENDPOINT", json.dumps(f"{api_host(server)}/api/event")))
    expect(page.locator("#told")).to_have_text("202")
    page.wait_for_timeout(500)
    page.goto(site.url("/left"))  # engagement goes out now
    page.wait_for_timeout(500)
    names = [body["n"] for body in bodies(sent)]
    assert {"pageview", "Signup", "engagement"} == set(names)
    assert rows(server, "event:name", "events", "visitors") == [["Signup", 1, 1], ["pageview", 2, 1]]
    assert pages(server) == {"/first": 1, "/second": 1}
    assert rows(server, "event:hostname", "visitors") == [["example.test", 1]]
    assert rows(server, "visit:browser", "visits") == [["Chrome", 1]]


ALL_OPTIONS = """<form id=form><input name=a><button id=send>Send</button></form>
<button id=tagged class="plausible-event-name=Buy+it plausible-event-plan=pro plausible-revenue-amount=5">Buy</button>
<div style="height: 4000px"></div>
<script type=module>
import {init, track} from "/tracker.js"
document.querySelector("#form").addEventListener("submit", (e) => e.preventDefault())
init({domain: "example.test", endpoint: ENDPOINT, outboundLinks: true, fileDownloads: true, formSubmissions: true,
      hashBasedRouting: true, customProperties: {author: "Ada"}})
track("404", {props: {path: location.pathname}})
</script>"""


def test_all_that_the_tracker_can_do(
    page: Page, site: RecordingSite, server: AnalyticsServer, sent: list[Request]
) -> None:
    given(page, site, LINKS + ALL_OPTIONS.replace("ENDPOINT", json.dumps(f"{api_host(server)}/api/event")))
    for selector in ("#away", "#file", "#tagged", "#send"):
        page.click(selector)
    page.evaluate("location.hash = '#/inbox'")
    page.wait_for_timeout(200)
    page.evaluate("scrollTo(0, 2000)")
    page.wait_for_timeout(200)
    page.evaluate(f"{HIDDEN}; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    told = bodies(sent)
    engaged = [body for body in told if body["n"] == "engagement"]
    assert [body["u"] for body in engaged] == [site.url("/first"), site.url("/first#/inbox")]
    assert [0 <= body["sd"] <= 100 and body["e"] >= 0 and body["p"] == {"author": "Ada"} for body in engaged] == [
        True
    ] * 2
    assert {answer.headers.get("x-plausible-dropped") for answer in answers(sent, "engagement")} == {"1"}
    assert {answer.status for answer in answers(sent, "engagement")} == {202}
    assert [body.get("h") for body in told] == [1] * len(told)
    assert events(server) == {
        "pageview": 2,
        "404": 1,
        "Outbound Link: Click": 1,
        "File Download": 1,
        "Buy it": 1,
        "Form: Submission": 1,
    }
    assert pages(server) == {"/first": 1, "/first#/inbox": 1}
    assert rows(server, "event:name", "visitors")[0] == ["404", 1]


# plausible-tracker

OLDER = """<script src="/plausible-tracker.js"></script>
<script>
const {trackEvent, enableAutoPageviews, enableAutoOutboundTracking} =
  published.default({domain: "example.test", apiHost: HOST, hashMode: MODE})
const leave = [enableAutoPageviews(), enableAutoOutboundTracking()]
</script>"""


def older(server: AnalyticsServer, *, hash_mode: bool = False) -> str:
    return OLDER.replace("HOST", json.dumps(api_host(server))).replace("MODE", json.dumps(hash_mode))


def test_what_the_older_tracker_sends_is_counted(
    page: Page, site: RecordingSite, server: AnalyticsServer, sent: list[Request]
) -> None:
    site.pages["/there"] = "<title>There</title>"
    link = f'<a href="{site.url("/there", "other.test")}">away</a>'
    given(page, site, link + older(server))
    all_told(page, sent, 1)  # two requests at once may arrive in either order
    page.evaluate("history.pushState({}, '', '/second?utm_source=news')")
    answered = (
        "new Promise((callback) => trackEvent('Signup', {callback, props: {plan: 'pro', seats: 3, trial: true}}))"
    )
    page.evaluate(answered)
    page.evaluate("trackEvent('404', {props: {path: location.pathname}})")
    all_told(page, sent, 4)
    page.click("a")
    page.wait_for_url("**/there")
    told = bodies(sent)
    assert [body["n"] for body in told] == ["pageview", "pageview", "Signup", "404", "Outbound Link: Click"]
    assert [body["w"] for body in told] == [1280] * 5
    assert told[2]["p"] == '{"plan":"pro","seats":3,"trial":true}'
    assert events(server) == {"pageview": 2, "Signup": 1, "404": 1, "Outbound Link: Click": 1}
    assert pages(server) == {"/first": 1, "/second": 1}
    assert rows(server, "visit:source", "visitors") == [["Direct / None", 1]]
    assert rows(server, "visit:device", "visitors") == [["Desktop", 1]]


def test_addresses_behind_a_hash_are_pages_of_the_older_tracker(
    page: Page, site: RecordingSite, server: AnalyticsServer, sent: list[Request]
) -> None:
    given(page, site, older(server, hash_mode=True), at="/app#/inbox")
    page.evaluate("location.hash = '#/sent'")
    # The script listens to two events that a browser fires for one change of the hash.
    all_told(page, sent, 3)
    assert [body["h"] for body in bodies(sent)] == [1, 1, 1]
    assert pages(server) == {"/app#/inbox": 1, "/app#/sent": 2}


# plausible-client

CLIENT = """<div style="height: 4000px"></div><script src="/plausible-client.js"></script>
<script>
const {Plausible, enableAutoPageviews, enableAutoOutboundTracking, enableEngagementTracking, enableSessionScoring,
       skipByFlag} = published
const plausible = new Plausible({domain: "example.test", apiHost: HOST, filter: skipByFlag()})
enableAutoPageviews(plausible)
enableAutoOutboundTracking(plausible, {captureText: true})
</script>"""


def test_what_the_client_sends_is_counted(
    page: Page, site: RecordingSite, server: AnalyticsServer, sent: list[Request]
) -> None:
    given(page, site, LINKS + CLIENT.replace("HOST", json.dumps(api_host(server))))
    page.evaluate("history.pushState({}, '', '/second')")
    page.evaluate(
        "plausible.trackEvent('Purchase', {props: {plan: 'pro', none: null}, revenue: {currency: 'EUR', amount: 5}})"
    )
    page.click("#away")
    page.click("#away", button="middle")
    all_told(page, sent, 5)
    told = bodies(sent)
    assert json.loads(told[2]["revenue"]) == {"currency": "EUR", "amount": 5}
    assert json.loads(told[3]["p"]) == {"url": "http://other.test/there?a=1", "text": "away"}
    assert events(server) == {"pageview": 2, "Purchase": 1, "Outbound Link: Click": 2}
    # Its engagement and scores are events of its own, which a site owner asks for.
    page.evaluate("document.hasFocus = () => true; enableSessionScoring(plausible)")
    page.evaluate("enableEngagementTracking(plausible); 0")  # what it returns would end it
    page.evaluate("scrollTo(0, 2000)")
    all_told(page, sent, 7)
    assert events(server) == {
        "pageview": 2,
        "Purchase": 1,
        "Outbound Link: Click": 2,
        "Page engagement": 1,
        "Session scored": 1,
    }
    refused = "plausible.sendEvent('x'.repeat(121)).then(() => 'counted', (error) => error.message)"
    assert page.evaluate(refused) == "Bad Request"
    page.evaluate("localStorage.plausible_ignore = 'true'; plausible.sendEvent('Purchase')")
    all_told(page, sent, 8)
    page.evaluate("localStorage.clear()")
