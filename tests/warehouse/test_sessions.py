"""Sessions: who is the same visitor, what a first visit is, and that neither a restart nor a fault changes it."""

from pathlib import Path
from typing import Any

import pytest

from support.warehouses import HOUR, NOW, a_hit, opened_warehouse, rows
from tallystick.model.hit import Bot, Visitor
from tallystick.model.session import FIRST_SESSION, older_session
from tallystick.warehouse.duckdb import sessions as memory
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.warehouse.types import NumberedHit


async def one(warehouse: DuckDbWarehouse, path: int = 1, **fields: Any) -> tuple[int, bool]:
    """Append a hit: its session, and whether it was a first visit."""
    [stored] = await warehouse.append([a_hit(path, **fields)])
    return stored.session, stored.first


async def test_a_visitor_sees_each_path_for_the_first_time_once(warehouse: DuckDbWarehouse) -> None:
    stored = await warehouse.append([a_hit(path, by=5) for path in (1, 2, 1, 2, 3)])
    assert [hit.first for hit in stored] == [True, True, False, False, True]
    assert len({hit.session for hit in stored}) == 1
    assert await one(warehouse, 3, by=5) == (stored[0].session, False)


async def test_another_visitor_has_another_session(warehouse: DuckDbWarehouse) -> None:
    first, second = await one(warehouse, by=5), await one(warehouse, by=6)
    assert first[0] != second[0]
    assert second[1]


@pytest.mark.parametrize("fields", [{"by": None}, {"by": 5, "bot": Bot.KNOWN}])
async def test_without_a_visitor_or_for_a_bot_there_is_no_session(
    warehouse: DuckDbWarehouse, fields: dict[str, int]
) -> None:
    assert [await one(warehouse, **fields) for _ in range(2)] == [(0, True), (0, True)]


async def test_a_bot_sees_nothing_for_the_person_behind_it(warehouse: DuckDbWarehouse) -> None:
    await one(warehouse, by=5, bot=Bot.KNOWN)
    assert (await one(warehouse, by=5))[1]


@pytest.mark.parametrize("first", [True, False])
async def test_what_an_import_knows_about_first_visits_wins(warehouse: DuckDbWarehouse, first: bool) -> None:  # noqa: FBT001
    assert (await one(warehouse, by=5, first=first))[1] is first
    assert (await one(warehouse, by=5, first=first))[1] is first
    assert not (await one(warehouse, by=5))[1]


@pytest.mark.parametrize(
    ("times", "sessions"),
    [
        pytest.param([0, 8 * HOUR], 1, id="eight hours later is the same session"),
        pytest.param([0, 8 * HOUR + 1], 2, id="a second more is another"),
        pytest.param([hour * HOUR for hour in range(0, 240, 7)], 1, id="it slides with each hit"),
        pytest.param([0, -8 * HOUR], 1, id="hits that arrive late"),
        pytest.param([0, -8 * HOUR - 1], 2, id="hits that arrive too late"),
        pytest.param([0, 9 * HOUR, 18 * HOUR, 27 * HOUR], 4, id="one a visit"),
        pytest.param([0, 5 * HOUR, 2 * HOUR, 10 * HOUR], 1, id="hits out of order"),
    ],
)
async def test_a_session_ends_eight_hours_after_its_last_hit_by_the_hits_own_time(
    warehouse: DuckDbWarehouse, times: list[int], sessions: int
) -> None:
    stored = await warehouse.append([a_hit(by=5, created=NOW - 400 * HOUR + time) for time in times])
    assert len({hit.session for hit in stored}) == sessions
    assert sum(hit.first for hit in stored) == sessions


async def test_a_session_outlives_changes_of_the_salt(warehouse: DuckDbWarehouse) -> None:
    salts = [Visitor(10, 10), Visitor(11, 10), Visitor(12, 11), Visitor(13, 12)]
    stored = [await one(warehouse, visitor=visitor) for visitor in salts]
    assert len({session for session, _ in stored}) == 1
    assert [first for _, first in stored] == [True, False, False, False]


async def test_both_salts_at_the_same_time_are_one_visitor(warehouse: DuckDbWarehouse) -> None:
    # Two servers, of which one has not read the new salt yet.
    stored = [await one(warehouse, visitor=visitor) for visitor in (Visitor(11, 10), Visitor(11, 10))]
    assert stored[0][0] == stored[1][0]


async def test_the_same_log_makes_the_same_sessions_again(file: Path) -> None:
    log = [a_hit(n % 3, by=n % 4 + 1, created=NOW - 1000 * HOUR + n * HOUR) for n in range(100)]
    async with opened_warehouse(file) as warehouse:
        first = [hit.session for hit in await warehouse.append(log)]
        again = [hit.session for hit in await warehouse.append(log)]
    assert first == again


async def test_sessions_are_numbered_by_their_first_hits(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        stored = await warehouse.append([a_hit(by=visitor) for visitor in (5, None, 6, 5, 7, 6)])
    async with opened_warehouse(file) as warehouse:
        stored += await warehouse.append([a_hit(by=8), a_hit(by=7)])
    begun = [1, None, 3, 1, 5, 3, 7, 5]
    assert [hit.session for hit in stored] == [FIRST_SESSION + first if first else 0 for first in begun]


async def test_a_number_is_not_given_again_when_its_hits_are_deleted(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        session, _ = await one(warehouse, by=5)
        await warehouse.write(lambda session: session.delete_site(1))
    async with opened_warehouse(file) as warehouse:
        assert (await one(warehouse, by=6))[0] > session
        assert (await one(warehouse, by=5))[0] > session


@pytest.mark.parametrize("later", [Visitor(5, 5), Visitor(6, 5)], ids=["under the same salt", "under the next salt"])
async def test_a_session_that_an_older_version_began_goes_on(file: Path, later: Visitor) -> None:
    old = older_session(5, NOW - 9 * HOUR)

    def as_older_version(session: DuckDbSession) -> None:
        for table in ("hit", "visit"):
            session.connection.execute(f"UPDATE {table} SET session = ?", [old])
        session.connection.execute("DELETE FROM renamed_visitor")

    assert 0 < old < FIRST_SESSION
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(1, by=5, created=NOW - hours * HOUR) for hours in (9, 2)])
        await warehouse.write(as_older_version)
    for path in (2, 3):
        async with opened_warehouse(file) as warehouse:
            assert await one(warehouse, 1, visitor=later) == (old, False)
            assert await one(warehouse, path, visitor=later) == (old, True)


