"""What a function raises that was given to a door: its caller gets it unchanged, and nothing counts as a failure."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.warehouses import a_hit, ids
from tallystick.errors import InputRefused, StoreBusy, StoreUnavailable
from tallystick.warehouse import Warehouse, WarehouseWriteSession

ERRORS = [InputRefused("no"), StoreBusy("too many"), KeyError("x"), UnicodeError(), RecursionError(), ValueError()]


def raising(error: Exception) -> Callable[..., Any]:
    def function(_: object) -> None:
        raise error

    return function


def raising_after_a_change(error: Exception) -> Callable[..., Any]:
    def function(session: WarehouseWriteSession) -> None:
        session.delete_site(1)
        raise error

    return function


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_read_passes_it_on(warehouse: Warehouse, error: Exception) -> None:
    await warehouse.append([a_hit()])
    with capture_logs() as logs, pytest.raises(type(error)) as raised:
        await warehouse.read(raising(error))
    assert raised.value is error
    assert (logs, warehouse.failures, warehouse.failing) == ([], 0, False)
    assert await ids(warehouse) == [1]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_write_passes_it_on_and_is_undone(warehouse: Warehouse, error: Exception) -> None:
    await warehouse.append([a_hit()])
    changes = warehouse.marks.changes
    with capture_logs() as logs, pytest.raises(type(error)) as raised:
        await warehouse.write(raising_after_a_change(error))
    assert raised.value is error
    assert (logs, warehouse.failures, warehouse.failing, warehouse.marks.changes) == ([], 0, False, changes)
    assert await ids(warehouse) == [1]


@pytest.mark.parametrize("door", ["read", "write"])
async def test_what_a_future_cannot_hold_ends_the_call_all_the_same(warehouse: Warehouse, door: str) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await getattr(warehouse, door)(raising(StopIteration()))


async def test_hits_that_cannot_be_stored_are_refused_alone(warehouse: Warehouse) -> None:
    with capture_logs() as logs, pytest.raises(Exception, match="surrogates") as raised:
        await warehouse.append([a_hit(ref="\ud800")])
    assert not isinstance(raised.value, StoreUnavailable)
    assert (logs, warehouse.failures, warehouse.failing) == ([], 0, False)
    await warehouse.append([a_hit()])
    assert await ids(warehouse) == [1]
