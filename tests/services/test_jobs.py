"""Jobs: what was decided is done in the warehouse, after a crash too, and only once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path as File
from threading import Event
from typing import Any

import pytest

from support.warehouses import HOUR, NOW, a_hit, opened_warehouse, rows
from tallystick.errors import InputRefused, JobsFailed, StoreFailed
from tallystick.ledger import Ledger, Session, open_database
from tallystick.model.account import UserSettings
from tallystick.model.dimensions import PAGE, PREVIOUS_PAGE
from tallystick.model.filter_lists import lists_of
from tallystick.model.hit import Bot
from tallystick.model.question import NO_ID, Match
from tallystick.model.site import Site, SiteSettings
from tallystick.services import job_worker as module
from tallystick.services.accounts.site_rows import site_columns
from tallystick.services.analytics import names, path_changes
from tallystick.services.analytics.names import Names, NewPath
from tallystick.services.clock import SEEN, ClockWatch, confirm, set_clock_mark
from tallystick.services.exports.exports import latest_exports
from tallystick.services.job_worker import JobWorker
from tallystick.services.jobs import (
    DeletePaths,
    DeleteSite,
    Job,
    MergePaths,
    Relabel,
    RelabelMatching,
    RenamedPath,
    enqueue,
    pending_jobs,
)
from tallystick.warehouse import IdempotencyRecord
from tallystick.warehouse.duckdb.journal import Journal, JournalBatch
from tallystick.warehouse.duckdb.marks import JournalMarks
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.warehouse.types import EVERY_ID

SITE = 1
DAY = 24 * HOUR


class Clock:
    """Seconds; stands still."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def warehouse(tmp_path: File) -> AsyncIterator[DuckDbWarehouse]:
    async with opened_warehouse(tmp_path / "warehouse.duckdb") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(ledger: Ledger, warehouse: DuckDbWarehouse, clock: Clock) -> JobWorker:
    return JobWorker(ledger, warehouse, lambda _: None, clock=clock)


@pytest.fixture
async def paths(ledger: Ledger) -> list[int]:
    """Ids of /a, /b and /c; /c was only asked for by bots."""
    cached = Names(ledger)
    made = [NewPath(name, "", event=False, counted=name != "/c") for name in ("/a", "/b", "/c")]
    await cached.learn(SITE, made)
    return [path.id for new in made if (path := cached.path(SITE, new.path))]


async def decide(ledger: Ledger, job: Job) -> int:
    return await ledger.write(enqueue, job, NOW * 1000)


async def work(jobs: JobWorker, clock: Clock) -> int:
    """See the jobs, and again when their time has come: how many are left."""
    await jobs.work()
    clock.now += module.SEEN_BY_ALL_WITHIN_S
    return await jobs.work()


def lay_down(folder: File, files: Iterable[str]) -> None:
    folder.mkdir()
    for file in files:
        (folder / file).write_bytes(b"hits")


async def listed(ledger: Ledger) -> dict[int, str]:
    found = await ledger.read(names.list_paths, SITE, 0, 100)
    return {path.id: path.path for path in found}


async def test_a_job_is_kept_as_it_was_asked_for(ledger: Ledger) -> None:
    wanted: list[Job] = [
        DeleteSite(3),
        DeletePaths(1, (4, 5)),
        MergePaths(1, (4, 5), 6),
        RenamedPath(1),
        Relabel(1, 5, 0, (7, 8)),
        a_marking(3, 5),
    ]
    numbers = [await decide(ledger, job) for job in wanted]
    assert await ledger.read(pending_jobs) == list(zip(numbers, wanted, strict=True))


