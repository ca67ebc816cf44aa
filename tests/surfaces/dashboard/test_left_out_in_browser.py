"""What was left out, in a real browser: hits counted after all, and rules, without JavaScript too."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.analytics import FIREFOX
from support.browsing import opened_browser
from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

HOSTILE = "/<img src=x onerror=alert(1)>\"'"
TODAY = "?period=today"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with opened_browser(chromium) as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data", "--rate-limit", "off") as server:
        yield server


@pytest.fixture(scope="module")
def logged_in(browser: Browser, site: RunningServer) -> Iterator[BrowserContext]:
    with browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/setup")
        code = re.search(r"with the code (\S+)", site.output)
        assert code
        page.get_by_label("Setup code").fill(code[1])
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Name", exact=True).fill("Ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        expect(page.get_by_role("status")).to_have_text("Welcome. The server is set up.")
        send(site, "/pricing")
        for path in ("/pricing", HOSTILE):
            send(site, path, b="150")
        yield context


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(
    browser: Browser, site: RunningServer, logged_in: BrowserContext, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """An admin's window, in which nothing may be complained about and no other host be asked."""
    complaints: list[str] = []

    def watch(url: str) -> None:
        if urlsplit(url).netloc != urlsplit(site.url).netloc:
            complaints.append(f"asked another host: {url}")

    state = logged_in.storage_state()
    with browser.new_context(base_url=site.url, storage_state=state, java_script_enabled=request.param) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda asked: watch(asked.url))
        opened.on("dialog", lambda dialog: complaints.append(dialog.message))
        yield opened
    assert complaints == []


def send(site: RunningServer, path: str, **parameters: str) -> int:
    answer = httpx.get(f"{site.url}/count", params={"p": path, **parameters}, headers={"user-agent": FIREFOX})
    return answer.status_code


def test_hits_of_a_reason_are_counted_after_all(page: Page, site: RunningServer) -> None:
    for _ in range(2):
        assert send(site, "/docs", b="153") == 200
    page.goto(f"/sites/1{TODAY}")
    page.get_by_role("link", name="What was left out, and why").click()
    page.locator("#reasons").get_by_role("link", name="A browser that a program drives (WebDriver)").click()
    expect(page.get_by_label("Filters", exact=True)).to_contain_text("WebDriver")
    page.get_by_role("link", name="Count these after all").click()
    page.get_by_role("button", name="Count 2 hits").click()
    expect(page.locator(".done")).to_have_text("2 hits will be counted again; it takes a moment.")
    for _ in range(40):
        if "Nothing in this period." in page.locator("#reasons").inner_text():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(page.locator("#reasons")).to_contain_text("Nothing in this period.")


def test_a_rule_is_tried_added_and_removed(page: Page, site: RunningServer) -> None:
    for path in (f"left-out{TODAY}", "left-out/rules?kind=path&rule=/<img*"):
        page.goto(f"/sites/1/{path}")
        expect(page.get_by_text("/<img").first).to_be_attached()
        assert page.locator("main img").count() == 0
    page.goto("/sites/1/left-out")
    page.get_by_role("link", name="Leave more out").click()
    page.get_by_label("What", exact=True).select_option("path")
    page.get_by_label("Rule", exact=True).fill("/pric*")
    page.get_by_role("button", name="Show what it would leave out").click()
    expect(page.get_by_role("region", name="Path: /pric*")).to_contain_text("/pricing: ")
    page.get_by_role("button", name="Leave these out").click()
    expect(page.get_by_role("status")).to_have_text("The rule is added. Hits that match it are left out from now on.")
    assert send(site, "/pricing") == 202
    page.get_by_role("button", name="Count hits again: /pric*").click()
    expect(page.get_by_role("status")).to_contain_text("The rule is removed. Such hits are counted again from now on;")
    assert send(site, "/pricing") == 200
