"""What somebody missed between two connections."""

import asyncio
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.ledgers import opened, until
from support.live import Scene, brief, followed, let_in, listening
from support.sharing import a_counter, change, joined, someone
from tallystick.ledger import Database, Ledger, Session, open_database
from tallystick.ledger.copying import BackupFile
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.backup import ledger_copy
from tallystick.services.feed import resuming
from tallystick.services.feed.following import Following
from tallystick.services.sharing import counters, people
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.changing import Verb
from tallystick.services.sharing.sweeping import sweep

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


async def test_what_was_missed_is_told_change_by_change(scene: Scene, ben: Account) -> None:
    subscription = await listening(scene.following, scene.ledger, ben)
    subscription.close()
    offset = scene.following.position
    gone = await a_counter(scene.ledger, scene.ada, "Gone soon")
    scene.clock.now += 1
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    await let_in(scene.ledger, gone, scene.ada, ben)
    scene.clock.now += 1
    await change(scene.ledger, scene.ada, scene.visits)
    await scene.write(counters.delete, scene.ada.id, gone.uid, scene.clock.now)
    resumed = await scene.missed_by(ben, offset)
    assert resumed.recovered
    assert resumed.position == await scene.ledger.read(last_change) == 6
    assert [(each.number, each.kind, each.counter) for each in resumed.changes] == [
        (2, "created", scene.visits.uid),
        (3, "members", scene.visits.uid),
        (5, "value", scene.visits.uid),
        (6, "deleted", gone.uid),
    ]
    assert resumed.changes[2].actor == scene.ada.uid
    for offset, left in ((2, 3), (3, 2), (5, 1), (6, 0)):
        again = await scene.missed_by(ben, offset)
        assert again.recovered
        assert len(again.changes) == left + (offset == 2), offset


async def test_beyond_a_limit_the_newest_state_of_each_counter_is_told(
    scene: Scene, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "REPLAYED_AT_MOST", 6)
    other, quiet = await a_counter(scene.ledger, scene.ada, "Other"), await a_counter(scene.ledger, scene.ada, "Quiet")
    (await listening(scene.following, scene.ledger, scene.ada)).close()
    offset = await scene.ledger.read(last_change)
    scene.clock.now += 1
    for _ in range(5):
        await change(scene.ledger, scene.ada, scene.visits)
    await let_in(scene.ledger, other, scene.ada, ben)
    missed = await scene.missed_by(scene.ada, offset)
    assert [each.kind for each in missed.changes] == ["value"] * 5 + ["members"]
    await change(scene.ledger, ben, other, Verb.DECREMENT)
    missed = await scene.missed_by(scene.ada, offset)
    assert missed.recovered
    assert [(each.number, each.kind, each.counter, each.value, each.version) for each in missed.changes] == [
        (8, "details", scene.visits.uid, 5, 6),
        (9, "details", other.uid, -1, 2),
        (10, "members", other.uid, None, None),
    ]
    assert quiet.uid not in {each.counter for each in missed.changes}


async def test_who_left_and_came_back_hears_of_both(scene: Scene, ben: Account) -> None:
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    (await listening(scene.following, scene.ledger, ben)).close()
    await change(scene.ledger, scene.ada, scene.visits)
    await scene.write(people.remove, ben.id, scene.visits.uid, ben.uid, scene.clock.now)
    scene.clock.now += 1
    await let_in(scene.ledger, scene.visits, scene.ada, ben)
    resumed = await scene.missed_by(ben, 2)
    assert brief(list(resumed.changes)) == [(4, "deleted", None), (4, "created", 1), (5, "members", None)]


@pytest.mark.parametrize("asked", [("other", 1), ("own", 99), ("own", -1)], ids=["epoch", "ahead", "negative"])
async def test_what_cannot_be_known_is_not_guessed(
    ledger: Ledger, following: Following, ada: Account, visits: SharedCounter, asked: tuple[str, int]
) -> None:
    (await listening(following, ledger, ada)).close()
    epoch, offset = asked
    resumed = await following.resume(ada.id, following.epoch if epoch == "own" else epoch, offset)
    assert (resumed.recovered, resumed.position, list(resumed.changes)) == (False, visits.version, [])


