"""Which buckets of time have a label below the chart. Pure; the texts come from outside."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

from tallystick.model.question import TimeUnit
from tallystick.web.charts.scales import WIDTH, bands

NARROW, WIDE = 240, 600
"""Pixels that the drawing has at least: on a phone, and from the width where the style sheet shows more labels."""
CHARACTER, SPACE = 7, 10
"""Pixels: the most that a character of a label takes on average, and what stays free between two labels."""
OVERHANG = 30
"""Pixels that a label may stick out on the left, below the numbers of the other axis."""

_WEEK_DAYS, _HOUR_MINUTES = 7, 60
_WEEKS = frozenset({TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK})
_CLOCK_MINUTES = {TimeUnit.MINUTE: 1, TimeUnit.QUARTER_HOUR: 15, TimeUnit.HOUR: 60}


class LabelStyle(Enum):
    """What a label says of a bucket's beginning."""

    MINUTE = "14:30"
    DAY = "12 Nov"
    MONTH = "Nov"
    YEAR = "2026"


class Label(NamedTuple):
    """A text below the chart, at ``x`` of the grid's width."""

    x: int
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"


class _LabelRule(NamedTuple):
    """Chooses buckets by the time at which they begin."""

    style: LabelStyle
    chooses: Callable[[datetime], bool]


def time_labels(
    starts: Sequence[datetime], unit: TimeUnit, name: Callable[[datetime, LabelStyle], str], pixels: int
) -> list[Label]:
    """Labels at even times that do not overlap, as many as there is room for; one at least where there are buckets.

    Args:
        starts: the local time at which each bucket begins, ascending.
        name: the text of a label.
        pixels: how wide the drawing is at least.
    """
    middles = [band.middle for band in bands(len(starts))]

    def labels_of(chosen: Sequence[int], style: LabelStyle) -> list[Label]:
        texts = (name(starts[number], _shown_style(style, starts[number], starts)) for number in chosen)
        return [_placed(middles[number], text, pixels) for number, text in zip(chosen, texts, strict=True)]

    # More have no room, even with a character each.
    several, most = min(len(starts), 2), (pixels + OVERHANG) // (CHARACTER + SPACE) + 1
    for rule in _rules(unit):
        if not several <= len(chosen := _chosen(rule, starts)) <= most:
            continue
        found = labels_of(chosen, rule.style)
        if _apart(found, pixels):
            return found
    style = next(_rules(unit)).style
    strides = (2**power for power in range(len(starts).bit_length() + 1))
    choices = (labels_of(range(0, len(starts), stride), style) for stride in strides)
    return next(found for found in choices if _apart(found, pixels))


def width_of(label: Label) -> int:
    """The most pixels that a label takes."""
    return CHARACTER * len(label.text)


def left_of(label: Label, pixels: int) -> float:
    """Where a label begins in a drawing of this width."""
    shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
    return label.x * pixels / WIDTH - shift * width_of(label)


def _chosen(rule: _LabelRule, starts: Sequence[datetime]) -> list[int]:
    """The buckets that a rule chooses; of several in one month, for a rule of months the first."""
    chosen = [number for number, start in enumerate(starts) if rule.chooses(start)]
    if rule.style not in {LabelStyle.MONTH, LabelStyle.YEAR}:
        return chosen
    return [number for number in chosen if number == 0 or starts[number - 1].month != starts[number].month]


def _placed(x: int, text: str, pixels: int) -> Label:
    """A label that does not stick out of the drawing."""
    label = Label(x, text)
    left = left_of(label, pixels)
    if left < -OVERHANG:
        return Label(0, text, "start")
    return Label(WIDTH, text, "end") if left + width_of(label) > pixels else label


def _apart(labels: Sequence[Label], pixels: int) -> bool:
    """Whether there is space between all labels."""
    return all(
        left_of(label, pixels) + width_of(label) + SPACE <= left_of(following, pixels)
        for label, following in pairwise(labels)
    )


def _shown_style(style: LabelStyle, start: datetime, starts: Sequence[datetime]) -> LabelStyle:
    """Among several days, midnight is shown as its date; among several years, January as its year."""
    first, last = starts[0], starts[-1]
    if style is LabelStyle.MINUTE and start.hour == start.minute == 0 and first.date() != last.date():
        return LabelStyle.DAY
    if style is LabelStyle.MONTH and start.month == 1 and first.year != last.year:
        return LabelStyle.YEAR
    return style


def _rules(unit: TimeUnit) -> Iterator[_LabelRule]:
    """The ways to choose labels for buckets of a unit, those with the most labels first."""
    if smallest := _CLOCK_MINUTES.get(unit):
        for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720):
            if minutes >= smallest:
                yield _LabelRule(LabelStyle.MINUTE, partial(_is_minute, minutes))
    if unit not in _WEEKS | {TimeUnit.MONTH}:
        for days in (1, 2):
            yield _LabelRule(LabelStyle.DAY, partial(_is_day, days))
    if unit is not TimeUnit.MONTH:
        for weeks in (1, 2, 4) if unit in _WEEKS else (1, 2):
            yield _LabelRule(LabelStyle.DAY, partial(_is_week, weeks, unit))
    for months in (1, 2, 3, 6):
        yield _LabelRule(LabelStyle.MONTH, partial(_is_month, months, unit))
    for years in (1, 2, 5, 10, 20, 50):
        yield _LabelRule(LabelStyle.YEAR, partial(_is_year, years, unit))


def _is_minute(every: int, start: datetime) -> bool:
    return (start.hour * _HOUR_MINUTES + start.minute) % every == 0


def _is_day(every: int, start: datetime) -> bool:
    return start.hour == start.minute == 0 and start.toordinal() % every == 0


def _is_week(every: int, unit: TimeUnit, start: datetime) -> bool:
    """Whether an n-th week begins; in a chart of weeks, the first bucket may begin within one."""
    days = start.toordinal() - (unit is not TimeUnit.SUNDAY_WEEK)
    begins = unit in _WEEKS or days % _WEEK_DAYS == 0
    return begins and _is_day(1, start) and days // _WEEK_DAYS % every == 0


def _is_month(every: int, unit: TimeUnit, start: datetime) -> bool:
    """Whether it is the first bucket of an n-th month."""
    days = _WEEK_DAYS if unit in _WEEKS else 1
    return _is_day(1, start) and start.day <= days and (start.month - 1) % every == 0


def _is_year(every: int, unit: TimeUnit, start: datetime) -> bool:
    return start.year % every == 0 and start.month == 1 and _is_month(1, unit, start)
