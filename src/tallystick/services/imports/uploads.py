"""Imports of uploaded files, one at a time.

Where several servers have the same hits, any of them takes files, and the one that writes the hits imports them; the
others see how far it is, and what they are asked reaches it, within about a second.

A killed server continues where it stopped, and each line is stored once: the record of an upload, its mark and its
counts are stored together after each batch, and a batch that is sent again is known by its key (``journal``,
``DirectSink``). Figures are there whole or not at all (``AggregateImports``).
"""

import asyncio
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NamedTuple, Self

import msgspec
import structlog

from tallystick.errors import InputRefused, NoSuchSite, StoreBusy, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.site import Site
from tallystick.services.accounts.audit import EventKind, done_by, note
from tallystick.services.accounts.sites import Sites
from tallystick.services.annotating import AnnotatedSite, annotate
from tallystick.services.file_places import ROOM_LEFT
from tallystick.services.file_threads import on_file_thread
from tallystick.services.files import sync
from tallystick.services.imports.aggregates import AggregateImports
from tallystick.services.imports.batches import ImportBatch, ImportSource
from tallystick.services.imports.direct_sink import DirectSink, DrySink
from tallystick.services.imports.exclude_rules import DEFAULT
from tallystick.services.imports.export_files import ExportReader
from tallystick.services.imports.ga4 import Ga4Reader
from tallystick.services.imports.ga4_report import Ga4ReportReader
from tallystick.services.imports.journal import ImportJournal, ImportRecord, ImportRecords, forget_old
from tallystick.services.imports.logs import Layouts
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.parsed import BadLine
from tallystick.services.imports.running import Import, Report, Sink
from tallystick.services.imports.shared_records import SharedUploadRecords
from tallystick.services.imports.sorting import sorted_visits
from tallystick.services.imports.sources import source_of
from tallystick.services.imports.summaries import FILE_KINDS, PROGRAMS, annotation_of
from tallystick.services.imports.umami import UmamiReader
from tallystick.services.imports.upload_folder import (
    Upload,
    UploadFolder,
    UploadKind,
    UploadOptions,
    UploadState,
    copy_of,
    encoded_upload,
    new_id,
)
from tallystick.services.imports.uploaded_figures import FiguresUpload
from tallystick.services.imports.visit_file import VisitFile
from tallystick.services.ingest.ingest import Ingest
from tallystick.tasks import LONGEST_DELAY_S, BackgroundTask
from tallystick.warehouse import Warehouse, seconds

WAITING_AT_MOST = 10
"""Uploads of one site that are still to be imported."""
LISTED_AT_MOST = 20
BAD_LINES_KEPT = 20
LINES_AT_ONCE = 1_000
"""In one batch: other requests are answered between batches."""
MOST_STARTS = 3
"""How often the server may end before something of a file is stored. Then it is taken for the cause."""
ROW_KEPT_MS = 90 * 24 * 3_600_000
LOOKED_KEPT_MS = 24 * 3_600_000
"""How long a file that was only looked at waits for a word."""
UNFINISHED_KEPT_S = 24 * 3_600.0
"""How long a file that may still arrive at another server is kept after its last change."""
LOOKED_EVERY_S = 10.0
EXCHANGED_EVERY_S = 1.0
"""How often the server that imports stores how far it is, and looks what is wanted of it."""
STOP_LOOKED_EVERY_S = 0.2
STOP_LOOKS = 15
"""How often the answer to a press on "stop" looks whether that server has stopped."""
SWEEP_EVERY_S = 3_600.0
IMPORTED_WITHIN_S = 24 * 3_600.0
"""An import that takes longer is reported by health: it may hang."""

log = structlog.get_logger()


class ImportStopped(InputRefused):
    """A person has stopped the import."""


class SentFile(NamedTuple):
    """What is told of a file.

    Attributes:
        name: as its sender calls it.
        look: whether it is only read, until ``Uploads.begin``. Not for figures.
    """

    name: str
    kind: UploadKind
    options: UploadOptions
    look: bool = False


