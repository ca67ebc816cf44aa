"""The chart of a page of statistics: what it says, where it leads, and the notes on it."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from support.analytics import Analytics, analytics_in_process
from tallystick.surfaces.dashboard.analytics.asking import Figures
from tallystick.surfaces.dashboard.analytics.wording import is_good

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        assert (await running.pixel(p="/a", headers={"user-agent": FIREFOX})).status == 200
        yield running


async def page(analytics: Analytics, target: str) -> str:
    answer = await analytics.ask(target, headers={"accept": "text/html"})
    assert answer.status == 200, answer.text
    return answer.text


def zooms(shown: str) -> list[str]:
    """The addresses of the buckets of a chart."""
    targets = shown.partition('<svg class="targets"')[2].partition("</svg>")[0]
    return [unescape(address) for address in re.findall(r'href="([^"]+)"', targets)]


async def test_the_chart_says_what_it_shows(analytics: Analytics) -> None:
    shown = await page(analytics, "/sites/1?period=month&graph=pageviews")
    assert re.search(r"<title [^>]+>Pageviews by day, \w+, \d+ \w+ \d{4} \N{EN DASH} ", shown)
    assert "so far: 1 pageview, before 0" in shown
    assert "1 more than the 0 before" in shown
    assert 'class="line-before"' in shown
    assert 'class="line-before"' not in await page(analytics, "/sites/1?period=month&compare=off")


def test_nobody_is_to_say_whether_more_or_fewer_should_leave_at_a_page() -> None:
    assert is_good(Figures("exit_rate", 40, 50, -10)) is None
    assert is_good(Figures("bounce_rate", 40, 50, -10)) is True


async def test_the_legend_ends_with_the_last_day_that_is_compared(analytics: Analytics) -> None:
    shown = await page(analytics, "/sites/1?period=2026&by=month&compare=2024-01-01..2024-12-31")
    assert "1 Jan 2024 \N{EN DASH} 31 Dec 2024" in shown.partition('<p class="chart-legend">')[2]


async def test_both_days_of_a_period_of_hours_are_said(analytics: Analytics) -> None:
    shown = await page(analytics, "/sites/1?period=2026-03-01T10:00..2026-03-03T12:00")
    assert "1 Mar 2026, 10:00 \N{EN DASH} 3 Mar 2026, 12:00" in shown


async def test_a_bucket_leads_to_what_is_in_it(analytics: Analytics) -> None:
    days = zooms(await page(analytics, "/sites/1?period=7d&page=/a"))
    assert len(days) == 7
    assert all(re.search(r"\?period=\d{4}-\d\d-\d\d&page=/a$", day) for day in days)
    hours = zooms(await page(analytics, days[-1]))
    assert len(hours) == 24
    assert all(re.search(r"\?period=[-0-9]+T\d\d:00\.\.[-0-9]+T\d\d:59&page=/a$", hour) for hour in hours)
    shown = await page(analytics, hours[0])
    assert "by minute" in shown
    assert zooms(shown) == []
    weeks = zooms(await page(analytics, "/sites/1?period=91d&by=week"))
    assert 13 <= len(weeks) <= 14
    assert len(zooms(await page(analytics, weeks[1]))) == 7
    months = zooms(await page(analytics, "/sites/1?period=year&by=month"))
    assert len(months) == 12


async def test_the_table_has_the_same_links(analytics: Analytics) -> None:
    shown = await page(analytics, "/sites/1?period=28d")
    table = shown.partition('<table class="chart-table">')[2].partition("</table>")[0]
    assert [unescape(address) for address in re.findall(r'href="([^"]+)"', table)] == zooms(shown)


async def test_a_chart_that_fails_leaves_the_page(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("tallystick.surfaces.dashboard.analytics.pages.chart_region", broken)
    shown = await page(analytics, "/sites/1")
    assert "Something went wrong here." in shown
    assert '<section class="panel"' in shown


async def test_one_page_has_a_chart_that_stays_there(analytics: Analytics) -> None:
    shown = await page(analytics, "/sites/1/page?period=7d&page=/a")
    assert len(zooms(shown)) == 7
    assert all(address.startswith("/sites/1/page?period=") and address.endswith("&page=/a") for address in zooms(shown))
    assert await page(analytics, zooms(shown)[0])
