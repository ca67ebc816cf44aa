"""Periods by name (``7d``, ``month``, two dates, two moments), and the periods that they are compared with.

Days are dates of a zone. Names are those of Plausible's Stats API (contract 2.3), and some of our own.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum

from msgspec import Struct

from tallystick.model.period import DAY_S, HOUR_S, LONGEST_DAYS, Period, date_of, day_of, exact_period, midnight, period
from tallystick.model.question import TimeUnit

FIRST_DATE, LAST_DATE = date(2, 1, 1), date(9998, 12, 31)
"""Of all periods. In every zone they and the days around them have moments that ``datetime`` can hold."""
MOST_DAYS, MOST_MONTHS = 5_000, 100
MINUTES_SHOWN = 30
NOW_S = 300
"""Visitors of the last 300 seconds are there now."""

_days = re.compile(r"([1-9]\d{0,3})d", re.ASCII)
_months = re.compile(r"([1-9]\d{0,2})mo", re.ASCII)


class Today(Struct, frozen=True):
    """The moment and the zone that names of periods refer to.

    Attributes:
        now: Unix seconds.
        begun: Unix seconds of the first hit, where ``all`` begins; None without hits.
    """

    now: int
    zone: tzinfo
    begun: int | None = None

    @property
    def date(self) -> date:
        """The local date."""
        return date_of(day_of(self.now, self.zone))


class OutsideOfCalendar(ValueError):
    """A period that does not lie between ``FIRST_DATE`` and ``LAST_DATE``."""

    def __init__(self) -> None:
        super().__init__(f"periods lie in the years {FIRST_DATE.year} to {LAST_DATE.year}")


class Earlier(Enum):
    """The period that another one is compared with."""

    PREVIOUS_PERIOD = "previous_period"
    """As many days or seconds, just before."""
    YEAR_OVER_YEAR = "year_over_year"
    """The same dates a year before; the 28th of February for the 29th."""


def _today(today: Today) -> Period:
    return dates(today.date, today.date, today.zone)


def _month(today: Today) -> Period:
    return dates(today.date.replace(day=1), _month_end(today.date), today.zone)


def _year(today: Today) -> Period:
    return dates(date(today.date.year, 1, 1), date(today.date.year, 12, 31), today.zone)


def _all(today: Today) -> Period:
    begun = today.now if today.begun is None else min(today.begun, today.now)
    return dates(max(date_of(day_of(begun, today.zone)), _back(today.date, LONGEST_DAYS - 1)), today.date, today.zone)


def _last_day(today: Today) -> Period:
    return _moments(today.now - DAY_S, today.now, today.zone)


def _minutes(today: Today) -> Period:
    return _moments(today.now // 60 * 60 - (MINUTES_SHOWN - 1) * 60, today.now, today.zone)


def _realtime(today: Today) -> Period:
    return _moments(today.now - NOW_S + 1, today.now, today.zone)


NAMES: dict[str, Callable[[Today], Period]] = {
    "day": _today,
    "24h": _last_day,
    "month": _month,
    "year": _year,
    "all": _all,
    "30m": _minutes,
    "realtime": _realtime,
}
"""Periods that have a name without a number."""


def period_named(name: str, today: Today) -> Period:
    """The period that a name stands for.

    Args:
        name: one of ``NAMES``; ``7d`` and other numbers of days before today; ``6mo`` and other numbers of months
            before the current one.

    Raises:
        ValueError: the name is none of them.
        OutsideOfCalendar
    """
    if name in NAMES:
        return NAMES[name](today)
    if (found := _days.fullmatch(name)) and (days := int(found[1])) <= MOST_DAYS:
        return days_before(today.date, days, today.zone)
    if (found := _months.fullmatch(name)) and (months := int(found[1])) <= MOST_MONTHS:
        first = today.date.replace(day=1)
        return dates(months_back(first, months), _back(first, 1), today.zone)
    msg = f"{name!r} is not a period"
    raise ValueError(msg)


def period_between(first: str, last: str, today: Today) -> Period:
    """The period from one text to another, both included: two dates, or two moments with their offsets.

    Raises:
        ValueError: a text is neither, they differ in kind, the first is after the last, or the period is too long.
        OutsideOfCalendar
    """
    days = [_date(text) for text in (first, last)]
    if days[0] is not None and days[1] is not None:
        if days[0] > days[1]:
            msg = f"{first} is after {last}"
            raise ValueError(msg)
        if (days[1] - days[0]).days >= LONGEST_DAYS:
            msg = f"a period has at most {LONGEST_DAYS:,} days"
            raise ValueError(msg)
        return dates(days[0], days[1], today.zone)
    start, end = _moment(first), _moment(last)
    if start > end:
        msg = f"{first} is after {last}"
        raise ValueError(msg)
    if end - start >= LONGEST_DAYS * DAY_S:
        msg = f"a period has at most {LONGEST_DAYS:,} days"
        raise ValueError(msg)
    return _moments(start, end, today.zone)


def dates(first: date, last: date, zone: tzinfo) -> Period:
    """The period from one date to another, both included.

    Raises:
        OutsideOfCalendar
    """
    _require_calendar(first, last)
    return period(midnight(_number(first), zone), midnight(_number(last) + 1, zone) - 1, zone)


def days_before(day: date, count: int, zone: tzinfo) -> Period:
    """A number of days that end before a day.

    Raises:
        OutsideOfCalendar
    """
    return dates(_back(day, count), _back(day, 1), zone)


def months_back(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day.

    Raises:
        OutsideOfCalendar
    """
    number = day.year * 12 + day.month - 1 - months
    year, month = number // 12, number % 12 + 1
    if not FIRST_DATE.year <= year <= LAST_DATE.year:
        raise OutsideOfCalendar
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def earlier(asked: Period, compare: Earlier, today: Today, *, same_weekdays: bool = False) -> Period:
    """The period that ``asked`` is compared with: of one that is not over, only as much of it as has passed.

    Args:
        same_weekdays: move it by whole weeks, so that each day is compared with the same day of the week.

    Raises:
        OutsideOfCalendar
    """
    until = min(asked.end, today.now)
    if until < asked.start:
        until = asked.end
    first, last = (_local(moment, today.zone) for moment in (asked.start, until))
    length = (last.date() - first.date()).days + 1
    if not _has_whole_days(asked, today.zone) and compare is Earlier.PREVIOUS_PERIOD and not same_weekdays:
        seconds = until - asked.start + 1
        return _moments(asked.start - seconds, asked.start - 1, today.zone)
    if compare is Earlier.PREVIOUS_PERIOD:
        return _moved(asked, first, last, days=-(-length // 7) * 7 if same_weekdays else length, today=today)
    year_before = months_back(first.date(), 12)
    days = (first.date() - year_before).days
    if same_weekdays:
        return _moved(asked, first, last, days=round(days / 7) * 7, today=today)
    begin = datetime.combine(year_before, first.time())
    return _between(begin, datetime.combine(months_back(last.date(), 12), last.time()), asked, until, today.zone)


def custom_comparison(asked: Period, other: Period, today: Today, *, same_weekdays: bool = False) -> Period:
    """A chosen period to compare with: cut to as much as has passed of ``asked`` when that is not over.

    Args:
        same_weekdays: move it by up to three days, so that it begins on the same day of the week.

    Raises:
        OutsideOfCalendar
    """
    first, begin = _local(asked.start, today.zone), _local(other.start, today.zone)
    if same_weekdays:
        days = (first.weekday() - begin.weekday() + 3) % 7 - 3
        other = _between(
            _later(begin, timedelta(days=days)),
            _later(_local(other.end, today.zone), timedelta(days=days)),
            other,
            other.end,
            today.zone,
        )
    if not asked.start <= today.now < asked.end:
        return other
    passed = _local(today.now, today.zone) - first
    end = _moment_at(_later(_local(other.start, today.zone), passed), today.zone)
    return other if end >= other.end else _moments(other.start, end, today.zone)


def unit_for(asked: Period) -> TimeUnit:
    """The unit that divides a period into a readable number of parts (contract 2.6)."""
    offsets = asked.offsets
    whole = asked.end + offsets[-1].offset - asked.start - offsets[0].offset
    if whole // HOUR_S <= 48:  # noqa: PLR2004  # the contract's numbers, here and below
        return TimeUnit.HOUR
    if whole // DAY_S <= 40:  # noqa: PLR2004
        return TimeUnit.DAY
    return TimeUnit.WEEK if whole // (7 * DAY_S) <= 52 else TimeUnit.MONTH  # noqa: PLR2004


def _moved(asked: Period, first: datetime, last: datetime, *, days: int, today: Today) -> Period:
    first, last = (_later(moment, timedelta(days=-days)) for moment in (first, last))
    return _between(first, last, asked, min(asked.end, today.now), today.zone)


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError as error:
        raise OutsideOfCalendar from error


def _moments(start: int, end: int, zone: tzinfo) -> Period:
    """The period from one moment to another, both included."""
    _require_calendar(date_of(day_of(start, zone)), date_of(day_of(end, zone)))
    return exact_period(start, end, zone)


def _require_calendar(first: date, last: date) -> None:
    if not FIRST_DATE <= first <= last <= LAST_DATE:
        raise OutsideOfCalendar


def _between(first: datetime, last: datetime, asked: Period, until: int, zone: tzinfo) -> Period:
    """The period between two local times; of whole days when ``asked`` has them and reaches its end."""
    if until >= asked.end and _has_whole_days(asked, zone):
        return dates(first.date(), last.date(), zone)
    return _moments(_moment_at(first, zone), _moment_at(last, zone), zone)


def _has_whole_days(asked: Period, zone: tzinfo) -> bool:
    return all(moment == midnight(day_of(moment, zone), zone) for moment in (asked.start, asked.end + 1))


def _local(moment: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).replace(tzinfo=None)


def _moment_at(local: datetime, zone: tzinfo) -> int:
    if local.time() == time():
        return midnight(_number(local.date()), zone)
    return int(local.replace(tzinfo=zone).timestamp())


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _back(day: date, days: int) -> date:
    try:
        return day - timedelta(days=days)
    except OverflowError as error:
        raise OutsideOfCalendar from error


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _date(text: str) -> date | None:
    """A date as ``2026-03-10``; None for anything else."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text else None  # ISO 8601 also has 20260310 and 2026-W11-2


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or len(text) <= len("2026-03-10"):
        msg = f"{text[:40]!r} is neither a date such as 2026-03-10 nor a moment with its offset"
        raise ValueError(msg)
    return int(moment.timestamp())
