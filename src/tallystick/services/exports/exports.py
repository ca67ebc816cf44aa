"""Exports of a site's hits: queued in the ledger, written one at a time, kept for a day.

A restart loses none: an unfinished one is written again.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from msgspec.structs import replace

from tallystick.errors import (
    AnalyticsElsewhere,
    Conflicting,
    InputRefused,
    StoreAway,
    StoreBusy,
    StoreClosed,
    StoreFull,
)
from tallystick.ledger import Ledger, Session
from tallystick.model.export import SPREADSHEET_SUFFIX, SUFFIXES, Export, ExportFormat
from tallystick.model.site import Site
from tallystick.services.exports.folder import ExportFolder
from tallystick.services.exports.spreadsheet import make_safe, write_safe
from tallystick.services.exports.writing import WrittenExport, write_export
from tallystick.services.file_threads import on_file_thread
from tallystick.services.files import whole_file
from tallystick.tasks import LONGEST_DELAY_S, BackgroundTask
from tallystick.warehouse import Warehouse

WAITING_AT_MOST = 10
"""Pending exports of one site."""
LISTED_AT_MOST = 10
ROW_KEPT_MS = 90 * 24 * 3_600_000
"""An export's row outlives its file, so that a request for it can say that the file was deleted."""
SWEEP_EVERY_S = 3_600.0
TRY_AGAIN_AFTER_S = 10.0
ASKED_ELSEWHERE_EVERY_S = 1.0
WRITTEN_WITHIN_S = 3_600.0
"""An export that takes longer is reported by health: it may hang."""

log = structlog.get_logger()