class Arriving:
    """A file while it arrives: written to the disk in parts, never held as a whole. Used as a context manager.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, folder: UploadFolder, id_: str, ended: Callable[[str], None]) -> None:
        self.id, self.size = id_, 0
        self._folder, self._ended = folder, ended
        self._file = folder.arriving(id_)

    async def __aenter__(self) -> Self:
        self._stream = await asyncio.to_thread(self._opened)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.to_thread(self._closed))
        self._ended(self.id)

    async def write(self, part: bytes) -> None:
        """Write the next part.

        Raises:
            InputRefused: the disk has no room for it.
        """
        self.size += len(part)
        await asyncio.to_thread(self._written, part)

    async def complete(self) -> Path:
        """Nothing more arrives. Returns the file."""
        await asyncio.to_thread(self._synced)
        return self._file

    def _opened(self) -> BinaryIO:
        return os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")

    def _written(self, part: bytes) -> None:
        if self._folder.free_bytes() < ROOM_LEFT + len(part):
            raise no_room()
        self._stream.write(part)

    def _synced(self) -> None:
        self._stream.close()
        sync(self._file)

    def _closed(self) -> None:
        self._stream.close()
        self._file.unlink(missing_ok=True)


COUNTED = ("mark", "report", "bad", "skipped")
"""What is stored together: the counts are those of everything before the mark."""


class UploadJournal(ImportJournal):
    """A journal that calls a function with each place up to which everything is stored."""

    def __init__(self, records: ImportRecords, target: str, stored: Callable[[FileMark], None]) -> None:
        super().__init__(records, target)
        self._stored = stored

    def note(self, entry: ImportRecord, mark: FileMark, until: int | None) -> ImportRecord:
        """Store how far an import is."""
        if until is None:
            self._stored(mark)
        return super().note(entry, mark, until)


class Uploads:
    """The uploaded files of every site. Used from one event loop.

    Args:
        journal: what was imported before; that of a data directory is also the command line's.
        shared: the records of ``folder`` where several servers have them; None for a server of its own.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # services and folders
        self,
        ledger: Ledger,
        warehouse: Warehouse,
        sites: Sites,
        ingest: Ingest,
        aggregates: AggregateImports,
        folder: UploadFolder,
        journal: ImportRecords,
        shared: SharedUploadRecords | None = None,
    ) -> None:
        self._ledger, self._warehouse, self._sites = ledger, warehouse, sites
        self._ingest, self._aggregates = ingest, aggregates
        self._folder, self._journal, self._shared = folder, journal, shared
        self._pending = asyncio.Event()
        self._arriving: set[str] = set()
        self._begun: set[str] = set()
        """Ids of uploads that this process has begun to read."""
        self._stopped: set[str] = set()
        self._current: Upload | None = None
        self._counted: Upload | None = None
        """The current import at its mark: its report may count what comes after it."""
        self._saving = Lock()
        self._exchanged = b""
        self.waits = ""
        """Why the current import is put off."""

    def tasks(self) -> list[BackgroundTask]:
        """Import what is pending, and remove old records and what a killed server has left."""
        exchange = BackgroundTask("shared-uploads", self.exchange, EXCHANGED_EVERY_S)
        return [
            *([exchange] if self._shared else []),
            BackgroundTask(
                "uploads",
                self.import_next,
                LOOKED_EVERY_S,
                trigger=self._pending,
                # The storage of the lake may have been away.
                longest_delay=LOOKED_EVERY_S if self._shared else LONGEST_DELAY_S,
                overdue_after=IMPORTED_WITHIN_S,
            ),
            BackgroundTask("old-uploads", self.sweep, SWEEP_EVERY_S),
        ]

    async def arriving(self, site: int, announced: int) -> Arriving:
        """Begin to receive a file.

        Args:
            announced: bytes that are about to arrive; 0 if unknown.

        Raises:
            AnalyticsElsewhere: another server imports.
            StoreBusy: the site has too many files that are still to be imported.
            InputRefused: the disk has no room for it.
        """
        self._warehouse.require_owned()
        pending = [upload for upload in await self.latest(site) if upload.pending or upload.state == "looked"]
        if len(pending) >= WAITING_AT_MOST:
            msg = f"{WAITING_AT_MOST} files of this site are waiting to be imported"
            raise StoreBusy(msg)
        if await asyncio.to_thread(self._folder.free_bytes) < ROOM_LEFT + announced:
            raise no_room()
        id_ = new_id()
        self._arriving.add(id_)
        return Arriving(self._folder, id_, self._arriving.discard)

    async def add(self, arrived: Arriving, site: Site, actor: str, sent: SentFile) -> Upload:
        """Queue the import of a file that has arrived.

        Args:
            actor: the email of who has sent it.

        Raises:
            InputRefused: the file is not what it is said to be.
            StoreUnavailable
        """
        file = await arrived.complete()
        await asyncio.to_thread(check_file, file, sent)
        upload = Upload(
            id=arrived.id,
            site=site.id,
            name=sent.name,
            actor=actor,
            size=arrived.size,
            kind=sent.kind,
            options=sent.options,
            created=self._ledger.clock(),
            looks=sent.look,
        )
        if sent.kind is not UploadKind.PLAUSIBLE and not sent.look:  # figures are noted when they are whole
            await self._note(upload, site, actor, upload.created)
        await on_file_thread(self._folder.keep, upload)
        self._pending.set()
        return upload

    async def latest(self, site: int) -> list[Upload]:
        """The newest uploads of a site, newest first, with all that are pending.

        Raises:
            AnalyticsElsewhere: another server has them.
        """
        self._warehouse.require_owned()
        found = [self._live(upload) for upload in await asyncio.to_thread(self._folder.all) if upload.site == site]
        newest = found[-LISTED_AT_MOST:]
        return [upload for upload in reversed(found) if upload.pending or upload in newest]

    async def get(self, site: int, id_: str) -> Upload | None:
        """One of a site's uploads."""
        self._warehouse.require_owned()
        upload = await asyncio.to_thread(self._folder.one, id_)
        return self._live(upload) if upload and upload.site == site else None

    async def begin(self, upload: Upload, site: Site, actor: str) -> None:
        """Import a file that was looked at; nothing happens to others.

        Args:
            actor: the email of who begins it.
        """
        if upload.state != "looked":
            return
        upload.state, upload.looks, upload.finished, upload.starts = "waiting", False, None, 0
        await self._note(upload, site, actor, self._ledger.clock())
        await asyncio.to_thread(self._folder.save, upload)
        self._pending.set()

    async def stop(self, upload: Upload) -> None:
        """Stop an import that is not done. What it has stored stays; a file that was looked at is thrown away."""
        if upload.state == "looked":
            await self._finish(upload, "stopped")
        if not upload.pending:
            return
        if self._shared is not None:
            await self._stop_elsewhere(self._shared, upload)
            return
        self._stopped.add(upload.id)
        if self._live(upload) is not self._current:
            await self._finish(upload, "stopped")

    async def _stop_elsewhere(self, shared: SharedUploadRecords, upload: Upload) -> None:
        """Ask the server that imports, and wait a moment for it."""
        await asyncio.to_thread(shared.stop, upload.id)
        for _ in range(STOP_LOOKS):
            found = await asyncio.to_thread(self._folder.one, upload.id)
            if found is None or not found.pending:
                return
            await asyncio.sleep(STOP_LOOKED_EVERY_S)

    async def exchange(self) -> None:
        """Store how far the import is, for the other servers, and do what they were asked.

        Raises:
            StoreUnavailable
        """
        if self._shared is None or not self._warehouse.carries_out_jobs:
            return
        unended = await asyncio.to_thread(self._shared.unended)
        for each in unended:
            if each.stops:
                self._stopped.add(each.id)
                if self._current is None or self._current.id != each.id:
                    await self._stop_waiting(each.id)
        if (current := self._current) is None:
            if any(each.pending for each in unended):
                self._pending.set()
        elif (encoded := encoded_upload(current)) != self._exchanged:
            await asyncio.to_thread(self._save_progress, current)
            self._exchanged = encoded

    def _save_progress(self, upload: Upload) -> None:
        """Store how much is read, and what is counted up to the mark, where another server goes on. Blocks."""
        with self._saving:
            counted = self._counted
            if counted is not None and counted.id == upload.id and not upload.looks:
                counts = {name: getattr(counted, name) for name in COUNTED}
                upload = msgspec.structs.replace(upload, **counts)
            self._folder.save(upload)

    async def _stop_waiting(self, id_: str) -> None:
        """Stop an import that has not begun."""
        upload = await asyncio.to_thread(self._folder.one, id_)
        if upload is not None and upload.pending:
            await self._finish(upload, "stopped")

    async def sweep(self) -> None:
        """Remove what a killed server has left, records of deleted sites, and those that are older than 90 days."""
        # What arrives at other servers is not known here.
        older = UNFINISHED_KEPT_S if self._warehouse.shared else 0.0
        await on_file_thread(self._folder.remove_unfinished, self._arriving, older)
        before = self._ledger.clock() - ROW_KEPT_MS
        for upload in await asyncio.to_thread(self._folder.all):
            old = upload.finished is not None and upload.finished < before
            if upload.state == "looked":
                if upload.finished is None or upload.finished < self._ledger.clock() - LOOKED_KEPT_MS:
                    await self._finish(upload, "stopped")
                continue
            if old or (not upload.pending and await self._sites.by_id(upload.site) is None):
                await on_file_thread(self._folder.remove, upload)
        if self._shared is not None and self._warehouse.carries_out_jobs:
            await asyncio.to_thread(forget_old, self._journal)
            await on_file_thread(self._folder.tidy)

    async def import_next(self) -> bool:
        """Import the oldest pending file. Returns whether one was pending.

        Raises:
            StoreUnavailable: it is imported later.
        """
        if not self._warehouse.carries_out_jobs:
            # Where files are shared, another server may go on with it.
            self._current, self.waits = None, ""
            return False
        uploads = await asyncio.to_thread(self._folder.all)
        self._current = next((upload for upload in uploads if upload.pending), None)
        if self._current is None:
            return False
        try:
            await self._carry_out(self._current)
        except StoreUnavailable as error:
            self.waits = str(error)
            raise
        self._current, self.waits = None, ""
        return True

    def _live(self, upload: Upload) -> Upload:
        """The upload as it is in memory while it is imported. Several servers read it where all do."""
        current = self._current if self._shared is None else None
        return current if current is not None and current.id == upload.id else upload

    async def _carry_out(self, upload: Upload) -> None:
        site = await self._sites.by_id(upload.site)
        if site is None:
            await on_file_thread(self._folder.remove, upload)
            return
        if upload.starts >= MOST_STARTS:
            await self._finish(
                upload, "failed", f"the server has ended {MOST_STARTS} times while it was reading this file"
            )
            return
        if upload.id not in self._begun:
            self._begun.add(upload.id)
            upload.starts += 1
        upload.state = "reading"
        await asyncio.to_thread(self._folder.save, upload)
        try:
            await self._import(upload, site)
        except ImportStopped:
            await self._finish(upload, "stopped")
        except NoSuchSite:
            await on_file_thread(self._folder.remove, upload)
        except StoreUnavailable:
            raise
        except asyncio.CancelledError:
            upload.starts = 0  # the server stops, whatever is in the file
            await asyncio.shield(asyncio.to_thread(self._save_progress, upload))
            raise
        except Exception as error:  # noqa: BLE001  # shown to who has sent the file
            await self._finish(upload, "failed", self._reason(upload, error))
        else:
            await self._read(upload, site)

    def _reason(self, upload: Upload, error: Exception) -> str:
        """Why an import has failed, in words."""
        if isinstance(error, InputRefused):
            return str(error).replace(str(self._folder.file(upload)), "the file")
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        log.error("an uploaded file could not be imported", upload=upload.id, exc_info=error)
        return "the file could not be imported; the log of the server says why"

    def _progress(self, upload: Upload, done: int, total: int) -> None:
        """Note how much is read.

        Raises:
            ImportStopped
            StoreBusy: another server carries out imports from now on.
        """
        upload.done, upload.total = done, total
        if self._warehouse.shared and not self._warehouse.carries_out_jobs:
            msg = "another server goes on with this file"
            raise StoreBusy(msg)
        if upload.id in self._stopped:
            raise ImportStopped

    async def _import(self, upload: Upload, site: Site) -> None:
        self._progress(upload, upload.done, upload.total)
        await on_file_thread(self._folder.fetch, upload)
        if upload.kind is UploadKind.PLAUSIBLE:
            progress = partial(self._progress, upload)
            figures = FiguresUpload(upload, self._folder, self._aggregates, progress, BAD_LINES_KEPT)
            await figures.carry_out(site.id)
            return
        resumed = upload.mark is not None and upload.mark.position > 0
        if not resumed:
            upload.report, upload.bad, upload.skipped = Report(), [], {}
        self._counted = copy_of(upload)
        journal = UploadJournal(self._journal, f"site {site.id}", lambda mark: self._stored(upload, mark))
        entries = await asyncio.to_thread(journal.entries)
        ends = {entry.mark: entry.until for entry in entries}
        if upload.mark is not None and resumed:
            ends = {upload.mark: ends.get(upload.mark)}
        elif upload.options.run:
            ends = {}
        async with self._opened(upload, ends) as (source, where):
            if not resumed:
                upload.report.before = upload.report.lines = source.start.lines

            def on_batch(_report: Report, batch: ImportBatch) -> None:
                self._progress(upload, batch.done, batch.total)

            def on_bad_line(bad: BadLine) -> None:
                if len(upload.bad) < BAD_LINES_KEPT:
                    upload.bad.append((where(bad.number), bad.reason))

            sink: Sink = DirectSink(self._ingest, self._warehouse, site, self._ledger.passed, LINES_AT_ONCE)
            if upload.looks:
                sink = DrySink(self._ingest.knowledge, site, LINES_AT_ONCE)
            work = Import(
                source, sink, upload.report, journal=None if upload.looks else journal, anew=upload.options.run,
                progress=on_batch, on_bad_line=on_bad_line,
            )  # fmt: skip
            await work.run()
        _refuse_useless(upload)

    def _stored(self, upload: Upload, mark: FileMark) -> None:
        """Everything before the mark is stored, and is in the report. Blocks."""
        with self._saving:
            upload.mark, upload.starts = mark, 0
            self._counted = copy_of(upload)
            self._folder.save(upload)

    @asynccontextmanager
    async def _opened(
        self, upload: Upload, ends: dict[FileMark, int | None]
    ) -> AsyncIterator[tuple[ImportSource, Callable[[int], str]]]:
        """The file at the first line that is not stored yet, and the name of the place of a line."""
        file = self._folder.file(upload)
        if reader := reader_of(upload.kind, upload.name, upload.options):

            def on_read(done: int, total: int, hits: int) -> None:
                upload.found = hits
                self._progress(upload, done, total)

            async with sorted_visits(file, reader, on_read) as (files, table):
                source = VisitFile(upload.kind.value, table, files.digest, marks=list(ends), now=seconds)
                if not source.start.position:
                    upload.skipped = dict(table.skipped)
                yield source, files.where
            return
        lines = await asyncio.to_thread(opened_lines, file, upload.kind, upload.options, ends)
        try:
            yield lines, "line {}".format
        finally:
            await asyncio.shield(asyncio.to_thread(lines.close))

    async def _finish(self, upload: Upload, state: UploadState, error: str = "") -> None:
        """Store the result, and remove the file, unless it was only looked at."""
        upload.state, upload.error = state, error
        upload.finished = self._ledger.clock()
        await asyncio.to_thread(self._folder.save, upload)
        if state != "looked":
            await on_file_thread(self._folder.remove_file, upload)

    async def _note(self, upload: Upload, site: Site, actor: str, now: int) -> None:
        """Add an import to the log of administrative events."""
        subject = f"site {site.id} {site.cname or site.code}"
        await self._ledger.write(done_by, actor, note, EventKind.IMPORTED, now, subject, upload.kind.value)

    async def _read(self, upload: Upload, site: Site) -> None:
        """The file was read to its end."""
        if upload.looks:
            await self._finish(upload, "looked")
            return
        await self._finish(upload, "done")
        await self._annotate(upload, site)

    async def _annotate(self, upload: Upload, site: Site) -> None:
        if text := annotation_of(upload.report, _kind_of(upload.kind)):
            here = AnnotatedSite(site.id, site.user_defaults.timezone)
            await self._ledger.write(annotate, [here], "import", text, self._ledger.clock())


