"""What axe says of a page."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

OF_COLORS = ("color-contrast", "link-in-text-block")
"""The rules whose verdict another theme can change."""

_RUN = """
(options) => axe.run(options).then(({ violations }) =>
  violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))
"""

_REMEMBER_COLORS = """
() => {
  const { prototype } = axe.commons.color.Color;
  const parse = prototype.parseString;
  const parsed = new Map();
  prototype.parseString = function (text) {
    if (parsed.has(text)) {
      [this.red, this.green, this.blue, this.alpha] = parsed.get(text);
    } else {
      parse.call(this, text);
      parsed.set(text, [this.red, this.green, this.blue, this.alpha]);
    }
    return this;
  };
}
"""
"""axe reads the same few colors thousands of times a page, which is a fifth of its work."""


def accessibility_problems(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """What axe finds on a page: rules, and the elements that break them.

    Args:
        rules: those that are asked for; all unless some are named.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
        page.evaluate(_REMEMBER_COLORS)
    # Style sheets are loaded and parsed once more for rules that are still tried out, and not asked for here.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": {"assets": ["media"]}}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    return [(rule, elements) for rule, elements in page.evaluate(_RUN, options)]