class Exports:
    """The exports of every site. Used from one event loop.

    Attributes:
        folder: the files; written in ``Warehouse.exports``.
    """

    def __init__(self, ledger: Ledger, warehouse: Warehouse, folder: ExportFolder) -> None:
        self._ledger, self._warehouse, self.folder = ledger, warehouse, folder
        self._making_safe = asyncio.Lock()
        self._pending = asyncio.Event()

    def tasks(self) -> list[BackgroundTask]:
        """Write pending exports, and remove old ones. An unfinished export is written again after a restart."""
        # Of several servers, another one may have taken the request.
        shared = self._warehouse.shared
        every = ASKED_ELSEWHERE_EVERY_S if shared else TRY_AGAIN_AFTER_S
        return [
            BackgroundTask(
                "exports",
                self.write_next,
                every,
                trigger=self._pending,
                # The storage of the lake may have been away.
                longest_delay=TRY_AGAIN_AFTER_S if shared else LONGEST_DELAY_S,
                overdue_after=WRITTEN_WITHIN_S,
            ),
            BackgroundTask("old-exports", self.sweep, SWEEP_EVERY_S),
        ]

    async def create(
        self,
        site: Site,
        form: ExportFormat,
        *,
        start_id: int | None = None,
        start_day: int | None = None,
        spreadsheet: bool = False,
    ) -> Export:
        """Queue an export; it is written after those before it.

        Args:
            start_id: only hits with a greater id (csv, parquet).
            start_day: only statistics from this UTC day on, Unix milliseconds (json).
            spreadsheet: escape cells that a spreadsheet would take for formulas (csv).

        Raises:
            StoreBusy: the site has too many pending exports.
            StoreUnavailable: the export was not stored.
        """
        self._warehouse.require_owned()
        now = self._ledger.clock()
        export = Export(
            id=0,
            site=site.id,
            format=form,
            start_id=start_id,
            start_day=start_day,
            file=_file_name(site, form, start_id, now, SPREADSHEET_SUFFIX if spreadsheet else SUFFIXES[form]),
            created=now,
        )
        created = await self._ledger.write(_create, export)
        if created is None:
            msg = f"{WAITING_AT_MOST} exports of this site are waiting to be written"
            raise StoreBusy(msg)
        self._pending.set()
        return created

    async def get(self, site: int, id_: int) -> Export | None:
        """One of a site's exports."""
        export = await self._ledger.read(export_by_id, id_)
        return export if export and export.site == site else None

    async def latest(self, site: int) -> list[Export]:
        """A site's newest exports."""
        return await self._ledger.read(latest_exports, site)

    async def sizes(self, exports: Sequence[Export]) -> dict[int, int]:
        """Bytes of the files of exports by id, also of unfinished ones; without those that have no file.

        Raises:
            AnalyticsElsewhere: another server writes them.
        """
        self._warehouse.require_owned()
        now = self._ledger.clock()
        sizes = await on_file_thread(lambda: {export.id: self.folder.size(export) for export in exports})
        expired = {export.id for export in exports if export.expired(now)}
        return {id_: size for id_, size in sizes.items() if size is not None and id_ not in expired}

    async def discard(self, export: Export) -> None:
        """Delete the file of a finished export before its time. Its row stays, and says so.

        Raises:
            AnalyticsElsewhere: another server has written it.
        """
        self._warehouse.require_owned()
        if export.finished is not None:
            await on_file_thread(self.folder.remove, [export.id])

    async def file(self, export: Export) -> Path | None:
        """The file of a finished export; None if it was deleted.

        Raises:
            AnalyticsElsewhere: another server has written it.
            StoreBusy: the storage of all servers does not answer.
        """
        self._warehouse.require_owned()
        if export.expired(self._ledger.clock()):
            return None
        return await on_file_thread(self.folder.fetch, export)

    async def spreadsheet_file(self, export: Export) -> Path | None:
        """The safe form of a finished CSV export; written once, and kept as long as the export's own file.

        Raises:
            OSError: it cannot be written.
        """
        file = await self.file(export)
        if file is None or export.spreadsheet:
            return file
        place = self.folder.spreadsheet_place(export)
        async with self._making_safe:
            if not await asyncio.to_thread(place.is_file):
                await asyncio.shield(asyncio.to_thread(_make_safe_copy, file, place))
        return place

    async def sweep(self) -> None:
        """Remove files older than a day, and the rows of exports older than 90 days."""
        now = self._ledger.clock()
        ids = await on_file_thread(self.folder.ids)
        needless = await self._ledger.read(_needless, list(ids), now)
        await on_file_thread(self.folder.remove, needless)
        await self._ledger.write(_forget, now - ROW_KEPT_MS)
        if self._warehouse.carries_out_jobs:
            await on_file_thread(self.folder.tidy)

    async def write_next(self) -> bool:
        """Write the oldest pending export. Returns whether one was pending.

        One server at a time writes exports: the owner of the analytics, or the one that writes hits that all share.

        Raises:
            StoreUnavailable: it is written later.
        """
        if not self._warehouse.carries_out_jobs:
            return False
        export = await self._ledger.read(_next)
        if export is None:
            return False
        try:
            await self._carry_out(export)
        except AnalyticsElsewhere:
            return False
        return True

    async def _carry_out(self, export: Export) -> None:
        """Write one export, and store its result."""
        try:
            written = await self._write(export)
            size, digest = await asyncio.to_thread(_size_and_digest, self.folder.place(export))
            if not self._warehouse.carries_out_jobs:
                raise AnalyticsElsewhere  # noqa: TRY301  # another server writes it from now on
            await on_file_thread(self.folder.keep, export)
        except (AnalyticsElsewhere, StoreAway, StoreBusy, StoreClosed):
            raise
        except Conflicting as error:
            msg = "a server that wrote this export before has not let go of it"
            raise StoreBusy(msg) from error
        except (StoreFull, OSError, InputRefused) as error:
            await self._give_up(export, _reason(error))
        except Exception:
            log.exception("an export failed", export=export.id)
            await self._give_up(export, "the export could not be written")
        else:
            await self._finish(export, written, size=size, hash=digest)
            if await self._ledger.read(export_by_id, export.id) is None:  # its site was deleted meanwhile
                await on_file_thread(self.folder.remove, [export.id])

    async def _give_up(self, export: Export, error: str) -> None:
        if not self._warehouse.carries_out_jobs:
            raise AnalyticsElsewhere  # another server writes it from now on
        await self._finish(export, WrittenExport(0, None), error=error)
        await on_file_thread(self.folder.remove, [export.id])

    async def _write(self, export: Export) -> WrittenExport:
        await asyncio.to_thread(self.folder.create)
        opening = whole_file(self.folder.place(export), replaces=True, mode=0o600)
        # A thread continues when its task is cancelled, and the file that it opens has to be closed.
        entering = asyncio.create_task(asyncio.to_thread(opening.__enter__))
        try:
            partial = await asyncio.shield(entering)
            written = await write_export(self._ledger, self._warehouse, export, partial)
            if export.spreadsheet:
                await asyncio.shield(asyncio.to_thread(make_safe, partial))
        except BaseException as error:
            await asyncio.shield(_leave(opening, entering, error))
            raise
        await asyncio.to_thread(opening.__exit__, None, None, None)
        return written

    async def _finish(self, export: Export, written: WrittenExport, **fields: int | str) -> None:
        ended = replace(
            export,
            last_hit=written.last_id or export.start_id or 0,
            finished=self._ledger.clock(),
            num_rows=written.rows,
            **fields,
        )
        await self._ledger.write(_finish, ended)


