"""GoatCounter's CSV, version 2 (contract, 5.1), compressed by gzip.

Lines are put together inside DuckDB, a chunk at a time: only whole chunks of text reach Python, and while one is
compressed on its thread the next is read. No chunk holds a reader for long.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from tallystick.ledger import Ledger
from tallystick.model.export import Export
from tallystick.services.analytics.names import paths_of
from tallystick.services.exports.written import WrittenExport
from tallystick.warehouse import Warehouse, WarehouseSession

HEADER = (
    b"2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,"
    b"FirstVisit,Date\n"
)
ROWS_AT_ONCE = 50_000
COMPRESSION = 6

_encode = msgspec.json.Encoder().encode


class Chunk(NamedTuple):
    """The next hits of a site.

    Attributes:
        last_id: the greatest id among them.
        paths: ids of their paths, each once.
    """

    rows: int
    last_id: int
    paths: list[int]


async def write(ledger: Ledger, warehouse: Warehouse, export: Export, file: Path) -> WrittenExport:
    """Write all people's hits behind ``export.start_id`` that exist now, by id."""
    last, rows = export.start_id or 0, 0
    through = await warehouse.read(newest_hit, export.site)
    async with _compressed(file) as output:
        await output.put(HEADER)
        while chunk := await warehouse.read(next_chunk, export.site, last, through):
            found = await ledger.read(paths_of, export.site, chunk.paths)
            names = [(path.id, path.path, path.title) for path in found.values()]
            await output.put(await warehouse.read(chunk_lines, export.site, last, chunk.last_id, names))
            last, rows = chunk.last_id, rows + chunk.rows
    return WrittenExport(rows, last if rows else None)


def newest_hit(session: WarehouseSession, site: int) -> int:
    """The id of a site's newest hit; 0 without one."""
    return int(session.queries.newest_hit(session.connection, site=site))


def next_chunk(session: WarehouseSession, site: int, after: int, through: int) -> Chunk | None:
    """The next hits of people, by id."""
    row = session.queries.export_chunk(
        session.connection, site=site, after=after, through=through, max_rows=ROWS_AT_ONCE
    )
    return Chunk(*row) if row[0] else None


def chunk_lines(
    session: WarehouseSession, site: int, after: int, through: int, names: list[tuple[int, str, str]]
) -> bytes:
    """Hits as lines of CSV.

    Args:
        names: id, path and title; hits of other paths are left out.
    """
    columns = {"id": [id_ for id_, _, _ in names], "path": [p for _, p, _ in names], "title": [t for _, _, t in names]}
    text: str | None = session.queries.export_lines(
        session.connection, site=site, after=after, through=through, names=_encode(columns).decode()
    )
    return (text or "").encode()


class _Compressed:
    """A file that is compressed and written on threads, while its writer gets the next part."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._writing: asyncio.Task[int] | None = None

    async def put(self, data: bytes) -> None:
        """Write once what was put before is written."""
        await self.finish()
        self._writing = asyncio.create_task(asyncio.to_thread(self._stream.write, data))

    async def finish(self) -> None:
        """Return when everything is written.

        Raises:
            OSError: it could not be.
        """
        if self._writing:
            await asyncio.shield(self._writing)


@asynccontextmanager
async def _compressed(file: Path) -> AsyncIterator[_Compressed]:
    target = await asyncio.to_thread(file.open, "wb")
    stream = await asyncio.to_thread(_gzip, target)
    output = _Compressed(stream)
    try:
        yield output
        await output.finish()
    finally:
        await asyncio.shield(asyncio.to_thread(_close, stream, target))


def _gzip(target: BinaryIO) -> gzip.GzipFile:
    """Without the file's name and time, so that equal hits make equal files."""
    return gzip.GzipFile("", "wb", COMPRESSION, target, 0)


def _close(stream: gzip.GzipFile, target: BinaryIO) -> None:
    with target, stream:
        pass
