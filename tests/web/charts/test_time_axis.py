"""Labels of time never overlap, whatever is charted."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.question import TimeUnit
from tallystick.web.charts.scales import WIDTH
from tallystick.web.charts.time_axis import (
    NARROW,
    OVERHANG,
    WIDE,
    Label,
    LabelStyle,
    left_of,
    time_labels,
    width_of,
)

STEPS = {
    TimeUnit.MINUTE: timedelta(minutes=1),
    TimeUnit.QUARTER_HOUR: timedelta(minutes=15),
    TimeUnit.HOUR: timedelta(hours=1),
    TimeUnit.DAY: timedelta(days=1),
    TimeUnit.WEEK: timedelta(days=7),
    TimeUnit.SUNDAY_WEEK: timedelta(days=7),
}
moment = datetime.fromisoformat
FORMATS = {LabelStyle.MINUTE: "%H:%M", LabelStyle.DAY: "%d %b", LabelStyle.MONTH: "%b", LabelStyle.YEAR: "%Y"}


def name(start: datetime, style: LabelStyle) -> str:
    return start.strftime(FORMATS[style])


def starts_of(unit: TimeUnit, first: datetime, buckets: int) -> list[datetime]:
    """The beginnings of buckets. The first week may have begun before the period."""
    if unit is TimeUnit.MONTH:
        months = range(first.year * 12 + first.month - 1, first.year * 12 + first.month - 1 + buckets)
        return [moment(f"{month // 12:04}-{month % 12 + 1:02}-01") for month in months]
    if unit in {TimeUnit.MINUTE, TimeUnit.QUARTER_HOUR, TimeUnit.HOUR}:
        first = first.replace(minute=0)
    else:
        first = first.replace(hour=0, minute=0)
    whole = first
    if unit is TimeUnit.WEEK:
        whole -= timedelta(days=first.weekday())
    if unit is TimeUnit.SUNDAY_WEEK:
        whole -= timedelta(days=(first.weekday() + 1) % 7)
    return [max(first, whole + number * STEPS[unit]) for number in range(buckets)]


def texts(unit: TimeUnit, first: str, buckets: int, pixels: int) -> list[str]:
    return [label.text for label in time_labels(starts_of(unit, moment(first), buckets), unit, name, pixels)]


@given(
    st.sampled_from([*STEPS, TimeUnit.MONTH]),
    st.datetimes(moment("1970-01-01"), moment("2100-01-01")),
    st.integers(0, 400),
    st.sampled_from([NARROW, WIDE]),
    st.sampled_from(["", "00:00 ", "a long name for a time "]),
)
def test_labels_stay_in_the_drawing_and_never_overlap(
    unit: TimeUnit, first: datetime, buckets: int, pixels: int, before: str
) -> None:
    found = time_labels(starts_of(unit, first, buckets), unit, lambda start, style: before + name(start, style), pixels)
    assert bool(found) == bool(buckets)
    assert all(0 <= label.x <= WIDTH for label in found)
    assert all(left_of(label, pixels) >= -OVERHANG for label in found)
    assert all(left_of(label, pixels) + width_of(label) <= pixels for label in found)
    assert all(left_of(one, pixels) + width_of(one) < left_of(other, pixels) for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("unit", "first", "buckets", "pixels", "expected"),
    [
        (TimeUnit.MINUTE, "2026-11-12T14:00", 30, WIDE, "14:00, 14:05, 14:10, 14:15, 14:20, 14:25"),
        (TimeUnit.MINUTE, "2026-11-12T14:00", 60, NARROW, "14:00, 14:15, 14:30, 14:45"),
        (TimeUnit.HOUR, "2026-11-12T00:00", 24, NARROW, "00:00, 06:00, 12:00, 18:00"),
        (TimeUnit.HOUR, "2026-11-12T15:00", 10, NARROW, "15:00, 18:00, 21:00, 13 Nov"),
        (TimeUnit.HOUR, "2026-11-02T00:00", 168, WIDE, "02 Nov, 03 Nov, 04 Nov, 05 Nov, 06 Nov, 07 Nov, 08 Nov"),
        (TimeUnit.DAY, "2026-11-02T00:00", 7, WIDE, "02 Nov, 03 Nov, 04 Nov, 05 Nov, 06 Nov, 07 Nov, 08 Nov"),
        (TimeUnit.DAY, "2026-11-01T00:00", 28, NARROW, "02 Nov, 09 Nov, 16 Nov, 23 Nov"),
        (TimeUnit.DAY, "2026-08-30T00:00", 91, NARROW, "Sep, Oct, Nov"),
        (TimeUnit.DAY, "2025-11-30T00:00", 366, WIDE, "Dec, 2026, Feb, Mar, Apr, May, Jun, Jul, Aug, Sep, Oct, Nov"),
        (TimeUnit.WEEK, "2026-01-01T00:00", 53, NARROW, "Jan, Mar, May, Jul, Sep, Nov"),
        (TimeUnit.MONTH, "2026-01-01T00:00", 12, NARROW, "Jan, Mar, May, Jul, Sep, Nov"),
        (TimeUnit.MONTH, "2016-03-01T00:00", 130, NARROW, "2018, 2020, 2022, 2024, 2026"),
        (TimeUnit.DAY, "2026-11-12T00:00", 1, NARROW, "12 Nov"),
    ],
)  # fmt: skip
def test_labels_stand_where_a_person_would_put_them(
    unit: TimeUnit, first: str, buckets: int, pixels: int, expected: str
) -> None:
    assert texts(unit, first, buckets, pixels) == expected.split(", ")


def test_a_label_at_the_edge_does_not_stick_out() -> None:
    (label,) = time_labels([moment("2026-01-01")], TimeUnit.DAY, lambda *_: "x" * 20, NARROW)
    assert label == Label(500, "x" * 20, "middle")
    hours = starts_of(TimeUnit.HOUR, moment("2026-01-01"), 25)
    first, *_, last = time_labels(hours, TimeUnit.HOUR, name, WIDE)
    assert (first, last) == (Label(20, "01 Jan"), Label(WIDTH, "02 Jan", "end"))
    first, *_ = time_labels(hours, TimeUnit.HOUR, lambda start, style: f"midnight of {name(start, style)}", WIDE)
    assert first == Label(0, "midnight of 01 Jan", "start")
