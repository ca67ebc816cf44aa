"""GoatCounter's CSV, version 2 (contract, 5.1), compressed by gzip.

The warehouse builds the lines, a page at a time: only whole pages of text reach Python, and while one is compressed
on its thread the next is read. No page occupies a reader for long.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from tallystick.ledger import Ledger
from tallystick.model.export import Export
from tallystick.services.analytics.names import paths_of
from tallystick.services.exports.written import WrittenExport
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.types import HitPage, PathName

HEADER = (
    b"2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,"
    b"FirstVisit,Date\n"
)
ROWS_AT_ONCE = 50_000
COMPRESSION = 6


async def write(ledger: Ledger, warehouse: Warehouse, export: Export, file: Path) -> WrittenExport:
    """Write all present hits of people with ids above ``export.start_id``, by id."""
    site, last, rows = export.site, export.start_id or 0, 0
    through = await warehouse.read(newest_hit, site)
    async with _compressed(file) as output:
        await output.put(HEADER)
        while page := await warehouse.read(_page, site, last, through):
            paths = await ledger.read(paths_of, site, page.paths)
            names = [PathName(path.id, path.path, path.title) for path in paths.values()]
            await output.put(await warehouse.read(_lines, site, last, page.last_id, names))
            last, rows = page.last_id, rows + page.rows
    return WrittenExport(rows, last if rows else None)


def newest_hit(session: WarehouseSession, site: int) -> int:
    """The id of a site's newest hit; 0 without one."""
    return session.newest_hit(site)


def _page(session: WarehouseSession, site: int, after: int, through: int) -> HitPage | None:
    return session.next_page(site, after, through, ROWS_AT_ONCE)


def _lines(session: WarehouseSession, site: int, after: int, through: int, names: Sequence[PathName]) -> bytes:
    return session.csv_lines(site, after, through, names)


class _Compressed:
    """A file that is compressed and written on threads, while its writer gets the next part."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._writing: asyncio.Task[int] | None = None

    async def put(self, data: bytes) -> None:
        """Write a part, after the part before is written."""
        await self.finish()
        self._writing = asyncio.create_task(asyncio.to_thread(self._stream.write, data))

    async def finish(self) -> None:
        """Return when all parts are written.

        Raises:
            OSError: a part could not be written.
        """
        if self._writing:
            await asyncio.shield(self._writing)


@asynccontextmanager
async def _compressed(file: Path) -> AsyncIterator[_Compressed]:
    # A thread continues when its task is cancelled, and the file that it opens has to be closed.
    opening = asyncio.create_task(asyncio.to_thread(_open, file))
    try:
        stream, _ = await asyncio.shield(opening)
        output = _Compressed(stream)
        yield output
        await output.finish()
    finally:
        await asyncio.shield(_leave(opening))


async def _leave(opening: asyncio.Task[tuple[gzip.GzipFile, BinaryIO]]) -> None:
    try:
        opened = await opening
    except OSError:
        return  # raised where the file was waited for
    await asyncio.to_thread(_close, *opened)


def _open(file: Path) -> tuple[gzip.GzipFile, BinaryIO]:
    """Open a stream without the file's name and time, so that equal hits give equal files; and its file."""
    target = file.open("wb")
    return gzip.GzipFile("", "wb", COMPRESSION, target, 0), target


def _close(stream: gzip.GzipFile, target: BinaryIO) -> None:
    with target, stream:
        pass
