"""Shared counters in real browsers: pressed on two devices, without scripts, and without a network."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from support.accessibility import OF_COLORS, accessibility_problems
from support.browsing import launched, scanned, wait_until
from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser


NOTE_NUMBERS = """
() => {
  window.numbers = [];
  const shown = document.querySelector("main [data-value]");
  const note = () => {
    const number = Number(shown.textContent);
    if (number !== numbers.at(-1)) numbers.push(number);
  };
  new MutationObserver(note).observe(shown, { childList: true, characterData: true, subtree: true });
}
"""
"""Notes each number that the counter shows."""
ALL_SENT = """() => Object.keys(localStorage)
  .filter((key) => key.startsWith("tallystick-presses")).every((key) => localStorage[key] === "[]")"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("counters") / "data", "--rate-limit", "off") as running:
        yield running


@pytest.fixture(scope="module")
def whole_browser(browser: Browser, whole_chromium: str) -> Iterator[Browser]:
    """The shell does not notice that the network is gone."""
    with launched(browser.browser_type, whole_chromium) as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(browser: Browser, server: RunningServer) -> Iterator[BrowserContext]:
    """Who has set the server up."""
    with browser.new_context(base_url=server.url) as context:
        set_up(context, server)
        yield context


def set_up(context: BrowserContext, server: RunningServer) -> None:
    """Create the first account."""
    page = context.new_page()
    page.goto("/setup")
    code = re.search(r"with the code (\S+)", server.output)
    assert code
    page.get_by_label("Setup code").fill(code[1])
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.wait_for_url("**/sites**")
    page.close()


def new_counter(context: BrowserContext, name: str) -> Page:
    """Create a counter by the form. Returns its page."""
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/counters")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create the counter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return page


def note_complaints(page: Page, complaints: list[str]) -> None:
    """Add what the browser complains about on a page from now on."""
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))


def shown(page: Page, value: str) -> None:
    expect(page.locator("main [data-value]").first).to_have_text(value, timeout=20_000)


def obstacles(page: Page) -> set[str]:
    """Why the browser would not install a page as an app."""
    said = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")
    return {str(error["errorId"]) for error in said["installabilityErrors"]}


def test_two_devices_see_each_others_presses(browser: Browser, server: RunningServer, ada: BrowserContext) -> None:
    page = new_counter(ada, "Cups of tea")
    page.goto(page.url.partition("?")[0] + "/people")
    page.get_by_role("button", name="Make an invite").click()
    link = page.locator("#invite-link").inner_text().strip()
    assert scanned(page.get_by_role("img", name="QR code")) == link
    page.goto(page.url.partition("/invites")[0])
    # Another device of the same person; presses by other people take the same way.
    with browser.new_context(base_url=server.url, storage_state=ada.storage_state()) as other:
        second = other.new_page()
        second.goto(page.url)
        page.get_by_role("button", name="Add 1").click(click_count=3)
        shown(page, "3")
        shown(second, "3")
        second.get_by_role("button", name="Subtract 1").click()
        shown(page, "2")
        page.evaluate(NOTE_NUMBERS)
        for number in range(3, 13):
            page.get_by_role("button", name="Add 1").click()
            shown(second, str(number))
        assert page.evaluate("numbers") == list(range(3, 13)), "a press on its way is not shown twice"
        page.get_by_role("link", name="10", exact=True).click()
        page.get_by_role("button", name="Subtract 10").click()
        shown(second, "2")
        page.goto("/counters")
        shown(page, "2")
        second.get_by_role("button", name="Add 1").click()
        shown(page, "3")
        second.get_by_role("button", name="Subtract 1").click()
        shown(page, "2")
        second.get_by_role("button", name="Undo my last change").click()
        shown(page, "3")
        page.get_by_role("button", name="Add 1 to Cups of tea").focus()
        page.keyboard.press("Enter")
        shown(second, "4")
    with browser.new_context() as theirs:
        guest = theirs.new_page()
        guest.goto(link)
        expect(guest.get_by_role("heading", level=1)).to_have_text("Share “Cups of tea”")
        guest.get_by_label("Email").fill("guest@example.com")
        guest.get_by_label("Password").fill(PASSWORD)
        guest.get_by_role("button", name="Create an account and accept").click()
        shown(guest, "4")
        guest.get_by_role("button", name="Add 1").click()
        shown(page, "5")
    page.close()


def test_presses_without_a_network_are_counted_once_each(
    whole_browser: Browser, server: RunningServer, ada: BrowserContext
) -> None:
    with whole_browser.new_context(base_url=server.url, storage_state=ada.storage_state()) as context:
        press_without_a_network(context)


def press_without_a_network(ada: BrowserContext) -> None:
    page = new_counter(ada, "Offline cups")
    lost: list[str] = []

    def lose_the_answer(route: Route) -> None:
        """The server counts, and its answer never arrives."""
        if len(lost) < 2:
            lost.append(route.request.post_data or "")
            route.fetch()
            route.abort()
        else:
            route.continue_()

    address = page.url.partition("?")[0]
    page.goto(address)
    page.route(address, lambda route: lose_the_answer(route) if route.request.method == "POST" else route.continue_())
    page.get_by_role("button", name="Add 1").click()
    expect(page.locator("[data-pressed]")).to_have_text(re.compile("1 press waits for the network"))
    shown(page, "1")
    page.get_by_role("button", name="Add 1").click()
    shown(page, "2")
    ada.set_offline(True)
    page.get_by_role("button", name="Add 1").click()
    page.get_by_role("button", name="Subtract 1").click()
    page.get_by_role("button", name="Add 1").click()
    shown(page, "3")
    expect(page.locator("[data-pressed]")).to_have_text(re.compile("presses wait for the network"))
    ada.set_offline(False)
    expect(page.locator("[data-pressed]")).to_have_text("All presses are counted.", timeout=20_000)
    shown(page, "3")
    page.reload()
    shown(page, "3")
    assert len(lost) == 2
    assert (
        page.evaluate("fetch(location.pathname + '.json').then((told) => told.json()).then((told) => told.value)") == 3
    )
    page.close()


