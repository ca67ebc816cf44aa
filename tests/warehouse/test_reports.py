"""Every report against the same counted by hand, hit for hit."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.model.dimensions import (
    BROWSER,
    BROWSER_VERSION,
    CAMPAIGN,
    COUNTRY,
    DIMENSIONS,
    EVENT,
    LANGUAGE,
    PATH,
    REFERRER,
    REGION,
    SIZE,
    SIZES,
    SYSTEM,
    SYSTEM_VERSION,
    WIDTH,
    Dimension,
)
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, period
from tallystick.model.selection import Condition, Selection
from tallystick.warehouse.duckdb import reports
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.duckdb.queried import named_queries
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.visits import fill
from tallystick.warehouse.types import Position, Slice

Row = dict[str, Any]

SITE, OTHER_SITE = 1, 2
HITS = 700
ALL = Slice(1_000_000)
EVERY_METRIC = frozenset(Metric)

# Around two changes of clocks, one of them by half an hour, and the day that Apia left out.
BEGINNINGS = [1_743_296_400 - 2 * DAY_S, 1_759_591_800 - 2 * DAY_S, 1_325_239_200 - 2 * DAY_S, -DAY_S]
ZONES = [UTC, *map(ZoneInfo, ("Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"))]


def _rows() -> list[Row]:
    """Hits that share and differ in everything, from few enough values that any filter finds some."""
    random = Random(20)
    return [_row(random, number) for number in range(HITS)]


def _row(random: Random, number: int) -> Row:
    pick = random.choice
    return {
        "id": number,
        "site": pick([SITE, SITE, SITE, OTHER_SITE]),
        "path": random.randrange(1, 9),
        "session": pick([0, *range(1, 200)]),
        "first": random.random() < 0.7,
        "event": random.random() < 0.2,
        "bot": pick([0, 0, 0, 0, 6]),
        "ref": pick(["", "a.example", "A.example", "b.example/x", "Ünï", "ünï"]),
        "ref_scheme": pick(["h", "o"]),
        "campaign": pick([None, None, 1, 2]),
        "browser": pick(["", "Firefox", "Chrome"]),
        "browser_version": pick(["", "1", "2"]),
        "system": pick(["", "Linux"]),
        "system_version": pick(["", "6"]),
        "country": pick(["", "NL", "US"]),
        "region": pick(["", "TX"]),
        "language": pick(["", "nld"]),
        "width": pick([0, 1, 600, 601, 1_000, 1_001, 1_920, 1_921, 2**32 - 1]),
        "created": pick(BEGINNINGS) + random.randrange(4 * DAY_S),
    }


ROWS = _rows()


@pytest.fixture(scope="module")
def session() -> Iterator[DuckDbSession]:
    with duckdb.connect(":memory:") as connection:
        for step in all_steps():
            connection.execute(step.sql)
        names = list(ROWS[0])
        marks = ", ".join("?" * len(names))
        connection.executemany(
            f"INSERT INTO hit ({', '.join(names)}) VALUES ({marks})", [list(row.values()) for row in ROWS]
        )
        fill(connection)
        yield DuckDbSession(connection, named_queries())


def optional(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


periods = st.builds(
    lambda zone, begin, start, length: period(begin + start, begin + start + length, zone),
    st.sampled_from(ZONES),
    st.sampled_from(BEGINNINGS),
    st.integers(-DAY_S, 3 * DAY_S),
    st.one_of(st.just(6 * DAY_S), st.integers(0, 4 * DAY_S)),
)

CONDITIONS: list[tuple[Dimension, list[Any]]] = [
    (PATH, [(1, 2, 3), (), (99,)]),
    (PATH, [(1,), (2, 5)]),
    (CAMPAIGN, [(1,), (0,), (1, 2), ()]),
    (REFERRER, [("",), ("a.EXAMPLE",), ("ÜNÏ",), ("none",), ("A.example", "b.example/X"), ()]),
    (COUNTRY, [("",), ("NL",), ("NL", "US")]),
    (BROWSER, [("",), ("firefox",), ("FIREFOX", "chrome")]),
    (SYSTEM, [("LINUX",)]),
    (LANGUAGE, [("nld",)]),
    (SIZE, [*((size.name,) for size in SIZES), ("phone", "unknown"), ()]),
    (EVENT, [(True,), (False,), (True, False)]),
]
CONDITIONS_OF_DETAILS: list[tuple[Dimension, list[Any]]] = [
    (BROWSER_VERSION, [("Firefox 1",), ("1", "")]),
    (SYSTEM_VERSION, [("Linux 6",)]),
    (REGION, [("US-TX",), ("", "-TX")]),
    (WIDTH, [("600",), ("0", "4294967295")]),
]


def conditions(possible: list[tuple[Dimension, list[Any]]]) -> st.SearchStrategy[tuple[Condition, ...]]:
    """Some of the possible conditions, each with some of its values."""
    each = [optional(*(Condition(dimension, values) for values in some_values)) for dimension, some_values in possible]
    return st.tuples(*each).map(lambda drawn: tuple(condition for condition in drawn if condition is not None))


selections = st.builds(
    Selection,
    site=st.just(SITE),
    period=periods,
    conditions=st.one_of(conditions(CONDITIONS), conditions(CONDITIONS_OF_DETAILS)),
    metrics=st.just(EVERY_METRIC),
)


def _size_of(width: int) -> str:
    return next(size.name for size in SIZES if size.lowest <= width <= size.highest)


VALUES: dict[str, Callable[[Row], Any]] = {
    "path": lambda row: row["path"],
    "event": lambda row: row["event"],
    "browser": lambda row: row["browser"],
    "browser_and_version": lambda row: f"{row['browser']} {row['browser_version']}".strip(),
    "system": lambda row: row["system"],
    "system_and_version": lambda row: f"{row['system']} {row['system_version']}".strip(),
    "country": lambda row: row["country"],
    "region": lambda row: row["region"] and f"{row['country']}-{row['region']}",
    "language": lambda row: row["language"],
    "size": lambda row: _size_of(row["width"]),
    "width": lambda row: str(row["width"]),
    "campaign": lambda row: row["campaign"],
    "referrer": lambda row: row["ref"].lower(),
}
"""The value of each dimension."""


def in_period(row: Row, selection: Selection) -> bool:
    within: bool = selection.period.first <= row["created"] < selection.period.after
    return within and (row["site"], row["bot"]) == (selection.site, 0)


def passes(row: Row, condition: Condition) -> bool:
    value = VALUES[condition.dimension.name](row)
    if condition.dimension in (BROWSER, SYSTEM, REFERRER):
        return value.lower() in [str(each).lower() for each in condition.values]
    return (0 if value is None else value) in condition.values


def hits_of(selection: Selection) -> list[Row]:
    return [
        row for row in ROWS if in_period(row, selection) and all(passes(row, each) for each in selection.conditions)
    ]


def visits_of(selection: Selection) -> list[Row]:
    return [row for row in hits_of(selection) if row["first"]]


def hour_of(row: Row, zone: tzinfo, midnight: int) -> int:
    shown = datetime.fromtimestamp(row["created"], zone).replace(tzinfo=UTC, minute=0, second=0)
    return (int(shown.timestamp()) - midnight * DAY_S) // 3_600


@given(selection=selections)
def test_totals(session: DuckDbSession, selection: Selection) -> None:
    total = reports.total(session, selection)
    visits = visits_of(selection)
    assert (total.visits, total.events) == (len(visits), sum(row["event"] for row in visits))
    assert sum(count for _, count in total.hours) == total.visits
    whole = replace(selection, period=selection.period.whole_days)
    assert total.day_visits == len(visits_of(whole))


@given(selection=selections, zone=st.sampled_from(ZONES), begin=st.sampled_from(BEGINNINGS))
def test_hours_are_what_clocks_showed(session: DuckDbSession, selection: Selection, zone: tzinfo, begin: int) -> None:
    selection = replace(selection, period=period(begin, begin + 4 * DAY_S, zone))
    total = reports.total(session, selection)
    midnight = selection.period.days[0]
    assert dict(total.hours) == Counter(hour_of(row, zone, midnight) for row in visits_of(selection))


@given(selection=selections, without=st.sets(st.integers(1, 9)), limit=st.integers(1, 9))
def test_top_paths(session: DuckDbSession, selection: Selection, without: set[int], limit: int) -> None:
    counts = Counter(row["path"] for row in visits_of(selection) if row["path"] not in without)
    expected = sorted(((visits, path) for path, visits in counts.items()), reverse=True)
    rows = reports.top_paths(session, selection, limit, Position(), without)
    assert [(row.visits, row.path) for row in rows] == expected[:limit]
    assert all(row.visits == sum(visits for _, visits in row.hours) for row in rows)
    if rows:
        behind = Position(rows[-1].visits, rows[-1].path)
        following = reports.top_paths(session, selection, 9, behind, without)
        assert [(row.visits, row.path) for row in following] == expected[limit:]


@given(selection=selections, dimension=st.sampled_from(DIMENSIONS), skipped=st.integers(0, 3))
@settings(max_examples=200)
def test_values(session: DuckDbSession, dimension: Dimension, selection: Selection, skipped: int) -> None:
    value = VALUES[dimension.name]
    counts = Counter(value(row) for row in visits_of(selection) if value(row) is not None)
    expected = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = reports.by_value(session, selection, dimension, Slice(2, skipped))
    assert [(row.value, row.visits) for row in rows] == expected[skipped : skipped + 2]
    figures = reports.figures_by_value(session, selection, dimension, [row.key for row in rows])
    hits = hits_of(selection)
    assert figures == {
        row.key: {
            "visitors": len({hit["session"] for hit in hits if value(hit) == row.value} - {0}),
            "pageviews": sum(value(hit) == row.value and not hit["event"] for hit in hits),
        }
        for row in rows
    }


@given(selection=selections, own=st.sampled_from(["", "A.", "A.example", "b.example", "b.exam"]))
def test_referrers(session: DuckDbSession, selection: Selection, own: str) -> None:
    visits = [row for row in visits_of(selection) if not _is_own(row["ref"].lower(), own.lower())]
    rows = reports.referrers(session, selection, own, ALL)
    assert {row.key: row.visits for row in rows} == Counter(row["ref"].lower() for row in visits)
    assert [row.scheme for row in rows] == [_scheme(visits, row.key) for row in rows]
    order = [(-row.visits, row.value != "", row.key) for row in rows]
    assert order == sorted(order)


def _is_own(ref: str, own: str) -> bool:
    return bool(own) and (ref == own or ref.startswith((f"{own}/", f"{own}:", f"{own}?", f"{own}#")))


def _scheme(visits: list[Row], ref: Any) -> str:
    """That of the most frequent spelling with a scheme; of equal ones that of addresses."""
    counts = Counter((row["ref"], row["ref_scheme"]) for row in visits if row["ref"].lower() == ref)
    return str(max(counts, key=lambda spelled: (counts[spelled], spelled[1] == "h"))[1])


@given(selection=selections)
def test_referrers_as_seen(session: DuckDbSession, selection: Selection) -> None:
    visits = visits_of(selection)
    rows = reports.referrers_as_seen(session, selection, ALL)
    assert {row.key: row.visits for row in rows} == Counter(row["ref"].lower() for row in visits)
    order = [(-row.visits, row.value != "", _seen(visits, row.key)) for row in rows]
    assert order == sorted(order)


def _seen(visits: list[Row], ref: Any) -> int:
    times: list[int] = [row["created"] for row in visits if row["ref"].lower() == ref]
    return min(times)


@given(selection=selections)
def test_metrics(session: DuckDbSession, selection: Selection) -> None:
    hits = hits_of(selection)
    sessions = {row["session"] for row in hits} - {0}
    times = {
        session: [row["created"] for row in ROWS if in_period(row, selection) and row["session"] == session]
        for session in sessions
    }
    seconds = sum(max(each) - min(each) for each in times.values())
    bounced = sum(len(each) == 1 for each in times.values())
    assert reports.figures(session, selection) == {
        "visitors": len(sessions),
        "pageviews": sum(not row["event"] for row in hits),
        "bounce_rate": round(100 * bounced / len(sessions), 1) if sessions else None,
        "visit_duration": round(seconds / len(sessions)) if sessions else None,
    }
    assert reports.figures(session, replace(selection, metrics=frozenset({Metric.VISITORS}))) == {
        "visitors": len(sessions)
    }


@given(selection=selections, share=st.floats(0, 1))
def test_any_split_of_a_period_sums_to_the_whole(session: DuckDbSession, selection: Selection, share: float) -> None:
    zone, (start, end) = UTC, (selection.period.start, selection.period.end)
    whole = replace(selection, period=period(start, end, zone))
    split = start + int(share * (end - start))
    parts = [replace(selection, period=period(*span, zone)) for span in ((start, split), (split + 1, end))]
    assert sum(reports.total(session, part).visits for part in parts) == reports.total(session, whole).visits
