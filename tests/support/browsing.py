"""How tests start Chromium, and what they ask of every page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from time import monotonic

import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, BrowserType, Locator, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SHELL = shutil.which("chromium-headless-shell")
"""Does the same as Chromium in half the time."""

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)

TRUE_WITHIN_S = 30.0

AS_A_PERSON = "--disable-blink-features=AutomationControlled"
"""A person's browser says nothing of being driven."""

CONTRASTS = """
() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((channels(color)[3] ?? 1) === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    const element = texts.currentNode.parentElement;
    if (!text || element.closest("noscript, script")) continue;
    const [high, low] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    found.push([(high + 0.05) / (low + 0.05), text]);
  }
  return found;
}
"""
"""The contrast of every text with the ground it stands on, as WCAG reckons it."""


@contextmanager
def opened_browser(chromium: str, *further: str) -> Iterator[Browser]:
    """Chromium until the end. Playwright's event loop counts as running so long, and async tests cannot start theirs.

    Args:
        chromium: where it is.
        further: more of its arguments.
    """
    with sync_playwright() as playwright, launched(playwright.chromium, chromium, *further) as browser:
        yield browser


@contextmanager
def launched(chromiums: BrowserType, chromium: str, *further: str) -> Iterator[Browser]:
    """One Chromium more, beside one that is open: ``launched(browser.browser_type, ...)``."""
    browser = chromiums.launch(
        executable_path=chromium,
        args=[*ARGUMENTS, *further],
        # People's browsers have this cache.
        ignore_default_args=["--disable-back-forward-cache"],
    )
    yield browser
    browser.close()


@contextmanager
def website(tag: str, policy: str = "") -> Iterator[str]:
    """A website whose every page has the tag, with the Content-Security-Policy that is given. Yields its address."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<!doctype html><title>A page of {self.path}</title><h1>Hello</h1>{tag}".encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            if policy:
                self.send_header("content-security-policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as pages:
        thread = Thread(target=pages.serve_forever, daemon=True)
        thread.start()
        yield f"http://www.example.test:{pages.server_port}"
        pages.shutdown()
        thread.join()


def wait_until(page: Page, expression: str) -> None:
    """Wait until an expression is true, at most ``TRUE_WITHIN_S``.

    Playwright's own way asks a second time by an eval, which the policy of our pages forbids.
    """
    deadline = monotonic() + TRUE_WITHIN_S
    while not page.evaluate(expression):
        assert monotonic() < deadline, expression
        page.wait_for_timeout(50)


def wait_for_frames(page: Page) -> None:
    """Wait until the page has been drawn once as it is now."""
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def scanned(code: Locator) -> str:
    """What a camera reads of a QR code on a page."""
    read = zxingcpp.read_barcode(Image.open(BytesIO(code.screenshot())))
    assert read is not None
    return str(read.text)
