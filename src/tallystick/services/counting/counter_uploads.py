"""Public counters from a file that was sent, and in a file to send, as ``tallystick counter import`` and ``export`` do.

A file is checked first, and imported when the one who has sent it says so. There is one at a time. It has no name on
the disk, so nothing is left of it when the server ends; it can be sent again, since counters that exist are kept. Of
several servers on one ledger one has the file; the others show its state, and ask it to import or to forget the file.
Where they have a place for files, another one takes it over when that server stops.
"""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Literal, cast

import msgspec
import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from tallystick.errors import InputRefused, StoreBusy, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.ledger.folding import CounterWrite
from tallystick.model.account import Account
from tallystick.model.counter import Outcome
from tallystick.services.accounts.audit import EventKind, done_by, note
from tallystick.services.counting.counter_export import export
from tallystick.services.counting.counter_files import Format, Line, from_csv, from_json
from tallystick.services.counting.counter_import import Imported, predicted, writes_of
from tallystick.services.counting.upload_board import Posted, UploadBoard
from tallystick.services.file_places import ROOM_LEFT, FilePlace
from tallystick.services.file_threads import on_file_thread
from tallystick.tasks import BackgroundTask

FORMATS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""By the suffix of a file's name."""
LINES_AT_ONCE = 500
"""Of a file, and counts that wait together: those of others wait behind them."""
BAD_LINES_KEPT = 100
SENT_AT_ONCE = 1_048_576
LOOKED_EVERY_S = 60.0
IMPORTED_WITHIN_S = 24 * 3_600.0
"""An import that takes longer is reported by health: it may hang."""
BUSY_S = 0.1
POSTED_EVERY_S = 1.0
"""How often a server tells the others how far its file is, and looks whether one of them wants something of it."""

WORKING = ("checking", "importing")
GONE = "the server that had the file has stopped: send the file again"
INTERRUPTED = "the server that imported the file has stopped: import it again"
KEPT_S = 24 * 3_600.0
"""How long a file is kept that is not the newest one: a server may be about to post it."""
SWEPT_EVERY_S = 3_600.0
State = Literal["checking", "checked", "importing", "done", "failed"]

log = structlog.get_logger()


class CounterUpload(Struct, kw_only=True):
    """A file of counters that was sent.

    Attributes:
        name: of the file.
        replaces: whether counters that exist are replaced; otherwise they are kept.
        size: bytes.
        read: bytes that are read, of the check or of the import.
        found: what the import would do, as far as the file is checked.
        imported: what it has done.
        bad: number and reason of the first lines that cannot be read. A file that has one is not imported.
        error: why the check or the import has ended early.
        file: its name where all servers find it; empty if its server alone has it.
    """

    name: str
    form: Format
    replaces: bool
    actor: Account
    size: int
    state: State = "checking"
    read: int = 0
    found: Imported = field(default_factory=Imported)
    imported: Imported = field(default_factory=Imported)
    bad: list[tuple[int, str]] = field(default_factory=list)
    error: str = ""
    file: str = ""

    @property
    def working(self) -> bool:
        """Whether the file is being read."""
        return self.state in WORKING

    @property
    def ready(self) -> bool:
        """Whether it can be imported, or imported again after a failure of the storage."""
        return self.state in {"checked", "failed"} and not self.found.bad and self.found.through > 0


