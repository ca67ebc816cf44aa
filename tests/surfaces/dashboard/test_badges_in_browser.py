"""Badges as browsers show them: on pages of others, light and dark; and the page to copy them from.

Widths, themes and accessibility of the page are checked with those of all others (``test_every_page_in_browser.py``).
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Literal
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from support.browsing import opened_browser, website
from support.server import RunningServer, running_server
from tallystick.model.badge import FACES, STYLES

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parents[3] / "build" / "screenshots"
BADGE = "/badge/a.example/visits"
HOSTILE = "<script>alert(1)</script>\"'&\u202eevil\u0007\N{PARTY POPPER}"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DRAWN = [*(f"style={style}" for style in STYLES if style != "digits"), *(f"style=digits&face={face}" for face in FACES)]
LOADED = "(picture) => picture.complete && picture.naturalWidth"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server") / "data", "--rate-limit", "off") as running:
        urlopen(f"{running.url}/create?namespace=a.example&key=visits&value=12345").close()
        yield running


@pytest.fixture(scope="module")
def browser(chromium: str, server: RunningServer) -> Iterator[Browser]:
    assert server  # it starts before Playwright's event loop
    with opened_browser(chromium) as opened:
        yield opened


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_style_is_shown_by_other_websites(
    browser: Browser, server: RunningServer, scheme: Literal["light", "dark"]
) -> None:
    asked = [f"{query}&sparkline&label={quote(HOSTILE)}" for query in DRAWN]
    addresses = [f"{server.url}{BADGE}.svg?{query}" for query in [*DRAWN, *asked]]
    addresses += [f"{server.url}{BADGE}.png?{query}" for query in DRAWN] + [f"{server.url}{BADGE}.svg?color=no"]
    body = "".join(f'<p><img src="{address.replace("&", "&amp;")}" alt=""></p>' for address in addresses)
    with (
        website(f"<meta name=color-scheme content='light dark'>{body}", f"img-src {server.url}") as elsewhere,
        browser.new_context(color_scheme=scheme, viewport={"width": 700, "height": 1000}) as context,
    ):
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(elsewhere, wait_until="networkidle")
        widths = [picture.evaluate(LOADED) for picture in page.locator("img").all()]
        assert len(widths) == len(addresses)
        assert min(widths) > 20, dict(zip(addresses, widths, strict=True))
        # A refusal says why, in a picture; the browser only notes its status.
        assert widths[-1] > 100
        assert [text for text in complaints if "status of 400" not in text] == []
        shot = page.screenshot(full_page=True, path=PICTURES / f"badges-{scheme}.png")
        flat = Image.open(BytesIO(page.locator("img").first.screenshot())).convert("RGB")
    edge = flat.getpixel((flat.width - 4, flat.height // 2))
    assert edge == ((0x7C, 0x3F, 0x0C) if scheme == "light" else (0xF0, 0xB0, 0x66))
    assert len(shot) > 1_000


def test_a_badge_that_is_opened_runs_nothing(browser: Browser, server: RunningServer) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        said: list[str] = []
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{server.url}{BADGE}.svg?label={quote(HOSTILE)}")
        assert page.evaluate("document.documentElement.getAttribute('role')") == "img"
        assert "<script>alert(1)</script>" in page.evaluate("document.querySelector('title').textContent")
        assert page.evaluate("document.querySelectorAll('script').length") == 0
        assert page.evaluate("self.origin") == "null", "the sandbox makes it an origin of its own"
        assert said == []


def test_the_page_shows_what_is_typed_and_gives_it_to_copy(browser: Browser, server: RunningServer) -> None:
    with browser.new_context(base_url=server.url, permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(BADGE)
        preview, markdown = page.locator("#preview"), page.locator("#snippet-1")
        assert preview.evaluate(LOADED) > 20
        page.get_by_label("Label", exact=True).fill("seen")
        page.get_by_label("Style", exact=True).select_option("for-the-badge")
        page.get_by_label("Count each time the picture is loaded").check()
        expect(markdown).to_have_text(f"![seen]({server.url}{BADGE}.svg?label=seen&style=for-the-badge&count=1)")
        expect(preview).to_have_attribute("src", f"{BADGE}.svg?label=seen&style=for-the-badge")
        assert re.search("label=seen", page.url)
        for number, language in enumerate(("![seen](", '<img src="', ".. image:: ", "image:http", "http")):
            page.get_by_role("button", name="Copy").first.click()
            expect(page.get_by_role("button", name="Copied")).to_have_count(number + 1)
            assert page.evaluate("navigator.clipboard.readText()").startswith(language)
        page.get_by_label("Colour behind the number").fill("mauveish")
        expect(preview).to_have_attribute("src", re.compile("mauveish"))
        assert "mauveish" not in markdown.inner_text(), "what is refused is not to be pasted"
        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 360, "a long reason is not wider than the page"
    with urlopen(f"{server.url}/get/a.example/visits") as answer:
        assert b'"value":12345' in answer.read(), "nothing of this counts"


def test_without_scripts_the_button_does_the_same(browser: Browser, server: RunningServer) -> None:
    with browser.new_context(base_url=server.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(BADGE)
        page.get_by_label("Label", exact=True).fill("seen")
        page.get_by_label("Counted", exact=True).select_option("7d")
        page.get_by_role("button", name="Show it").click()
        expect(page.locator("#snippet-1")).to_have_text(re.compile(r"\.svg\?label=seen&since=7d\)"))
        expect(page.locator("#preview")).to_have_attribute("src", f"{BADGE}.svg?label=seen&since=7d")
        expect(page.get_by_role("button", name="Copy")).to_have_count(0)
