"""Time that has passed: a jump of the wall clock forgets no idempotency record, and a day that passes does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from builders import NOW, a_key
from support.in_process import knowledge
from tallystick.app import Application
from tallystick.ledger import Database, Ledger
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.model.counter import HIT, LIFETIME_MS, Outcome
from tallystick.services import clock as clocks
from tallystick.services.clock import SEEN, ClockWatch, set_clock_mark
from tallystick.services.counting.counting import Counting
from tallystick.services.idempotency import KeyedRequest
from tallystick.services.ingest.ingest import Knowledge
from tallystick.services.sharing.sweeping import sweep
from tallystick.services.sweeping import remove_expired
from tallystick.services.time_passed import TimePassed
from tallystick.settings import Settings

REQUEST = KeyedRequest.of("someone", "GET", "/hit/a/b", "key", rest=b"")
HOUR, DAY = 3_600, 86_400
MANY_DAYS = 60 * DAY


class Clocks:
    """The wall clock, and one that never jumps."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW / 1000, 1_000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def reboot(self, off: float = 0) -> None:
        self.wall += off
        self.steady = 5.0

    def milliseconds(self) -> int:
        return int(self.wall * 1000)


@asynccontextmanager
async def running(database: Database, clock: Clocks) -> AsyncIterator[Ledger]:
    """A server on this ledger, from its start to its end."""
    ledger = await Ledger.open(database, clock.milliseconds)
    try:
        passed = TimePassed(ledger, clock.milliseconds, lambda: clock.steady)
        await passed.begin()
        ledger.passed = passed
        yield ledger
        await passed.keep()
    finally:
        await ledger.close()


async def is_new(ledger: Ledger) -> bool:
    """Whether a request is carried out when it is sent, after the sweep has done its work."""
    await ledger.write(sweep, ledger.clock(), ledger.passed())
    told = await Counting(ledger).add_once(REQUEST, a_key(), HIT)
    return isinstance(told, Outcome)


@pytest.mark.parametrize("jump", [HOUR, DAY - 1, DAY + 1, MANY_DAYS, -MANY_DAYS])
async def test_a_jump_of_the_clock_forgets_no_key(database: Database, jump: float) -> None:
    clock = Clocks()
    async with running(database, clock) as ledger:
        assert await is_new(ledger)
        clock.wall += jump
        assert not await is_new(ledger)
        clock.wall -= jump
        clock.pass_(DAY - 1)
        assert not await is_new(ledger)
        clock.pass_(2)
        assert await is_new(ledger)


@pytest.mark.parametrize("jump", [12 * HOUR, MANY_DAYS, -MANY_DAYS])
async def test_a_key_of_a_clock_that_was_wrong_is_over_after_a_day(database: Database, jump: float) -> None:
    clock = Clocks()
    async with running(database, clock) as ledger:
        clock.wall += jump
        assert await is_new(ledger)
        clock.wall -= jump
        clock.pass_(DAY + 1)
        assert await is_new(ledger)


@pytest.mark.parametrize("jump", [23 * HOUR, MANY_DAYS, -MANY_DAYS])
async def test_a_restart_after_a_jump_forgets_no_key(database: Database, jump: float) -> None:
    clock = Clocks()
    async with running(database, clock) as ledger:
        assert await is_new(ledger)
        clock.wall += jump
        clock.pass_(HOUR)
    clock.reboot(off=60)
    async with running(database, clock) as ledger:
        assert not await is_new(ledger)
        clock.pass_(23 * HOUR)
        assert await is_new(ledger)


@pytest.mark.parametrize("jump", [MANY_DAYS, -MANY_DAYS])
async def test_a_jump_while_no_server_runs_forgets_no_key(database: Database, jump: float) -> None:
    clock = Clocks()
    for _ in range(3):
        async with running(database, clock) as ledger:
            await is_new(ledger)
            clock.pass_(HOUR)
        clock.reboot(off=jump)
    async with running(database, clock) as ledger:
        assert not await is_new(ledger)
        clock.pass_(21 * HOUR + 1)
        assert await is_new(ledger)


async def test_the_time_between_two_starts_passes(database: Database) -> None:
    clock = Clocks()
    async with running(database, clock) as ledger:
        assert await is_new(ledger)
        clock.pass_(2 * HOUR)
    clock.reboot(off=23 * HOUR)
    async with running(database, clock) as ledger:
        assert await is_new(ledger)


async def test_what_an_older_version_noted_is_the_beginning(database: Database) -> None:
    clock = Clocks()
    ledger = await Ledger.open(database, clock.milliseconds)
    assert await is_new(ledger)
    await ledger.write(set_clock_mark, SEEN, int(clock.wall))
    await ledger.close()
    clock.reboot(off=MANY_DAYS)
    async with running(database, clock) as ledger:
        assert not await is_new(ledger)


async def test_it_is_noted_once_a_minute(database: Database) -> None:
    clock = Clocks()
    ledger = await Ledger.open(database, clock.milliseconds)
    try:
        passed = TimePassed(ledger, clock.milliseconds, lambda: clock.steady)
        await passed.begin()
        commits = []
        for seconds in (0, 59, 1, 1):
            clock.pass_(seconds)
            await passed.note()
            commits.append(ledger.commits)
        assert [commit - commits[0] for commit in commits] == [0, 0, 1, 1]
    finally:
        await ledger.close()


async def test_a_server_keeps_keys_by_the_time_that_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = await knowledge()
    monkeypatch.setattr(Knowledge, "load", lambda *_: known)
    application = await Application.open(Settings(data=tmp_path))
    try:
        assert isinstance(application.ledger.passed, TimePassed)
    finally:
        await application.close()
    again = await Ledger.open(SqliteDatabase(tmp_path / "ledger.sqlite3"))
    try:
        assert {"passed", "passed-at"} <= set(await again.read(clocks.clock_marks))
    finally:
        await again.close()


@pytest.mark.parametrize(("ahead", "removed"), [(False, True), (True, False)])
async def test_expired_counters_are_removed_unless_the_clock_is_ahead(
    database: Database, *, ahead: bool, removed: bool
) -> None:
    clock = Clocks()
    ledger = await Ledger.open(database, clock.milliseconds)
    try:
        await ledger.count(a_key(), HIT)
        watch = ClockWatch(ledger, lambda: clock.wall, lambda: clock.steady)
        watch.begin(int(clock.wall))
        if ahead:
            clock.wall += LIFETIME_MS / 1000
        else:
            clock.pass_(LIFETIME_MS / 1000)
        assert (await remove_expired(Counting(ledger), watch) == 1) == removed
    finally:
        await ledger.close()
