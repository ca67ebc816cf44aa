"""Connections to PostgreSQL: the ledger's kind, opened by a function that is passed in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from importlib.resources import files
from typing import Any, Protocol, TypeAlias

import aiosql
import psycopg

from tallystick.errors import StoreUnavailable


class LakeConnection(Protocol):
    """One connection, which commits each statement outside of a transaction by itself.

    Attributes:
        connection: psycopg's.
    """

    @property
    def connection(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """The driver's connection."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """A transaction: durable when the block ends, undone when it raises.

        Raises:
            StoreUnavailable: the database failed.
        """
        ...

    def store_error(self, error: psycopg.Error) -> StoreUnavailable:
        """Translate an error of a statement outside of a transaction."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


Connect: TypeAlias = Callable[[], LakeConnection]
"""Opens a connection; raises ``StoreUnavailable`` if that fails."""


queries: Any = aiosql.from_path(
    str(files(__package__).joinpath("queries")), "psycopg", kwargs_only=False, mandatory_parameters=True
)
"""The named queries in ``queries``."""


@contextmanager
def connected(connect: Connect) -> Iterator[LakeConnection]:
    """A connection that is closed when the block ends.

    Raises:
        StoreUnavailable: the server does not answer.
    """
    with closing(connect()) as opened:
        yield opened


@contextmanager
def translated(opened: LakeConnection) -> Iterator[None]:
    """A block with one statement outside of a transaction.

    Raises:
        StoreUnavailable: the database failed.
    """
    try:
        yield
    except psycopg.Error as error:
        raise opened.store_error(error) from error
