"""What axe says of a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def accessibility_problems(page: Page) -> list[tuple[str, Any]]:
    """What axe finds on a page: rules, and the elements that break them."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
