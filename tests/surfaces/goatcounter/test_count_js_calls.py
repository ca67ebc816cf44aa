"""``count.js`` sends what the published one sends: the same calls on the same pages in the same browser."""

import html
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

import tallystick
from support.recording import RecordingSite, recording_site
from support.script_calls import CASES, Case, Request

pytestmark = pytest.mark.browser

OURS = Path(tallystick.__file__).parent / "surfaces/goatcounter/static/count.js"
PUBLISHED = os.environ.get("PUBLISHED_COUNT_JS", "")
"""A file of the published script, to compare the table with it; it is not part of this repository."""
SCRIPT = Path(PUBLISHED) if PUBLISHED else OURS
OF_EVERY_REQUEST = ("s", "b", "rnd")


@pytest.fixture(scope="module")
def site() -> Iterator[RecordingSite]:
    with recording_site() as running:
        running.pages["/count.js"] = SCRIPT.read_text("utf-8")
        yield running


@pytest.fixture
def context(browser: Browser, site: RecordingSite) -> Iterator[BrowserContext]:
    site.counted.clear()
    with browser.new_context() as opened:
        yield opened


def page_of(case: Case, site: RecordingSite) -> str:
    settings = f"data-goatcounter-settings='{html.escape(case.settings)}'" if case.settings else ""
    tag = f'<script data-goatcounter="{site.url("/count", "stats.example.test")}" {settings} src="/count.js"></script>'
    again = '<script src="/count.js"></script>' * (case.runs - 1)
    return (
        f"<!doctype html><title>Title</title>{case.head}<script>{case.before}</script>"
        f"<body>{case.body}{tag}{again}<script>window.done = true</script>"
    )


def sent(case: Case, context: BrowserContext, site: RecordingSite, expected: int) -> list[Request]:
    site.pages[case.at.partition("?")[0].partition("#")[0]] = page_of(case, site)
    page = context.new_page()
    page.goto(site.url(case.at, case.host))
    page.wait_for_function("window.done && !!goatcounter.visit_count")
    if case.run:
        page.evaluate(f"() => {{ {case.run} }}")
    for click in case.clicks:
        button, _, selector = click.partition(":")
        page.click(selector, button="middle" if button == "middle" else "left")
    found = site.wait_for(expected)
    assert all(set(OF_EVERY_REQUEST) <= set(request.query) for request in found)
    return [{name: value for name, value in request.query.items() if name not in OF_EVERY_REQUEST} for request in found]


def in_order(requests: list[Request]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(request.items()) for request in requests)


@pytest.mark.parametrize("name", CASES)
def test_the_same_calls_make_the_same_requests(name: str, context: BrowserContext, site: RecordingSite) -> None:
    case = CASES[name]
    right = case.differs.requests if case.differs and not PUBLISHED else case.published
    assert in_order(sent(case, context, site, len(right))) == in_order(right)
