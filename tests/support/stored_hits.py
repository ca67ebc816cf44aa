"""What a server has stored, read from its files once it is stopped."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from support.warehouses import opened_warehouse, rows
from tallystick.model.hit import is_bot
from tallystick.model.props import decoded
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE


def stored_hits(data: Path) -> list[dict[str, Any]]:
    """The hits in their order, with names in the place of ids."""

    async def read() -> list[tuple[Any, ...]]:
        async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
            return await rows(warehouse, "path, event, page, props, interactive, bot")

    with closing(sqlite3.connect(data / "ledger.sqlite3")) as ledger:
        names: dict[int | None, str] = dict(ledger.execute("SELECT id, path FROM path"))
    names[None] = ""
    with ThreadPoolExecutor(1) as elsewhere:  # while Playwright is open, a loop is running on this thread
        found = elsewhere.submit(lambda: asyncio.run(read())).result()
    return [
        {
            "name": names[path],
            "event": event,
            "page": names[page],
            "props": decoded(props),
            "interactive": interactive,
            "bot": is_bot(bot),
        }
        for path, event, page, props, interactive, bot in found
    ]