def test_an_installed_counter_opens_and_counts_while_the_server_is_away(whole_browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, "--rate-limit", "off") as first, whole_browser.new_context(base_url=first.url) as context:
        set_up(context, first)
        page = new_counter(context, "Cups on the way")
        address = page.url.partition("?")[0]
        page.goto(address)
        page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        page.reload()  # the worker is there now, and keeps the page
        wait_until(page, "navigator.serviceWorker.controller !== null")
        manifest = page.evaluate(
            "fetch(document.querySelector('link[rel=manifest]').href).then((answer) => answer.json())"
        )
        assert (manifest["name"], manifest["display"]) == ("Cups on the way", "standalone")
        assert address.endswith(manifest["start_url"])
        assert obstacles(page) <= {"in-incognito"}, "windows of tests are"
        page.get_by_role("button", name="Add 1").click()
        shown(page, "1")
        wait_until(page, ALL_SENT)  # before, the server's page has the value of before
        page.reload()
        shown(page, "1")
        other = context.new_page()  # the value is counted on, and the page that is kept has not seen it
        other.goto("/counters")
        other.get_by_role("button", name="Add 1 to Cups on the way").click()
        wait_until(other, ALL_SENT)
        shown(page, "2")
        other.close()
        other = context.new_page()
        other.goto("/sites")  # does not follow counters
        page.close()
        page = other
        port = first.url.rpartition(":")[2]
        first.kill()
        page.goto(address)
        shown(page, "2")
        expect(page.locator("[data-as-of]")).to_have_text(re.compile(r"^As of \d\d:\d\d, offline\.$"))
        page.get_by_role("button", name="Add 1").click()
        page.get_by_role("button", name="Add 1").click()
        shown(page, "4")
        page.reload()  # what was pressed is kept
        shown(page, "4")
        with running_server(data, "--rate-limit", "off", listen=f"127.0.0.1:{port}"):
            expect(page.locator("[data-pressed]")).to_have_text("All presses are counted.", timeout=30_000)
            expect(page.locator("[data-as-of]")).to_be_empty(timeout=30_000)
            page.reload()
            shown(page, "4")
            page.get_by_role("button", name="Log out").click()
            page.wait_for_url("**/login**")
            wait_until(page, "caches.keys().then((kept) => kept.length === 0)")


def test_counters_work_without_scripts_and_fit(browser: Browser, server: RunningServer, ada: BrowserContext) -> None:
    made = new_counter(ada, "A counter with quite a long name 😀")
    address = made.url.partition("?")[0]
    made.close()
    state = ada.storage_state()
    with browser.new_context(base_url=server.url, storage_state=state, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address)
        page.get_by_role("button", name="Add 1").click()
        expect(page.get_by_text("Counted.")).to_be_visible()
        shown(page, "1")
        page.get_by_role("link", name="5", exact=True).click()
        page.get_by_role("button", name="Add 5").click()
        shown(page, "6")
        page.get_by_role("button", name="Undo my last change").click()
        shown(page, "1")
        page.goto("/counters")
        page.get_by_role("button", name="Add 1 to A counter with quite").click()
        expect(page.get_by_text("Counted.")).to_be_visible()
        page.goto(f"{address}/settings")
        page.get_by_label("Goal", exact=True).fill("1000000")
        page.get_by_role("button", name="Save").click()
        page.goto(f"{address}?step=10000")
        page.get_by_role("button", name="Add 10,000").click()
        expect(page.locator(".milestones dt")).to_have_text(["10", "100", "1,000", "10,000", "100,000"])
        expect(page.get_by_role("progressbar", name="Goal")).to_be_visible()
    for scheme in ("light", "dark"):
        with browser.new_context(base_url=server.url, storage_state=state, color_scheme=scheme) as context:
            page = context.new_page()
            complaints: list[str] = []
            note_complaints(page, complaints)
            for path in ("/counters", *(address + end for end in ("", "/log", "/people", "/settings"))):
                page.goto(path)
                assert accessibility_problems(page, *(OF_COLORS if scheme == "dark" else ())) == [], path
                for width in (360, 1600):
                    page.set_viewport_size({"width": width, "height": 800})
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            assert complaints == []


def test_a_public_counter_moves_when_others_count(server: RunningServer, ada: BrowserContext) -> None:
    page, complaints = ada.new_page(), list[str]()
    note_complaints(page, complaints)
    page.request.get(f"{server.url}/hit/a.example/visits")
    with page.expect_response(lambda answer: answer.url.endswith("/live/a.example/visits")):
        page.goto("/counters/public/a.example/visits")
    shown(page, "1")
    page.request.get(f"{server.url}/hit/a.example/visits")
    shown(page, "2")
    badge = page.get_by_role("img", name="Badge")
    assert badge.evaluate("(picture) => picture.naturalWidth") > 20
    with page.expect_response(lambda answer: answer.url.endswith("/live/a.example/visits")):
        page.get_by_role("button", name="Add 1").click()
    shown(page, "3")
    other = ada.new_page()
    other.goto("/counters/public/a.example/visits")
    other.get_by_text("Delete…").click()
    other.get_by_label("To be sure, type").fill("a.example/visits")
    other.get_by_role("button", name="Delete a.example/visits").click()
    expect(page.get_by_text("This counter is deleted or has expired.")).to_be_visible(timeout=20_000)
    assert complaints == []
    other.close()
    page.close()
