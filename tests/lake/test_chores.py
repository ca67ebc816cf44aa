"""Chores of the lake: what is deleted is gone, files stay few, and no reader loses its snapshot."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from lake.conftest import Opener
from support.lakes import MEMORY_MB, QuickLakeStore, fresh_lake
from support.warehouses import NOW
from tallystick.warehouse.duckdb import regular, visits
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import transaction
from tallystick.warehouse.lake import chores
from tallystick.warehouse.lake.chores import ERASED_EVERY_S, MANY_FILES, NAMES, TIDIED_EVERY_S, Chores, all_tables

SECRET = "only-on-site-2.example"


@pytest.fixture
def session(folder: Path, tmp_path: Path) -> Iterator[DuckDbSession]:
    store = QuickLakeStore(fresh_lake(tmp_path / "files"), str(tmp_path / "files"), MEMORY_MB, work=folder, epoch=1)
    store.open()
    with store.session() as opened:
        yield opened
    store.close()


def add(session: DuckDbSession, first: int, count: int) -> None:
    """Hits of two sites, each of a visit of its own; those of site 2 tell a secret."""
    with transaction(session.connection):
        session.connection.execute(
            "INSERT INTO hit BY NAME SELECT range AS id, 1 + range % 2 AS site, 1 AS path,"
            " (1::UBIGINT << 48) + range AS session, true AS first, false AS event, 0 AS bot,"
            " if(range % 2 = 1, $3, 'a.example') AS ref, 'h' AS ref_scheme, '' AS browser, '' AS browser_version,"
            " '' AS system, '' AS system_version, 'DE' AS country, '' AS region, '' AS language, 0 AS width,"
            " $4 + range AS created, '' AS utm_source, '' AS utm_medium, '' AS utm_content, '' AS utm_term,"
            " 'a.example' AS host, 'a.example' AS source, 'Direct' AS channel, '' AS props, true AS interactive,"
            " '' AS device FROM range($1, $1 + $2)",
            [first, count, SECRET, NOW],
        )
        people = f"(SELECT {visits.hit_columns()} FROM hit WHERE id >= {first})"
        session.connection.execute(f"INSERT INTO visit {visits.visits_of(people)}")


def hits(session: DuckDbSession) -> list[tuple[int, int]]:
    return session.connection.execute("SELECT site, count(*) FROM hit GROUP BY site ORDER BY site").fetchall()


def parquet_files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def has_secret(folder: Path) -> bool:
    """Whether a file of the storage has the secret: in any row that DuckDB reads from it, or in its bytes."""
    with duckdb.connect() as connection:
        for file in parquet_files(folder):
            rows = connection.execute("SELECT * FROM read_parquet(?)", [str(file)])
            if SECRET.encode() in file.read_bytes() or any(SECRET in map(str, row) for row in rows.fetchall()):
                return True
    return False


def erase(tidying: Chores, session: DuckDbSession, tables: Sequence[str] = ("hit", "visit")) -> None:
    for table in tables:
        tidying.flush(session.connection, table)
        while tidying.rewrite(session.connection, table, 0.0):
            pass


def do_all(tidying: Chores, session: DuckDbSession) -> None:
    """All pieces that are due."""
    tidying.work(session.connection)
    while tidying.due:
        tidying.work(session.connection)


def test_a_deleted_site_is_gone_from_the_storage(session: DuckDbSession, tmp_path: Path) -> None:
    add(session, 0, 3_000)
    add(session, 3_000, 20)  # in the catalogue
    assert has_secret(tmp_path)
    with transaction(session.connection):
        assert session.delete_site(2) == 1_510
    tidying = Chores(grace_s=0)
    erase(tidying, session, all_tables(session.connection))
    assert has_secret(tmp_path)  # a reader may have a snapshot with it
    tidying.expire(session.connection)
    assert not has_secret(tmp_path)
    assert hits(session) == [(1, 1_510)]
    assert visits.add_up(session.connection)
    metadata = "__ducklake_metadata_lake.tallystick_lake"
    tables = session.connection.execute(f"SELECT table_name FROM {metadata}.ducklake_inlined_data_tables").fetchall()
    for (table,) in tables:
        assert session.connection.execute(f"SELECT count(*) FROM {metadata}.{table}").fetchall() == [(0,)]
    tidying.look(session.connection)
    assert (tidying.counts.scheduled, tidying.counts.snapshots) == (0, 1)
    assert tidying.counts.removed_files > 0
    assert tidying.counts.bytes == sum(file.stat().st_size for file in parquet_files(tmp_path))


def test_many_files_become_one_and_an_open_snapshot_is_kept(
    session: DuckDbSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MANY_FILES):
        add(session, 2_000 * number, 2_000)
    before = hits(session)
    files = len(parquet_files(tmp_path / "files" / "main" / "hit"))
    assert files == MANY_FILES
    reading = session.connection.cursor()
    reading.execute("USE lake")
    reading.execute("BEGIN")
    assert reading.execute("SELECT count(*) FROM hit").fetchall() == [(2_000 * MANY_FILES,)]
    with transaction(session.connection):
        session.delete_paths(1, [1])
    tidying = Chores()
    tidying.deleted()
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    do_all(tidying, session)
    assert tidying.counts.flushed_rows == 0  # nothing is due yet
    now[0] += TIDIED_EVERY_S
    do_all(tidying, session)
    assert regular.judged_until(session.connection) == NOW + 2_000 * MANY_FILES - 1
    counts = tidying.counts
    assert counts.rewritten_files >= MANY_FILES
    assert counts.removed_files == counts.expired_snapshots == 0
    assert [run.failures for run in counts.runs.values()] == [0] * len(NAMES)
    assert all(counts.runs[name].count for name in NAMES)
    assert hits(session) == before[1:]
    # Its snapshot and files are there for an hour.
    assert reading.execute("SELECT count(DISTINCT id) FROM hit").fetchall() == [(2_000 * MANY_FILES,)]
    reading.close()
    Chores(grace_s=0).expire(session.connection)
    assert hits(session) == before[1:]
    assert len(parquet_files(tmp_path / "files" / "main" / "hit")) == 1


def test_small_files_are_merged_in_the_order_of_ids(session: DuckDbSession, tmp_path: Path) -> None:
    for number in range(MANY_FILES):
        add(session, 2_000 * number, 2_000)
    tidying = Chores(grace_s=0)
    for table in ("hit", "visit"):
        while tidying.merge(session.connection, table, 1):
            pass
    tidying.expire(session.connection)
    assert tidying.counts.merged_files == 2 * MANY_FILES
    assert len(parquet_files(tmp_path / "files" / "main" / "hit")) == 1
    read = session.connection.execute("SELECT id FROM hit").fetchall()
    assert read == [(number,) for number in range(2_000 * MANY_FILES)]


def test_each_piece_of_work_is_small(session: DuckDbSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the lake is, the pieces between which hits are moved are not."""
    monkeypatch.setattr(chores, "ROWS_AT_ONCE", 4_000)
    monkeypatch.setattr(chores, "SNAPSHOTS_AT_ONCE", 5)
    connection, files = session.connection, tmp_path / "files" / "main" / "hit"
    connection.execute("CALL lake.set_option('target_file_size', '60KB')")
    for number in range(6):
        add(session, 2_000 * number, 2_000)
    (size, *_) = {file.stat().st_size // 1_000 for file in parquet_files(files)}
    with transaction(connection):
        session.delete_site(2)
    tidying = Chores(grace_s=0)
    tidying.flush(connection, "hit")
    rewritten = [0]
    while tidying.rewrite(connection, "hit", 0.0):
        rewritten.append(tidying.counts.rewritten_files)
    assert [after - before for before, after in pairwise(rewritten)] == [2] * 3
    monkeypatch.setattr(chores, "MANY_FILES", 2)
    merged = [0]
    while tidying.merge(connection, "hit", 1):
        merged.append(tidying.counts.merged_files)
    assert len(merged) > 1
    assert max(after - before for before, after in pairwise(merged)) <= 1.5 * 60 / size + 1
    expired = [0]
    while tidying.expire(connection):
        expired.append(tidying.counts.expired_snapshots)
    assert {after - before for before, after in pairwise(expired)} == {5}
    assert hits(session) == [(1, 6_000)]


def test_a_chore_that_fails_leaves_the_others_to_be_done(
    session: DuckDbSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> bool:
        msg = "no such file"
        raise duckdb.IOException(msg)

    tidying = Chores()
    monkeypatch.setattr(tidying, "flush", failing)
    now = [time.monotonic() + TIDIED_EVERY_S]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(100):
        with suppress(duckdb.IOException):
            tidying.work(session.connection)
        if not tidying.due:
            break
    runs = tidying.counts.runs
    assert (runs["flush"].count, runs["flush"].succeeded, runs["flush"].failures > 0) == (0, 0, True)
    assert all(runs[name].count and runs[name].succeeded > 0 for name in NAMES if name != "flush")
    # What was deleted before is erased when it succeeds again.
    monkeypatch.delattr(tidying, "flush")
    now[0] += ERASED_EVERY_S
    for _ in range(100):
        tidying.work(session.connection)
        if not tidying.due:
            break
    assert runs["flush"].count == len(all_tables(session.connection))


def test_files_of_no_commit_are_removed_when_they_are_old(session: DuckDbSession, tmp_path: Path) -> None:
    add(session, 0, 2_000)
    (file, *_) = parquet_files(tmp_path / "files" / "main" / "hit")
    orphan = file.with_name("ducklake-0.parquet")
    orphan.write_bytes(file.read_bytes())
    tidying = Chores()
    tidying.remove_orphans(session.connection)
    assert orphan.exists()
    tidying.remove_orphans(session.connection, kept_s=0)
    assert not orphan.exists()
    assert hits(session) == [(1, 1_000), (2, 1_000)]


def test_another_server_sees_what_chores_leave(opened: Opener) -> None:
    writer, reader = opened(1), opened()
    with writer.session() as session:
        add(session, 0, 2_000)
        with transaction(session.connection):
            session.delete_site(2)
        tidying = Chores(grace_s=0)
        erase(tidying, session)
        tidying.expire(session.connection)
    with reader.session() as session:
        assert hits(session) == [(1, 1_000)]
