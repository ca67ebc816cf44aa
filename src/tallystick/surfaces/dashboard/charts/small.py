"""Charts of one panel or card: sparkline, weekday by hour, funnel."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tallystick.model.question import Figure
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.web.charts.scales import Lines, Scale, area, axis, lines, points, quantile_class

SPARK_WIDTH, SPARK_HEIGHT = 120, 28
"""The grid of a sparkline."""
HOURS, WEEKDAYS = range(24), range(1, 8)
_number = re.compile(r"\d+")
_COMPACT_FROM = 1_000
"""Longer numbers have no room in a cell of the week."""


class Sparkline(Struct, frozen=True):
    """Path strings; ``area`` is empty where there is nothing to draw."""

    area: str
    line: Lines


class HeatCell(Struct, frozen=True):
    """An hour of a weekday.

    Attributes:
        grade: class of colour; 0 is for nothing.
        hint: all of it in words.
    """

    text: str
    grade: int
    hint: str


class HeatRow(Struct, frozen=True):
    """A weekday."""

    name: str
    short_name: str
    cells: tuple[HeatCell, ...]


class HeatHour(Struct, frozen=True):
    """The heading of a column.

    Attributes:
        text: in two characters.
        rest: what else there is to say, for those who do not see the row of headings.
    """

    text: str
    rest: str


class HeatTable(Struct, frozen=True):
    """A week by hours."""

    hours: tuple[HeatHour, ...]
    rows: tuple[HeatRow, ...]


class FunnelBar(Struct, frozen=True, kw_only=True):
    """A step of a funnel.

    Attributes:
        share: of the first step, from 0 to 1.
        lost: who took the step before as their last, in words; empty for the first step.
    """

    name: str
    text: str
    share: float
    share_text: str
    lost: str


def sparkline(values: Sequence[Figure], *, unfinished: bool = False) -> Sparkline:
    """A line without axes; what lies between it and 0 is filled.

    Args:
        unfinished: whether the last bucket is not over.
    """
    scale = axis(values, Scale.COUNT)
    drawn = points(values, scale, SPARK_WIDTH, SPARK_HEIGHT)
    grows = [False] * (len(values) - 1) + [unfinished] if values else []
    return Sparkline(area(drawn, scale.row(0, SPARK_HEIGHT)), lines(drawn, grows))


def heat_table(values: Mapping[tuple[int, int], Figure], words: NumberWords) -> HeatTable:
    """A week by hours, in five classes of colour with about as many cells each.

    Args:
        values: by weekday (Monday is 1) and hour; what is missing is 0.
    """
    language = words.language
    grade_of = quantile_class(list(values.values()))

    def cell(day: int, hour: int) -> HeatCell:
        value = values.get((day, hour)) or 0
        when = f"{language.weekday(day - 1)}, {language.hour(hour)}"
        facts = {"when": when, "value": words.phrase(value)}
        text = language.compact(value) if value >= _COMPACT_FROM else words.text(value)
        return HeatCell(text, grade_of(value), language.gettext(N_("%(when)s: %(value)s")) % facts)

    return HeatTable(
        tuple(_heat_hour(language.hour(hour)) for hour in HOURS),
        tuple(
            HeatRow(
                language.weekday(day - 1),
                language.weekday(day - 1, "abbreviated"),
                tuple(cell(day, hour) for hour in HOURS),
            )
            for day in language.weekdays
        ),
    )


def _heat_hour(text: str) -> HeatHour:
    number = _number.match(text)
    assert number is not None
    return HeatHour(number[0], text[number.end() :])


def funnel_steps(steps: Sequence[tuple[str, int, int]], words: NumberWords) -> tuple[FunnelBar, ...]:
    """The steps of a funnel with what was lost on the way.

    Args:
        steps: names, how many took them, and for how many of these it was the last one. More may take a step than
            the one before, where that is optional.
    """
    language, first = words.language, steps[0][1] if steps else 0
    found = []
    before = None
    for name, reached, dropped in steps:
        share = min(reached / first, 1) if first else 0
        lost = ""
        if before is not None:
            took, ended = before
            facts = {"number": language.number(ended), "share": language.percent(ended / took if took else 0)}
            lost = language.gettext(N_("%(number)s (%(share)s) went no further")) % facts
        share_text = language.gettext(N_("%(share)s of the first step")) % {"share": language.percent(share)}
        found.append(FunnelBar(name=name, text=words.phrase(reached), share=share, share_text=share_text, lost=lost))
        before = reached, dropped
    return tuple(found)
