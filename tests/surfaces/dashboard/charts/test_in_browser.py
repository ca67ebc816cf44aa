"""Charts of numbers that are hard to draw, in a real browser under the policy of our pages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import ChoiceLoader, FileSystemLoader
from playwright.sync_api import Browser, Page, Route, expect

from support.accessibility import accessibility_problems
from support.chart_gallery import HOSTILE, gallery
from tallystick.surfaces.dashboard.support.language import Language, Languages
from tallystick.surfaces.dashboard.support.rendering import FOLDER, environment, policy
from tallystick.surfaces.dashboard.support.static_files import STATIC_FOLDER

pytestmark = pytest.mark.browser

ADDRESS = "http://charts.example/"
LANGUAGES = Languages.load()


def rendered(language: Language) -> str:
    jinja = environment(language, LANGUAGES)
    jinja.loader = ChoiceLoader([FileSystemLoader(FOLDER), FileSystemLoader(Path(__file__).parent)])
    return jinja.get_template("gallery.html").render(gallery(language))


@pytest.fixture
def settings() -> dict[str, Any]:
    """What kind of browser window; tests override it."""
    return {}


@pytest.fixture
def page(browser: Browser, settings: dict[str, Any]) -> Iterator[Page]:
    """The gallery, about which the browser may not complain."""
    complaints: list[str] = []

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        if name.startswith("static/"):
            route.fulfill(path=STATIC_FOLDER / name.removeprefix("static/"))
        elif name in {"", "favicon.ico"}:
            headers = {"content-security-policy": policy("none"), "content-type": "text/html; charset=utf-8"}
            route.fulfill(body=rendered(LANGUAGES.english) if not name else "", headers=headers)
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    with browser.new_context(**settings) as context:
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("dialog", lambda dialog: complaints.append(dialog.message))
        opened.route("**/*", answer)
        opened.goto(ADDRESS)
        yield opened
    assert complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_charts_are_accessible_and_fit(page: Page, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.locator("details").first.evaluate("details => details.open = true")
    assert accessibility_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1 ~ :is(script, img)").count() == 0


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_labels_do_not_overlap(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    boxes = """
    () => [...document.querySelectorAll(".axis-x, .axis-y")].filter((axis) => axis.getBoundingClientRect().width)
      .map((axis) => [...axis.querySelectorAll("text")].map((text) => text.getBoundingClientRect())
        .map(({left, right, top, bottom}) => ({left, right, top, bottom})))
    """
    axes = page.evaluate(boxes)
    assert len(axes) == 2 * page.locator(".time-chart").count()
    for labels in axes:
        for place, one in enumerate(labels):
            for other in labels[place + 1 :]:
                across = one["right"] <= other["left"] or other["right"] <= one["left"]
                assert across or one["bottom"] <= other["top"] or other["bottom"] <= one["top"], (one, other)
            assert one["left"] >= 0
            assert one["right"] <= width


def test_a_bucket_zooms_by_pointer_and_by_keyboard(page: Page) -> None:
    chart = page.locator("#chart-1")
    target = chart.locator(".targets a").nth(11)
    assert target.get_attribute("href") == "?period=11"
    assert target.get_attribute("tabindex") == "-1"
    box = target.locator("rect").bounding_box()
    assert box is not None
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('a').getAttribute('href')",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]) == "?period=11"  # fmt: skip
    chart.get_by_text("All numbers of this chart").click()
    link = chart.get_by_role("link", name="Thu, 12 Nov 2026")
    expect(link).to_have_attribute("href", "?period=11")
    link.focus()
    expect(link).to_be_focused()


def test_a_mark_leads_to_its_note(page: Page) -> None:
    mark = page.locator("#chart-1").get_by_role("link", name="Note 3: Newsletter sent")
    mark.focus()
    expect(mark).to_be_focused()
    mark.press("Enter")
    expect(page.locator("#chart-1 li:target")).to_have_text("21 Nov Newsletter sent")
    assert HOSTILE in page.locator("#chart-1 .chart-notes").inner_text()


def test_a_chart_has_a_name_and_a_description(page: Page) -> None:
    name = "Visitors by day, Sun, 1 Nov 2026 \u2013 Sat, 28 Nov 2026"
    drawing = page.locator("#chart-1").get_by_role("img", name=name)
    expect(drawing).to_have_accessible_description(re.compile(r"^Between [\d,]+ \(.*\) and .*\.$"))


def test_numbers_that_change_move_nothing(page: Page) -> None:
    """All charts without notes are equally high, whatever they show."""
    heights = page.evaluate(
        "() => [...document.querySelectorAll('.time-chart .plot')].map((plot) => plot.getBoundingClientRect().height)"
    )
    assert len(set(heights)) == 1


@pytest.mark.parametrize("code", ["en", "de"])
def test_nothing_is_styled_or_run_in_place(code: str) -> None:
    (language,) = (each for each in LANGUAGES if each.code == code)
    html = rendered(language)
    assert "style=" not in html
    assert "<script" not in html
    assert "NaN" not in html
    assert "None" not in html
