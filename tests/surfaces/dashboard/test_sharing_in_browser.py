"""Sharing in a real browser: links are made, opened elsewhere with their password, and framed as the site allows."""

import http.server
import re
import threading
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.analytics import FIREFOX
from support.browsing import ARGUMENTS
from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

LINK_PASSWORD = "open sesame, please"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data", "--rate-limit", "off") as server:
        yield server


@pytest.fixture(scope="module")
def ada(browser: Browser, site: RunningServer) -> Iterator[BrowserContext]:
    """Who has set the server up and counted three pageviews."""
    with browser.new_context(base_url=site.url) as context:
        page = context.new_page()
        page.goto("/setup")
        code = re.search(r"with the code (\S+)", site.output)
        assert code
        page.get_by_label("Setup code").fill(code[1])
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        for path in ("/blog/one", "/blog/two", "/secret"):
            httpx.get(f"{site.url}/count", params={"p": path}, headers={"user-agent": FIREFOX}).raise_for_status()
        page.close()
        yield context


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Another website: whatever is asked for, it shows the address behind ``?`` in a frame and as a picture."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, address = self.path.partition("?")
            shown = f'<iframe src="{address}"></iframe>' if kind == "/frame" else f'<img src="{address}" alt="chart">'
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Elsewhere</title>{shown}".encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def new_link(ada: BrowserContext, name: str, **fields: str) -> str:
    """Fill in the form for a link. Returns its address."""
    page = ada.new_page()
    page.goto("/sites/1/sharing")
    page.get_by_label("Name", exact=True).fill(name)
    for label, text in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    if "Only_visits_with" in fields:
        page.get_by_role("checkbox", name="Pages", exact=True).check()
    page.get_by_role("button", name="Create the link").click()
    address = page.get_by_role("region", name="The link").inner_text().strip()
    page.close()
    return address


def test_a_link_with_a_password_and_a_locked_filter(browser: Browser, site: RunningServer, ada: BrowserContext) -> None:
    address = new_link(ada, "For Eve", Password=LINK_PASSWORD, Only_visits_with="page contains /blog")
    with browser.new_context(base_url=site.url, java_script_enabled=False) as eve:
        page = eve.new_page()
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("This link needs a password")
        page.get_by_label("Password").fill("not this one")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_text("Password is not right.")).to_be_visible()
        page.get_by_label("Password").fill(LINK_PASSWORD)
        page.get_by_role("button", name="Open").click()
        patiently(page)
        expect(page.get_by_role("link", name="/blog/one", exact=True)).to_be_visible()
        expect(page.get_by_text("/secret")).to_have_count(0)
        expect(page.get_by_role("heading", name="Sources")).to_have_count(0)
        page.goto(f"{address}?page=/secret")
        expect(page.get_by_role("link", name="/secret", exact=True)).to_have_count(0)
        answer = page.goto(f"{address}/sources")
        assert answer is not None
        assert answer.status == 404
    manage = ada.new_page()
    manage.goto("/sites/1/sharing")
    link = manage.get_by_role("listitem").filter(has=manage.get_by_role("link", name="For Eve", exact=True))
    link.get_by_text("Withdraw…").click()
    link.get_by_label("To be sure, type").fill("For Eve")
    link.get_by_role("button", name="Withdraw For Eve").click()
    expect(manage.get_by_role("status")).to_have_text("The link is withdrawn.")
    answer = manage.goto(address)
    assert answer is not None
    assert answer.status == 410
    expect(manage.get_by_role("heading", level=1)).to_have_text("This link has expired or was withdrawn")
    manage.close()


def patiently(page: Page) -> None:
    """Load a page again while a panel took too long, as it says: other tests may keep the machine busy."""
    for _ in range(5):
        if not page.get_by_text("took too long").count():
            return
        page.reload()


def allow(ada: BrowserContext, origin: str) -> None:
    page = ada.new_page()
    page.goto("/sites/1/settings")
    page.get_by_label("Websites that may show the pages in a frame").fill(origin)
    page.get_by_role("button", name="Save", exact=True).click()
    page.close()


def test_frames_are_shown_where_the_site_allows_it(browser: Browser, ada: BrowserContext, elsewhere: str) -> None:
    address = new_link(ada, "Framed")
    allow(ada, "")
    with browser.new_context() as eve:
        page = eve.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{elsewhere}/frame?{address}?embed=1")
        expect(page.frame_locator("iframe").get_by_text("/blog/one")).to_have_count(0)
        assert any("frame-ancestors" in text for text in complaints)
        allow(ada, elsewhere)
        page.goto(f"{elsewhere}/frame?{address}?embed=1")
        frame = page.frame_locator("iframe")
        for _ in range(5):
            if not frame.get_by_text("took too long").count():
                break
            page.reload()
        expect(frame.get_by_role("link", name="/blog/one", exact=True)).to_be_visible()
        expect(frame.get_by_role("banner")).to_have_count(0)
        frame.get_by_role("link", name="/blog/one", exact=True).click()
        expect(frame.get_by_role("list", name="Filters")).to_contain_text("/blog/one")
        expect(frame.get_by_role("banner")).to_have_count(0)
        assert eve.cookies() == []


def test_pictures_are_shown_in_other_websites(browser: Browser, ada: BrowserContext, elsewhere: str) -> None:
    address = new_link(ada, "Drawn")
    with browser.new_context() as eve:
        page = eve.new_page()
        for name in ("chart.svg", "number.svg?metric=pageviews", "chart.svg?theme=dark&graph=visits"):
            page.goto(f"{elsewhere}/picture?{address}/{name}")
            page.wait_for_function("document.querySelector('img').complete")
            assert page.evaluate("document.querySelector('img').naturalWidth") > 50, name
        assert eve.cookies() == []


def test_the_copy_button_copies(browser: Browser, site: RunningServer, ada: BrowserContext) -> None:
    with browser.new_context(
        base_url=site.url, storage_state=ada.storage_state(), permissions=["clipboard-read", "clipboard-write"]
    ) as context:
        page = context.new_page()
        page.goto("/sites/1/sharing")
        page.get_by_label("Name", exact=True).fill("Copied")
        page.get_by_role("button", name="Create the link").click()
        address = page.get_by_role("region", name="The link").inner_text().strip()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == address
