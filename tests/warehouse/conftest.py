"""A warehouse in a directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support import lakes
from support.prepared import copy_migrated_warehouse
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

if lakes.ON_LAKE:
    lakes.judge_the_lake()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / WAREHOUSE_FILE


@pytest.fixture
async def warehouse(file: Path) -> AsyncIterator[DuckDbWarehouse]:
    copy_migrated_warehouse(file.parent)
    opened = await DuckDbWarehouse.open(file)
    yield opened
    await opened.close()
