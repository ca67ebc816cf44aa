"""Two servers on one PostgreSQL behind a balancer that alternates with each request: a browser sees one server."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.balancer import Balancer, balanced
from support.browsing import opened_browser
from support.pages import PASSWORD
from support.postgres import Postgres
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

EMAIL = "ada@example.com"
PATIENCE_MS = 30_000
STEP_S = 30
SEEN_WITHIN_S = 5.0
"""A press on one server, on a page of another one: some milliseconds, on a machine with nothing else to do."""


class Servers(NamedTuple):
    """Two servers, and what stands in front of them."""

    one: RunningServer
    two: RunningServer
    balancer: Balancer


@pytest.fixture(scope="module")
def servers(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("balanced")
    with ExitStack() as stack:
        url = stack.enter_context(postgres.fresh_database(migrated=True))
        one, two = (
            stack.enter_context(running_server(folder / name, database=url, TALLYSTICK_SECRET_KEY="a" * 43 + "="))
            for name in ("one", "two")
        )
        yield Servers(one, two, stack.enter_context(balanced(folder, [one.url, two.url])))


@pytest.fixture(scope="module")
def browser(chromium: str, servers: Servers) -> Iterator[Browser]:
    assert servers  # they start before Playwright's event loop
    expect.set_options(timeout=PATIENCE_MS)
    with opened_browser(chromium) as opened:
        yield opened
    expect.set_options(timeout=None)


@pytest.fixture(scope="module")
def ada(browser: Browser, servers: Servers) -> Iterator[BrowserContext]:
    """Who sets the servers up, with the code that one of them has printed."""
    with browser.new_context(base_url=servers.balancer.url) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto("/setup")
        page.get_by_label("Setup code").fill(code_of(servers.one))
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        page.wait_for_url("**/sites**")
        page.close()
        yield context


def code_of(server: RunningServer) -> str:
    code = re.search(r"with the code (\S+)", server.output)
    assert code
    return code[1]


def shown(page: Page, value: str) -> None:
    expect(page.locator("main [data-value]").first).to_have_text(value)


def test_both_servers_print_one_code(servers: Servers) -> None:
    assert code_of(servers.one) == code_of(servers.two)


def test_logging_in_with_a_second_step_and_out(ada: BrowserContext, servers: Servers) -> None:
    page = ada.new_page()
    page.goto("/user/two-factor")
    app = pyotp.TOTP(page.locator("code.secret").inner_text().replace(" ", ""))
    begun = time.time()
    page.get_by_label("Code", exact=True).fill(app.at(int(begun)))
    page.get_by_role("button", name="Turn the second step on").click()
    expect(page.get_by_role("region", name="Recovery codes")).to_be_visible()
    page.goto("/counters")
    page.get_by_role("button", name="Log out").first.click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    for _ in range(2):
        page.goto("/counters")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()  # on each server
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Code").fill(app.at(int(begun)))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("main")).to_contain_text("is not right, or was used already")
    page.get_by_label("Code").fill(app.at(int(begun) + STEP_S))
    page.get_by_role("button", name="Go on").click()
    for _ in range(2):
        page.goto("/counters")
        expect(page.get_by_role("button", name="Create the counter")).to_be_visible()
    page.close()
    answered = servers.balancer.requests()
    assert len(answered) == 2
    assert max(answered.values()) < 1.5 * min(answered.values()), "each server has every second request"


def test_a_press_on_one_server_is_seen_on_the_other(ada: BrowserContext, servers: Servers) -> None:
    page = ada.new_page()
    page.goto("/counters")
    page.get_by_label("Name", exact=True).fill("Cups of tea")
    page.get_by_role("button", name="Create the counter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cups of tea")
    path = page.url.removeprefix(servers.balancer.url).partition("?")[0]
    # Cookies are the host's, whatever the port: the same person on each server, and behind the balancer.
    others = [ada.new_page() for _ in range(2)]
    for other, server in zip(others, (servers.one, servers.two), strict=True):
        other.goto(f"{server.url}{path}")
    here, there = others
    for other in others:
        shown(other, "0")
    latest = 0.0
    for number in range(1, 6):
        begun = time.monotonic()
        here.get_by_role("button", name="Add 1", exact=True).click()
        shown(there, str(number))
        latest = max(latest, time.monotonic() - begun)
    assert latest < SEEN_WITHIN_S
    there.get_by_role("button", name="Subtract 1", exact=True).click()
    page.reload()
    for each in (here, there, page):
        shown(each, "4")
    for number in range(5, 11):  # requests of one page, each to another server
        page.get_by_role("button", name="Add 1", exact=True).click()
        for each in (page, here, there):
            shown(each, str(number))
    here.get_by_role("button", name="Undo my last change").click()
    for each in (page, here, there):
        shown(each, "9")
    for each in (page, here, there):
        each.close()


def test_counters_are_exported_by_any_server(ada: BrowserContext, servers: Servers) -> None:
    for number, server in enumerate((servers.one, servers.two)):
        assert server.get(f"/hit/example.com/visits{number}").json() == {"value": 1}
    page = ada.new_page()
    page.goto("/admin/counters")
    for _ in range(2):
        with page.expect_download() as started:
            page.locator("a[href='/admin/counters/export.csv']").click()
        text = started.value.path().read_text("utf-8")
        assert "visits0" in text
        assert "visits1" in text
    page.close()


def test_counters_are_imported_whichever_server_has_the_file(ada: BrowserContext, servers: Servers) -> None:
    page = ada.new_page()
    page.goto("/admin/counters")
    lines = b"example.net/cups,7\nexample.net/spoons,8\n"
    page.locator("input[type=file]").set_input_files({"name": "many.csv", "mimeType": "text/csv", "buffer": lines})
    page.get_by_role("button", name="Send and check").click()
    for server in (servers.one, servers.two):
        other = ada.new_page()
        other.goto(f"{server.url}/admin/counters")
        expect(other.get_by_role("heading", name="many.csv")).to_be_visible()
        expect(other.get_by_role("button", name="Import now")).to_be_visible()
        other.close()
    page.goto("/admin/counters")
    page.get_by_role("button", name="Import now").click()
    for server in (servers.one, servers.two):
        other = ada.new_page()
        other.goto(f"{server.url}/admin/counters")
        expect(other.get_by_text("Imported.", exact=True)).to_be_visible()
        other.close()
    for server in (servers.one, servers.two):
        assert server.get("/get/example.net/spoons").json() == {"value": 8}
    page.close()
