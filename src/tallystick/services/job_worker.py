"""Carries out the jobs of the queue (``jobs``), and removes old hits.

A job is done in the warehouse, then removed from the queue; after a crash in between it is repeated, which changes
nothing.

When a job is read, hits may be pending that were accepted under the old names. So caches of names are invalidated
first, so that later hits see the new state; then all hits accepted before are flushed; only then the job is done.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC

import structlog

from tallystick.errors import JobsFailed, StoreAway, StoreBusy, StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.model.filter_lists import stored_filter_of
from tallystick.model.hit import Bot
from tallystick.model.metrics import Metric
from tallystick.model.period import exact_period
from tallystick.model.question import Question
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.annotating import hold_kept
from tallystick.services.clock import RETENTION, ClockWatch, clock_marks, set_clock_mark
from tallystick.services.exports.folder import ExportFolder
from tallystick.services.file_places import FolderPlace
from tallystick.services.file_threads import on_file_thread
from tallystick.services.ingest.dropped_hits import forget_dropped
from tallystick.services.jobs import (
    DeletePaths,
    DeleteSite,
    Job,
    MergePaths,
    Relabel,
    RelabelMatching,
    RenamedPath,
    pending_jobs,
    remove_job,
)
from tallystick.services.stores import note
from tallystick.services.time_passed import TimePassed
from tallystick.tasks import BackgroundTask
from tallystick.warehouse import Warehouse, WarehouseWriteSession

LOOKED_EVERY_S = 1.0
MEASURED_EVERY_S = 10.0
TIDIED_EVERY_S = 3_600.0
NO_RETENTION_WITHIN_S = 3_600.0
"""Old hits are not removed so soon after a start, so that a wrong clock can be corrected in time."""

RETENTION_USUAL_S = 3 * 86_400
"""The longest usual time between two removals of old hits. After a longer one, no server ran or the clock is wrong:
nothing is removed until the operator confirms the clock."""

SEEN_BY_ALL_WITHIN_S = 5.0
"""On a shared ledger: how long each server may take to read a job and invalidate its caches."""

NO_QUESTION_WITHIN_S = 120.0
"""How long the hits of a deleted site wait that are removed part by part: no question that was asked while there was
the site sees a part. One waits at most 12 s, twice, for hits on their way, 30 s for its turn, and takes 10 s."""
HITS_AT_ONCE = 200_000
"""Hits that are removed together where all servers share them: others are moved only before and after."""
BEGINNING, END = -(1 << 62), 1 << 62
"""Times before and after all hits."""

NOTED_EVERY_S = 2.0
"""How often the newest hit is noted in the ledger, while there are new hits."""

LOOKED_AT_OLD_EVERY_S = 60.0
"""How often to check for old hits; after a failure, the time until the next attempt."""

DONE_WITHIN_S = 600.0
"""A job, or the removal of old hits, that takes longer is reported by health."""

TRIED_AGAIN_AFTER_S = 60.0
TRIED_SOON_AFTER_S = 10.0
"""After the first failure, if it may be over soon, as that of a storage which does not answer."""
EXPORTS_AT_MOST = 1_000_000
"""Of one site, in the 90 days for which their rows are kept."""
DAY_S = 86_400

log = structlog.get_logger()


class JobWorker:
    """Carries out jobs. A ledger has one worker, with its only warehouse.

    Args:
        forget: invalidates cached names and sites. Called with the deleted sites when a job is first read.
        clock: seconds, monotonic.
        watch: compares the wall clock with the newest commit.
        passed: noted in the ledger from time to time.
        exports: their files; by default those in the warehouse's folder.
        seen_within: seconds that other servers may take to read a job; None for the default of the database.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # services, and times for tests
        self,
        ledger: Ledger,
        warehouse: Warehouse,
        forget: Callable[[Collection[int]], None],
        clock: Callable[[], float] = time.monotonic,
        seen_within: float | None = None,
        watch: ClockWatch | None = None,
        passed: TimePassed | None = None,
        exports: ExportFolder | None = None,
    ) -> None:
        self._ledger, self._warehouse, self._forget = ledger, warehouse, forget
        self._clock = clock
        shared = ledger.database.name == "postgresql"
        self._seen_within = (SEEN_BY_ALL_WITHIN_S if shared else 0.0) if seen_within is None else seen_within
        self._parts_wait = NO_QUESTION_WITHIN_S if seen_within is None else seen_within
        self._noted: Mapping[str, tuple[int, int]] = {}
        self._not_before: dict[int, float] = {}
        """The earliest time of each job that was read."""
        self._parts_not_before: dict[int, float] = {}
        """The same for the hits of deleted sites with many."""
        self._failing: set[int] = set()
        self._done = 0
        self._started = clock()
        self._tidied: float | None = None
        self.watch = watch or ClockWatch(ledger, warehouse.clock)
        self._passed = passed
        self._exports = exports or ExportFolder(FolderPlace(warehouse.exports))

    def tasks(self) -> list[BackgroundTask]:
        """Do jobs, check the clock, note the newest hit, and remove old hits."""
        measure = BackgroundTask("database-clock", self._ledger.look_at_clock, MEASURED_EVERY_S)
        return [
            *([measure] if self._ledger.database.lanes_alone else []),
            BackgroundTask("clock", self._look_at_clock, LOOKED_EVERY_S),
            # No back-off: a job that fails does not delay others.
            BackgroundTask(
                "jobs", self.work_all, LOOKED_EVERY_S, longest_delay=LOOKED_EVERY_S, overdue_after=DONE_WITHIN_S
            ),
            BackgroundTask("hit-marks", self.note, NOTED_EVERY_S),
            BackgroundTask("old-hits", self.tidy, LOOKED_AT_OLD_EVERY_S, overdue_after=DONE_WITHIN_S),
        ]

    async def close(self) -> None:
        """Note the newest hit and the time. Remaining jobs are done after the next start."""
        with suppress(StoreUnavailable):
            await note(self._ledger, self._warehouse, self._noted)
            if self._passed:
                await self._passed.keep()
        await self.watch.close()

    async def _look_at_clock(self) -> None:
        await self.watch.look()
        if self._passed:
            await self._passed.note()

    async def work_all(self) -> None:
        """Do all due jobs.

        Raises:
            JobsFailed: some failed and are not done yet; health reports it when that lasts.
            StoreUnavailable: see ``work``.
        """
        before = self._done
        await self.work()
        if self._done > before:  # not in work: the command line's output is for scripts
            log.info("jobs were done", count=self._done - before)
        if self._failing:
            msg = f"{len(self._failing)} jobs fail"
            raise JobsFailed(msg)

    async def work(self) -> int:
        """Do all due jobs. Returns the number of remaining ones.

        Jobs are left to the server that has the hits, or writes those that all share.

        Raises:
            StoreUnavailable: the ledger cannot be read, or pending hits cannot be stored.
        """
        jobs, now = await self._ledger.read(pending_jobs), self._clock()
        if any(number not in self._not_before for number, _ in jobs):
            await self._settle([job for _, job in jobs])
        self._not_before = {n: self._not_before.get(n, now + self._seen_within) for n, _ in jobs}
        self._parts_not_before = {n: self._parts_not_before[n] for n, _ in jobs if n in self._parts_not_before}
        self._failing &= self._not_before.keys()
        if not self._warehouse.carries_out_jobs:
            self._failing.clear()
            return len(jobs)
        if any(self._not_before[number] <= now for number, _ in jobs):
            # Also hits that were accepted while other servers had time to invalidate their caches.
            await self._warehouse.arrived()
        done = await self._do_due(jobs, now)
        self._done += done
        return len(jobs) - done

    async def _do_due(self, jobs: Sequence[tuple[int, Job]], now: float) -> int:
        """Do the jobs whose time has come. Returns how many are done."""
        done, held = 0, set()
        for number, job in jobs:
            if not self._warehouse.carries_out_jobs:
                break  # after a failure of an earlier one, another server may carry them out
            moves_paths = isinstance(job, DeletePaths | MergePaths)
            if moves_paths and job.site in held:
                continue  # it may be about the path into which an earlier one, done later, would move hits
            if self._not_before[number] <= now and await self._try(number, job):
                done += 1
            elif moves_paths:
                held.add(job.site)
        return done

    async def _settle(self, jobs: Sequence[Job]) -> None:
        """Invalidate cached names, so that later hits are stored under the new state."""
        # When this write returns, names that were read before the job was queued have reached the cache.
        await self._ledger.flush()
        self._forget({job.site for job in jobs if isinstance(job, DeleteSite)})

    async def note(self) -> None:
        """Note the newest hit in the ledger, so that a later start detects lost hits."""
        self._noted = await note(self._ledger, self._warehouse, self._noted)

    async def _try(self, number: int, job: Job) -> bool:
        """Do a job. Returns whether it is done; after a failure it is retried later, and the other jobs continue."""
        again_after = TRIED_AGAIN_AFTER_S
        try:
            done = await self._do(number, job)
        except StoreUnavailable as error:
            log.warning("a job was put off", job=number, reason=str(error))
            if isinstance(error, StoreAway | StoreBusy) and number not in self._failing:
                again_after = TRIED_SOON_AFTER_S
        except Exception:
            log.exception("a job failed and is tried again later", job=number)
        else:
            self._failing.discard(number)
            return done
        self._failing.add(number)
        self._not_before[number] = self._clock() + again_after
        return False

    async def _do(self, number: int, job: Job) -> bool:
        """Do a job. Returns False if it has to wait for longer."""
        match job:
            case DeleteSite(site):
                if await self._has_parts(site):
                    self._not_before[number] = self._parts_not_before.setdefault(
                        number, self._clock() + self._parts_wait
                    )
                    if self._clock() < self._not_before[number]:
                        return False
                    await self._expire_parts(site, END)
                await self._warehouse.carry_out(lambda session: session.delete_site(site))
                exports = await self._ledger.read(_exports_of, site)
                await on_file_thread(self._exports.remove, exports)
                await self._ledger.write(_remove_site, number, site)
            case DeletePaths(site, paths):
                await self._warehouse.carry_out(lambda session: session.delete_paths(site, paths))
                await self._ledger.write(remove_job, number)
            case MergePaths(site, paths, into):
                await self._warehouse.carry_out(lambda session: session.merge_paths(site, paths, into))
                await self._ledger.write(remove_job, number)
            case Relabel(site, bot, into, span):
                listed = await self._warehouse.carry_out(lambda session: session.relabel(site, bot, into, span))
                await self._ledger.write(_count_paths, number, listed if into == Bot.KNOWN_NOT else [])
            case RelabelMatching():
                question, passed = _question_of(job), self._ledger.passed() // 1000
                listed = await self._warehouse.carry_out(
                    lambda session: session.relabel_matching(question, job.into, job.span, job.key, passed)
                )
                await self._ledger.write(_count_paths, number, listed if job.into == Bot.KNOWN_NOT else [])
            case RenamedPath():
                await self._ledger.write(remove_job, number)
        return True

    async def _has_parts(self, site: int) -> bool:
        """Whether hits of a site are removed part by part: others that servers share could not be moved for long."""
        if not self._warehouse.shared:
            return False
        hits = await self._warehouse.read(lambda session: session.expired_by_site([(site, END)]))
        return hits.get(site, 0) > HITS_AT_ONCE

    async def _expire_parts(self, site: int, before: int) -> None:
        """Remove hits of a site before a time part by part, except what arrives late.

        Raises:
            StoreBusy: another server carries out jobs now; it begins anew with what is left.
        """
        since = BEGINNING
        while since < before:
            if not self._warehouse.carries_out_jobs:
                msg = "another server removes hits now"
                raise StoreBusy(msg)
            since = await self._warehouse.carry_out(_expire_part, site, since, before)

    async def tidy(self) -> None:
        """Once an hour, remove old hits and records."""
        now = self._clock()
        if self._warehouse.shared and not self._warehouse.carries_out_jobs:
            return
        if self._tidied is not None and now - self._tidied < TIDIED_EVERY_S:
            return
        seconds = self._warehouse.clock()
        passed = self._ledger.passed() // 1000
        await self._warehouse.carry_out(lambda session: session.forget_old(seconds, passed))
        if now - self._started >= NO_RETENTION_WITHIN_S:
            await self._retain(seconds)
        self._tidied = now

    async def _retain(self, now: int) -> None:
        """Remove hits that are older than their sites keep them, unless the clock may be wrong."""
        limits = [
            (site.id, now - site.settings.data_retention * DAY_S)
            for site in await self._ledger.read(active_sites)
            if site.settings.data_retention
        ]
        if not limits:
            return
        last = (await self._ledger.read(clock_marks)).get(RETENTION)
        if last is None:
            last = (
                await self._warehouse.carry_out(lambda session: session.newest_time())
                if self.watch.seen is None
                else self.watch.seen
            )
            # Stored, because the next start would see the marks of this server's own clock.
            await self._ledger.write(set_clock_mark, RETENTION, last)
        if now - last > RETENTION_USUAL_S and (
            count := await self._warehouse.carry_out(lambda session: session.count_expired(limits))
        ):
            log.warning(
                "old hits were not removed: the clock is further than it should be. If it is right, restart once"
                " with --confirm-clock",
                hits=count,
                days=(now - last) // DAY_S,
            )
            return
        expired = 0
        if self._warehouse.shared:
            hits = await self._warehouse.read(lambda session: session.expired_by_site(limits))
            for site, before in limits:
                if hits.get(site, 0) > HITS_AT_ONCE:
                    await self._expire_parts(site, before)
                    expired += hits[site]
        if expired := expired + await self._warehouse.carry_out(lambda session: session.expire(limits)):
            log.info("hits were removed that are older than their sites keep them", count=expired)
        await self._ledger.write(forget_dropped, limits)
        await self._ledger.write(set_clock_mark, RETENTION, now)


