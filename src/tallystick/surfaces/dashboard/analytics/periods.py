"""Periods as the addresses of pages name them: ``28d``, ``2026-03``, ``2026-03-01..2026-03-28``."""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta, tzinfo

from msgspec import Struct

from tallystick.model.named_period import (
    FIRST_DATE,
    LAST_DATE,
    OutsideOfCalendar,
    Today,
    period_between,
    period_named,
)
from tallystick.model.period import DAY_S, HOUR_S, Period, date_of, day_of, weekday
from tallystick.model.question import TimeUnit

RELATIVE = ("7d", "28d", "91d", "all")
"""Names that questions have, too."""
NAMED = ("today", "yesterday", *RELATIVE, "week", "month", "year")
USUAL = "28d"

_month = re.compile(r"\d{4}-\d{2}", re.ASCII)
_year = re.compile(r"\d{4}", re.ASCII)
_MINUTE = "%Y-%m-%dT%H:%M"

MOST_MINUTES_S = 6 * HOUR_S
"""The longest period that charts divide by minutes."""
MOST_HOURS_S = 14 * DAY_S
MOST_DAYS_S = 750 * DAY_S


class NamedRange(Struct, frozen=True):
    """A period of a page.

    Attributes:
        name: as the address has it.
        asked: as ``date_range`` of a question: a name, or two dates or moments.
        period: the same, resolved.
        first, last: local dates, both included.
        step: the name of the period before, and of the one after; None where that has not begun.
    """

    name: str
    asked: str | list[str]
    period: Period
    first: date
    last: date
    before: str | None
    after: str | None

    @property
    def days(self) -> int:
        """Local dates."""
        return (self.last - self.first).days + 1

    @property
    def seconds(self) -> int:
        """Length."""
        return self.period.after - self.period.first


def named_range(name: str, today: Today, *, sunday_first: bool = False) -> NamedRange:
    """The period that an address names.

    Args:
        sunday_first: whether weeks begin on Sunday.

    Raises:
        ValueError: it names none.
        OutsideOfCalendar
    """
    try:
        return _named_range(name, today, sunday_first=sunday_first)
    except OutsideOfCalendar:
        raise
    except (ValueError, OverflowError) as error:
        msg = f"{name[:40]!r} is not a period; examples are 7d, today, 2026-03, 2026-03-01..2026-03-28"
        raise ValueError(msg) from error


def _named_range(name: str, today: Today, *, sunday_first: bool) -> NamedRange:
    here = today.date
    if "T" in name:
        return _moments(name, today)
    if name in RELATIVE:
        period = period_named(name, today)
        first, last = local_dates(period, today.zone)
        before, after = (None, None) if name == "all" else _neighbours(first, last, here)
        return NamedRange(name, name, period, first, last, before, after)
    first, last = _first_and_last(name, here, sunday_first=sunday_first)
    return _dates(name, first, last, today)


def _first_and_last(name: str, here: date, *, sunday_first: bool) -> tuple[date, date]:
    yesterday = here - timedelta(days=1)
    begin_of_week = here - timedelta(days=weekday(here, sunday_first=sunday_first))
    known = {
        "week": (begin_of_week, begin_of_week + timedelta(days=6)),
        "today": (here, here),
        "yesterday": (yesterday, yesterday),
        "month": (here.replace(day=1), _month_end(here)),
        "year": (date(here.year, 1, 1), date(here.year, 12, 31)),
    }
    if name in known:
        return known[name]
    if _year.fullmatch(name):
        return date(int(name), 1, 1), date(int(name), 12, 31)
    if _month.fullmatch(name):
        first = date.fromisoformat(f"{name}-01")
        return first, _month_end(first)
    begin, separator, end = name.partition("..")
    return _date(begin), _date(end if separator else begin)


def range_name(first: date, last: date) -> str:
    """The shortest name of a range of dates."""
    if first == last:
        return first.isoformat()
    if first.day == 1 and last == _month_end(first):
        return first.isoformat()[:7]
    if (first.month, first.day) == (1, 1) and last == date(first.year, 12, 31):
        return f"{first.year:04}"
    return f"{first}..{last}"


def units_of(period: NamedRange, *, whole_days: bool = False) -> tuple[TimeUnit, ...]:
    """The units by which a chart may divide a period, from the finest; the usual one is ``usual_unit``.

    Args:
        whole_days: whether some of its days have no hours, as imported ones.
    """
    units = []
    if period.seconds <= MOST_MINUTES_S and not whole_days:
        units.append(TimeUnit.MINUTE)
    if period.seconds <= MOST_HOURS_S and not whole_days:
        units.append(TimeUnit.HOUR)
    if (whole_days or period.seconds > HOUR_S * 24) and period.seconds <= MOST_DAYS_S:
        units.append(TimeUnit.DAY)
    if period.days > 13:  # noqa: PLR2004  # two points make no chart
        units.append(TimeUnit.WEEK)
    if period.days > 59:  # noqa: PLR2004
        units.append(TimeUnit.MONTH)
    return tuple(units)


