"""A number over time: what the macro ``time_chart`` draws and says."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tallystick.model.question import Figure, TimeUnit
from tallystick.surfaces.dashboard.charts.words import Delta, NumberWords, Trend, trend
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.web.charts.scales import (
    HEIGHT,
    Axis,
    Band,
    Lines,
    area,
    axis,
    bands,
    is_number,
    lines,
    points,
)
from tallystick.web.charts.time_axis import NARROW, WIDE, Label, LabelStyle, time_labels

MOST_TARGETS = 400
"""Buckets up to which each can be pointed at; more would be narrower than a pointer. The table has them all."""
_CLOSE = 85
"""Columns of the grid between two marks of one row, from which on they do not touch on a phone."""
_MARK_ROWS = 3

_TITLES = {
    TimeUnit.MINUTE: N_("%(metric)s by minute, %(period)s"),
    TimeUnit.QUARTER_HOUR: N_("%(metric)s by quarter of an hour, %(period)s"),
    TimeUnit.HOUR: N_("%(metric)s by hour, %(period)s"),
    TimeUnit.DAY: N_("%(metric)s by day, %(period)s"),
    TimeUnit.WEEK: N_("%(metric)s by week, %(period)s"),
    TimeUnit.SUNDAY_WEEK: N_("%(metric)s by week, %(period)s"),
    TimeUnit.MONTH: N_("%(metric)s by month, %(period)s"),
}
_HEADINGS = {
    TimeUnit.MINUTE: N_("Minute"),
    TimeUnit.QUARTER_HOUR: N_("Quarter of an hour"),
    TimeUnit.HOUR: N_("Hour"),
    TimeUnit.DAY: N_("Day"),
    TimeUnit.WEEK: N_("Week"),
    TimeUnit.SUNDAY_WEEK: N_("Week"),
    TimeUnit.MONTH: N_("Month"),
}
_SPANS = {
    Trend.RISING: N_("Between %(low)s (%(low_at)s) and %(high)s (%(high_at)s), rising."),
    Trend.FALLING: N_("Between %(low)s (%(low_at)s) and %(high)s (%(high_at)s), falling."),
    Trend.NEITHER: N_("Between %(low)s (%(low_at)s) and %(high)s (%(high_at)s)."),
}


class Bucket(Struct, frozen=True, kw_only=True):
    """One unit of time.

    Attributes:
        start: the local time at which it begins.
        value: None where there is none, for example because it has not begun.
        link: the address that shows it alone; empty where there is nothing finer to see.
        before: the value of the bucket with which it is compared.
        before_start: where that begins; None without a comparison.
        unfinished: whether it is not over.
    """

    start: datetime
    value: Figure
    link: str = ""
    before: Figure = None
    before_start: datetime | None = None
    unfinished: bool = False


class ChartNote(Struct, frozen=True, kw_only=True):
    """An annotation to show on a chart.

    Attributes:
        when: ``at`` in words.
        link: an http or https URL, or empty.
        edit: the address of its form; empty for one that may not be changed.
    """

    at: datetime
    when: str
    text: str
    link: str = ""
    edit: str = ""


class Mark(Struct, frozen=True):
    """The notes of one bucket, under one number on the chart.

    Attributes:
        x: column of the grid.
        row: where it stands; marks that are close to each other have different ones.
    """

    number: int
    x: int
    row: int
    notes: tuple[ChartNote, ...]


class Tick(Struct, frozen=True):
    """A number beside the chart, and its row of the grid."""

    y: int
    text: str


class TimeRow(Struct, frozen=True, kw_only=True):
    """One bucket as it is shown: in the table, and when it is pointed at.

    Attributes:
        hint: all of it in one sentence.
    """

    name: str
    hint: str
    link: str
    text: str
    before_name: str
    before: str
    change: Delta | None
    band: Band


class TimeChart(Struct, frozen=True, kw_only=True):
    """Everything that is drawn and said of a number over time.

    Attributes:
        targets: rows that can be pointed at; none where they would be too narrow.
        narrow, wide: labels on a phone and on a screen.
        before: the path of the comparison; empty without one.
    """

    title: str
    description: str
    unit_heading: str
    value_heading: str
    ticks: tuple[Tick, ...]
    narrow: tuple[Label, ...]
    wide: tuple[Label, ...]
    area: str
    now: Lines
    before: str
    compares: bool
    rows: tuple[TimeRow, ...]
    targets: tuple[TimeRow, ...]
    marks: tuple[Mark, ...]


def time_chart(
    buckets: Sequence[Bucket], unit: TimeUnit, words: NumberWords, notes: Sequence[ChartNote] = ()
) -> TimeChart:
    """The chart of one metric over time.

    Args:
        buckets: ascending; there may be none.
        notes: of the period of the chart; those before its first bucket are left out.
    """
    language = words.language
    values, before = [bucket.value for bucket in buckets], [bucket.before for bucket in buckets]
    scale = axis([*values, *before], words.scale)
    drawn = points(values, scale)
    starts = [bucket.start for bucket in buckets]
    rows = _rows(buckets, unit, words)

    def labels(pixels: int) -> tuple[Label, ...]:
        return tuple(time_labels(starts, unit, lambda start, style: label_text(language, start, style), pixels))

    return TimeChart(
        title=_title(starts, unit, words),
        description=describe(buckets, unit, words),
        unit_heading=language.gettext(_HEADINGS[unit]),
        value_heading=words.title,
        ticks=_ticks(scale, words),
        narrow=labels(NARROW),
        wide=labels(WIDE),
        area=area(drawn, scale.row(0)),
        now=lines(drawn, [bucket.unfinished for bucket in buckets]),
        before=lines(points(before, scale)).finished,
        compares=any(bucket.before_start for bucket in buckets),
        rows=rows,
        targets=rows if len(rows) <= MOST_TARGETS else (),
        marks=_marks(starts, notes),
    )


def bucket_name(language: Language, unit: TimeUnit, start: datetime) -> str:
    """A bucket in words: ``Thu, 12 Nov 2026`` or ``12 Nov 2026, 14:00``."""
    if unit in {TimeUnit.MINUTE, TimeUnit.QUARTER_HOUR, TimeUnit.HOUR}:
        return f"{language.day(start.date())}, {language.clock(start)}"
    if unit is TimeUnit.MONTH:
        return language.month(start)
    if unit is TimeUnit.DAY:
        return language.long_day(start)
    return language.gettext(N_("Week of %(day)s")) % {"day": language.day(start)}


def label_text(language: Language, start: datetime, style: LabelStyle) -> str:
    """A label below a chart."""
    if style is LabelStyle.MINUTE:
        return language.clock(start)
    if style is LabelStyle.DAY:
        return language.short_day(start)
    return language.short_month(start) if style is LabelStyle.MONTH else str(start.year)


def describe(buckets: Sequence[Bucket], unit: TimeUnit, words: NumberWords) -> str:
    """The series in a sentence: its lowest and highest value, and its direction; unfinished buckets are left out."""
    language = words.language
    finished = [bucket for bucket in buckets if is_number(bucket.value) and not bucket.unfinished]
    ranked = sorted(finished, key=lambda bucket: bucket.value or 0)
    if not ranked:
        return language.gettext(N_("There are no complete numbers yet."))
    low, high = ranked[0], next(bucket for bucket in ranked if bucket.value == ranked[-1].value)
    if low.value == high.value:
        return language.gettext(N_("Always %(value)s.")) % {"value": words.phrase(low.value)}
    return language.gettext(_SPANS[trend([bucket.value for bucket in finished])]) % {
        "low": words.text(low.value),
        "low_at": bucket_name(language, unit, low.start),
        "high": words.text(high.value),
        "high_at": bucket_name(language, unit, high.start),
    }


def _title(starts: Sequence[datetime], unit: TimeUnit, words: NumberWords) -> str:
    names = [bucket_name(words.language, unit, start) for start in (*starts[:1], *starts[1:][-1:])]
    title = words.language.gettext(_TITLES[unit])
    return title % {"metric": words.title, "period": " \N{EN DASH} ".join(names)}


def _ticks(scale: Axis, words: NumberWords) -> tuple[Tick, ...]:
    rows = (scale.row(value) for value in scale.ticks)
    return tuple(
        Tick(HEIGHT if y is None else y, words.tick(value)) for y, value in zip(rows, scale.ticks, strict=True)
    )


def _rows(buckets: Sequence[Bucket], unit: TimeUnit, words: NumberWords) -> tuple[TimeRow, ...]:
    return tuple(_row(bucket, unit, words, band) for bucket, band in zip(buckets, bands(len(buckets)), strict=True))


def _row(bucket: Bucket, unit: TimeUnit, words: NumberWords, band: Band) -> TimeRow:
    language = words.language
    name = bucket_name(language, unit, bucket.start)
    if bucket.unfinished:
        name = language.gettext(N_("%(when)s, so far")) % {"when": name}
    hint = N_("%(when)s: %(value)s") if bucket.before_start is None else N_("%(when)s: %(value)s, before %(before)s")
    facts = {"when": name, "value": words.phrase(bucket.value), "before": words.text(bucket.before)}
    return TimeRow(
        name=name,
        hint=language.gettext(hint) % facts,
        link=bucket.link,
        text=words.text(bucket.value),
        before_name=bucket_name(language, unit, bucket.before_start) if bucket.before_start else "",
        before=words.text(bucket.before),
        change=None if bucket.unfinished else words.delta(bucket.value, bucket.before),
        band=band,
    )


def _marks(starts: Sequence[datetime], notes: Sequence[ChartNote]) -> tuple[Mark, ...]:
    """One mark for each bucket that has notes. A note of a whole day belongs to the day's first bucket."""
    places = bands(len(starts))
    in_bucket: dict[int, list[ChartNote]] = {}
    for note in sorted(notes, key=lambda note: note.at):
        if (bucket := bisect_right(starts, note.at) - 1) >= 0:
            in_bucket.setdefault(bucket, []).append(note)
    marks: list[Mark] = []
    ends = [-_CLOSE] * _MARK_ROWS
    for number, (bucket, together) in enumerate(in_bucket.items(), start=1):
        x = places[bucket].middle
        row = next((row for row, end in enumerate(ends) if x - end >= _CLOSE), ends.index(min(ends)))
        ends[row] = x
        marks.append(Mark(number, x, row, tuple(together)))
    return tuple(marks)