async def _leave(opening: AbstractContextManager[Path], entering: "asyncio.Task[Path]", error: BaseException) -> None:
    """Remove the partial file, if it was created."""
    await asyncio.wait({entering})
    if entering.exception() is None:
        await asyncio.to_thread(opening.__exit__, type(error), error, error.__traceback__)


def export_by_id(session: Session, id_: int) -> Export | None:
    """One export, of any site."""
    row = session.common.export_by_id(session.connection, id=id_)
    return Export(**dict(zip(Export.__struct_fields__, row, strict=True))) if row else None


def latest_exports(session: Session, site: int) -> list[Export]:
    """A site's newest exports."""
    rows = session.common.latest_exports(session.connection, site=site, max_rows=LISTED_AT_MOST)
    return [Export(**dict(zip(Export.__struct_fields__, row, strict=True))) for row in rows]


def _create(session: Session, export: Export) -> Export | None:
    """Queue an export; None if too many are pending."""
    if session.common.waiting_exports(session.connection, site=export.site) >= WAITING_AT_MOST:
        return None
    number = session.take_numbers("export")
    session.common.add_export(
        session.connection,
        id=number,
        site=export.site,
        format=export.format,
        start_id=export.start_id,
        start_day=export.start_day,
        file=export.file,
        created=export.created,
    )
    created = export_by_id(session, number)
    assert created is not None
    return created


def _next(session: Session) -> Export | None:
    row = session.common.next_export(session.connection)
    return Export(**dict(zip(Export.__struct_fields__, row, strict=True))) if row else None


def _finish(session: Session, ended: Export) -> None:
    session.common.finish_export(
        session.connection,
        id=ended.id,
        last_hit=ended.last_hit,
        finished=ended.finished,
        num_rows=ended.num_rows,
        size=ended.size,
        hash=ended.hash,
        error=ended.error,
    )


def _forget(session: Session, before: int) -> None:
    session.common.forget_exports(session.connection, before=before)


def _file_name(site: Site, form: ExportFormat, start_id: int | None, now: int, suffix: str) -> str:
    stamp = datetime.fromtimestamp(now // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    start = "" if form == "json" else f"-{start_id or 0}"
    return f"goatcounter-export-{site.code}-{stamp}{start}{suffix}"


def _size_and_digest(file: Path) -> tuple[int, str]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), f"sha256-{digest}"


def _make_safe_copy(file: Path, place: Path) -> None:
    with whole_file(place, replaces=True, mode=0o600) as partial, partial.open("wb") as target:
        write_safe(file, target)


def _needless(session: Session, ids: list[int], now: int) -> list[int]:
    """The exports whose files are no longer needed."""
    exports = {id_: export_by_id(session, id_) for id_ in ids}
    return [id_ for id_, export in exports.items() if export is None or export.expired(now)]


def _reason(error: Exception) -> str:
    return (error.strerror or "the file could not be written") if isinstance(error, OSError) else str(error)
