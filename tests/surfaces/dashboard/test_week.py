"""Visitors by weekday and hour: the panel, its page, and the same as data."""

import csv
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest

from support.analytics import Analytics, analytics_in_process
from tallystick.errors import QuestionTooLong

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


@pytest.mark.parametrize("target", ["/sites/1", "/sites/1/week"])
async def test_the_week_is_drawn_with_every_hour(analytics: Analytics, target: str) -> None:
    shown = await page(analytics, target)
    table = shown.partition('<table class="heat">')[2].partition("</table>")[0]
    assert table.count("<td class=") == 7 * 24
    assert table.count('title="') >= 7 * 24
    assert table.count(": 1 visitor") == 1
    assert 'href="/sites/stats.example.com/week' in shown


async def test_the_week_as_data(analytics: Analytics) -> None:
    answer = await analytics.ask("/sites/1/week.json?page=/a")
    found = answer.json()
    assert found["filters"] == [["is", "event:page", ["/a"]]]
    assert len(found["week"]) == 7 * 24
    assert [hour["visitors"] for hour in found["week"] if hour["visitors"]] == [1]
    rows = list(csv.reader(StringIO((await analytics.ask("/sites/1/week.csv")).text)))
    assert rows[:2] == [["weekday", "hour", "visitors"], ["1", "0", "0"]]
    assert len(rows) == 1 + 7 * 24


async def test_an_empty_week_says_so(analytics: Analytics) -> None:
    shown = await page(analytics, "/sites/1/week?page=/nothing")
    assert "Nothing in this period." in shown
    assert '<table class="heat">' not in shown


async def test_a_week_that_fails_leaves_the_page(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_long(*_: object) -> None:
        raise QuestionTooLong(2.0)

    monkeypatch.setattr("tallystick.surfaces.dashboard.analytics.week.week_of", too_long)
    shown = await page(analytics, "/sites/1")
    assert "This took too long. Try again, or choose a shorter period." in shown
    assert 'id="week"' in shown
    assert shown.rstrip().endswith("</html>")
