"""The pages for people in a real browser: a whole life of an account, on every screen, without JavaScript too."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.accessibility import accessibility_problems
from support.browsing import CONTRASTS
from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

GUESTS_PAGES = ("/setup", "/login")
PEOPLES_PAGES = ("/user", "/user/two-factor", "/user/tokens", "/sites", "/sites/1/settings", "/people", "/admin/people")
SHARING_PAGES = ("/invites/CODE", "/counters/ID")
REFUSED = "422"
"""What the browser says of a form that is shown again is no complaint of ours."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data", "--rate-limit", "off") as server:
        yield server


@pytest.fixture(scope="module")
def logged_in(browser: Browser, site: RunningServer) -> Iterator[BrowserContext]:
    """Who has set the server up, by hand and without JavaScript."""
    with browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_role("link", name="Set up").click()
        code = re.search(r"with the code (\S+)", site.output)
        assert code
        page.get_by_label("Setup code").fill(code[1])
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Name", exact=True).fill("Ada Lovelace, Countess of Counting and of Much Else")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        expect(page.get_by_role("status")).to_have_text("Welcome. The server is set up.")
        yield context


@pytest.fixture(scope="module")
def shared(site: RunningServer, logged_in: BrowserContext) -> dict[str, str]:
    """Real addresses of the pages about a shared counter."""
    page = logged_in.new_page()
    page.goto("/user/tokens")
    page.get_by_label("Name").fill("counting")
    page.get_by_label("Read counters").check()
    page.get_by_label("Change them").check()
    page.get_by_role("button", name="Create the token").click()
    headers = {"authorization": f"Bearer {page.get_by_role('region', name='The token').inner_text().strip()}"}
    body = {"displayName": "W" * 40, "type": "UpDown"}
    made = httpx.post(f"{site.url}/v1/counters", headers=headers, json=body, timeout=30).raise_for_status().json()
    counter = f"{site.url}/v1/counters/{made['id']}"
    invite = httpx.post(f"{counter}/invites", headers=headers, json={}, timeout=30).raise_for_status().json()
    page.close()
    return {"/invites/CODE": invite["url"].removeprefix(site.url), "/counters/ID": f"/counters/{made['id']}"}


@pytest.fixture
def page(browser: Browser, site: RunningServer, logged_in: BrowserContext) -> Iterator[Page]:
    """A window in which Ada is logged in and nothing may be complained about."""
    complaints: list[str] = []
    with browser.new_context(base_url=site.url, storage_state=logged_in.storage_state()) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
    assert [text for text in complaints if REFUSED not in text] == []


def test_the_state_of_the_server_renews_itself_and_says_when_it_is_old(page: Page) -> None:
    page.clock.install()
    page.goto("/admin")
    old = page.get_by_text("The server does not answer.")
    page.get_by_text("As of").evaluate("(text) => text.setAttribute('data-before', '')")
    page.clock.run_for(23_000)
    expect(page.locator("[data-before]")).to_have_count(0)
    expect(page.get_by_text("As of")).to_be_visible()
    expect(old).to_be_hidden()
    page.route("**/admin", lambda route: route.fulfill(status=204))
    page.clock.run_for(23_000)
    expect(old).to_be_visible()
    page.unroute("**/admin")
    page.clock.run_for(23_000)
    expect(old).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*GUESTS_PAGES, *PEOPLES_PAGES, *SHARING_PAGES])
def test_it_fits_and_can_be_read(page: Page, shared: dict[str, str], path: str, scheme: Any) -> None:
    if path in GUESTS_PAGES:
        page.context.clear_cookies()
    page.emulate_media(color_scheme=scheme)
    page.goto(shared.get(path, path))
    assert page.locator("h1").count() == 1
    for details in page.locator("details").all():
        details.locator("summary").click()
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [pair for pair in page.evaluate(CONTRASTS) if pair[0] < 4.5] == []


@pytest.mark.parametrize("path", [*GUESTS_PAGES, *PEOPLES_PAGES, *SHARING_PAGES])
def test_every_field_has_a_label_and_headings_make_an_outline(page: Page, shared: dict[str, str], path: str) -> None:
    if path in GUESTS_PAGES:
        page.context.clear_cookies()
    page.goto(shared.get(path, path))
    fields = "input:not([type=hidden]):not(.hidden), select, textarea"
    assert (
        page.evaluate(f"[...document.querySelectorAll('{fields}')].filter((field) => !field.labels.length).length") == 0
    )
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((heading) => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))


