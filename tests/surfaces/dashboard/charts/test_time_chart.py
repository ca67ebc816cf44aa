"""What charts say: titles, descriptions, hints, tables, changes and notes."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.chart_gallery import DAY, FIRST, HOUR, MINUTE, buckets, visitors, wave
from tallystick.model.question import Figure, TimeUnit
from tallystick.surfaces.dashboard.charts.small import funnel_steps, heat_table, sparkline
from tallystick.surfaces.dashboard.charts.time_chart import (
    MOST_TARGETS,
    Bucket,
    ChartNote,
    bucket_name,
    time_chart,
)
from tallystick.surfaces.dashboard.charts.words import Delta, NumberWords, Trend, trend
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.web.charts.scales import Scale

ENGLISH = Languages.load().english
VISITORS = visitors(ENGLISH)


def words(scale: Scale, *, good_is_up: bool | None = True) -> NumberWords:
    return NumberWords(language=ENGLISH, title="A metric", scale=scale, good_is_up=good_is_up)


def a_note(at: datetime, text: str = "sent") -> ChartNote:
    return ChartNote(at=at, when="then", text=text)


def test_a_chart_says_what_it_shows() -> None:
    chart = time_chart(buckets(28, wave), TimeUnit.DAY, VISITORS)
    assert chart.title == "Visitors by day, Sun, 1 Nov 2026 \u2013 Sat, 28 Nov 2026"
    assert chart.description == "Between 701 (Fri, 6 Nov 2026) and 1,351 (Tue, 24 Nov 2026)."
    assert [(tick.y, tick.text) for tick in chart.ticks] == [(220, "0"), (147, "500"), (73, "1K"), (0, "1.5K")]


def test_a_bucket_says_all_of_it_when_it_is_pointed_at() -> None:
    first, *_, last = time_chart(buckets(28, wave, unfinished=True), TimeUnit.DAY, VISITORS).targets
    assert first.hint == "Sun, 1 Nov 2026: 900 visitors, before 1,104"
    assert (first.link, first.text, first.before_name, first.before) == ("?period=0", "900", "Sun, 4 Oct 2026", "1,104")
    assert first.change == Delta("\u221218%", good=False)
    assert last.hint == "Sat, 28 Nov 2026, so far: 948 visitors, before 1,152"
    assert last.change is None
    alone, *_ = time_chart(buckets(28, wave, compared=False), TimeUnit.DAY, VISITORS).targets
    assert alone.hint == "Sun, 1 Nov 2026: 900 visitors"


@pytest.mark.parametrize(
    ("values", "description"),
    [
        ([], "There are no complete numbers yet."),
        ([None, None], "There are no complete numbers yet."),
        ([0, 0, None], "Always 0 visitors."),
        ([5, 1], "Between 1 (Mon, 2 Nov 2026) and 5 (Sun, 1 Nov 2026)."),
        ([9, 5, 1], "Between 1 (Tue, 3 Nov 2026) and 9 (Sun, 1 Nov 2026), falling."),
        ([5, 9, 9, 5], "Between 5 (Sun, 1 Nov 2026) and 9 (Mon, 2 Nov 2026)."),
    ],
)
def test_the_description_is_a_sentence(values: list[Figure], description: str) -> None:
    series = buckets(len(values), values.__getitem__, compared=False)
    assert time_chart(series, TimeUnit.DAY, VISITORS).description == description


def test_an_unfinished_bucket_is_no_fall() -> None:
    values = [10, 20, 30, 1]
    chart = time_chart(buckets(4, values.__getitem__, compared=False, unfinished=True), TimeUnit.DAY, VISITORS)
    assert chart.description == "Between 10 (Sun, 1 Nov 2026) and 30 (Tue, 3 Nov 2026), rising."
    assert chart.now.unfinished


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        (TimeUnit.MINUTE, "1 Nov 2026, 09:05"),
        (TimeUnit.HOUR, "1 Nov 2026, 09:05"),
        (TimeUnit.DAY, "Sun, 1 Nov 2026"),
        (TimeUnit.WEEK, "Week of 1 Nov 2026"),
        (TimeUnit.MONTH, "November 2026"),
    ],
)
def test_buckets_have_names(unit: TimeUnit, name: str) -> None:
    assert bucket_name(ENGLISH, unit, FIRST + 9 * HOUR + 5 * MINUTE) == name


def test_too_many_buckets_are_in_the_table_only() -> None:
    assert len(time_chart(buckets(MOST_TARGETS, wave), TimeUnit.DAY, VISITORS).targets) == MOST_TARGETS
    chart = time_chart(buckets(MOST_TARGETS + 1, wave), TimeUnit.DAY, VISITORS)
    assert (len(chart.targets), len(chart.rows)) == (0, MOST_TARGETS + 1)


def test_notes_of_one_bucket_have_one_mark() -> None:
    notes = [a_note(FIRST + 3 * DAY), a_note(FIRST + 25 * HOUR), a_note(FIRST + DAY), a_note(FIRST - DAY)]
    one, other = time_chart(buckets(28, wave), TimeUnit.DAY, VISITORS, notes).marks
    assert (one.number, one.x, len(one.notes)) == (1, 53, 2)
    assert (other.number, other.x, len(other.notes)) == (2, 125, 1)


def test_marks_that_are_close_stand_in_different_rows() -> None:
    notes = [a_note(FIRST + day * DAY) for day in (0, 1, 2, 10)]
    assert [mark.row for mark in time_chart(buckets(28, wave), TimeUnit.DAY, VISITORS, notes).marks] == [0, 1, 2, 0]


@given(st.lists(st.integers(0, 365)))
def test_each_note_is_shown_once(days: list[int]) -> None:
    notes = [a_note(FIRST + timedelta(days=day), str(place)) for place, day in enumerate(days)]
    marks = time_chart(buckets(366, wave), TimeUnit.DAY, VISITORS, notes).marks
    assert sorted(int(note.text) for mark in marks for note in mark.notes) == list(range(len(days)))
    assert [mark.number for mark in marks] == list(range(1, len(marks) + 1))


@pytest.mark.parametrize(
    ("scale", "value", "text", "tick"),
    [
        (Scale.COUNT, 12_000, "12,000", "12K"),
        (Scale.RATIO, 2.345, "2.3", "2.3"),
        (Scale.PERCENT, 48.26, "48.3%", "48.3%"),
        (Scale.SECONDS, 0, "0s", "0s"),
        (Scale.SECONDS, 134, "2m 14s", "134s"),
        (Scale.SECONDS, 5_400, "1h 30m", "90m"),
        (Scale.SECONDS, 172_800, "2d 0h", "2d"),
    ],
)
def test_numbers_are_written_as_their_metric_wants(scale: Scale, value: float, text: str, tick: str) -> None:
    assert words(scale).text(value) == text
    assert words(scale).tick(value) == tick
    assert words(scale).text(None) == words(scale).text(float("nan")) == "\u2013"


@pytest.mark.parametrize(
    ("scale", "now", "before", "text", "sentence"),
    [
        (Scale.COUNT, 28_411, 24_921, "+14%", "3,490 more than the 24,921 before"),
        (Scale.COUNT, 90, 100, "\u221210%", "10 fewer than the 100 before"),
        (Scale.COUNT, 100, 100, "0%", "the same as before"),
        (Scale.COUNT, 0, 0, "0%", "the same as before"),
        (Scale.COUNT, 3, 0, "new", "3 more than the 0 before"),
        (Scale.RATIO, 1.5, 2, "\u221225%", "0.5 less than the 2 before"),
        (Scale.PERCENT, 48, 51, "\u22123 points", "3 points lower than the 51% before"),
        (Scale.PERCENT, 51, 50, "+1 point", "1 point higher than the 50% before"),
        (Scale.SECONDS, 134, 139, "\u22124%", "5s shorter than the 2m 19s before"),
        (Scale.SECONDS, 60, 30, "+100%", "30s longer than the 30s before"),
    ],
)
def test_changes_are_said_in_numbers_and_words(
    scale: Scale, now: float, before: float, text: str, sentence: str
) -> None:
    change = words(scale).delta(now, before)
    assert change is not None
    assert change.text == text
    assert words(scale).sentence(now, before) == sentence


def test_a_change_is_welcome_or_not() -> None:
    for up, now, good in ((True, 2, True), (True, 0, False), (False, 2, False), (False, 0, True), (None, 2, None)):
        change = words(Scale.COUNT, good_is_up=up).delta(now, 1)
        assert change is not None
        assert change.good is good
    assert words(Scale.COUNT).delta(None, 1) is words(Scale.COUNT).delta(1, None) is None
    assert words(Scale.COUNT).sentence(1, None) == ""


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=30))
def test_a_series_and_its_mirror_have_opposite_directions(values: list[Figure]) -> None:
    opposite = {Trend.RISING: Trend.FALLING, Trend.FALLING: Trend.RISING, Trend.NEITHER: Trend.NEITHER}
    assert trend(values[::-1]) is opposite[trend(values)]


def test_a_week_has_a_cell_for_every_hour() -> None:
    heat = heat_table({(1, 9): 12_345, (7, 23): 7}, VISITORS)
    assert [row.short_name for row in heat.rows] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert {len(row.cells) for row in heat.rows} == {len(heat.hours)} == {24}
    assert heat.rows[0].cells[9].hint == "Monday, 09:00: 12,345 visitors"
    assert (heat.rows[0].cells[9].text, heat.rows[0].cells[0].text) == ("12.3K", "0")
    assert heat.rows[6].cells[23].grade < heat.rows[0].cells[9].grade
    assert heat.rows[0].cells[0].grade == 0


def test_a_funnel_says_what_was_lost() -> None:
    first, second, last = funnel_steps([("Seen", 200, 150), ("Tried", 50, 50), ("Paid", 0, 0)], VISITORS)
    assert (first.share, first.lost, first.text) == (1, "", "200 visitors")
    assert (second.share, second.share_text) == (0.25, "25% of the first step")
    assert second.lost == "150 (75%) went no further"
    assert last.lost == "50 (100%) went no further"
    assert [step.share for step in funnel_steps([("Seen", 0, 0), ("Tried", 0, 0)], VISITORS)] == [0, 0]
    assert funnel_steps([], VISITORS) == ()


def test_who_leaves_out_an_optional_step_is_not_lost() -> None:
    steps = funnel_steps([("Seen", 100, 35), ("Read on", 20, 5), ("Paid", 60, 0)], VISITORS)
    assert [step.lost for step in steps] == ["", "35 (35%) went no further", "5 (25%) went no further"]


def test_a_sparkline_shows_the_day_that_is_not_over() -> None:
    spark = sparkline([0, 5, 10, 2], unfinished=True)
    assert spark.line.finished == "M15 28L45 14L75 0"
    assert spark.line.unfinished == "M75 0L105 22"
    assert spark.area.endswith("Z")
    assert sparkline([]).line == ("", "", "")


def test_a_chart_of_one_bucket_is_a_dot() -> None:
    bucket = Bucket(start=FIRST, value=7)
    assert time_chart([bucket], TimeUnit.DAY, VISITORS).now.dots == "M500 28h0"
    assert time_chart([bucket], TimeUnit.DAY, VISITORS).title == "Visitors by day, Sun, 1 Nov 2026"
