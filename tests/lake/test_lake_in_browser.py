"""Two servers on one lake behind a balancer that alternates with each request: a browser sees one server."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Browser, expect

from support.balancer import balanced
from support.browsing import opened_browser
from support.pages import PASSWORD
from support.postgres import Postgres
from support.server import RunningServer, running_server

PATIENCE_MS = 30_000
A_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Whole(list[RunningServer]):
    """Two servers.

    Attributes:
        url: of the balancer in front of them.
    """

    url: str


@pytest.fixture(scope="module")
def servers(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("balanced-lake")
    with ExitStack() as stack:
        url = stack.enter_context(postgres.fresh_database(migrated=True))
        options = ("--lake", str(folder / "lake"), "--rate-limit", "off")
        started = Whole(
            stack.enter_context(
                running_server(folder / name, *options, database=url, TALLYSTICK_SECRET_KEY="a" * 43 + "=")
            )
            for name in ("one", "two")
        )
        started.url = stack.enter_context(balanced(folder, [each.url for each in started])).url
        yield started


@pytest.fixture(scope="module")
def browser(chromium: str, servers: Whole) -> Iterator[Browser]:
    assert servers  # they start before Playwright's event loop
    expect.set_options(timeout=PATIENCE_MS)
    with opened_browser(chromium) as opened:
        yield opened
    expect.set_options(timeout=None)


def test_statistics_exports_and_the_state_of_each_server(browser: Browser, servers: Whole) -> None:
    with browser.new_context(base_url=servers.url) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto("/setup")
        code = re.search(r"with the code (\S+)", servers[1].output)
        assert code
        page.get_by_label("Setup code").fill(code[1])
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        page.wait_for_url("**/sites**")

        # One visitor, whose hits arrive at both servers: one visit on each server's page.
        for number in range(4):
            hit = httpx.get(f"{servers.url}/count", params={"p": f"/{number}"}, headers={"user-agent": A_BROWSER})
            assert hit.status_code == 200
        for server in servers:
            for _ in range(5):  # on a busy machine the first move may take longer than statistics wait
                answer = context.request.get(f"{server.url}/sites/1.json")
                if answer.status != httpx.codes.SERVICE_UNAVAILABLE:
                    break
            numbers = answer.json()["numbers"]
            assert (numbers["visitors"]["now"], numbers["visits"]["now"], numbers["pageviews"]["now"]) == (1, 1, 4)

        page.goto("/sites/1/exports")
        page.get_by_role("button", name="Start the export").click()
        link = page.locator("main a[download]").first
        with page.expect_download() as download:
            link.click()
        assert download.value.failure() is None

        # Each names itself, and both the one that brings hits into the lake.
        states = [context.request.get(f"{server.url}/admin.json").json()["hits"] for server in servers]
        mover, other = sorted(states, key=lambda state: not state["moves"])
        assert (mover["moves"], other["moves"]) == (True, False)
        assert mover["mover"] == other["mover"] == mover["server"] != other["server"]
        for server, state in zip(servers, states, strict=True):
            page.goto(f"{server.url}/admin")
            figures_of_page = page.locator("#figures")
            expect(figures_of_page).to_contain_text(state["server"])
            expect(figures_of_page).to_contain_text(mover["mover"] + " (this server)" * state["moves"])
