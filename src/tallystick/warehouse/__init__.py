"""The warehouse: stores hits durably, in columns, and reports on them. See DESIGN.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tallystick.warehouse.types import IdempotencyRecord, LakeStanding, LedgerMarks, ParquetHit, Present, Stored
from tallystick.warehouse.warehouse import Warehouse, WarehouseSession, WarehouseStorage, WarehouseWriteSession, seconds

if TYPE_CHECKING:
    from tallystick.warehouse.lake.bucket import LakeBucket
    from tallystick.warehouse.lake.connecting import Connect

OWN_FILES = ("warehouse*", "warehouse.temp/*", "exports/*")
"""Patterns of the files that a warehouse writes into a data directory."""

__all__ = [
    "OWN_FILES",
    "IdempotencyRecord",
    "LakeStanding",
    "Present",
    "Stored",
    "Warehouse",
    "WarehouseSession",
    "WarehouseStorage",
    "WarehouseWriteSession",
    "lake_bucket",
    "lake_standing",
    "lake_storage",
    "open_lake",
    "open_warehouse",
    "parquet_row_count",
    "parquet_rows",
    "refuse_unfinished_lake",
    "seconds",
    "warehouse_storage",
]


async def open_warehouse(  # noqa: PLR0913  # independent options
    data: Path,
    durability: Literal["full", "relaxed"] = "full",
    memory_mb: int = 512,
    clock: Callable[[], int] = seconds,
    *,
    ledger: LedgerMarks | None = None,
    commits: Callable[[], int] = int,
    accept_loss: bool = False,
) -> Warehouse:
    """Open or create the warehouse of a data directory.

    Args:
        data: must exist.
        durability: ``relaxed`` acknowledges hits before they are synced.
        memory_mb: memory for reports, in MB.
        clock: Unix seconds.
        ledger: marks of the ledger to compare with; None for no comparison.
        commits: returns the ledger's number of commits; called on a thread.
        accept_loss: start although a store lacks data that another one has noted.

    Raises:
        DatabaseUnreachable: a file cannot be opened, or is damaged.
        DatabaseSchemaRefused: a file was written by a newer program.
        StoresDisagree: something is missing.
    """
    # Imported here, so that commands without hits do not wait for DuckDB to load.
    from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE  # noqa: PLC0415
    from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse  # noqa: PLC0415

    return await DuckDbWarehouse.open(
        data / WAREHOUSE_FILE, durability, memory_mb, clock, ledger=ledger, commits=commits, accept_loss=accept_loss
    )


async def open_lake(  # noqa: PLR0913  # independent options
    connect: "Connect",
    catalogue: str,
    files: str,
    *,
    work: Path,
    exports: Path,
    memory_mb: int = 512,
    clock: Callable[[], int] = seconds,
) -> Warehouse:
    """Open the warehouse that several servers share; the first one creates it.

    Args:
        connect: opens connections to the PostgreSQL database.
        catalogue: the database's URL.
        files: a directory that all servers have, or ``s3://BUCKET/PREFIX``.
        work: a directory of this server.
        exports: the folder of exports.
        memory_mb: memory for reports and changes, in MB.
        clock: Unix seconds.

    Raises:
        DatabaseUnreachable: it cannot be opened.
        DatabaseUnsuitable: DuckDB lacks an extension.
        DatabaseSchemaRefused: it was written by a newer program.
    """
    from tallystick.warehouse.lake.warehouse import LakePlace, LakeWarehouse  # noqa: PLC0415  # see above

    place = LakePlace(catalogue, files, work, exports, memory_mb)
    return await LakeWarehouse.open(connect, place, clock)


def lake_storage(connect: "Connect", catalogue: str, files: str) -> WarehouseStorage:
    """The hits that several servers share, for commands; arguments as of ``open_lake``."""
    from tallystick.warehouse.lake.storage import LakeStorage  # noqa: PLC0415  # see above

    return LakeStorage(connect, catalogue, files)


def lake_bucket(lake: str, kind: str) -> "LakeBucket":
    """Files of one kind in the bucket of a lake, beside its hits.

    Args:
        lake: ``s3://BUCKET/PREFIX``.
        kind: names their folder.

    Raises:
        DatabaseUnsuitable: the storage's client is missing.
        InvalidSetting: the environment has no credentials.
    """
    from tallystick.warehouse.lake.bucket import LakeBucket  # noqa: PLC0415  # see above

    return LakeBucket(lake, kind)


def lake_standing(connect: "Connect") -> LakeStanding | None:
    """How the servers on a lake do; None if none has started yet.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    from tallystick.warehouse.duckdb.migrations import all_steps  # noqa: PLC0415  # only where there are several servers
    from tallystick.warehouse.lake.connecting import connected  # noqa: PLC0415
    from tallystick.warehouse.lake.lease import standing  # noqa: PLC0415

    with connected(connect) as opened:
        return standing(opened, len(all_steps()))


def refuse_unfinished_lake(connect: "Connect") -> None:
    """Refuse a lake whose ledger was replaced by a restore and whose hits were not.

    Raises:
        StoresDisagree: a restore was interrupted, or runs.
        StoreUnavailable: PostgreSQL does not answer.
    """
    from tallystick.warehouse.lake.restoring import refuse_unfinished_restore  # noqa: PLC0415  # see above

    refuse_unfinished_restore(connect)


def warehouse_storage(data: Path) -> WarehouseStorage:
    """The files of a data directory's hits, for commands that check, copy or replace them."""
    from tallystick.warehouse.duckdb.storage import DuckDbStorage  # noqa: PLC0415  # see above

    return DuckDbStorage(data)


def parquet_row_count(file: Path) -> int:
    """The number of hits in a Parquet export.

    Raises:
        InputRefused: the file is not a Parquet export.
    """
    from tallystick.warehouse.duckdb.parquet import row_count  # noqa: PLC0415  # see above

    return row_count(file)


def parquet_rows(file: Path) -> Iterator[ParquetHit]:
    """All hits of a Parquet export, in its order.

    Raises:
        InputRefused: the file is not a Parquet export, or damaged.
    """
    from tallystick.warehouse.duckdb.parquet import read_rows  # noqa: PLC0415  # see above

    return read_rows(file)
