"""The disk fails, is full, or loses its power: never a false success, and counting goes on afterwards."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from builders import a_key
from support.faulty_disk import CuttableDisk, ErrorKind, Fault, FaultyDisk, SqliteAction
from support.ledgers import opened
from tallystick.errors import StoreFailed, StoreFull
from tallystick.ledger import Ledger
from tallystick.ledger.database import Durability
from tallystick.ledger.sqlite import SqliteDatabase, SqliteSession
from tallystick.model.counter import HIT, Outcome
from tallystick.model.key import Key

KEYS = [a_key(f"page-{number}") for number in range(3)]
ERRORS: dict[ErrorKind, set[type[Exception]]] = {"full": {StoreFull, StoreFailed}, "broken": {StoreFailed}}


class OftenCheckpointed(SqliteDatabase):
    """Writes back to the database file every few commits, so that faults meet that too."""

    def session(self, *, writes: bool = False) -> SqliteSession:
        session = super().session(writes=writes)
        session.connection.execute("PRAGMA wal_autocheckpoint = 8").fetchall()
        return session


class Hits:
    """Counts on a few keys and remembers what was sent and what was acknowledged."""

    def __init__(self) -> None:
        self.sent = dict.fromkeys(KEYS, 0)
        self.acknowledged: dict[Key, list[int]] = {key: [] for key in KEYS}
        self.errors: list[BaseException] = []

    async def send(self, ledger: Ledger, *, each: int = 4) -> None:
        keys = KEYS * each
        results = await asyncio.gather(*(ledger.count(key, HIT) for key in keys), return_exceptions=True)
        for key, result in zip(keys, results, strict=True):
            self.sent[key] += 1
            if isinstance(result, Outcome):
                assert result.value is not None
                self.acknowledged[key].append(result.value)
            else:
                self.errors.append(result)

    async def check(self, path: Path) -> None:
        """Everything acknowledged is in the database, once."""
        async with opened(SqliteDatabase(path)) as ledger:
            for key in KEYS:
                counter = await ledger.find(key)
                value = counter.value if counter else 0
                acknowledged = self.acknowledged[key]
                assert len(set(acknowledged)) == len(acknowledged), "a value was acknowledged twice"
                assert max(acknowledged, default=0) <= value <= self.sent[key]
        assert await asyncio.to_thread(_integrity, path) == "ok"


def _integrity(path: Path) -> object:
    with closing(apsw.Connection(str(path))) as connection:
        return connection.pragma("integrity_check")


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with FaultyDisk.mounted() as disk:
        yield disk


TRIED: tuple[tuple[SqliteAction, ErrorKind, range], ...] = (
    ("write", "full", range(1, 25)),
    ("write", "broken", range(1, 25)),
    ("sync", "full", range(1, 9)),
    ("sync", "broken", range(1, 9)),
    ("read", "broken", range(1, 4)),
)
FAULTS = [
    Fault(action, kind, number, lasts)
    for action, kind, numbers in TRIED
    for number in numbers
    for lasts in (False, True)
]


def named(fault: Fault) -> str:
    return f"{fault.kind} at {fault.action} {fault.number}{' and after' if fault.lasts else ''}"


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_a_fault_is_never_a_success_and_ends(disk: FaultyDisk, tmp_path: Path, fault: Fault) -> None:
    path, hits = tmp_path / "ledger.sqlite3", Hits()
    async with opened(OftenCheckpointed(path, vfs=disk.name)) as ledger:
        await hits.send(ledger)
        assert not hits.errors
        disk.fail(fault)
        for _ in range(8):
            await hits.send(ledger)
        assert disk.failures
        disk.heal()
        assert {type(error) for error in hits.errors} <= ERRORS[fault.kind]
        await ledger.flush()
        faults = len(hits.errors)
        await hits.send(ledger)
        assert len(hits.errors) == faults
        await asyncio.to_thread(shutil.copytree, tmp_path, tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm"))
    await hits.check(tmp_path / "killed" / path.name)
    await hits.check(path)


@pytest.mark.parametrize("kind", ["full", "broken"])
async def test_a_database_that_cannot_be_opened_again_for_a_while(
    disk: FaultyDisk, tmp_path: Path, kind: ErrorKind
) -> None:
    path, hits = tmp_path / "ledger.sqlite3", Hits()
    async with opened(SqliteDatabase(path, vfs=disk.name)) as ledger:
        await hits.send(ledger)
        disk.fail(Fault("sync", kind))
        await hits.send(ledger)
        assert len(hits.errors) == 12
        disk.fail(Fault("open", kind, lasts=True))
        for _ in range(3):
            await hits.send(ledger)
            with pytest.raises(StoreFailed):
                await ledger.flush()
        assert len(hits.errors) == 48
        assert {type(error) for error in hits.errors} <= ERRORS[kind]
        disk.heal()
        await ledger.flush()
        await hits.send(ledger)
        assert len(hits.errors) == 48
    await hits.check(path)


async def test_look_ups_fail_and_recover(disk: FaultyDisk, tmp_path: Path) -> None:
    async with opened(SqliteDatabase(tmp_path / "ledger.sqlite3", vfs=disk.name)) as ledger:
        await ledger.count(a_key(), HIT)
        disk.fail(Fault("open", "broken", lasts=True))
        for _ in range(2):
            with pytest.raises(StoreFailed):
                await ledger.find(a_key())
            with pytest.raises(StoreFailed):
                await ledger.read(lambda session: session.size())
        disk.heal()
        found = await ledger.find(a_key())
        assert found is not None
        assert found.value == 1
        assert await ledger.read(lambda session: session.size()) == 1


def test_a_look_up_outside_of_a_transaction_tells_the_ledgers_errors(disk: FaultyDisk, tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "ledger.sqlite3", vfs=disk.name)
    database.migrate()
    with closing(database.session()) as session:
        disk.fail(Fault("read", "broken", lasts=True))
        with pytest.raises(StoreFailed):
            session.find([a_key()])
        disk.heal()
        assert session.find([a_key()]) == {}


@pytest.mark.parametrize("durability", ["full", "relaxed"])
async def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(tmp_path: Path, durability: Durability) -> None:
    hits, cuts = Hits(), []
    chance = random.Random(2)
    path = tmp_path / "ledger.sqlite3"
    with CuttableDisk.mounted() as disk:

        def cut() -> None:
            seen = {key: list(values) for key, values in hits.acknowledged.items()}
            cuts.append((seen, disk.after_a_power_cut(chance), disk.synced()))

        async with opened(OftenCheckpointed(path, durability, vfs=disk.name)) as ledger:
            disk.before_action = cut
            for _ in range(6):
                await hits.send(ledger, each=1)
            cut()
    assert len(cuts) > 20
    for number, (seen, *images) in enumerate(cuts):
        for name, image in zip(("torn", "synced"), images, strict=True):
            found = tmp_path / f"{name}-{number}"
            await asyncio.to_thread(_lay_out, found, image)
            # Relaxed: the last seconds may be lost, but what is there is whole.
            hits.acknowledged = seen if durability == "full" else {key: [] for key in KEYS}
            await hits.check(found / path.name)


@pytest.mark.parametrize("failing", range(1, 7))
@pytest.mark.parametrize("looked_up", [False, True])
async def test_what_a_failed_sync_lost_is_nothing_to_build_on(tmp_path: Path, failing: int, *, looked_up: bool) -> None:
    hits, path, found = Hits(), tmp_path / "ledger.sqlite3", tmp_path / "found"
    with CuttableDisk.mounted() as disk:
        async with opened(SqliteDatabase(path, vfs=disk.name)) as ledger:
            await hits.send(ledger)
            if looked_up:
                await ledger.find(KEYS[0])
            for _ in range(3):
                disk.failing_syncs = failing
                while disk.failing_syncs:
                    await hits.send(ledger, each=1)
                await hits.send(ledger, each=1)
            assert len(hits.errors) >= 3
            await asyncio.to_thread(_lay_out, found, disk.synced())
    await hits.check(found / path.name)


def _lay_out(folder: Path, image: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, content in image.items():
        (folder / name).write_bytes(content)
