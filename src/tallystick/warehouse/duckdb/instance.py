"""One instance of DuckDB, whatever it stores hits in; each thread has a connection of its own."""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from threading import Condition
from typing import Any

import duckdb

from tallystick.errors import StoreFailed
from tallystick.warehouse.duckdb.queried import Connection, named_queries
from tallystick.warehouse.duckdb.session import DuckDbSession

THREADS = 2


class Instance(ABC):
    """An instance, opened once per process and opened again after it has failed.

    Attributes:
        closes_lost: whether connections of a failed instance may be closed.
    """

    closes_lost = True

    def __init__(self) -> None:
        self._root: Connection | None = None
        self._in_use: set[Connection] = set()
        self._reopening = False
        self._changed = Condition()

    @cached_property
    def queries(self) -> Any:  # noqa: ANN401
        """The named queries, read when first needed."""
        return named_queries()

    @abstractmethod
    def open(self) -> None:
        """Open what hits are stored in, and bring its schema up to date.

        Raises:
            DatabaseUnreachable: it cannot be opened.
            DatabaseSchemaRefused: it was written by a newer program.
        """

    @abstractmethod
    def _connect(self) -> Connection:
        """A new instance of DuckDB."""

    def _cursor(self, root: Connection) -> Connection:
        """A further connection of the instance."""
        return root.cursor()

    @contextmanager
    def session(self) -> Iterator[DuckDbSession]:
        """A connection that is closed when the block ends.

        Raises:
            StoreFailed: the database could not be opened again.
        """
        session, failed = self.borrow(), True
        try:
            yield session
            failed = False
        finally:
            self.give_back(session, failed=failed)

    def borrow(self) -> DuckDbSession:
        """A connection, to be closed with ``give_back``; waits while the database is opened again.

        Raises:
            StoreFailed: the database could not be opened again.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._reopening)
            if self._root is None:
                msg = "the warehouse is not open"
                raise StoreFailed(msg)
            connection = self._cursor(self._root)
            self._in_use.add(connection)
        return self._session_on(connection)

    def _session_on(self, connection: Connection) -> DuckDbSession:
        return DuckDbSession(connection, self.queries)

    def give_back(self, session: DuckDbSession, *, failed: bool = True) -> None:
        """Close a borrowed connection.

        Args:
            failed: whether something may have failed on it.
        """
        self._close(session.connection, failed=failed)
        with self._changed:
            self._in_use.discard(session.connection)
            self._changed.notify_all()

    def reopen(self) -> None:
        """Close a failed instance and open a new one, once all connections were given back.

        Connections in use are interrupted.

        Raises:
            StoreFailed: it cannot be opened; the next call tries again.
        """
        with self._changed:
            self._reopening = True
            for connection in self._in_use:
                connection.interrupt()
            self._changed.wait_for(lambda: not self._in_use)
        try:
            self.close()
            self._root = self._connect()
        except duckdb.Error as error:
            msg = f"cannot open the warehouse: {error}"
            raise StoreFailed(msg) from error
        finally:
            with self._changed:
                self._reopening = False
                self._changed.notify_all()

    def close(self) -> None:
        """Close the instance; changes nothing that is stored."""
        if self._root is not None:
            root, self._root = self._root, None
            self._close(root)

    def _close(self, connection: Connection, *, failed: bool = True) -> None:
        """Close a connection; a lost one that may not be closed is kept until the process ends.

        Args:
            failed: whether something may have failed on it.
        """
        if failed and not self.closes_lost and _is_lost(connection):
            # A reference that nobody gives up, so that it is not collected at the end of Python either.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
            return
        with suppress(duckdb.Error):
            connection.close()


def is_broken(error: BaseException) -> bool:
    """Whether the instance is unusable and has to be opened again."""
    return isinstance(error, (duckdb.FatalException, duckdb.InternalException, duckdb.ConnectionException))


def _is_lost(connection: Connection) -> bool:
    """Whether nothing can be executed on a connection any more, because its instance has failed."""
    try:
        connection.execute("SELECT 1")
    except duckdb.Error as error:
        return is_broken(error)
    return False
