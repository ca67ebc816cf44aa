"""GoatCounter's JSON export, version 1.0 (contract, 5.4): statistics in a ZIP, one folder with files of JSON lines.

Names are numbered in the order in which they occur, so the files that list them are written last.
"""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from tallystick import __version__
from tallystick.ledger import Ledger
from tallystick.model.export import Export
from tallystick.services.accounts.site_rows import site as site_by_id
from tallystick.services.analytics import names
from tallystick.services.exports.statistics import STATISTICS, Line, Named, Statistic
from tallystick.services.exports.written import WrittenExport
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.types import StatisticRow, VisitStatistic

EXPORT_VERSION = "1.0"
DAY_S = 86_400
WINDOW_S = 7 * DAY_S
"""Length of a window of time that is summed up by one query."""
NAMES_AT_ONCE = 5_000

_encode_lines = msgspec.json.Encoder().encode_lines


class SummarySource(NamedTuple):
    """The visits that are summed up.

    Attributes:
        windows: periods of whole UTC days; Unix seconds.
    """

    warehouse: Warehouse
    site: int
    windows: list[range]


async def write(ledger: Ledger, warehouse: Warehouse, export: Export, file: Path) -> WrittenExport:
    """Write the statistics of all visits, or of those from ``export.start_day`` on."""
    source, named, rows = SummarySource(warehouse, export.site, await _windows(warehouse, export)), Named(), 0
    async with _zipped(file, Path(export.file).stem) as output:
        await output.put("info.json", msgspec.json.encode(await _info(ledger, export)))
        for statistic in STATISTICS:
            rows += await _fill(output, source, statistic, named)
        for name, lines in named.lists().items():
            await output.put(f"{name}.jsonl", _encode_lines(lines))
        await _fill_paths(output, ledger, export.site, sorted(named.paths))
    return WrittenExport(rows, None)


async def _windows(warehouse: Warehouse, export: Export) -> list[range]:
    """Windows with visits only: a single hit dated 1970 does not make an export longer."""
    since = 0 if export.start_day is None else export.start_day // 1000 // DAY_S * DAY_S
    windows = await warehouse.read(_windows_of, export.site, since)
    return [range(max(window * WINDOW_S, since), (window + 1) * WINDOW_S) for window in windows]


async def _fill(output: "_Zip", source: SummarySource, statistic: Statistic, named: Named) -> int:
    """Write one file of counts; returns its number of lines."""
    total = 0
    async with output.open(f"{statistic.name}.jsonl"):
        for window in source.windows:
            rows = await source.warehouse.read(_rows, statistic.name, source.site, window)
            await output.write(await asyncio.to_thread(_lines, statistic, named, rows))
            total += len(rows)
    return total


def _lines(statistic: Statistic, named: Named, rows: list[StatisticRow]) -> bytes:
    named.paths.update(row[1] for row in rows)
    return _encode_lines([statistic.line(named, row) for row in rows])


async def _fill_paths(output: "_Zip", ledger: Ledger, site: int, ids: list[int]) -> None:
    async with output.open("paths.jsonl"):
        for start in range(0, len(ids), NAMES_AT_ONCE):
            paths = await ledger.read(names.paths_of, site, ids[start : start + NAMES_AT_ONCE])
            await output.write(
                _encode_lines([_path(path.id, path.path, path.title, path.event) for path in paths.values()])
            )


def _path(id_: int, path: str, title: str, event: bool) -> Line:  # noqa: FBT001  # a row of the ledger
    return {"id": id_, "path": path, "title": title} | ({"event": True} if event else {})


async def _info(ledger: Ledger, export: Export) -> Line:
    site = await ledger.read(site_by_id, export.site)
    return {
        "export_version": EXPORT_VERSION,
        "goatcounter_version": f"tallystick {__version__}",
        "created_for": (site.cname or site.code) if site else "",
        "created_by": "tallystick",
        "created_at": datetime.fromtimestamp(export.created // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _windows_of(session: WarehouseSession, site: int, since: int) -> list[int]:
    return session.visit_windows(site, since, WINDOW_S)


def _rows(session: WarehouseSession, statistic: VisitStatistic, site: int, window: range) -> list[StatisticRow]:
    return session.visit_counts(statistic, site, window)


class _Zip:
    """A ZIP whose files are filled one after the other, on threads."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder

    async def put(self, name: str, data: bytes) -> None:
        """Write a whole file."""
        await asyncio.to_thread(self._archive.writestr, f"{self._folder}/{name}", data)

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[None]:
        """The file that ``write`` fills until the block ends."""
        place = f"{self._folder}/{name}"
        self._file = await asyncio.to_thread(self._archive.open, place, "w", force_zip64=True)
        try:
            yield
        finally:
            await asyncio.shield(asyncio.to_thread(self._file.close))

    async def write(self, data: bytes) -> None:
        """Add to the open file."""
        await asyncio.to_thread(self._file.write, data)


@asynccontextmanager
async def _zipped(file: Path, folder: str) -> AsyncIterator[_Zip]:
    archive = await asyncio.to_thread(zipfile.ZipFile, file, "w", zipfile.ZIP_DEFLATED)
    try:
        yield _Zip(archive, folder)
    finally:
        await asyncio.shield(asyncio.to_thread(archive.close))
