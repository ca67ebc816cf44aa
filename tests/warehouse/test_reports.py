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

from tallystick.model.period import DAY_S, period
from tallystick.model.selection import SIZES, Dimension, Metric, Selection
from tallystick.warehouse import WarehouseSession
from tallystick.warehouse.duckdb import reports
from tallystick.warehouse.duckdb.migrations import known_steps
from tallystick.warehouse.duckdb.queried import named_queries
from tallystick.warehouse.duckdb.reports import Position, Slice

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
def session() -> Iterator[WarehouseSession]:
    with duckdb.connect(":memory:") as connection:
        for step in known_steps():
            connection.execute(step.sql)
        names = list(ROWS[0])
        marks = ", ".join("?" * len(names))
        connection.executemany(
            f"INSERT INTO hit ({', '.join(names)}) VALUES ({marks})", [list(row.values()) for row in ROWS]
        )
        yield WarehouseSession(connection, named_queries())


def optional(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


periods = st.builds(
    lambda zone, begin, start, length: period(begin + start, begin + start + length, zone),
    st.sampled_from(ZONES),
    st.sampled_from(BEGINNINGS),
    st.integers(-DAY_S, 3 * DAY_S),
    st.one_of(st.just(6 * DAY_S), st.integers(0, 4 * DAY_S)),
)
selections = st.builds(
    Selection,
    site=st.just(SITE),
    period=periods,
    paths=optional((1, 2, 3), (), (99,)),
    also_paths=optional((1,), (2, 5)),
    campaigns=optional((1,), (0,), (1, 2), ()),
    ref=optional("", "a.EXAMPLE", "ÜNÏ", "none"),
    country=optional("", "NL"),
    browser=optional("", "firefox"),
    system=optional("LINUX"),
    language=optional("nld"),
    widths=optional(*SIZES.values()),
    event=st.sampled_from([None, True, False]),
    metrics=st.just(EVERY_METRIC),
)


def in_period(row: Row, wanted: Selection) -> bool:
    within: bool = wanted.period.first <= row["created"] < wanted.period.after
    return within and (row["site"], row["bot"]) == (wanted.site, 0)


def asked_for(row: Row, wanted: Selection) -> bool:
    conditions: list[Callable[[], bool]] = [
        lambda: wanted.paths is None or row["path"] in wanted.paths,
        lambda: wanted.also_paths is None or row["path"] in wanted.also_paths,
        lambda: wanted.campaigns is None or (row["campaign"] or 0) in wanted.campaigns,
        lambda: wanted.country is None or row["country"] == wanted.country,
        lambda: wanted.language is None or row["language"] == wanted.language,
        lambda: wanted.widths is None or wanted.widths.narrowest <= row["width"] <= wanted.widths.widest,
        lambda: wanted.event is None or row["event"] == wanted.event,
        *(
            lambda name=name: (asked := getattr(wanted, name)) is None or row[name].lower() == asked.lower()
            for name in ("ref", "browser", "system")
        ),
    ]
    return all(condition() for condition in conditions)


def hits_of(wanted: Selection) -> list[Row]:
    return [row for row in ROWS if in_period(row, wanted) and asked_for(row, wanted)]


def visits_of(wanted: Selection) -> list[Row]:
    return [row for row in hits_of(wanted) if row["first"]]


def hour_of(row: Row, zone: tzinfo, midnight: int) -> int:
    shown = datetime.fromtimestamp(row["created"], zone).replace(tzinfo=UTC, minute=0, second=0)
    return (int(shown.timestamp()) - midnight * DAY_S) // 3_600


@given(wanted=selections)
def test_totals(session: WarehouseSession, wanted: Selection) -> None:
    found = reports.total(session, wanted)
    visits = visits_of(wanted)
    assert (found.visits, found.events) == (len(visits), sum(row["event"] for row in visits))
    assert sum(count for _, count in found.hours) == found.visits
    whole = replace(wanted, period=wanted.period.whole_days)
    assert found.day_visits == len(visits_of(whole))


@given(wanted=selections, zone=st.sampled_from(ZONES), begin=st.sampled_from(BEGINNINGS))
def test_hours_are_what_clocks_showed(session: WarehouseSession, wanted: Selection, zone: tzinfo, begin: int) -> None:
    wanted = replace(wanted, period=period(begin, begin + 4 * DAY_S, zone))
    found = reports.total(session, wanted)
    midnight = wanted.period.days[0]
    assert dict(found.hours) == Counter(hour_of(row, zone, midnight) for row in visits_of(wanted))


@given(wanted=selections, without=st.sets(st.integers(1, 9)), limit=st.integers(1, 9))
def test_top_paths(session: WarehouseSession, wanted: Selection, without: set[int], limit: int) -> None:
    counts = Counter(row["path"] for row in visits_of(wanted) if row["path"] not in without)
    expected = sorted(((visits, path) for path, visits in counts.items()), reverse=True)
    found = reports.top_paths(session, wanted, limit, Position(), without)
    assert [(row.visits, row.path) for row in found] == expected[:limit]
    assert all(row.visits == sum(visits for _, visits in row.hours) for row in found)
    if found:
        behind = Position(found[-1].visits, found[-1].path)
        following = reports.top_paths(session, wanted, 9, behind, without)
        assert [(row.visits, row.path) for row in following] == expected[limit:]


def _size_of(width: int) -> str:
    return next(size for size, widths in SIZES.items() if widths.narrowest <= width <= widths.widest)


VALUES: dict[Dimension, Callable[[Row], Any]] = {
    Dimension.BROWSER: lambda row: row["browser"],
    Dimension.BROWSER_VERSION: lambda row: f"{row['browser']} {row['browser_version']}".strip(),
    Dimension.SYSTEM: lambda row: row["system"],
    Dimension.SYSTEM_VERSION: lambda row: f"{row['system']} {row['system_version']}".strip(),
    Dimension.COUNTRY: lambda row: row["country"],
    Dimension.REGION: lambda row: row["region"] and f"{row['country']}-{row['region']}",
    Dimension.LANGUAGE: lambda row: row["language"],
    Dimension.SIZE: lambda row: _size_of(row["width"]),
    Dimension.WIDTH: lambda row: str(row["width"]),
    Dimension.CAMPAIGN: lambda row: row["campaign"],
    Dimension.PATH: lambda row: row["path"],
}


@given(wanted=selections, dimension=st.sampled_from(list(VALUES)), skipped=st.integers(0, 3))
@settings(max_examples=200)
def test_values(session: WarehouseSession, dimension: Dimension, wanted: Selection, skipped: int) -> None:
    value = VALUES[dimension]
    counts = Counter(value(row) for row in visits_of(wanted) if value(row) is not None)
    expected = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found = reports.by_value(session, wanted, dimension, Slice(2, skipped))
    assert [(row.value, row.visits) for row in found] == expected[skipped : skipped + 2]
    figures = reports.figures_by_value(session, wanted, dimension, [row.key for row in found])
    hits = hits_of(wanted)
    assert figures == {
        row.key: {
            "visitors": len({hit["session"] for hit in hits if value(hit) == row.value} - {0}),
            "pageviews": sum(value(hit) == row.value and not hit["event"] for hit in hits),
        }
        for row in found
    }


@given(wanted=selections, own=st.sampled_from(["", "A.", "A.example", "b.example", "b.exam"]))
def test_referrers(session: WarehouseSession, wanted: Selection, own: str) -> None:
    visits = [row for row in visits_of(wanted) if not _is_own(row["ref"].lower(), own.lower())]
    found = reports.referrers(session, wanted, own, ALL)
    assert {row.key: row.visits for row in found} == Counter(row["ref"].lower() for row in visits)
    assert [row.scheme for row in found] == [_scheme(visits, row.key) for row in found]
    order = [(-row.visits, row.value != "", row.key) for row in found]
    assert order == sorted(order)


def _is_own(ref: str, own: str) -> bool:
    return bool(own) and (ref == own or ref.startswith((f"{own}/", f"{own}:", f"{own}?", f"{own}#")))


def _scheme(visits: list[Row], ref: Any) -> str:
    """That of the most frequent spelling with a scheme; of equal ones that of addresses."""
    counts = Counter((row["ref"], row["ref_scheme"]) for row in visits if row["ref"].lower() == ref)
    return str(max(counts, key=lambda spelled: (counts[spelled], spelled[1] == "h"))[1])


@given(wanted=selections)
def test_referrers_as_seen(session: WarehouseSession, wanted: Selection) -> None:
    visits = visits_of(wanted)
    found = reports.referrers_as_seen(session, wanted, ALL)
    assert {row.key: row.visits for row in found} == Counter(row["ref"].lower() for row in visits)
    order = [(-row.visits, row.value != "", _seen(visits, row.key)) for row in found]
    assert order == sorted(order)


def _seen(visits: list[Row], ref: Any) -> int:
    times: list[int] = [row["created"] for row in visits if row["ref"].lower() == ref]
    return min(times)


@given(wanted=selections)
def test_metrics(session: WarehouseSession, wanted: Selection) -> None:
    hits = hits_of(wanted)
    sessions = {row["session"] for row in hits} - {0}
    times = {
        session: [row["created"] for row in ROWS if in_period(row, wanted) and row["session"] == session]
        for session in sessions
    }
    seconds = sum(max(each) - min(each) for each in times.values())
    bounced = sum(len(each) == 1 for each in times.values())
    assert reports.figures(session, wanted) == {
        "visitors": len(sessions),
        "pageviews": sum(not row["event"] for row in hits),
        "bounce_rate": round(100 * bounced / len(sessions), 1) if sessions else None,
        "visit_duration": round(seconds / len(sessions)) if sessions else None,
    }
    assert reports.figures(session, replace(wanted, metrics=frozenset({Metric.VISITORS}))) == {
        "visitors": len(sessions)
    }


@given(wanted=selections, share=st.floats(0, 1))
def test_any_split_of_a_period_sums_to_the_whole(session: WarehouseSession, wanted: Selection, share: float) -> None:
    zone, (start, end) = UTC, (wanted.period.start, wanted.period.end)
    whole = replace(wanted, period=period(start, end, zone))
    split = start + int(share * (end - start))
    parts = [replace(wanted, period=period(*span, zone)) for span in ((start, split), (split + 1, end))]
    assert sum(reports.total(session, part).visits for part in parts) == reports.total(session, whole).visits