class CounterUploads:
    """Checks and imports files of public counters, and writes them.

    Args:
        lifetime: of counters without ``expires``, in ms.
        data: the data directory, where files lie while they are needed.
        place: where all servers find files; None if they have no such place.
    """

    def __init__(self, ledger: Ledger, lifetime: int, data: Path, place: FilePlace | None = None) -> None:
        self._ledger, self._lifetime, self._data, self._place = ledger, lifetime, data, place
        self._sent = asyncio.Event()
        self._exporting, self._changing = asyncio.Lock(), asyncio.Lock()
        self._stream: BinaryIO | None = None
        self._board, self._posted = UploadBoard.of(ledger), ""
        self.current: CounterUpload | None = None
        """The file that this server has."""

    def tasks(self) -> list[BackgroundTask]:
        """The background tasks: one reads files, one tells other servers of them."""
        reads = BackgroundTask(
            "counter-files", self.read_file, LOOKED_EVERY_S, trigger=self._sent, overdue_after=IMPORTED_WITHIN_S
        )
        if self._board is None:
            return [reads]
        return [
            reads,
            BackgroundTask("posted-files", self.post, POSTED_EVERY_S),
            *([BackgroundTask("old-counter-files", self.sweep, SWEPT_EVERY_S)] if self._place else []),
        ]

    async def newest(self) -> CounterUpload | None:
        """The file that was sent last, to whichever server.

        Raises:
            StoreUnavailable: it is in the ledger, which cannot be read.
        """
        posted = None if self._board is None else await self._board.newest()
        if self._board is None or (posted is not None and posted.own):
            return self.current
        return None if posted is None else self._shown(posted)

    async def post(self) -> None:
        """Tell the other servers how far the file of this one is, and do what one of them wants.

        Raises:
            StoreUnavailable
        """
        if self._board is None:
            return
        if self.current is None:
            await self._take_over(self._board)
            return
        upload = self.current
        encoded = _encode(upload)
        if encoded == self._posted and not (upload.working or upload.ready):
            await self._take_over(self._board)  # its own has ended, and all know
            return
        begins = await self._board.note(encoded)
        self._posted = encoded
        if begins is None:
            # Another server has it, or it is not the newest any more. What is being read of it ends.
            self.current = None
            if not upload.working:
                self._close()
        elif begins and upload.ready:
            self._begin(upload)

    async def _take_over(self, board: UploadBoard) -> None:
        """Go on with the file of a server that has stopped."""
        before = self.current
        posted = None if self._place is None else await board.newest()
        # Its own without the file: the answer was lost when it took it.
        if self._place is None or posted is None or (before is not None if posted.own else posted.answers):
            return
        upload = _decode(posted)
        if not upload.file or not (upload.working or upload.ready):
            return
        # Before it is taken: that may last longer than a server may be silent.
        try:
            stream = await on_file_thread(_opened, self._place, upload.file)
        except FileNotFoundError:
            stream = None
        async with self._changing:
            if self.current is not before or not (posted.own or await board.take(posted.server)):
                if stream is not None:
                    stream.close()
                return
            if upload.state == "importing":
                upload.state, upload.error = "failed", INTERRUPTED  # what it has replaced may have been counted since
            if stream is None:
                upload.state, upload.found, upload.error = "failed", Imported(), GONE
            if upload.state == "checking":
                upload.bad = []
                self._sent.set()
            self.current, self._stream = upload, stream

    async def sweep(self) -> None:
        """Remove files that servers have left which stopped.

        Raises:
            StoreUnavailable
        """
        newest = None if self._board is None else await self._board.newest()
        if self._place is not None:
            await on_file_thread(_remove_old, self._place, "" if newest is None else _decode(newest).file)

    def arriving(self, announced: int) -> BinaryIO:
        """A file for what arrives. Blocks.

        Args:
            announced: bytes that will come.

        Raises:
            InputRefused: the disk has no room for it, or another file is being read.
        """
        self._refuse_a_second()
        if shutil.disk_usage(self._data).free < ROOM_LEFT + announced:
            msg = "the disk of the server has no room for this file"
            raise InputRefused(msg)
        return cast("BinaryIO", TemporaryFile(dir=self._data))  # closed when it is read or replaced

    async def check(self, upload: CounterUpload, stream: BinaryIO) -> None:
        """Check a file that has arrived, in the background. It replaces the one before.

        Raises:
            InputRefused: another one is being read.
            StoreUnavailable: other servers cannot be told of it.
        """
        self._refuse_a_second()
        if self._place is not None:
            upload.file = f"{secrets.token_hex(8)}.counters"
            await on_file_thread(_kept, self._place, upload.file, stream)
        async with self._changing:
            before = None if self._board is None else await self._board.newest()
            if self._board is not None and not await self._board.put(_encode(upload), WORKING):
                await self._removed(upload)
                raise _second()
            if before is not None:
                await self._removed(_decode(before))
            await self._forget()
            self.current, self._stream = upload, stream
        self._sent.set()

    async def begin(self) -> None:
        """Import the file that was checked, in the background.

        Raises:
            InputRefused: there is none that can be imported.
            StoreUnavailable: another server has it, and cannot be told.
        """
        posted = None if self._board is None else await self._board.newest()
        if self._board is not None and posted is not None and not posted.own:
            upload = self._shown(posted)
            if upload.ready and await self._board.begin(posted.server, _encode(replace(upload, state="importing"))):
                return
        elif self.current is not None and self.current.ready:
            self._begin(self.current)
            return
        msg = "there is no file that can be imported: send it again"
        raise InputRefused(msg)

    async def discard(self) -> None:
        """Forget the file, unless it is being read.

        Raises:
            StoreUnavailable: other servers cannot be told.
        """
        newest = await self.newest()
        if newest is not None and newest.working:
            return
        if self._board is not None:
            await self._board.forget()
        await self._forget()
        if newest is not None:
            await self._removed(newest)

    def _begin(self, upload: CounterUpload) -> None:
        upload.state, upload.error = "importing", ""
        self._sent.set()

    async def _forget(self) -> None:
        if self.current is None or not self.current.working:
            upload, self.current = self.current, None
            self._close()
            if upload is not None:
                await self._removed(upload)

    async def read_file(self) -> None:
        """Check or import the file, if there is one to read."""
        upload = self.current
        if upload is None or not upload.working or self._stream is None:
            return
        checked = upload.state == "checking"
        stream = self._stream
        try:
            await self._read(upload, stream)
        except (InputRefused, StoreUnavailable) as error:
            upload.state, upload.error = "failed", str(error)
        except Exception as error:
            log.error("a file of counters could not be read", exc_info=error)  # noqa: TRY400  # as a field
            upload.state, upload.error = "failed", "the file could not be imported; the log of the server says why"
            raise
        else:
            upload.state = "checked" if checked else "done"
        if self.current is not upload:
            if self._stream is stream:
                self._stream = None
            stream.close()
        elif upload.state == "done" or not (upload.working or upload.ready):
            self._close()
            await self._removed(upload)

    async def exported(self, form: Format) -> AsyncIterator[bytes]:
        """A consistent snapshot of all public counters, encoded.

        It is written to the disk first, so that a slow reader keeps no snapshot open.

        Raises:
            StoreUnavailable: the ledger cannot be read.
            OSError: the disk is full.
        """
        async with self._exporting:
            file = await asyncio.to_thread(self._written, form)
        with file:
            while part := await asyncio.to_thread(file.read, SENT_AT_ONCE):
                yield part

    def _written(self, form: Format) -> BinaryIO:
        with ExitStack() as stack:
            file = cast("BinaryIO", stack.enter_context(TemporaryFile(dir=self._data)))
            with closing(self._ledger.database.session()) as session, session.snapshot():
                for page in export(session, form, self._ledger.clock()):
                    file.write(page.lines)
            file.seek(0)
            stack.pop_all()
        return file

    async def _read(self, upload: CounterUpload, stream: BinaryIO) -> None:
        now, read = self._ledger.clock(), from_csv if upload.form == "csv" else from_json
        importing = upload.state == "importing"
        done = Imported()
        if importing:
            upload.imported = done
        else:
            upload.found = done
        await asyncio.to_thread(stream.seek, 0)
        lines = read(stream, now, self._lifetime)
        while batch := await asyncio.to_thread(lambda: list(islice(lines, LINES_AT_ONCE))):
            if self.current is not upload:
                msg = "another server goes on with the file"
                raise InputRefused(msg)
            good = [line for line in batch if isinstance(line, Line)]
            writes = writes_of(good, now, replaces=upload.replaces)
            done.add(good, await (self._stored(writes) if importing else self._ledger.read(predicted, writes, now)))
            for line in batch:
                if not isinstance(line, Line):
                    done.bad += 1
                    if len(upload.bad) < BAD_LINES_KEPT:
                        upload.bad.append((line.number, line.reason))
            upload.read = await asyncio.to_thread(stream.tell)
        if importing:
            text = f"created {done.created}, replaced {done.replaced}, kept {done.kept}"
            await self._ledger.write(
                done_by, upload.actor, note, EventKind.COUNTERS_IMPORTED, now, upload.name[:100], text
            )

    async def _stored(self, writes: Sequence[CounterWrite]) -> list[Outcome]:
        """Store counters as requests do.

        Raises:
            StoreUnavailable: some may be stored.
        """
        waiting = [await self._submitted(write) for write in writes]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        outcomes = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            outcomes.append(result)
        return outcomes

    async def _submitted(self, write: CounterWrite) -> "asyncio.Future[Outcome]":
        while True:
            try:
                return self._ledger.count(write.key, write.operation)
            except StoreBusy:
                await asyncio.sleep(BUSY_S)

    def _refuse_a_second(self) -> None:
        if self.current is not None and self.current.working:
            raise _second()

    def _shown(self, posted: Posted) -> CounterUpload:
        """The file of another server, as it says."""
        upload = _decode(posted)
        # Where others find the file, one of them goes on with it.
        if posted.answers or upload.file or not (upload.working or upload.ready):
            return upload
        return replace(upload, state="failed", found=Imported(), error=GONE)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    async def _removed(self, upload: CounterUpload) -> None:
        """Remove a file from where all servers find it; what cannot be removed now is by ``sweep``."""
        if self._place is not None and upload.file:
            with suppress(StoreBusy):
                await on_file_thread(self._place.remove, upload.file)


