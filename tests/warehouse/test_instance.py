"""Connections of an instance of DuckDB that has failed: with a lake, to close or collect one ends the process."""

import gc
import weakref
from contextlib import suppress
from typing import Any, cast

import duckdb
import pytest

from tallystick.warehouse.duckdb.instance import Instance

BROKEN = (
    duckdb.FatalException("the database has been invalidated"),
    duckdb.InternalException("Attempted to access index 0 within vector of size 0"),
)


class FakeConnection:
    """Notes that it is closed.

    Args:
        error: what every statement raises.
    """

    def __init__(self, error: duckdb.Error | None = None) -> None:
        self.error, self.closed = error, False

    def execute(self, _: str) -> "FakeConnection":
        if self.error is not None:
            raise self.error
        return self

    def interrupt(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        self.closed = True


class FakeInstance(Instance):
    """An instance of fake connections, such as one with a lake."""

    closes_lost = False

    def open(self) -> None:
        self._root = cast("Any", self._connect())

    def _connect(self) -> FakeConnection:  # type: ignore[override]
        self.root = FakeConnection()
        return self.root

    def _cursor(self, root: FakeConnection) -> FakeConnection:  # type: ignore[override]
        return FakeConnection(root.error)


def used(instance: FakeInstance, error: duckdb.Error | None) -> FakeConnection:
    """The connection of a session that has ended, by an error if there is one."""
    found: list[Any] = []
    with suppress(duckdb.Error), instance.session() as session:
        found.append(session.connection)
        if error is not None:
            found[0].error = error
            raise error
    [connection] = found
    return cast("FakeConnection", connection)


@pytest.mark.parametrize("error", BROKEN, ids=["fatal", "internal"])
def test_lost_connections_are_neither_closed_nor_collected(error: duckdb.Error) -> None:
    instance = FakeInstance()
    instance.open()
    root = instance.root
    root.error = error
    lost = used(instance, error)
    instance.reopen()
    assert instance.root is not root
    assert not lost.closed
    assert not root.closed
    kept = [weakref.ref(lost), weakref.ref(root)]
    del lost, root
    gc.collect()
    assert all(each() is not None for each in kept)


@pytest.mark.parametrize("error", BROKEN, ids=["fatal", "internal"])
def test_a_file_is_opened_again_once_all_connections_are_closed(error: duckdb.Error) -> None:
    instance = FakeInstance()
    instance.closes_lost = True
    instance.open()
    root = instance.root
    root.error = error
    connection = used(instance, error)
    instance.reopen()
    assert connection.closed
    assert root.closed


@pytest.mark.parametrize("error", [None, duckdb.InterruptException("interrupted")], ids=["well", "interrupted"])
def test_other_connections_are_closed(error: duckdb.Error | None) -> None:
    instance = FakeInstance()
    instance.open()
    connection, root = used(instance, error), instance.root
    instance.close()
    assert connection.closed
    assert root.closed