async def keys(warehouse: DuckDbWarehouse) -> list[tuple[int, int]]:
    """Stored visitors' keys, with their sessions."""
    return await warehouse.read(
        lambda session: session.connection.execute("SELECT key, session FROM renamed_visitor ORDER BY key").fetchall()
    )


async def test_a_visitors_key_is_stored_for_as_long_as_their_session_may_go_on(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        stored = await warehouse.append(
            [
                a_hit(by=5),
                a_hit(by=5),
                a_hit(visitor=Visitor(6, 5)),
                a_hit(by=7, created=NOW - 33 * HOUR),
                a_hit(by=8, single=False),
                a_hit(by=9, bot=Bot.KNOWN),
            ]
        )
        assert await keys(warehouse) == [(5, stored[0].session), (6, stored[0].session)]
    async with opened_warehouse(file, now=NOW + 32 * HOUR) as warehouse:
        await warehouse.write(lambda session: session.forget_old(NOW + 32 * HOUR, 0))
        assert len(await keys(warehouse)) == 2
        await warehouse.write(lambda session: session.forget_old(NOW + 32 * HOUR + 1, 0))
        assert not await keys(warehouse)


async def test_of_two_visits_of_one_visitor_a_restart_finds_the_newer(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        stored = await warehouse.append([a_hit(by=5, created=NOW - hours * HOUR) for hours in (16, 7)])
    async with opened_warehouse(file) as warehouse:
        assert await one(warehouse, 1, by=5) == (stored[1].session, False)


@pytest.mark.parametrize("later", [Visitor(5, 5), Visitor(6, 5)], ids=["under the same salt", "under the next salt"])
async def test_a_restart_changes_nothing(file: Path, later: Visitor) -> None:
    async with opened_warehouse(file) as warehouse:
        session, _ = await one(warehouse, 1, by=5, created=NOW - 7 * HOUR)
        await one(warehouse, 2, by=5, created=NOW - HOUR)
    async with opened_warehouse(file) as warehouse:
        assert await one(warehouse, 1, visitor=later) == (session, False)
        assert await one(warehouse, 2, visitor=later) == (session, False)
        assert await one(warehouse, 3, visitor=later) == (session, True)


async def test_a_restart_finds_a_session_whose_visitor_was_renamed_twice(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        session, _ = await one(warehouse, visitor=Visitor(10, 10), created=NOW - 16 * HOUR)
        await one(warehouse, visitor=Visitor(11, 10), created=NOW - 8 * HOUR)
        await one(warehouse, visitor=Visitor(12, 11), created=NOW - HOUR)
    async with opened_warehouse(file) as warehouse:
        assert await one(warehouse, visitor=Visitor(13, 12)) == (session, False)
    async with opened_warehouse(file) as warehouse:
        assert await one(warehouse, visitor=Visitor(13, 12)) == (session, False)


async def test_a_restart_brings_no_ended_session_back(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        before = await one(warehouse, by=5, created=NOW - 9 * HOUR)
    async with opened_warehouse(file) as warehouse:
        after = await one(warehouse, by=5)
    assert after[1]
    assert before[0] != after[0]


async def test_a_write_that_says_so_has_the_sessions_read_back(file: Path) -> None:

    def merge(session: DuckDbSession) -> None:
        session.connection.execute("UPDATE hit SET path = 9 WHERE path = 1")
        session.sessions_outdated = True

    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(1, by=5), a_hit(2, by=5)])
        await warehouse.write(merge)
        assert not (await one(warehouse, 9, by=5))[1]
        assert (await one(warehouse, 1, by=5))[1]


async def test_sessions_of_an_old_log_go_on_when_sessions_are_read_back(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        session, _ = await one(warehouse, by=5, created=NOW - 1000 * HOUR)
        await warehouse.write(lambda session: session.delete_paths(1, [2]))
        assert await one(warehouse, 3, by=5, created=NOW - 999 * HOUR) == (session, True)


async def test_more_sessions_than_are_kept_forget_the_one_longest_without_a_hit(
    warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "SESSIONS_KEPT", 3)
    for visitor in (1, 2, 3, 1, 4):
        await one(warehouse, by=visitor)
    assert [(await one(warehouse, by=visitor))[1] for visitor in (1, 3, 4)] == [False, False, False]
    assert (await one(warehouse, by=2))[1]


async def test_more_paths_than_are_kept_forget_the_oldest(
    warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PATHS_KEPT", 2)
    stored = await warehouse.append([a_hit(path, by=5) for path in (1, 2, 3, 3, 2, 1)])
    assert [hit.first for hit in stored] == [True, True, True, False, False, True]


async def test_what_the_rows_say_is_what_was_answered(warehouse: DuckDbWarehouse) -> None:
    stored = await warehouse.append([a_hit(path % 3, by=path % 2 + 1) for path in range(10)])
    assert [NumberedHit(*row) for row in await rows(warehouse, "id, session, first")] == stored