async def test_a_site_leaves_nothing(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, paths: list[int]
) -> None:
    await warehouse.append([a_hit(paths[0], site=SITE), a_hit(99, site=2)])
    for site in (SITE, 2):
        await ledger.write(add_export, site)
    files = [f"{id_}{suffix}" for id_ in (1, 2) for suffix in (".csv.gz", ".spreadsheet.csv.gz", ".csv.gz.partial")]
    await asyncio.to_thread(lay_down, warehouse.exports, files)
    await decide(ledger, DeleteSite(SITE))
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "site, path") == [(2, 99)]
    assert await listed(ledger) == {}
    assert [len(await ledger.read(latest_exports, site)) for site in (SITE, 2)] == [0, 1]
    assert await ledger.read(pending_jobs) == []
    left = await asyncio.to_thread(lambda: sorted(file.name for file in warehouse.exports.iterdir()))
    assert left == ["2.csv.gz", "2.csv.gz.partial", "2.spreadsheet.csv.gz"]


async def test_deleted_paths_and_their_hits_are_gone(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, paths: list[int]
) -> None:
    a, b, _ = paths
    await warehouse.append([a_hit(a), a_hit(b), a_hit(a, site=2)])
    await ledger.write(path_changes.delete_paths, SITE, [a], NOW)
    assert await listed(ledger) == {b: "/b"}
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "site, path") == [(SITE, b), (2, a)]


async def test_merged_paths_count_a_visit_once(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, paths: list[int]
) -> None:
    a, b, c = paths
    await warehouse.append(
        [
            a_hit(a, by=5, created=NOW + 3),
            a_hit(b, by=5, created=NOW + 1),
            a_hit(c, by=5, created=NOW + 2),
            a_hit(a, by=6),
            a_hit(a),
            a_hit(b),
        ]
    )
    await ledger.write(path_changes.merge_paths, SITE, [a, b], c, NOW)
    assert await listed(ledger) == {c: "/c"}
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "path, first") == [(c, first) for first in (False, True, False, True, True, True)]
    [stored] = await warehouse.append([a_hit(c, by=6, created=NOW + 4)])
    assert not stored.first


async def test_pages_of_events_are_merged_and_deleted_as_paths_are(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, paths: list[int]
) -> None:
    a, b, c = paths
    signup = {"event": True, "by": 5}
    pages = (a, b, c, None)
    await warehouse.append([a_hit(77, page=page, **signup) for page in pages] + [a_hit(77, page=a, site=2, **signup)])
    await ledger.write(path_changes.merge_paths, SITE, [a], b, NOW)
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "path, page") == [(77, b), (77, b), (77, c), (77, None), (77, a)]
    await ledger.write(path_changes.delete_paths, SITE, [b], NOW)
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "path, page") == [(77, None), (77, None), (77, c), (77, None), (77, a)]


async def test_hits_that_were_handed_over_before_are_merged_however_long_the_journal_takes(
    ledger: Ledger, warehouse: DuckDbWarehouse, paths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = paths
    jobs = JobWorker(ledger, warehouse, lambda _: None, seen_within=0)
    with stalled(monkeypatch) as journal_goes_on:
        on_their_way = asyncio.ensure_future(warehouse.append([a_hit(a)]))
        await asyncio.sleep(0.05)
        on_their_way_too = asyncio.ensure_future(warehouse.append([a_hit(a, site=2)]))
        await ledger.write(path_changes.merge_paths, SITE, [a], b, NOW)
        await decide(ledger, DeleteSite(2))
        working = asyncio.ensure_future(jobs.work())
        done, _ = await asyncio.wait({working}, timeout=0.3)
        assert not done
        journal_goes_on.set()
        assert await working == 0
    await asyncio.gather(on_their_way, on_their_way_too)
    assert await rows(warehouse, "site, path") == [(SITE, b)]


@contextmanager
def stalled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """The journal's next commits wait for the event."""
    goes_on, keep, note = Event(), Journal.keep, Journal.note

    def waiting_keep(journal: Journal, batch: JournalBatch, marks: JournalMarks) -> None:
        goes_on.wait(20)
        keep(journal, batch, marks)

    def waiting_note(journal: Journal, marks: JournalMarks) -> None:
        goes_on.wait(20)
        note(journal, marks)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "keep", waiting_keep)
        patched.setattr(Journal, "note", waiting_note)
        yield goes_on
        goes_on.set()


