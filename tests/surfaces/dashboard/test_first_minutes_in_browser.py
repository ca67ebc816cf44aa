"""From the first start of a server to the first hit of its site, in a real browser; and what moves by itself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.analytics import FIREFOX
from support.browsing import AS_A_PERSON, opened_browser, website
from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

SOON_MS = 20_000


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with opened_browser(chromium, AS_A_PERSON) as opened:
        yield opened


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server") / "data", "--rate-limit", "off") as running:
        yield running


@contextmanager
def set_up(browser: Browser, server: RunningServer, *, scripts: bool = True) -> Iterator[BrowserContext]:
    """A browser in which the first person is logged in, by hand."""
    code = re.search(r"with the code (\S+)", server.output)
    assert code
    with browser.new_context(base_url=server.url, user_agent=FIREFOX, java_script_enabled=scripts) as context:
        page = context.new_page()
        page.goto("/setup")
        page.get_by_label("Setup code").fill(code[1])
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        page.wait_for_url(lambda url: not url.endswith("/setup"))
        yield context


def look(context: BrowserContext, address: str) -> None:
    """Look at a page of the website, and leave it."""
    seen = context.new_page()
    seen.goto(address, wait_until="networkidle")
    seen.close()


def shown_tag(page: Page) -> str:
    """The tag to paste, as a person copies it."""
    return page.locator("#tag").inner_text()


def test_the_page_changes_by_itself_when_the_first_hit_arrives(browser: Browser, server: RunningServer) -> None:
    with set_up(browser, server) as context:
        waiting = context.new_page()
        complaints: list[str] = []
        waiting.on("console", lambda message: complaints.append(message.text))
        waiting.goto("/sites/1")
        expect(waiting.get_by_role("heading", name="Waiting for the first visit")).to_be_visible()
        expect(waiting.get_by_text("This page changes by itself")).to_be_visible()
        with website(shown_tag(waiting)) as address, browser.new_context(user_agent=FIREFOX) as visitor:
            look(visitor, f"{address}/hello")
            expect(waiting.get_by_text("Your first visit is here:")).to_be_visible(timeout=SOON_MS)
            expect(waiting.get_by_text("/hello, ")).to_be_visible()
            expect(waiting.locator("[data-live-number]")).to_have_text("1")
            expect(waiting).to_have_title(re.compile(r"^\(1\) "), timeout=SOON_MS)
        assert complaints == []


def test_it_says_what_it_sees_while_nothing_counts(browser: Browser, server: RunningServer) -> None:
    with set_up(browser, server) as context:
        waiting = context.new_page()
        waiting.goto("/sites/1")
        expect(waiting.get_by_text("Nothing has arrived yet.")).to_be_visible()
        with (
            website(shown_tag(waiting)) as address,
            browser.new_context(user_agent="Mozilla/5.0 (compatible; Googlebot/2.1)") as bot,
        ):
            look(bot, f"{address}/hello")
            expect(waiting.get_by_text(re.compile("hits? (was|were) taken for"))).to_be_visible(timeout=SOON_MS)
        expect(waiting.get_by_role("heading", name="Waiting for the first visit")).to_be_visible()


def test_the_policy_that_it_asks_for_lets_the_script_count(browser: Browser, server: RunningServer) -> None:
    with set_up(browser, server) as context, browser.new_context(user_agent=FIREFOX) as visitor:
        waiting = context.new_page()
        waiting.goto("/sites/1")
        asked = waiting.locator("pre", has_text="connect-src").inner_text()
        tag = shown_tag(waiting)
        with website(tag, "default-src 'none'") as address:
            look(visitor, address)
        waiting.reload()
        expect(waiting.get_by_text("Nothing has arrived yet.")).to_be_visible()
        with website(tag, f"default-src 'none'; {'; '.join(asked.splitlines())}") as address:
            look(visitor, address)
        expect(waiting.get_by_text("Your first visit is here:")).to_be_visible(timeout=SOON_MS)


def test_without_scripts_a_link_does_the_same(browser: Browser, server: RunningServer) -> None:
    with set_up(browser, server, scripts=False) as context, browser.new_context(user_agent=FIREFOX) as visitor:
        waiting = context.new_page()
        waiting.goto("/sites/1")
        expect(waiting.get_by_text("This page changes by itself")).to_be_hidden()
        with website(shown_tag(waiting)) as address:
            look(visitor, f"{address}/hello")
        waiting.get_by_role("link", name="Check again").click()
        expect(waiting.get_by_text("Your first visit is here:")).to_be_visible()


def test_the_last_half_hour_moves_by_itself(browser: Browser, server: RunningServer) -> None:
    with set_up(browser, server) as context, browser.new_context(user_agent=FIREFOX) as visitor:
        page = context.new_page()
        page.goto("/sites/1")
        with website(shown_tag(page)) as address:
            look(visitor, f"{address}/first")
            expect(page.get_by_text("Your first visit is here:")).to_be_visible(timeout=SOON_MS)
            page.goto("/sites/1/now")
            expect(page.locator("#half-hour").get_by_role("link", name="/first")).to_be_visible()
            expect(page.locator("[data-live-number]")).to_have_text("1")
            look(visitor, f"{address}/second")
            expect(page.locator("#half-hour").get_by_role("link", name="/second")).to_be_visible(timeout=SOON_MS)


def test_the_server_stops_although_pages_follow_it(browser: Browser, server: RunningServer) -> None:
    with set_up(browser, server) as context:
        page = context.new_page()
        with page.expect_response("**/live"):
            page.goto("/sites/1")
        assert server.stop() == 0
