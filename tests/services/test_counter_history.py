"""The history of public counters: what intervals say, and that thinning out changes no sum."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, a_counter, a_key
from support.ledgers import Clock, opened
from tallystick.ledger import Database, Ledger, Session
from tallystick.ledger.history import HistoryChanges, PastHour
from tallystick.model.counter import HOUR_MS, Counter
from tallystick.model.counter_history import sums_of
from tallystick.model.counter_intervals import KeptSince, interval_sums, kept_at
from tallystick.model.key import LANES, Key, lane_of
from tallystick.model.named_period import Today, dates, period_named
from tallystick.services.counting.history import CounterHistory, HistoryQuestion, HistoryRefused, counter_history
from tallystick.services.counting.thinning import HistoryThinning, WalkPlace, thin_out

HOUR = NOW // HOUR_MS
TODAY = datetime.fromtimestamp(NOW / 1000, UTC).date()
KEY = a_key()


def counted(changes: dict[int, int], *, start: int = 0) -> tuple[list[tuple[int, int]], Counter]:
    """Past hours and counter of what was added in each hour; the counter was made with ``start``."""
    value, hours = start, []
    for hour in sorted(changes):
        hours.append((hour, value))
        value += changes[hour]
    counter = a_counter(value)
    if not hours:
        return [], counter
    last = hours.pop()
    return hours, Counter(value, 0, 1, False, 0, counter.expires, 1, hour=last[0], base=last[1])  # noqa: FBT003


def hour_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) // 3_600


def shown(
    changes: dict[int, int], period: tuple[date, date], interval: Any, zone: str = "UTC"
) -> list[tuple[Any, ...]]:
    past, counter = counted(changes)
    info = ZoneInfo(zone)
    sums = interval_sums(past, counter, dates(*period, info), interval, info, NOW)
    return [(each.begin.isoformat(timespec="minutes"), each.added, each.end_value) for each in sums]


# NOW is 2027-01-15, 08:00 UTC.


def test_days_of_a_zone_begin_at_its_midnight() -> None:
    changes = {hour_of("2027-01-12T22:00Z"): 1, hour_of("2027-01-12T23:00Z"): 2, hour_of("2027-01-14T01:00Z"): 4}
    period = (date(2027, 1, 12), date(2027, 1, 20))
    assert shown(changes, period, "day", "Europe/Berlin") == [
        ("2027-01-12T00:00", 1, 1),
        ("2027-01-13T00:00", 2, 3),
        ("2027-01-14T00:00", 4, 7),
        ("2027-01-15T00:00", 0, 7),
    ]


def test_a_period_takes_its_own_hours_only_and_knows_the_value_at_its_begin() -> None:
    changes = {hour_of("2027-01-10T23:00Z"): 5, hour_of("2027-01-11T00:00Z"): 7, hour_of("2027-01-12T00:00Z"): 9}
    assert shown(changes, (date(2027, 1, 11), date(2027, 1, 11)), "day") == [("2027-01-11T00:00", 7, 12)]


def test_before_its_history_begins_a_value_is_unknown() -> None:
    changes = {hour_of("2027-01-13T10:00Z"): 5}
    assert [each[2] for each in shown(changes, (date(2027, 1, 12), date(2027, 1, 14)), "day")] == [None, 5, 5]


def test_an_hour_belongs_to_where_it_begins() -> None:
    changes = {hour_of("2027-01-14T18:00Z"): 3}  # 23:30 in Kolkata
    assert shown(changes, (date(2027, 1, 14), date(2027, 1, 15)), "day", "Asia/Kolkata")[0][1] == 3
    hours = shown(changes, (date(2027, 1, 14), date(2027, 1, 14)), "hour", "Asia/Kolkata")
    assert hours[-1] == ("2027-01-14T23:00", 3, 3)


def test_weeks_begin_on_monday_and_years_with_january() -> None:
    changes = {hour_of("2026-12-31T23:00Z"): 1, hour_of("2027-01-01T00:00Z"): 2}
    period = (date(2026, 12, 30), date(2027, 1, 5))
    assert shown(changes, period, "week") == [("2026-12-28T00:00", 3, 3), ("2027-01-04T00:00", 0, 3)]
    assert shown(changes, period, "year") == [("2026-01-01T00:00", 1, 1), ("2027-01-01T00:00", 2, 3)]


def test_hours_that_clocks_skip_are_not_listed() -> None:
    past, counter = counted({})
    zone = ZoneInfo("Europe/Berlin")
    day = dates(date(2026, 3, 29), date(2026, 3, 29), zone)
    hours = [each.begin.hour for each in interval_sums(past, counter, day, "hour", zone, NOW)]
    assert hours == [0, 1, *range(3, 24)]


def test_what_is_kept_by_days_has_the_same_date_in_every_zone() -> None:
    day = TODAY - timedelta(days=200)
    changes = {hour_of(f"{day}T23:00+00:00"): 6}
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        assert shown(changes, (day, day), "day", zone) == [(f"{day}T00:00", 6, 6)]


def surviving(past: Iterable[tuple[int, int]], kept: KeptSince) -> list[tuple[int, int]]:
    """What thinning out leaves, in our own words."""
    seen, left = set(), []
    for hour, base in past:
        moment = datetime.fromtimestamp(hour * 3_600, UTC)
        block: Any = hour
        if hour < kept.days_from:
            block = (moment.year, moment.month)
        elif hour < kept.hours_from:
            block = moment.date()
        if block not in seen:
            left.append((hour, base))
        seen.add(block)
    return left


changes_of_years = st.dictionaries(
    st.integers(HOUR - 5 * 8_766, HOUR) | st.integers(HOUR - 95 * 24, HOUR - 85 * 24), st.integers(-9, 9), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(changes=changes_of_years, zone=st.sampled_from(["UTC", "America/St_Johns", "Pacific/Kiritimati"]))
def test_thinning_out_changes_no_sum_of_what_is_still_shown(changes: dict[int, int], zone: str) -> None:
    past, counter = counted(changes)
    info, kept = ZoneInfo(zone), kept_at(NOW)
    left = surviving(past, kept)
    today = Today(NOW // 1000, info, min(changes, default=HOUR) * 3_600)
    for name, interval in (("all", "month"), ("all", "year"), ("400d", "day"), ("400d", "week"), ("60d", "hour")):
        period = period_named(name, today)
        whole, thinned = (interval_sums(rows, counter, period, interval, info, NOW) for rows in (past, left))  # type: ignore[arg-type]
        if interval == "year" or name != "all":
            assert [each.added for each in thinned] == [each.added for each in whole]
    assert sum(added for _, added in sums_of(left, counter)) == sum(changes.values())


def _fill(session: Session, rows: dict[Key, tuple[list[tuple[int, int]], Counter]]) -> None:
    session.save({key: counter for key, (_, counter) in rows.items()}, {})
    hours = [PastHour(key, hour, base) for key, (past, _) in rows.items() for hour, base in past]
    session.keep_history(HistoryChanges([], hours, []))


def _past(session: Session, key: Key) -> list[tuple[int, int]]:
    rows = session.common.past_hours(session.connection, lane=lane_of(key), **key._asdict(), since=0)
    return [(hour, base) for hour, base in rows]


async def test_old_hours_are_thinned_out_and_nothing_else(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.services.counting.thinning.COUNTERS_AT_ONCE", 2)
    clock = Clock()
    async with opened(database, clock) as ledger:
        rows = {
            a_key(f"page-{number}"): counted(dict.fromkeys(range(HOUR - 28_000 - number, HOUR, 5 + 7 * number), 1))
            for number in range(8)
        }
        for key, row in rows.items():
            await ledger.write(_fill, {key: row})
        await thin(ledger)
        await check(ledger, rows, kept_at(clock()))
        # A month later the next hours are old; a new walk begins where the last one ended.
        clock.now += 31 * 24 * HOUR_MS
        for _ in range(3):
            await thin(ledger)
        await check(ledger, rows, kept_at(clock()))


async def test_a_step_that_is_repeated_changes_nothing(database: Database) -> None:
    async with opened(database) as ledger:
        rows = {KEY: counted(dict.fromkeys(range(HOUR - 24 * 100, HOUR, 3), 2))}
        await ledger.write(_fill, rows)
        kept = kept_at(NOW)
        place = WalkPlace(lane_of(KEY), Key("", ""))
        for _ in range(2):
            assert await ledger.write(thin_out, place, kept) == WalkPlace(place.lane + 1, Key("", ""))
            await check(ledger, rows, kept)


async def thin(ledger: Ledger) -> None:
    thinning = HistoryThinning(ledger)
    for _ in range(LANES):
        await thinning.work()


async def check(ledger: Ledger, rows: dict[Key, tuple[list[tuple[int, int]], Counter]], kept: KeptSince) -> None:
    for key, (past, counter) in rows.items():
        left = await ledger.read(_past, key)
        assert left == surviving(past, kept)
        added = sum(amount for _, amount in sums_of(left, counter))
        assert added == counter.value


QUESTIONS: list[tuple[dict[str, str], str]] = [
    ({"period": "yesterday"}, "period"),
    ({"period": "realtime"}, "period"),
    ({"period": "99999999d"}, "period"),
    ({"period": "7d", "first": "2027-01-01"}, "period"),
    ({"last": "2027-01-01"}, "from"),
    ({"first": "2027-01-02", "last": "2027-01-01"}, "from"),
    ({"first": "x"}, "from"),
    ({"interval": "minute"}, "interval"),
    ({"period": "120d", "interval": "hour"}, "interval"),
    ({"period": "50mo", "interval": "week"}, "interval"),
    ({"timezone": "Europe/Atlantis"}, "timezone"),
]


async def test_questions(database: Database) -> None:
    async with opened(database) as ledger:

        async def asked(key: Key = KEY, **question: str) -> CounterHistory | None:
            return await ledger.read(counter_history, key, HistoryQuestion(**question), NOW)

        begin = HOUR - 24 * 100
        await ledger.write(_fill, {KEY: counted(dict.fromkeys(range(begin, HOUR, 24), 1), start=7)})
        for question, field in QUESTIONS:
            for key in (KEY, a_key("missing")):
                with pytest.raises(HistoryRefused) as refused:
                    await asked(key, **question)
                assert refused.value.field == field
        assert await asked(a_key("missing")) is None
        history = await asked()
        assert history is not None
        assert (history.interval, history.begins) == ("week", begin)
        assert sum(each.added for each in history.sums) == 100
        assert [history.sums[0].end_value is not None, history.sums[-1].end_value] == [True, 107]
        # Hours of a period that begins before they are kept become days.
        for period, interval in (("day", "hour"), ("60d", "week"), ("7d", "day"), ("6mo", "week"), ("50mo", "month")):
            history = await asked(period=period)
            assert history is not None
            assert history.interval == interval
        history = await asked(first=str(TODAY - timedelta(days=95)), last=str(TODAY - timedelta(days=94)))
        assert history is not None
        assert (history.interval, [each.added for each in history.sums]) == ("day", [1, 1])
