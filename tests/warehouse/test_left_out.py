"""Columns in which hits have their usual values are left out of a move, and stored all the same."""

from itertools import product
from typing import Any

import pytest

from support.warehouses import a_hit, rows
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

UNUSUAL: dict[str, Any] = {
    "event": True,
    "region": "TX",
    "language": "nld",
    "campaign": 9,
    "utm_source": "news",
    "host": "example.com",
    "page": 3,
    "props": '{"a":"b"}',
    "interactive": False,
    "device": "Mobile",
}
USUAL = (False, "", "", None, "", "", None, "", True, "")


@pytest.mark.parametrize("name", UNUSUAL)
async def test_one_unusual_value_among_usual_ones(warehouse: DuckDbWarehouse, name: str) -> None:
    await warehouse.append([a_hit(), a_hit(**{name: UNUSUAL[name]}), a_hit()])
    changed = tuple(UNUSUAL[name] if name == each else usual for each, usual in zip(UNUSUAL, USUAL, strict=True))
    assert await rows(warehouse, ", ".join(UNUSUAL)) == [USUAL, changed, USUAL]


async def test_moves_with_and_without_them(warehouse: DuckDbWarehouse) -> None:
    expected = []
    for unusual, count in product((False, True, False), (1, 3)):
        await warehouse.append([a_hit(**(UNUSUAL if unusual else {}))] * count)
        expected += [tuple(UNUSUAL.values()) if unusual else USUAL] * count
        assert await rows(warehouse, ", ".join(UNUSUAL)) == expected
