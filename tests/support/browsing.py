"""How tests start Chromium, and what they ask of every page."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Locator, sync_playwright

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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[*ARGUMENTS, *further],
            # People's browsers have this cache.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


def scanned(code: Locator) -> str:
    """What a camera reads of a QR code on a page."""
    read = zxingcpp.read_barcode(Image.open(BytesIO(code.screenshot())))
    assert read is not None
    return str(read.text)