@pytest.mark.parametrize("path", PEOPLES_PAGES)
def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Page, path: str) -> None:
    page.goto(path)
    reachable = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex=\"0\"]')]"
        ".filter((element) => element.checkVisibility() && !(element.type === 'radio' && !element.checked)).length"
    )
    for _ in range(reachable):
        page.keyboard.press("Tab")
        tag, style, width = page.evaluate(
            "(() => { const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);"
            " return [document.activeElement.tagName, outlineStyle, parseFloat(outlineWidth)]; })()"
        )
        assert tag != "BODY"
        assert style == "solid"
        assert width >= 2


def test_an_invite_is_accepted_after_logging_in(page: Page, shared: dict[str, str]) -> None:
    page.context.clear_cookies()
    page.goto(shared["/invites/CODE"])
    page.get_by_role("main").get_by_role("link", name="log in").click()
    log_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Share “{'W' * 40}”")
    page.get_by_role("button", name="Accept the invite").click()
    expect(page.get_by_text("You share this counter now.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("W" * 40)


def test_a_guest_comes_to_the_sites_by_a_link(page: Page, browser: Browser, site: RunningServer) -> None:
    page.goto("/people/invites")
    page.get_by_role("button", name="Make an invite").click()
    expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    link = page.locator("#invite-link").inner_text().strip()
    with browser.new_context(viewport={"width": 360, "height": 800}) as context:
        guest = context.new_page()
        for path in (f"{site.url}/join", link):
            guest.goto(path)
            assert guest.evaluate("document.documentElement.scrollWidth") <= 360
            assert accessibility_problems(guest) == []
            if path != link:
                expect(guest.get_by_text("Accounts on this server are made by invite.")).to_be_visible()
                expect(guest.get_by_label("Email")).to_have_count(0)
        guest.get_by_label("Email").fill("dee@example.com")
        guest.get_by_label("Password").fill(PASSWORD)
        guest.get_by_role("button", name="Create an account and accept").click()
        expect(guest).to_have_url(re.compile(r"/sites/[^/]+$"))
        expect(guest.get_by_role("link", name="dee@example.com")).to_be_visible()
        guest.goto(link)
        expect(guest.get_by_role("link", name="Go there")).to_be_hidden()
        expect(guest.get_by_role("heading", name="This invite was used or has expired")).to_be_visible()


def test_what_is_wrong_is_tied_to_its_field(page: Page) -> None:
    page.goto("/sites/1/collection")
    page.get_by_label("Days that hits are kept").fill("5")
    page.get_by_role("button", name="Save").click()
    field = page.get_by_label("Days that hits are kept")
    expect(field).to_have_value("5")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        "0 keeps them for good; otherwise 31 to 1825. Older hits are deleted within about an hour, and cannot be"
        " brought back but from a backup. Days that hits are kept must be 0, or 31 to 1825."
    )
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")


def test_the_second_step_and_the_way_back_without_a_telephone(page: Page) -> None:
    page.goto("/user/two-factor")
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn the second step on").click()
    codes = page.get_by_role("region", name="Recovery codes").inner_text().split()
    try:
        page.context.clear_cookies()
        page.goto("/people")
        log_in(page)
        page.get_by_label("Code").fill(codes[0])
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading", name="People")).to_be_visible()
    finally:
        page.goto("/user/two-factor")
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Turn the second step off").click()
        expect(page.get_by_role("status")).to_have_text("The second step is off.")


def test_a_token_works_from_when_it_is_shown_until_it_is_revoked(page: Page, site: RunningServer) -> None:
    page.goto("/user/tokens")
    page.get_by_label("Name").fill("the build")
    page.get_by_label("Read statistics").check()
    page.get_by_role("button", name="Create the token").click()
    token = page.get_by_role("region", name="The token").inner_text().strip()
    headers = {"authorization": f"Bearer {token}"}
    assert site.get("/api/v0/me", headers=headers).json()["token"]["name"] == "the build"
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("listitem").filter(has_text="the build").get_by_text("Revoke…").click()
    page.get_by_label("To be sure, type").locator("visible=true").fill("the build")
    page.get_by_role("button", name="Revoke the build").click()
    expect(page.get_by_role("status")).to_have_text("The token is revoked.")
    assert site.get("/api/v0/me", headers=headers).status_code == 401


def test_who_logs_out_takes_nothing_along(page: Page) -> None:
    page.context.clear_cookies()
    page.goto("/login")
    log_in(page)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert [cookie for cookie in page.context.cookies() if "login" in cookie.get("name", "")] == []


def log_in(page: Page) -> None:
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
