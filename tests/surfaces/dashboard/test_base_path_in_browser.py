"""Under a path of another website, behind nginx and Caddy: the main paths in a browser, from the set-up to the log-out.

The proxies have the configurations of ``docs/proxies``. Every request and cookie of the browser stays under the path.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.analytics import FIREFOX
from support.browsing import AS_A_PERSON, launched, opened_browser, wait_until, website
from support.pages import PASSWORD
from support.proxies import PROXIES, Ports, proxy_before
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

SOON_MS = 20_000
WITHOUT_A_NETWORK = "nginx-path"
"""The proxy behind which the network is lost: the worker and the scripts are the same behind any."""
HOST, BASE = PROXIES["nginx-path"].host, PROXIES["nginx-path"].base_path


class Behind(NamedTuple):
    """The server, and where each proxy listens."""

    server: RunningServer
    ports: dict[str, Ports]


@pytest.fixture(scope="module")
def browsers(chromium: str, whole_chromium: str) -> Iterator[dict[str, Browser]]:
    """By the name of the proxy: the shell does not notice that the network is gone, which is tried behind one.

    Workers need certificates without errors.
    """
    rules = f"--host-resolver-rules=MAP *.test 127.0.0.1, MAP {HOST} 127.0.0.1"
    options = (AS_A_PERSON, "--ignore-certificate-errors", rules)
    with (
        opened_browser(chromium, *options) as shell,
        launched(shell.browser_type, whole_chromium, *options) as whole,
    ):
        yield {WITHOUT_A_NETWORK: whole, "caddy-path": shell}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    data = tmp_path_factory.mktemp("path") / "data"
    options = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1/32", "--base-path", BASE)
    with running_server(data, *options) as server, ExitStack() as started:
        names = ("nginx-path", "caddy-path")
        yield Behind(server, {name: started.enter_context(proxy_before(server, PROXIES[name])) for name in names})


class Watched:
    """A browser whose requests and complaints are noted."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self._context = context
        context.set_default_timeout(SOON_MS)
        context.on("console", lambda message: self._complain(message.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._note(request.url))

    def _complain(self, text: str) -> None:
        # The browser says so when another test makes a network of its own on this machine.
        if "ERR_NETWORK_CHANGED" not in text:
            self.complaints.append(text)

    def _note(self, url: str) -> None:
        shown = urlsplit(url)
        if shown.hostname == HOST and not shown.path.startswith(f"{BASE}/"):
            self.outside.append(url)


def enter(page: Page, server: RunningServer) -> None:
    """Set the server up, or log in where that was done behind the other proxy."""
    page.goto("sites")
    if page.url.endswith("/setup") or page.get_by_role("link", name="Set up").count():
        page.goto("setup")
        code = re.search(r"with the code (\S+)", server.output)
        assert code
        page.get_by_label("Setup code").fill(code[1])
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("^(Set up|Log in)$")).click()
    page.wait_for_url(f"**{BASE}/sites**")


def shown(page: Page, value: str) -> None:
    expect(page.locator("main [data-value]").first).to_have_text(value, timeout=SOON_MS)


@pytest.mark.parametrize("name", ["nginx-path", "caddy-path"])
def test_everything_is_under_the_path(browsers: dict[str, Browser], behind: Behind, name: str) -> None:
    browser = browsers[name]
    url = f"https://{HOST}:{behind.ports[name].https}{BASE}/"
    with browser.new_context(base_url=url, user_agent=FIREFOX) as context:
        watched, page = Watched(context), context.new_page()
        enter(page, behind.server)
        (login,) = [each for each in context.cookies() if "login" in each["name"]]
        assert (login["name"], login["path"], login["secure"]) == ("__Secure-tallystick-login", BASE, True)
        assert {each["path"] for each in context.cookies()} == {BASE}
        see_a_visit_arrive(browser, page, url, f"/hello-{name}")
        count_on_two_pages(page, url)
        if name == WITHOUT_A_NETWORK:
            count_without_a_network(page, watched)
            see_numbers_on_another_website(browser, url)
        page.goto("sites")
        assert page.evaluate("fetch('hit/example.com/visits').then((answer) => answer.status)") == 200
        page.goto("badge/example.com/visits")
        assert page.locator("#preview").evaluate("(picture) => picture.naturalWidth") > 0
        page.goto("docs")
        page.get_by_role("searchbox").fill("increment")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{BASE}/docs?**")
        page.get_by_role("button", name="Deutsch").click()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        page.get_by_role("button", name="English").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"**{BASE}/login**")
        wait_until(page, "caches.keys().then((kept) => kept.length === 0)")
        assert [each for each in context.cookies() if "login" in each["name"]] == []
    assert watched.complaints == []
    assert watched.outside == []


