"""The interface of a database, and opening one by its URL.

A ``Database`` opens ``Session``s; a session is one connection, used by one thread at a time, and the first argument
of blocking functions of ``(session, ...)``.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from tallystick.errors import DatabaseAway, InvalidSetting, StoreAway, StoreFailed, TallystickError
from tallystick.ledger.history import HistoryChanges
from tallystick.model.counter import Counter
from tallystick.model.key import Key

Durability = Literal["full", "relaxed"]


class Totals(Struct, frozen=True):
    """Totals since the ledger was created (CountAPI's ``/stats``)."""

    keys_created: int = 0
    keys_updated: int = 0
    requests: int = 0


class Namespace(Struct, frozen=True):
    """What decides about new counters of a namespace.

    Attributes:
        keys: the number of its stored counters; what other servers create at this moment is not in it.
        reserved: whether only the owner of its site creates counters.
        closed: whether nobody without an account does.
    """

    keys: int = 0
    reserved: bool = False
    closed: bool = False


class Held(NamedTuple):
    """A row that another transaction has locked.

    Attributes:
        kind: lane, sequence or counter.
        transaction: the transaction that holds the lock.
    """

    kind: str
    name: str
    transaction: str


class CreationRaced(Exception):
    """Another server created one of the batch's counters first; nothing was stored."""


class Session(Protocol):
    """One connection. Every method blocks; all but ``transaction`` and ``snapshot`` need one of them open.

    Raises:
        StoreBusy, StoreFull, StoreFailed: the database raised an error.
    """

    connection: Any
    common: Any
    """Named queries that are the same text on every database; services call them with ``connection``."""
    queries: Any
    """Named queries with a text for each database."""
    lanes_alone: bool
    """Whether ``load`` and ``save`` take the counters of one lane at a time."""
    changed: set[str]
    """Subjects that the open transaction changes and that are cached in memory; see ``Ledger.subscribe``."""
    joined: dict[Key, Counter | None]
    """Counters that a joined function changes, as they are then; published to their watchers after the commit."""
    kept: dict[str, Any]
    """What the functions of one service keep between their transactions. It is emptied when another connection may have
    written, and when something is undone."""
    shared: bool
    """Whether several servers may use this ledger, each with hits of its own."""
    most_keys: int | None
    """Counters that people without an account may bring a namespace to; None for any number."""

    def take_numbers(self, sequence: str, amount: int = 1) -> int:
        """Take the next numbers of a sequence. Returns the first. A number is never given twice."""

    def transaction(self) -> AbstractContextManager[None]:
        """A writing transaction: durable when the block ends, undone when it raises."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the transaction that is undone alone when it raises."""

    def snapshot(self) -> AbstractContextManager[None]:
        """A reading transaction that sees one state of the database."""

    def load(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """Read the counters of a batch and lock them until the transaction ends. On PostgreSQL, keys of one lane."""

    def save(
        self,
        changed: Mapping[Key, Counter | None],
        loaded: Mapping[Key, Counter],
        whole: Collection[Key] | None = None,
    ) -> None:
        """Store the changes of a batch; None removes. ``loaded`` is the result of ``load``.

        Args:
            whole: the counters of which anything but value, expiry and version changed; None for all.

        Raises:
            CreationRaced: another server created one of the counters since ``load``.
        """

    def keep_history(self, history: HistoryChanges) -> None:
        """Store what a batch changes in the history of counters that ``load`` has locked and ``save`` stored."""

    def find(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """Read counters without locking them."""

    def take_time(self) -> None:
        """Lift timeouts until the open transaction ends: for work that grows with the ledger."""

    def namespaces(self, names: Collection[str]) -> Mapping[str, Namespace]:
        """What decides about new counters of namespaces."""

    def count_keys(self, lane: int, added: Mapping[str, int]) -> None:
        """Add to the numbers of stored counters of namespaces, as a lane's batch creates and deletes some."""

    def page(self, after: Key | None, max_rows: int) -> list[tuple[Key, Counter]]:
        """The next counters in storage order, expired ones included."""

    def between(self, lane: int, start: Key, until: Key, max_rows: int) -> list[tuple[Key, Counter]]:
        """The first counters of a lane from ``start`` on and before ``until``, by name; expired ones included."""

    def listing(self, namespace: str | None, now: int, max_rows: int) -> list[tuple[Key, Counter]]:
        """Living counters sorted by name; without a namespace, all public ones."""

    def held(self, refused: Iterable[Key]) -> set[Held]:
        """The rows needed for counting that other transactions lock at this moment; never waits for a lock.

        Args:
            refused: counters of batches that failed; they are checked besides all lanes and sequences.
        """

    def size(self) -> int:
        """The number of stored counters, public and shared."""

    def totals(self) -> Totals:
        """The totals since the ledger was created."""

    def commits(self) -> int:
        """The number of writing transactions since the ledger was created; some made by commands are not counted."""

    def add_totals(self, lane: int, added: Totals) -> None:
        """Add a batch to the totals, and count its commit."""

    def close(self) -> None:
        """Close the connection; the last SQLite session folds the WAL into the database file."""


class Announcer(Protocol):
    """Notifies the other servers of a ledger; a notification may be lost, so they poll as well."""

    def notify(self) -> None:
        """Notify the other servers that something changed; never waits."""

    async def close(self) -> None:
        """Stop sending and receiving."""


class Database(Protocol):
    """A database that holds a ledger."""

    name: Literal["sqlite", "postgresql"]
    lanes_alone: bool
    """Whether a transaction may touch one lane only."""
    writers: int
    """How many connections write in parallel."""

    def migrate(self) -> None:
        """Bring the schema up to date.

        Raises:
            DatabaseUnreachable, DatabaseSchemaRefused
        """

    def schema(self) -> int | None:
        """The number of the newest applied migration; None if there is no ledger. Creates nothing."""

    def session(self, *, writes: bool = False) -> Session:
        """Open a connection."""

    def announcer(self, on_notification: Callable[[], None]) -> Announcer | None:
        """Exchange notifications with other servers; None for a ledger with only one server.

        Args:
            on_notification: called on any thread when another server has sent one.
        """

    def describe(self) -> str:
        """Where the data is stored, for messages; never with a password."""


OpenedSession_co = TypeVar("OpenedSession_co", covariant=True)


class OpensSessions(Protocol[OpenedSession_co]):
    """Anything that opens sessions: a ``Database``."""

    def session(self, *, writes: bool = False) -> OpenedSession_co:
        """Open a connection."""


def opened(database: OpensSessions[OpenedSession_co], *, writes: bool = False) -> OpenedSession_co:
    """A new connection of a running server.

    Raises:
        StoreAway: the database server does not answer.
        StoreFailed: the connection failed for another reason.
    """
    try:
        return database.session(writes=writes)
    except DatabaseAway as error:
        raise StoreAway(str(error)) from error
    except TallystickError as error:
        raise StoreFailed(str(error)) from error


def open_database(
    url: str | None, data: Path, durability: Durability = "full", most_keys: int | None = None
) -> Database:
    """The database of a URL; without a URL, SQLite in the data directory.

    Args:
        most_keys: see ``Session``; for servers. Commands have no limit.

    Raises:
        InvalidSetting: the URL is not a PostgreSQL URL.
    """
    # Each database's driver is imported only where that database is used.
    if url is None:
        from tallystick.ledger.sqlite import SqliteDatabase  # noqa: PLC0415

        return SqliteDatabase(data / "ledger.sqlite3", durability, most_keys=most_keys)
    if url.startswith(("postgresql://", "postgres://")):
        from tallystick.ledger.postgresql import PostgresqlDatabase  # noqa: PLC0415

        return PostgresqlDatabase(url, durability, most_keys)
    msg = (
        "--database accepts a postgresql:// URL, for example postgresql://user@host/tallystick; "
        "leave it out for SQLite in the data directory"
    )
    raise InvalidSetting(msg)
