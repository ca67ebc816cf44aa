"""The pages in German in a real browser: chosen by its settings or in the footer, on the narrowest screen."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.pages import PASSWORD
from support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

NARROW = 360
WIDEST = """
() => {
  const widths = [document.documentElement.scrollWidth];
  for (const details of document.querySelectorAll("main details")) {
    details.open = true;
    widths.push(document.documentElement.scrollWidth);
    details.open = false;
  }
  return Math.max(...widths);
}
"""
"""The width of a page, the widest with each of its parts opened alone: menus open over what follows them."""

GUESTS_PAGES = ("/", "/docs", "/setup", "/login", "/nowhere")
PEOPLES_PAGES = (
    *(
        "/user",
        "/user/preferences",
        "/user/two-factor",
        "/user/tokens",
        "/sites",
        "/sites/1",
        "/sites/1/settings",
        "/sites/1/collection",
        "/sites/1/privacy",
        "/sites/1/sharing",
    ),
    *("/sites/1/left-out", "/sites/1/left-out/rules", "/sites/1/funnels", "/sites/1/sources", "/sites/1?period=never"),
    *("/people", "/admin", "/admin/people", "/admin/log", "/invites/none"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("site") / "data", "--rate-limit", "off") as server:
        yield server


@pytest.fixture(scope="module")
def german(browser: Browser, site: RunningServer) -> Iterator[BrowserContext]:
    """A German browser whose person has set the server up, without JavaScript."""
    with browser.new_context(base_url=site.url, locale="de-DE", java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_role("link", name="Einrichten").click()
        code = re.search(r"with the code (\S+)", site.output)
        assert code
        page.get_by_label("Einrichtungscode").fill(code[1])
        page.get_by_label("E-Mail-Adresse").fill("ada@example.com")
        page.get_by_label("Passwort").fill(PASSWORD)
        page.get_by_role("button", name="Einrichten").click()
        expect(page.get_by_role("status")).to_have_text("Willkommen. Der Server ist eingerichtet.")
        yield context


@pytest.fixture
def page(browser: Browser, site: RunningServer, german: BrowserContext) -> Iterator[Page]:
    state = german.storage_state()
    with browser.new_context(
        base_url=site.url, locale="de-DE", storage_state=state, viewport={"width": NARROW, "height": 800}
    ) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        yield opened


def language_of(page: Page) -> str | None:
    return page.locator("html").get_attribute("lang")


@pytest.mark.parametrize("path", [*GUESTS_PAGES, *PEOPLES_PAGES])
def test_long_german_words_fit_the_narrowest_screen(page: Page, path: str) -> None:
    if path in GUESTS_PAGES:
        page.context.clear_cookies()
    page.goto(path)
    assert language_of(page) == "de"
    expect(page.get_by_role("link", name="Zum Inhalt springen")).to_be_attached()
    assert page.evaluate(WIDEST) <= NARROW


def test_a_language_is_chosen_on_the_page_itself_without_javascript(browser: Browser, site: RunningServer) -> None:
    with browser.new_context(base_url=site.url, locale="fr-FR", java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/docs/events?from=here")
        assert language_of(page) == "en"
        page.get_by_role("button", name="Deutsch").click()
        expect(page).to_have_url(re.compile(r"/docs/events\?from=here$"))
        assert language_of(page) == "de"
        expect(page.get_by_role("heading", name="Antworten", exact=True).first).to_be_visible()
        page.goto("/login")
        expect(page.get_by_role("heading", level=1)).to_have_text("Anmelden")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_a_refused_form_says_why_in_german(page: Page) -> None:
    page.goto("/user")
    page.get_by_label("Name", exact=True).fill("x" * 201)
    page.get_by_role("button", name="Speichern").click()
    expect(page.get_by_role("alert")).to_contain_text("Nichts wurde geändert.")
    expect(page.locator("#name-problem")).to_have_text("Name: muss kürzer als 201 Zeichen sein.")


def test_times_are_written_as_in_german(page: Page) -> None:
    page.goto("/user")
    shown = page.locator("time").first.inner_text()
    assert re.fullmatch(r"\d{1,2}\. \w+\.? \d{4}, \d\d:\d\d UTC", shown), shown


def test_the_counter_of_the_start_page_speaks_german(page: Page) -> None:
    page.context.clear_cookies()
    page.route("**/hit/**", lambda route: route.fulfill(status=503, json={"error": "down"}))
    page.goto("/")
    expect(page.locator("form.counter [role=status]")).to_have_text(
        "Das wurde nicht gezählt. Bitte noch einmal versuchen."
    )
    page.unroute_all()
    page.route("**/hit/**", lambda route: route.fulfill(json={"value": 1_234_567}))
    page.get_by_role("button", name="Eins dazu").click()
    expect(page.locator("output.count")).to_have_text("1.234.567")
