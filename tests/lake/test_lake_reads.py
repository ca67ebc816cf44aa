"""What reads of a lake ask of its catalogue, and that they see what others have stored."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from lake.conftest import Opener
from support.lakes import QuickLakeStore, set_epoch
from support.warehouses import NOW
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, exact_period
from tallystick.model.question import Question
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import transaction
from tallystick.warehouse.lake.catalogue import begin_statistics
from tallystick.warehouse.lake.session import LakeReadSession

WITHOUT_STATISTICS = """
    SELECT table_name FROM tallystick_lake.ducklake_table
    LEFT JOIN tallystick_lake.ducklake_table_stats USING (table_id) WHERE end_snapshot IS NULL AND record_count IS NULL
"""


@pytest.fixture(autouse=True)
def _epoch(url: str) -> None:
    set_epoch(url, 1)


def irregular(store: QuickLakeStore, site: int) -> Sequence[tuple[int, ...]]:
    """The irregular visits of a site, and how many the lake has."""
    with store.session() as session, transaction(session.connection, "BEGIN TRANSACTION READ ONLY"):
        of_site = session.connection.execute("SELECT started FROM irregular_visit WHERE site = ?", [site]).fetchall()
        [(count,)] = session.connection.execute("SELECT count(*) FROM irregular_visit").fetchall()
    return [*of_site, (count,)]


def test_empty_tables_have_statistics_and_no_rows(opened: Opener, url: str) -> None:
    writing, reading = opened(1), opened()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        assert set(connection.execute(WITHOUT_STATISTICS).fetchall()) <= {("hit",), ("visit",)}
        with writing.session() as session:
            before = connection.execute("SELECT max(snapshot_id) FROM tallystick_lake.ducklake_snapshot").fetchall()
            begin_statistics(connection, session.connection)
            # Not again at each start.
            after = connection.execute("SELECT max(snapshot_id) FROM tallystick_lake.ducklake_snapshot").fetchall()
    assert before == after
    assert irregular(reading, 0) == [(0,)]
    assert irregular(reading, 1) == [(0,)]


def test_rows_beyond_known_statistics_are_read(opened: Opener) -> None:
    writing, reading = opened(1), opened()
    assert irregular(reading, 7) == [(0,)]
    with writing.session() as session:
        session.connection.execute("INSERT INTO irregular_visit VALUES (7, 1, 100, 200, true)")
        assert irregular(reading, 7) == [(100,), (1,)]
        session.connection.execute("DELETE FROM irregular_visit")
        assert irregular(reading, 7) == [(0,)]
        session.connection.execute("INSERT INTO irregular_visit SELECT 9, range, -range, 0, true FROM range(1, 2001)")
        assert irregular(reading, 9)[-1] == (2_000,)
        assert len(irregular(reading, 9)) == 2_001
        session.connection.execute("DELETE FROM irregular_visit")
    assert irregular(reading, 9) == [(0,)]


VISITS = Question(
    sites=(1,),
    period=exact_period(NOW, NOW + DAY_S - 1, ZoneInfo("UTC")),
    metrics=(Metric.VISITORS, Metric.VISIT_DURATION),
)


def add_visits(session: DuckDbSession, first: int, count: int) -> None:
    """Visits of two hits, ten seconds apart; the first of each call begins five seconds before ``VISITS``."""
    with transaction(session.connection):
        session.connection.execute(
            "INSERT INTO hit BY NAME SELECT range AS id, 1 AS site, 1 AS path,"
            " (1::UBIGINT << 48) + range // 2 AS session, range % 2 = 0 AS first, false AS event, 0 AS bot,"
            " '' AS ref, '' AS ref_scheme, '' AS browser,"
            " '' AS browser_version, '' AS system, '' AS system_version, '' AS country, '' AS region, '' AS language,"
            " 0 AS width, $3 - 5 + 10 * (range - $1) AS created, '' AS utm_source, '' AS utm_medium, '' AS utm_content,"
            " '' AS utm_term, 'a.example' AS host, '' AS source, '' AS channel, '' AS props, true AS interactive,"
            " '' AS device FROM range($1, $1 + $2)",
            [first, count, NOW],
        )
        added = f"(SELECT {visits.hit_columns()} FROM hit WHERE id >= {first})"
        session.connection.execute(f"INSERT INTO visit {visits.visits_of(added)}")


def answered(store: QuickLakeStore) -> tuple[float | None, ...]:
    with store.session() as session, transaction(session.connection, "BEGIN TRANSACTION READ ONLY"):
        (row,) = session.answer(VISITS).rows
        return row.figures


def test_what_a_plan_is_made_of_is_looked_up_once_in_a_snapshot(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, reading = opened(1), opened()
    looked_up: list[str] = []
    original = DuckDbSession.values_of

    def values_of(*asked: Any) -> dict[str, Any]:
        looked_up.extend(asked[1])
        return original(*asked)

    monkeypatch.setattr(LakeReadSession.__bases__[0], "values_of", values_of)
    with writing.session() as session:
        add_visits(session, 0, 4)
        # The visit that began before the period lasts no time within it.
        assert answered(reading) == (2, 5)
        assert looked_up
        looked_up.clear()
        assert answered(reading) == (2, 5)
        assert not looked_up
        # Of a newer snapshot everything is looked up again: another visit crosses the border.
        add_visits(session, 100, 2)
        assert answered(reading) == answered(writing) == pytest.approx((3, 10 / 3))
        assert looked_up
        with reading.session() as older, transaction(older.connection, "BEGIN TRANSACTION READ ONLY"):
            older.answer(VISITS)
            add_visits(session, 200, 2)
            assert older.answer(VISITS).rows[0].figures[0] == 3
            assert answered(reading)[0] == 4
            # What the newer snapshot has left is not taken for the older one's.
            assert older.answer(VISITS).rows[0].figures[0] == 3
        assert answered(reading) == answered(writing)