async def test_a_job_is_put_off_while_it_is_unknown_what_arrived(
    ledger: Ledger, warehouse: DuckDbWarehouse, paths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise StoreFailed

    jobs = JobWorker(ledger, warehouse, lambda _: None, seen_within=0)
    await ledger.write(path_changes.merge_paths, SITE, [paths[0]], paths[1], NOW)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "note", fail)
        with pytest.raises(StoreFailed):
            await jobs.work()
    assert len(await ledger.read(pending_jobs)) == 1
    assert await jobs.work() == 0


async def test_jobs_are_done_when_they_are_first_seen_where_no_other_server_counts(
    warehouse: DuckDbWarehouse, tmp_path: File
) -> None:
    ledger = await Ledger.open(open_database(None, tmp_path))
    try:
        await warehouse.append([a_hit(site=2)])
        await decide(ledger, DeleteSite(2))
        assert await JobWorker(ledger, warehouse, lambda _: None).work() == 0
        assert await rows(warehouse) == []
    finally:
        await ledger.close()


async def test_the_sites_that_are_deleted_are_named_to_whoever_caches_names(
    ledger: Ledger, warehouse: DuckDbWarehouse
) -> None:
    deleted: list[Collection[int]] = []
    for job in (DeleteSite(7), RenamedPath(8)):
        await decide(ledger, job)
    await JobWorker(ledger, warehouse, deleted.append).work()
    assert deleted == [{7}]


async def test_cached_names_are_forgotten_when_a_job_is_first_seen(ledger: Ledger, warehouse: DuckDbWarehouse) -> None:
    forgotten: list[int] = []
    jobs = JobWorker(ledger, warehouse, lambda _: forgotten.append(1))
    await jobs.work()
    assert len(forgotten) == 0
    await decide(ledger, DeleteSite(9))
    await jobs.work()
    await jobs.work()
    assert len(forgotten) == 1
    await decide(ledger, DeleteSite(9))
    await jobs.work()
    assert len(forgotten) == 2