async def test_who_comes_back_after_farewells_were_forgotten_has_to_read_anew(scene: Scene, ben: Account) -> None:
    await joined(scene.ledger, scene.visits, ben)
    (await listening(scene.following, scene.ledger, ben)).close()
    await scene.write(people.remove, scene.ada.id, scene.visits.uid, ben.uid, scene.clock.now)
    await change(scene.ledger, scene.ada, scene.visits)
    scene.clock.now += 29 * DAY_MS
    assert (await scene.missed_by(ben, 1)).recovered
    scene.clock.now += DAY_MS + 1
    await scene.ledger.write(sweep, scene.clock.now, scene.clock.now)
    assert not (await scene.missed_by(ben, 1)).recovered
    # Nothing was missed since: however long ago that is.
    assert (await scene.missed_by(ben, 3)).recovered
    await change(scene.ledger, scene.ada, scene.visits)
    assert (await scene.missed_by(ben, 3)).recovered


async def test_what_others_did_is_not_gone_through_on_postgresql(postgres: Any, tmp_path: Path) -> None:
    with postgres.fresh_database() as url:
        async with opened(open_database(url, tmp_path)) as ledger:
            ada = await someone(ledger)
            own = [await a_counter(ledger, ada) for _ in range(3)]
            await ledger.write(_another_counter_is_busy)
            plans = await ledger.read(_plans, ada.id, f"[{own[0].id}]")
    for plan in plans:
        assert "change_by_counter" in plan
        assert "counter_change_pkey" not in plan
        assert "Seq Scan on counter_change" not in plan


def _another_counter_is_busy(session: Session) -> None:
    session.connection.execute(
        "INSERT INTO counter_change (number, counter, kind, at)"
        " SELECT number, 99, 'value', 0 FROM generate_series(100, 100000) AS number"
    )
    session.connection.execute("ANALYZE counter_change")


def _plans(session: Session, account: int, counters: str) -> list[str]:
    asked = {"account": account, "counters": counters, "number": 1, "at_most": 1_000}
    queries = (session.queries.missed_of, session.queries.changes_of, session.queries.members_changed)
    return [
        "\n".join(line for (line,) in session.connection.execute(f"EXPLAIN {query.sql}", asked)) for query in queries
    ]


async def test_a_ledger_keeps_the_name_of_its_numbering_and_its_copies_do_not_share_it(
    database: Database, tmp_path: Path
) -> None:
    names: list[str] = []
    for _ in range(2):
        async with opened(database) as ledger, followed(ledger) as following:
            await until(lambda: following.epoch)
            names.append(following.epoch)
    assert names[0] == names[1] != ""
    backup, restored = tmp_path / "backup.db", tmp_path / "restored"

    def copy() -> int:
        ledger_copy.back_up(database, backup, lambda _done, _total: None)
        with closing(BackupFile(backup).session()) as session, session.snapshot():
            assert session.common.epoch(session.connection) is None
        restored.mkdir()
        target = open_database(None, restored)
        ledger_copy.restore_into_sqlite(BackupFile(backup), target, lambda _done, _total: None)  # type: ignore[arg-type]
        return 0

    await asyncio.to_thread(copy)
    async with opened(open_database(None, restored)) as ledger, followed(ledger) as following:
        await until(lambda: following.epoch)
        assert following.epoch != names[0]


async def test_a_file_that_was_copied_by_hand_is_restored_without_the_name(postgres: Any, tmp_path: Path) -> None:
    source = open_database(None, tmp_path)
    async with opened(source) as ledger, followed(ledger) as following:
        await until(lambda: following.epoch)
    with postgres.fresh_database() as url:
        target = open_database(url, tmp_path)
        copy = partial(ledger_copy.restore_into_postgresql, BackupFile(tmp_path / "ledger.sqlite3"), target)
        await asyncio.to_thread(copy, tmp_path / "spare.db", lambda _done, _total: None)
        async with opened(target) as ledger, followed(ledger) as another:
            await until(lambda: another.epoch)
            assert another.epoch != following.epoch
