"""The warehouse: hits in columns, durably kept and quickly counted. See DESIGN.md."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from tallystick.warehouse.types import KeptRequest, LedgerMarks, Stored
from tallystick.warehouse.warehouse import Warehouse, WarehouseSession, WarehouseStorage, WarehouseWriteSession, seconds

__all__ = [
    "KeptRequest",
    "Stored",
    "Warehouse",
    "WarehouseSession",
    "WarehouseStorage",
    "WarehouseWriteSession",
    "open_warehouse",
    "seconds",
    "warehouse_storage",
]


async def open_warehouse(  # noqa: PLR0913  # one value each, all but one with a default
    data: Path,
    durability: Literal["full", "relaxed"] = "full",
    memory_mb: int = 512,
    clock: Callable[[], int] = seconds,
    *,
    ledger: LedgerMarks | None = None,
    commits: Callable[[], int] = int,
    accept_loss: bool = False,
) -> Warehouse:
    """Open or make the warehouse of a data directory.

    Args:
        data: must exist.
        durability: ``relaxed`` answers before hits are synced.
        memory_mb: what the warehouse may take for reports, in MB.
        clock: Unix seconds.
        ledger: how far it has come; None where there is none to compare with.
        commits: how far it has come meanwhile; called on a thread.
        accept_loss: go on where one store lacks what another one proves.

    Raises:
        DatabaseUnreachable: a file cannot be opened, or is damaged.
        DatabaseSchemaRefused: a file was written by a newer program.
        StoresDisagree: something is missing.
    """
    # Commands that need no hits do not wait for DuckDB to load.
    from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE  # noqa: PLC0415
    from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse  # noqa: PLC0415

    return await DuckDbWarehouse.open(
        data / WAREHOUSE_FILE, durability, memory_mb, clock, ledger=ledger, commits=commits, accept_loss=accept_loss
    )


def warehouse_storage(data: Path) -> WarehouseStorage:
    """The hits of a data directory, for commands that look at them, copy them or put them back."""
    from tallystick.warehouse.duckdb.storage import DuckDbStorage  # noqa: PLC0415  # see above

    return DuckDbStorage(data)
