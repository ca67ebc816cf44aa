"""Reads another program's export into a table of visits, on a thread."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tallystick.services.imports.export_files import ExportFiles, ExportReader
from tallystick.services.imports.visit_table import VisitTable

OnRead = Callable[[int, int, int], None]
"""Called on the thread with the number of bytes that are read, of all bytes (0 if unknown), and of hits."""


@asynccontextmanager
async def sorted_visits(
    file: Path, reader: ExportReader, on_read: OnRead
) -> AsyncIterator[tuple[ExportFiles, VisitTable]]:
    """Read and sort a file in a thread, which ends if the import is interrupted.

    Raises:
        InputRefused: it is no export of this program.
    """
    files, table = ExportFiles(file), await asyncio.to_thread(VisitTable)
    reading = asyncio.create_task(
        asyncio.to_thread(files.read, reader, table, lambda done, total: on_read(done, total, table.hits))
    )
    try:
        await asyncio.shield(reading)
        yield files, table
    finally:
        if not reading.done():
            table.stop()
            await asyncio.wait((reading,))
            reading.exception()  # that it was stopped
        await asyncio.shield(asyncio.to_thread(table.close))