def _refuse_useless(upload: Upload) -> None:
    """Let an import fail that has read its file and found nothing to import.

    Raises:
        InputRefused: says what was expected.
    """
    if upload.skipped or upload.report.used:
        return
    if upload.report.failed:
        msg = "no line of the file could be used"
    elif upload.report.before:
        return
    elif upload.kind is UploadKind.LOG:
        msg = f"the file has no hit: lines of a log in the format {upload.options.format} were expected"
    else:
        msg = f"the file has no hit: {_kind_of(upload.kind)} was expected"
    raise InputRefused(msg)


def _kind_of(kind: UploadKind) -> str:
    program = PROGRAMS.get(kind.value)
    return f"an export of {program}" if program else FILE_KINDS.get(kind.value, "a log")


def no_room() -> InputRefused:
    """The refusal of a file for which the disk has no room."""
    return InputRefused("the disk of the server has no room for this file")


def reader_of(kind: UploadKind, name: str, options: UploadOptions) -> ExportReader | None:
    """The reader of another program's hits; None for formats that are read line by line, and for figures."""
    if kind is UploadKind.UMAMI:
        return UmamiReader(options.website)
    if kind is UploadKind.GA4:
        return Ga4ReportReader() if name.lower().endswith(Ga4ReportReader.suffixes) else Ga4Reader()
    return None


def check_file(file: Path, sent: SentFile) -> None:
    """Look at the beginning of a file that has arrived. Blocks.

    Raises:
        InputRefused: it is not what it is said to be.
    """
    if sent.kind in (UploadKind.JSON, UploadKind.PLAUSIBLE):
        if not zipfile.is_zipfile(file):
            msg = "the file is not a ZIP"
            raise InputRefused(msg)
    elif sent.kind not in (UploadKind.UMAMI, UploadKind.GA4):
        try:
            opened_lines(file, sent.kind, sent.options, {}).close()
        except InputRefused as error:
            raise InputRefused(str(error).replace(str(file), "the file")) from error


def opened_lines(
    file: Path, kind: UploadKind, options: UploadOptions, ends: dict[FileMark, int | None]
) -> ImportSource:
    """Open a file of lines or rows. Blocks.

    Raises:
        InputRefused: it is not of its format, or an option is invalid.
    """
    form = options.format if kind is UploadKind.LOG else kind.value
    layouts = Layouts(options.date, options.time, options.datetime)
    return source_of(file, form, until_by_mark=ends, exclude=options.exclude or DEFAULT, layouts=layouts)