@pytest.mark.parametrize("failing", ["ledger", "warehouse"])
async def test_after_a_crash_in_between_a_job_is_done_again(  # noqa: PLR0913  # fixtures
    *,
    ledger: Ledger,
    warehouse: DuckDbWarehouse,
    clock: Clock,
    paths: list[int],
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    a, b, _ = paths
    await warehouse.append([a_hit(a, by=5), a_hit(b, by=5), a_hit(7, site=2)])
    await ledger.write(path_changes.merge_paths, SITE, [a], b, NOW)
    await decide(ledger, DeleteSite(2))
    jobs = JobWorker(ledger, warehouse, lambda _: None, clock=clock)
    store: Any = {"ledger": ledger, "warehouse": warehouse}[failing]

    async def fail(*_arguments: object) -> None:
        raise StoreFailed

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", fail)
        assert await work(jobs, clock) == 2
    restarted = JobWorker(ledger, warehouse, lambda _: None, clock=clock)
    assert await work(restarted, clock) == 0
    assert await rows(warehouse, "site, path, first") == [(SITE, b, True), (SITE, b, False)]


async def test_a_job_that_fails_keeps_no_other_from_being_done(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock
) -> None:
    await warehouse.append([a_hit(site=SITE), a_hit(site=2)])
    await decide(ledger, Relabel(SITE, 0, 999))
    await decide(ledger, DeleteSite(2))
    assert await work(jobs, clock) == 1
    assert await rows(warehouse, "site, bot") == [(SITE, 0)]


async def test_merges_of_a_site_are_done_in_their_order_after_a_failure_too(  # noqa: PLR0913, PLR0917  # fixtures
    ledger: Ledger,
    warehouse: DuckDbWarehouse,
    jobs: JobWorker,
    clock: Clock,
    paths: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b, c = paths
    await warehouse.append([a_hit(a), a_hit(b), a_hit(c)])
    write, failures = warehouse.write, [StoreFailed()]

    async def fail_once(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await write(*arguments)

    monkeypatch.setattr(warehouse, "write", fail_once)
    await ledger.write(path_changes.merge_paths, SITE, [a], b, NOW)
    await ledger.write(path_changes.merge_paths, SITE, [b], c, NOW)
    assert await work(jobs, clock) == 2
    assert await jobs.work() == 2
    clock.now += module.TRIED_AGAIN_AFTER_S
    assert await jobs.work() == 0
    assert await rows(warehouse, "path") == [(c,), (c,), (c,)]


async def test_the_task_fails_until_a_job_that_failed_is_done(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object) -> None:
        raise StoreFailed

    await decide(ledger, DeleteSite(2))
    with monkeypatch.context() as patched:
        patched.setattr(warehouse, "write", fail)
        assert await work(jobs, clock) == 1
    with pytest.raises(JobsFailed, match="1 jobs fail"):
        await jobs.work_all()  # its time has not come again
    clock.now += module.TRIED_AGAIN_AFTER_S
    await jobs.work_all()
    assert await ledger.read(pending_jobs) == []


async def test_hits_taken_for_bots_become_peoples_and_their_path_is_listed(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, paths: list[int]
) -> None:
    *_, c = paths
    await warehouse.append([a_hit(c, bot=Bot.SHORT), a_hit(c, bot=Bot.KNOWN), a_hit(c, bot=Bot.SHORT)])
    await decide(ledger, Relabel(SITE, Bot.SHORT, Bot.KNOWN_NOT, (1, 2)))
    assert c not in await listed(ledger)
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "bot") == [(0,), (Bot.KNOWN,), (Bot.SHORT,)]
    assert c in await listed(ledger)


def a_marking(into: int, *pages: int, key: str = "a") -> RelabelMatching:
    """People's hits on the first page of their visit become bots', or bots' hits on some pages people's."""
    match = Match(dimension=PAGE, values=pages) if pages else Match(dimension=PREVIOUS_PAGE, values=(NO_ID,))
    return RelabelMatching(
        site=SITE,
        bots=not into,
        since=NOW - DAY,
        before=NOW + DAY,
        condition=lists_of(match),
        into=into,
        span=EVERY_ID,
        key=key,
    )


async def test_hits_that_pass_a_filter_become_peoples_and_their_path_is_listed(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock, paths: list[int]
) -> None:
    a, b, c = paths
    await warehouse.append([a_hit(path, bot=Bot.SHORT) for path in (a, b, c)])
    await warehouse.append([a_hit(c, site=2, bot=Bot.SHORT), a_hit(c, bot=Bot.SHORT, created=NOW + DAY)])
    await decide(ledger, a_marking(0, b, c))
    assert await work(jobs, clock) == 0
    assert await rows(warehouse, "bot") == [(7,), (0,), (0,), (7,), (7,)]
    assert c in await listed(ledger)


@pytest.mark.parametrize("failing", ["before", "after"])
async def test_after_a_crash_the_hits_that_follow_those_that_were_marked_are_left_alone(  # noqa: PLR0913  # fixtures
    *,
    ledger: Ledger,
    warehouse: DuckDbWarehouse,
    clock: Clock,
    paths: list[int],
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    await warehouse.append([a_hit(path, by=5, created=NOW + path) for path in paths])
    await decide(ledger, a_marking(Bot.KNOWN))
    jobs = JobWorker(ledger, warehouse, lambda _: None, clock=clock)
    store: Any = {"before": warehouse, "after": ledger}[failing]

    async def fail(*_arguments: object) -> None:
        raise StoreFailed

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", fail)
        assert await work(jobs, clock) == 1
    restarted = JobWorker(ledger, warehouse, lambda _: None, clock=clock)
    assert await work(restarted, clock) == 0
    assert await rows(warehouse, "bot") == [(Bot.KNOWN,), (0,), (0,)]
    await decide(ledger, a_marking(Bot.KNOWN, key="b"))
    assert await work(restarted, clock) == 0
    assert await rows(warehouse, "bot") == [(Bot.KNOWN,), (Bot.KNOWN,), (0,)]


def merge_into_itself(session: Session, a: int) -> None:
    path_changes.merge_paths(session, SITE, [a], a, NOW)


def merge_unknown(session: Session, a: int) -> None:
    path_changes.merge_paths(session, SITE, [77], a, NOW)


def delete_of_another_site(session: Session, a: int) -> None:
    path_changes.delete_paths(session, 2, [a], NOW)


def delete_none(session: Session, _: int) -> None:
    path_changes.delete_paths(session, SITE, [], NOW)


def rename_to_a_taken_name(session: Session, a: int) -> None:
    path_changes.rename_path(session, SITE, a, "/B", NOW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (merge_into_itself, "into itself"),
        (merge_unknown, "has no path 77"),
        (delete_of_another_site, "has no path"),
        (delete_none, "between 1 and"),
        (rename_to_a_taken_name, "has a path"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    ledger: Ledger, paths: list[int], change: Callable[[Session, int], None], told: str
) -> None:
    before = await listed(ledger)
    with pytest.raises(InputRefused, match=told):
        await ledger.write(change, paths[0])
    assert await listed(ledger) == before
    assert await ledger.read(pending_jobs) == []


async def test_a_renamed_path_keeps_its_hits_and_its_old_name_is_free(ledger: Ledger, paths: list[int]) -> None:
    a, b, _ = paths
    cached = Names(ledger)
    await ledger.write(path_changes.rename_path, SITE, a, "/New", NOW)
    assert await listed(ledger) == {a: "/New", b: "/b"}
    await cached.learn(SITE, [NewPath("/a", "", event=False, counted=True)])
    assert a != getattr(cached.path(SITE, "/a"), "id", None)


async def test_kept_answers_and_old_keys_are_forgotten_after_their_time(ledger: Ledger, tmp_path: File) -> None:
    async with opened_warehouse(tmp_path / "other.duckdb", now=NOW) as warehouse:
        ledger.passed = lambda: NOW * 1000
        for age in (0, 23 * HOUR, 25 * HOUR):
            await warehouse.append([], IdempotencyRecord(f"key {age}", "", "", NOW - age))
        await JobWorker(ledger, warehouse, lambda _: None).tidy()
        kept = [await warehouse.idempotency_record(f"key {age}") for age in (0, 23 * HOUR, 25 * HOUR)]
    assert [bool(request) for request in kept] == [True, True, False]


async def test_a_clock_that_jumps_forgets_no_kept_answer(ledger: Ledger, tmp_path: File) -> None:
    async with opened_warehouse(tmp_path / "other.duckdb", now=NOW + 60 * DAY) as warehouse:
        ledger.passed = lambda: NOW * 1000
        for age in (0, 25 * HOUR):
            await warehouse.append([], IdempotencyRecord(f"key {age}", "", "", NOW - age))
        await JobWorker(ledger, warehouse, lambda _: None).tidy()
        kept = [await warehouse.idempotency_record(f"key {age}") for age in (0, 25 * HOUR)]
    assert [bool(request) for request in kept] == [True, False]


async def test_hits_are_removed_when_their_site_keeps_them_no_longer(
    ledger: Ledger, warehouse: DuckDbWarehouse, jobs: JobWorker, clock: Clock
) -> None:
    for site, days in ((1, 0), (2, 31), (3, 100)):
        await ledger.write(add_site, a_site(site, days))
    await warehouse.append(
        [a_hit(site=site, created=NOW - days * DAY) for site in (1, 2, 3) for days in (0, 30, 32, 101)]
    )
    await jobs.tidy()
    assert len(await rows(warehouse)) == 12  # a clock that is wrong can still be set
    clock.now += module.NO_RETENTION_WITHIN_S
    await jobs.tidy()
    kept = [(site, (NOW - created) // DAY) for site, created in await rows(warehouse, "site, created")]
    assert kept == [(1, 0), (1, 30), (1, 32), (1, 101), (2, 0), (2, 30), (3, 0), (3, 30), (3, 32)]
    await warehouse.append([a_hit(site=2, created=NOW - 32 * DAY)])
    clock.now += module.TIDIED_EVERY_S - 1
    await jobs.tidy()
    assert len(await rows(warehouse)) == 10
    clock.now += 1
    await jobs.tidy()
    assert len(await rows(warehouse)) == 9


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("seen", [NOW, None], ids=["a server ran before", "a program that noted nothing ran before"])
async def test_a_start_with_a_clock_far_ahead_removes_nothing_until_it_is_confirmed(
    ledger: Ledger, tmp_path: File, clock: Clock, seen: int | None, *, confirmed: bool
) -> None:
    await ledger.write(add_site, a_site(1, 31))
    ahead = NOW + 60 * DAY
    async with opened_warehouse(tmp_path / "ahead.duckdb", now=ahead) as warehouse:
        await warehouse.append([a_hit(created=NOW - days * DAY) for days in range(30)])
        for restart in range(3):
            if seen and not restart:
                await ledger.write(set_clock_mark, SEEN, seen)
            if confirmed and restart == 2:
                await ledger.write(confirm, ahead)
            jobs = JobWorker(ledger, warehouse, lambda _: None, clock=clock, watch=ClockWatch(ledger, warehouse.clock))
            await jobs.watch.look()
            clock.now += module.NO_RETENTION_WITHIN_S
            await jobs.tidy()
            await jobs.close()
        assert len(await rows(warehouse)) == (0 if confirmed else 30)


async def test_a_clock_that_jumps_while_the_server_runs_removes_nothing(
    ledger: Ledger, tmp_path: File, clock: Clock
) -> None:
    await ledger.write(add_site, a_site(1, 31))
    wall = [NOW]
    warehouse = await DuckDbWarehouse.open(tmp_path / "jumping.duckdb", clock=lambda: wall[0])
    try:
        await warehouse.append([a_hit(created=NOW - days * DAY) for days in range(33)])
        jobs = JobWorker(ledger, warehouse, lambda _: None, clock=clock)
        clock.now += module.NO_RETENTION_WITHIN_S
        await jobs.tidy()
        assert len(await rows(warehouse)) == 32
        wall[0] += 60 * DAY
        clock.now += module.TIDIED_EVERY_S
        await jobs.tidy()
        assert len(await rows(warehouse)) == 32
        wall[0] = NOW + HOUR
        clock.now += module.TIDIED_EVERY_S
        await jobs.tidy()
        assert len(await rows(warehouse)) == 31
    finally:
        await warehouse.close()


CLOCKS = {
    "right": (0, 0, ""),
    "a server that was off overnight": (12 * HOUR, 0, ""),
    "60 days ahead at the start": (60 * DAY, 0, "60 days ahead"),
    "2 hours behind at the start": (-2 * HOUR, 0, "2.0 hours behind"),
    "jumps ahead": (0, 60 * DAY, "60 days ahead"),
    "jumps back": (0, -HOUR, "1.0 hours behind"),
    "jumps and is set again": (60 * DAY, -60 * DAY, ""),
}


@pytest.mark.parametrize(("at_start", "jump", "said"), CLOCKS.values(), ids=CLOCKS)
async def test_a_clock_far_from_the_newest_commit_is_told(
    ledger: Ledger, clock: Clock, at_start: int, jump: int, said: str
) -> None:
    wall = [NOW + at_start]
    watch = ClockWatch(ledger, lambda: wall[0], clock)
    await ledger.write(set_clock_mark, SEEN, NOW)
    await watch.look()
    wall[0] += jump + 1_000
    clock.now += 1_000
    await watch.look()
    assert said in (watch.problem or "")
    assert bool(said) == bool(watch.problem)


def a_site(number: int, days_kept: int) -> Site:
    return Site(
        id=number,
        parent=None,
        cname=None,
        cname_setup=None,
        code=f"site-{number}",
        link_domain="",
        settings=SiteSettings(data_retention=days_kept),
        user_defaults=UserSettings(),
        received_data=False,
        state="a",
        created=0,
        updated=None,
        first_hit=0,
    )


def add_export(session: Session, site: int) -> None:
    session.common.add_export(
        session.connection, id=site, site=site, format="csv", start_id=None, start_day=None, file="", created=0
    )


def add_site(session: Session, site: Site) -> None:
    session.common.add_site(session.connection, parent=None, created=0, **site_columns(site))
