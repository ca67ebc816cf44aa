"""Writes an export's file in its format: one module each."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tallystick.ledger import Ledger
from tallystick.model.export import Export, ExportFormat
from tallystick.services.exports import csv_v2, json_zip, parquet
from tallystick.services.exports.written import WrittenExport
from tallystick.warehouse import Warehouse

__all__ = ["WrittenExport", "write_export"]

Write = Callable[[Ledger, Warehouse, Export, Path], Awaitable[WrittenExport]]
FORMATS: dict[ExportFormat, Write] = {"csv": csv_v2.write, "json": json_zip.write, "parquet": parquet.write}


async def write_export(ledger: Ledger, warehouse: Warehouse, export: Export, file: Path) -> WrittenExport:
    """Write an export's file, in its format.

    Raises:
        StoreUnavailable: a store failed; the file is not whole.
        OSError: the file cannot be written.
    """
    return await FORMATS[export.format](ledger, warehouse, export, file)
