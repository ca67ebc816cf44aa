"""A warehouse in a directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tallystick.warehouse import WAREHOUSE_FILE, Warehouse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / WAREHOUSE_FILE


@pytest.fixture
async def warehouse(file: Path) -> AsyncIterator[Warehouse]:
    opened = await Warehouse.open(file)
    yield opened
    await opened.close()