def _second() -> InputRefused:
    return InputRefused("another file of counters is being read: wait until it has ended")


def _encode(upload: CounterUpload) -> str:
    return msgspec.json.encode(upload).decode()


def _decode(posted: Posted) -> CounterUpload:
    return msgspec.json.decode(posted.upload, type=CounterUpload)


def _kept(place: FilePlace, name: str, stream: BinaryIO) -> None:
    """Let all servers have a file that has arrived. Blocks."""
    place.work.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving = place.work / f"{name}.arriving"
    try:
        stream.seek(0)
        with arriving.open("xb") as copy:
            shutil.copyfileobj(stream, copy, SENT_AT_ONCE)
        place.keep(arriving, name)
        place.let_go(name)
    finally:
        arriving.unlink(missing_ok=True)


def _opened(place: FilePlace, name: str) -> BinaryIO:
    """A file that another server has taken. Blocks.

    Raises:
        FileNotFoundError: it is gone.
    """
    stream = place.fetch(name).open("rb")
    place.let_go(name)
    return stream


def _remove_old(place: FilePlace, needed: str) -> None:
    """Remove files that are not the newest one. Blocks."""
    for name, age in place.names().items():
        if age >= KEPT_S and not (needed and name.startswith(needed)):
            place.remove(name)
    place.tidy()
