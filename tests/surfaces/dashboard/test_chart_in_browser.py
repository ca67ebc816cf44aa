"""The chart of a page in a real browser: zoom and back, and notes."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from support.browsing import wait_for_frames
from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data", "--rate-limit", "off") as server:
        yield server


@pytest.fixture(scope="module")
def page(browser: Browser, site: RunningServer) -> Iterator[Page]:
    """A window in which the first person is logged in; there is one hit."""
    with browser.new_context(base_url=site.url) as context:
        opened = context.new_page()
        opened.goto("/setup")
        code = re.search(r"with the code (\S+)", site.output)
        assert code
        opened.get_by_label("Setup code").fill(code[1])
        opened.get_by_label("Email").fill("ada@example.com")
        opened.get_by_label("Password").fill(PASSWORD)
        opened.get_by_role("button", name="Set up").click()
        httpx.get(f"{site.url}/count?p=/a", headers={"user-agent": FIREFOX}, timeout=30).raise_for_status()
        yield opened


def test_a_click_on_a_bucket_zooms_and_back_leads_back(page: Page) -> None:
    page.goto("/sites/1?period=month")
    whole = page.url
    page.locator(".targets a").nth(0).click()
    expect(page).to_have_url(re.compile(r"\?period=\d{4}-\d\d-01$"))
    expect(page.locator(".targets a")).to_have_count(24)
    page.locator(".targets a").nth(23).click()
    expect(page).to_have_url(re.compile(r"T23:00\.\.[-0-9]+T23:59$"))
    expect(page.locator(".targets a")).to_have_count(0)
    page.go_back()
    page.go_back()
    expect(page).to_have_url(whole)


def test_a_note_is_added_by_keyboard_and_drawn(page: Page) -> None:
    page.goto("/sites/1?period=today")
    page.locator(".add-note summary").focus()
    page.keyboard.press("Enter")
    page.locator(".add-note").get_by_label("Note").fill("Released <b>2.0</b>")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".chart-notes")).to_contain_text("Released <b>2.0</b>")
    wait_for_frames(page)  # the page came with #chart: the browser takes the focus there when it first draws it
    mark = page.get_by_role("link", name="Note 1: Released <b>2.0</b>")
    mark.focus()
    assert mark.evaluate("mark => mark === document.activeElement")
