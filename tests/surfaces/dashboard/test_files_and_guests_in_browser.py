"""Files that leave a site and come to it, and people who come to the server, in a real browser."""

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from support.accessibility import accessibility_problems
from support.browsing import opened_browser, scanned
from support.owned import SITE, OwnedSite, owned_site
from support.pages import PASSWORD
from tallystick.services.exports import exports
from tallystick.services.imports.running import Import

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]

ROWS = (
    "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,"
    "Screen size,Location,FirstVisit,Date\n"
    '/old,Old,0,,Firefox 80,Windows 10,1-2,0,,o,"1920,0,1",NL,1,2024-05-06T07:08:09Z\n'
    '/older,Older,0,,Firefox 80,Windows 10,1-2,0,,o,"1920,0,1",NL,1,2024-05-06T07:08:10Z\n'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedSite]:
    """On a server where everyone may make an account."""
    with owned_site(tmp_path_factory.mktemp("site") / "data", join="anyone") as owned:
        yield owned


@pytest.fixture(scope="module")
def browser(chromium: str, site: OwnedSite) -> Iterator[Browser]:
    assert site  # the server starts before Playwright's event loop
    with opened_browser(chromium) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, site: OwnedSite) -> Iterator[Page]:
    """A window of the owner."""
    with site.window(browser) as opened:
        yield opened


@contextmanager
def held_up(site: OwnedSite, place: object, name: str) -> Iterator[None]:
    """Let calls of an async function of the application wait until the end of the block."""
    goes_on, function = asyncio.Event(), getattr(place, name)

    async def later(*arguments: Any) -> Any:
        await goes_on.wait()
        return await function(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, later)
        try:
            yield
        finally:
            site.served.loop.call_soon_threadsafe(goes_on.set)


def downloaded(page: Page) -> list[str]:
    """The paths in the newest export, which is a CSV."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").first.click()
    rows = gzip.decompress(Path(download.value.path()).read_bytes()).decode().splitlines()
    return [row.split(",")[0] for row in rows[1:]]


def test_hits_are_exported_and_then_only_the_new_ones(page: Page, site: OwnedSite) -> None:
    for path in ("/one", "/two"):
        site.pixel(path)
    page.goto(f"{SITE}/exports")
    with held_up(site, exports, "write_export"):
        page.get_by_role("button", name="Start the export").click()
        expect(page.get_by_role("status")).to_contain_text("The export is started.")
        expect(page.get_by_role("progressbar")).to_be_visible()
        assert accessibility_problems(page) == []
    # The page renews itself.
    expect(page.get_by_role("link", name="Download CSV")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert {"/one", "/two"} <= set(downloaded(page))
    site.pixel("/three")
    page.goto(f"{SITE}/exports")
    page.get_by_label("Only hits after the last export, which ended with hit").check()
    page.get_by_role("button", name="Start the export").click()
    expect(page.get_by_role("link", name="Download CSV")).to_have_count(2)
    assert downloaded(page) == ["/three"]


def test_a_file_that_is_sent_twice_is_imported_once(page: Page, site: OwnedSite) -> None:
    file: FilePayload = {"name": "export.csv", "mimeType": "text/csv", "buffer": ROWS.encode()}

    def send() -> None:
        page.goto(f"{SITE}/imports")
        page.get_by_label("Hits as CSV, exported by Tallystick or GoatCounter").check()
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_role("button", name="Send and import").click()

    def imported() -> list[int]:
        return [site.data("", f"period=all&page={path}")["numbers"]["pageviews"] for path in ("/old", "/older")]

    with held_up(site, Import, "_send"):
        send()
        expect(page.get_by_role("heading", level=1)).to_have_text("Import of export.csv")
        expect(page.get_by_role("progressbar")).to_be_visible()
        assert accessibility_problems(page) == []
    expect(page.get_by_role("status")).to_have_text("Done. 2 hits imported.")
    assert imported() == [1, 1]
    send()
    expect(page.get_by_role("status")).to_have_text("Done. 0 hits imported.")
    expect(page.get_by_text("Lines imported before, and skipped: 3")).to_be_visible()
    assert imported() == [1, 1]


def test_a_guest_is_invited_to_the_server(browser: Browser, site: OwnedSite) -> None:
    with site.window(browser, site.people.operator) as operator, browser.new_context() as context:
        operator.goto("/admin/invites")
        operator.get_by_label("They may also add websites.").check()
        operator.get_by_role("button", name="Make an invite").click()
        link = operator.locator("#invite-link").inner_text().strip()
        assert scanned(operator.get_by_role("img", name="QR code of the link")) == link
        assert accessibility_problems(operator) == []
        guest = context.new_page()
        guest.goto(link)
        expect(guest.get_by_role("heading", level=1)).to_have_text("An invite to this server")
        guest.get_by_label("Email").fill("dee@example.com")
        guest.get_by_label("Password").fill(PASSWORD)
        guest.get_by_role("button", name="Create an account and accept").click()
        guest.wait_for_url(f"{site.url}/")
        expect(guest.get_by_role("link", name="dee@example.com")).to_be_visible()
        guest.goto(f"{site.url}/sites")
        guest.locator("[name=cname]").fill("dee.example.com")
        guest.locator("[name=cname]").press("Enter")
        guest.wait_for_url("**done=created")
        operator.goto("/admin/invites")
        expect(operator.get_by_text("There are no open invites.")).to_be_visible()


def test_everyone_joins_where_the_server_lets_them(browser: Browser, site: OwnedSite) -> None:
    with browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/login")
        page.get_by_role("link", name="Join").click()
        page.get_by_label("Email").fill("eve@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create an account").click()
        page.wait_for_url(f"{site.url}/")
        expect(page.get_by_role("link", name="eve@example.com")).to_be_visible()
        page.goto("/counters")
        page.get_by_label("Name", exact=True).fill("Cups of tea")
        page.get_by_role("button", name="Create the counter").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cups of tea")


def test_a_file_of_public_counters_is_checked_imported_and_exported(browser: Browser, site: OwnedSite) -> None:
    with site.window(browser, site.people.operator) as page:
        page.goto("/admin/counters")
        expect(page.get_by_role("button", name="Import now")).to_have_count(0)
        file: FilePayload = {"name": "counters.csv", "mimeType": "text/csv", "buffer": b"example.com/visits,136\n"}
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_role("button", name="Send and check").click()
        expect(page.get_by_text("The file is checked, and nothing is stored yet.")).to_be_visible()
        assert accessibility_problems(page) == []
        page.get_by_role("button", name="Import now").click()
        expect(page.get_by_text("Imported.")).to_be_visible()
        expect(page.get_by_text("Created: 1")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV", exact=True).click()
        assert "example.com,visits,136," in Path(download.value.path()).read_text("utf-8")
