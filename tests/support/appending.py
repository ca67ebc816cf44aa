"""A process of its own that appends hits and says on standard output what was acknowledged. Killed by tests."""

import asyncio
import os
import sys
from pathlib import Path

from support.warehouses import a_hit
from tallystick.warehouse.duckdb import checkpoints
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

CLIENTS = 8


async def append_for_ever(file: Path) -> None:
    warehouse = await DuckDbWarehouse.open(file)

    async def client(number: int) -> None:
        path = 0
        while True:
            path += 1
            hits = [a_hit(path, by=number + 1, site=number + 1)] * (path % 4 + 1)
            stored = await warehouse.append(hits)
            # The whole line in one write: the test reads lines.
            os.write(1, f"{number} {path} {' '.join(str(hit.id) for hit in stored)}\n".encode())

    await asyncio.gather(*map(client, range(CLIENTS)))


if __name__ == "__main__":
    checkpoints.WAL_BYTES = 50_000  # often enough to be killed in one
    asyncio.run(append_for_ever(Path(sys.argv[1])))