def usual_unit(period: NamedRange, *, whole_days: bool = False) -> TimeUnit:
    """The unit of a chart when none is chosen; see ``units_of``."""
    if period.seconds <= 2 * HOUR_S and not whole_days:
        return TimeUnit.MINUTE
    if period.days <= 2 and not whole_days:  # noqa: PLR2004
        return TimeUnit.HOUR
    if period.days <= 100:  # noqa: PLR2004
        return TimeUnit.DAY
    return TimeUnit.WEEK if period.days <= 400 else TimeUnit.MONTH  # noqa: PLR2004


def zoomed(unit: TimeUnit, label: str, period: NamedRange) -> str | None:
    """The name of the period of one part of a chart; None where there is nothing finer to see.

    Args:
        label: of the part, as an answer has it: ``2026-03-10``, or ``2026-03-10 14:00:00``.
    """
    if unit is TimeUnit.HOUR:
        begin = datetime.fromisoformat(label)
        return f"{_minute(begin)}..{_minute(begin.replace(minute=59))}"
    if unit in {TimeUnit.MINUTE, TimeUnit.QUARTER_HOUR}:
        return None
    first = date.fromisoformat(label)
    last = first
    if unit in {TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK}:
        rest = 6 - weekday(first, sunday_first=unit is TimeUnit.SUNDAY_WEEK)
        last = first + timedelta(days=min(rest, (period.last - first).days))
    elif unit is TimeUnit.MONTH:
        last = _month_end(first)
    first, last = max(first, period.first), min(last, period.last)
    return range_name(first, last)


def _dates(name: str, first: date, last: date, today: Today) -> NamedRange:
    asked = [first.isoformat(), last.isoformat()]
    period = period_between(asked[0], asked[1], today)
    # Names that questions know end now where they are trimmed.
    known: str | list[str] = {"today": "day", "month": "month", "year": "year"}.get(name, asked)
    before, after = _neighbours(first, last, today.date)
    return NamedRange(name, known, period, first, last, before, after)


def _moments(name: str, today: Today) -> NamedRange:
    begin, _, end = name.partition("..")
    first, last = (datetime.strptime(each, _MINUTE).replace(tzinfo=today.zone) for each in (begin, end))
    # An hour that clocks show twice is one part of a chart, so the period ends with the second of the two.
    last = last.replace(second=59, fold=1)
    asked = [first.isoformat(), last.isoformat()]
    period = period_between(asked[0], asked[1], today)
    length = last - first + timedelta(seconds=1)

    def moved(by: timedelta) -> str:
        return f"{_minute(first + by)}..{_minute(last + by)}"

    later = moved(length) if period.after <= today.now else None
    return NamedRange(name, asked, period, first.date(), last.date(), moved(-length), later)


def _neighbours(first: date, last: date, here: date) -> tuple[str | None, str | None]:
    """The names of the periods of the same length before and after."""
    try:
        if first.day == 1 and last == _month_end(first):
            ends = first - timedelta(days=1), last + timedelta(days=1)
            names = range_name(ends[0].replace(day=1), ends[0]), range_name(ends[1], _month_end(ends[1]))
        elif (first.month, first.day) == (1, 1) and last == date(first.year, 12, 31):
            names = f"{first.replace(year=first.year - 1).year:04}", f"{first.year + 1:04}"
        else:
            length = last - first + timedelta(days=1)
            names = range_name(first - length, last - length), range_name(first + length, last + length)
    except (OverflowError, ValueError):
        return None, None
    before = names[0] if first.year > FIRST_DATE.year else None
    return before, names[1] if last < min(here, LAST_DATE) else None


def local_dates(period: Period, zone: tzinfo) -> tuple[date, date]:
    """The first and the last date of a period, where a zone is."""
    return date_of(day_of(period.first, zone)), date_of(day_of(period.after - 1, zone))


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _minute(moment: datetime) -> str:
    """A moment as addresses have it. ``strftime`` writes years before 1000 with fewer digits."""
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")


def _date(text: str) -> date:
    found = date.fromisoformat(text)
    if found.isoformat() != text:
        msg = f"{text!r} is not a date"
        raise ValueError(msg)
    return found