def see_a_visit_arrive(browser: Browser, page: Page, url: str, path: str) -> None:
    """A page of another website has the tag as it is shown: its visit changes the open statistics."""
    page.goto("sites/1/install")
    tag = page.locator("#tag").inner_text()
    assert f'src="{url}count.js"' in tag
    page.goto("sites/1")
    with website(tag) as address, browser.new_context(user_agent=FIREFOX, ignore_https_errors=True) as visitor:
        visitor.new_page().goto(f"{address}{path}", wait_until="networkidle")
        expect(page.locator("[data-live-number]")).to_have_text(re.compile("^[12]$"))
    page.goto(f"sites/{HOST}")
    page.evaluate("window.kept = true")
    page.get_by_role("link", name=path, exact=True).first.click()
    page.wait_for_url(f"**{BASE}/sites/**hello**")
    assert page.evaluate("window.kept"), "pages of statistics are swapped, not loaded"


NUMBERS = """
<script defer src="{url}tally.js"></script>
<tally-count namespace="example.com" key="by-element" mode="hit" live></tally-count>
<script src="{url}countapi.js"></script><b id="by-script"></b><b id="by-module"></b>
<script>
const show = (id) => ({{ value }}) => document.querySelector(id).append(value)
countapi.hit("example.com", "by-script").then(show("#by-script"))
</script>
<script type="module">
import countapi from "{url}countapi.mjs"
countapi.hit("example.com", "by-module").then(show("#by-module"))
</script>
<script defer src="{url}busuanzi.js"></script><b id="busuanzi_value_site_pv"></b>
<img src="{url}badge/example.com/by-badge.svg?count" alt="a badge">
"""


def see_numbers_on_another_website(browser: Browser, url: str) -> None:
    """Each script and picture for pages of others finds the server under its path."""
    with website(NUMBERS.format(url=url)) as address, browser.new_context(ignore_https_errors=True) as context:
        watched, page = Watched(context), context.new_page()
        page.goto(f"{address}/numbers")
        for place in ("tally-count", "#by-script", "#by-module", "#busuanzi_value_site_pv"):
            expect(page.locator(place)).to_have_text("1", timeout=SOON_MS)
        wait_until(page, "document.querySelector('img').naturalWidth > 0")
        # The element's number is live: it follows what others count.
        assert page.evaluate(f"fetch('{url}hit/example.com/by-element').then((answer) => answer.status)") == 200
        expect(page.locator("tally-count")).to_have_text("2", timeout=SOON_MS)
        assert page.evaluate(f"fetch('{url}get/example.com/by-badge').then((answer) => answer.json())") == {"value": 1}
    assert watched.complaints == []
    assert watched.outside == []


def count_on_two_pages(page: Page, url: str) -> None:
    """A shared counter moves on another page, too."""
    page.goto("counters")
    page.get_by_label("Name", exact=True).fill("Cups of tea")
    page.get_by_role("button", name="Create the counter").click()
    page.wait_for_url(f"**{BASE}/counters/*-*")
    page.goto(page.url.partition("?")[0])
    assert page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)") == f"{url}counters"
    second = page.context.new_page()
    second.goto("counters")
    page.get_by_role("button", name="Add 1").click()
    shown(second, "1")
    second.close()


def count_without_a_network(page: Page, watched: Watched) -> None:
    """The page of the counter opens and counts; the press is sent later."""
    page.reload()  # the worker keeps the page
    wait_until(page, "navigator.serviceWorker.controller !== null")
    shown(page, "1")
    before = len(watched.complaints)
    page.context.set_offline(True)
    page.get_by_role("button", name="Add 1").click()
    expect(page.locator("[data-pressed]")).to_have_text(re.compile("1 press waits for the network"))
    page.reload()
    shown(page, "2")
    page.context.set_offline(False)
    expect(page.locator("[data-pressed]")).to_have_text("All presses are counted.")
    del watched.complaints[before:]  # of the network
    page.reload()
    shown(page, "2")