def _expire_part(session: WarehouseWriteSession, site: int, since: int, before: int) -> int:
    return session.expire_part(site, since, before, HITS_AT_ONCE)


def _question_of(job: RelabelMatching) -> Question:
    """The question that counts the hits of a job, in ids."""
    return Question(
        sites=(job.site,),
        period=exact_period(job.since, job.before - 1, UTC),
        metrics=(Metric.EVENTS,),
        condition=stored_filter_of(job.condition),
        bots=job.bots,
    )


def _exports_of(session: Session, site: int) -> list[int]:
    """Ids of all exports of a site."""
    return [row[0] for row in session.common.latest_exports(session.connection, site=site, max_rows=EXPORTS_AT_MOST)]


def _remove_site(session: Session, number: int, site: int) -> None:
    session.common.remove_paths_of_site(session.connection, site=site)
    session.common.remove_campaigns_of_site(session.connection, site=site)
    session.common.remove_exports_of_site(session.connection, site=site)
    session.common.remove_dropped_of_site(session.connection, site=site)
    hold_kept(session)
    session.common.delete_goals_of_site(session.connection, site=site)
    session.common.delete_funnels_of_site(session.connection, site=site)
    session.common.delete_segments_of_site(session.connection, site=site)
    session.common.delete_saved_views_of_site(session.connection, site=site)
    session.common.delete_annotations_of_site(session.connection, site=site)
    session.common.delete_shared_links_of_site(session.connection, site=site)
    session.common.delete_pins_of_site(session.connection, site=site)
    session.common.remove_site(session.connection, site=site)
    remove_job(session, number)


def _count_paths(session: Session, number: int, paths: list[int]) -> None:
    """Remove a job, and mark paths as visited by people."""
    for path in paths:
        session.common.count_path(session.connection, id=path)
    remove_job(session, number)
