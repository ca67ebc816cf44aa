"""The ledger in PostgreSQL, through psycopg."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.resources import files
from typing import Any, Literal

import aiosql
import msgspec
import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from tallystick.errors import (
    DatabaseSchemaRefused,
    DatabaseUnreachable,
    InvalidSetting,
    LedgerBusy,
    LedgerFailed,
    LedgerFull,
    LedgerUnavailable,
)
from tallystick.ledger.database import CreationRaced, Durability, Totals
from tallystick.ledger.migrations import Applied, Migration, all_migrations, migrate
from tallystick.model.counter import Counter
from tallystick.model.key import Key, lane_of

OLDEST_POSTGRESQL = 150_000
CONNECT_TIMEOUT_S = 10
APPLICATION_NAME = "tallystick"
MIGRATION_LOCK = 0x7A11_571C
"""Advisory lock that keeps two starting servers from migrating at once."""

_encode = msgspec.json.Encoder().encode
_queries: Any = aiosql.from_path(
    str(files("tallystick.ledger").joinpath("queries", "postgresql")),
    "psycopg",
    kwargs_only=False,
    mandatory_parameters=True,
)


class PostgresqlDatabase:
    """A ledger on a PostgreSQL server, possibly shared with other Tallystick servers.

    Args:
        url: a ``postgresql://`` URL as libpq reads it.
        durability: ``relaxed`` answers before PostgreSQL has synced its WAL (``synchronous_commit``).

    Raises:
        InvalidSetting: libpq cannot read the URL.
    """

    name: Literal["sqlite", "postgresql"] = "postgresql"
    lanes_alone = True
    writers = 4

    def __init__(self, url: str, durability: Durability = "full") -> None:
        self.url = url
        self.durability = durability
        try:
            self._parts = conninfo_to_dict(url)
        except psycopg.Error as error:
            # libpq repeats the URL, and with it the password.
            reason = " ".join(str(error).replace(url, "...").split())
            msg = f"--database accepts a postgresql:// URL, for example postgresql://user@host/tallystick: {reason}"
            raise InvalidSetting(msg) from error

    def describe(self) -> str:
        """Host and database name, without user and password."""
        host, port = str(self._parts.get("host", "/")), self._parts.get("port")
        where = "the local socket" if host.startswith("/") else host
        return f"PostgreSQL at {where}{f':{port}' if port else ''}, database {self._parts.get('dbname', '(default)')}"

    def session(self, *, writes: bool = False) -> "PostgresqlSession":  # noqa: ARG002  # sessions are alike
        """Open a connection.

        Raises:
            DatabaseUnreachable: the server does not answer, or does not let us in.
        """
        try:
            connection = psycopg.connect(
                self.url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                fallback_application_name=APPLICATION_NAME,
            )
            if self.durability == "relaxed":
                connection.execute("SET synchronous_commit = off")
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            msg = f"cannot reach {self.describe()}: {reason}"
            raise DatabaseUnreachable(msg) from error
        return PostgresqlSession(connection)

    def schema(self) -> int | None:
        """The number of the newest migration taken; None when there is no ledger. Creates nothing."""
        with closing(self.session()) as session, session.snapshot():
            applied = session.recorded()
        return applied[-1].number if applied else None

    def migrate(self) -> None:
        """Bring the schema up to date."""
        session = self.session()
        try:
            version = session.connection.info.server_version
            if version < OLDEST_POSTGRESQL:
                msg = f"PostgreSQL {version // 10000} is too old; 15 or newer is needed"
                raise DatabaseSchemaRefused(msg)
            migrate(all_migrations("postgresql"), session.transaction, session.applied, session.take)
        except LedgerUnavailable as error:
            msg = f"cannot prepare {self.describe()}: {error}"
            raise DatabaseUnreachable(msg) from error
        finally:
            session.close()


class PostgresqlSession:
    """One connection to the server."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A writing transaction: durable when the block ends, undone when it raises."""
        try:
            with self.connection.transaction():
                yield
                self._refuse_a_lost_transaction()
        except psycopg.Error as error:
            raise _understood(error) from error

    def _refuse_a_lost_transaction(self) -> None:
        # psycopg leaves the block in silence when the connection is gone, and PostgreSQL answers the COMMIT
        # of a failed transaction by undoing it: both would look like a success.
        if self.connection.info.transaction_status is not TransactionStatus.INTRANS:
            msg = "the database undid the transaction"
            raise LedgerFailed(msg)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that is undone alone when it raises."""
        try:
            with self.connection.transaction():
                yield
        except psycopg.OperationalError as error:
            # Not the part's fault: the whole transaction is lost.
            raise _understood(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A reading transaction that sees one state of the database."""
        try:
            with self.connection.transaction():
                self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield
        except psycopg.Error as error:
            raise _understood(error) from error

    def load(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """The counters of one lane's batch, locked until the transaction ends."""
        wanted = list(dict.fromkeys(keys))
        rows = _queries.load(self.connection, lane=lane_of(wanted[0]), keys=_named(wanted))
        return dict(map(_from_row, rows))

    def save(self, changed: Mapping[Key, Counter | None], known: Mapping[Key, Counter]) -> None:
        """Store what one lane's batch changed; None removes."""
        lane = lane_of(next(iter(changed)))
        kept = [_to_row(key, counter, key in known) for key, counter in changed.items() if counter is not None]
        if kept and _queries.save(self.connection, lane=lane, rows=_encode(kept).decode()) < len(kept):
            raise CreationRaced
        # A counter that the batch made and deleted again is not locked: another server's must stay.
        if gone := [key for key, counter in changed.items() if counter is None and key in known]:
            _queries.remove(self.connection, lane=lane, keys=_named(gone))

    def find(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """Read counters without holding them."""
        wanted = [{"lane": lane_of(key), **key._asdict()} for key in keys]
        return dict(map(_from_row, _queries.find(self.connection, keys=_encode(wanted).decode())))

    def page(self, after: Key | None, max_rows: int) -> list[tuple[Key, Counter]]:
        """The next counters in storage order, expired ones included."""
        lane, key = (-1, Key("", "")) if after is None else (lane_of(after), after)
        rows = _queries.page(self.connection, lane=lane, namespace=key.namespace, key=key.key, max_rows=max_rows)
        return [_from_row(row) for row in rows]

    def listing(self, namespace: str | None, now: int, max_rows: int) -> list[tuple[Key, Counter]]:
        """Living counters sorted by name."""
        if namespace is None:
            rows = _queries.listing_all(self.connection, now=now, max_rows=max_rows)
        else:
            rows = _queries.listing(self.connection, namespace=namespace, now=now, max_rows=max_rows)
        return [_from_row(row) for row in rows]

    def size(self) -> int:
        """How many counters are stored."""
        return int(_queries.size(self.connection))

    def totals(self) -> Totals:
        """What has been counted since the beginning."""
        return Totals(*_queries.totals(self.connection))

    def add_totals(self, lane: int, added: Totals) -> None:
        """Add what a batch did."""
        _queries.add_totals(
            self.connection,
            lane=lane,
            keys_created=added.keys_created,
            keys_updated=added.keys_updated,
            requests=added.requests,
        )

    def applied(self) -> list[Applied]:
        """The migrations this database has taken; waits for a server that is migrating."""
        self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
        )
        return self.recorded()

    def recorded(self) -> list[Applied]:
        """The migrations this database has taken, read without creating anything; none when it is no ledger."""
        found = self.connection.execute("SELECT to_regclass('migration')").fetchone()
        if found is None or found[0] is None:
            return []
        rows = self.connection.execute("SELECT number, checksum FROM migration ORDER BY number")
        return [Applied(*row) for row in rows]

    def others(self) -> int:
        """How many other connections of Tallystick servers and commands the database has."""
        found = self.connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s AND pid <> pg_backend_pid()",
            (APPLICATION_NAME,),
        ).fetchone()
        return int(found[0]) if found else 0

    def take(self, step: Migration) -> None:
        """Apply one migration and record it."""
        self.connection.execute(step.sql.encode())
        self.connection.execute(
            "INSERT INTO migration (number, name, checksum) VALUES (%s, %s, %s)",
            (step.number, step.name, step.checksum),
        )

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _named(keys: Iterable[Key]) -> str:
    return _encode([key._asdict() for key in keys]).decode()


def _to_row(key: Key, counter: Counter, known: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "known": known,
        "namespace": key.namespace,
        "key": key.key,
        "value": counter.value,
        "lower": counter.lower,
        "upper": counter.upper,
        "resettable": counter.resettable,
        "created": counter.created,
        "expires": counter.expires,
        "version": counter.version,
    }


def _from_row(row: tuple[Any, ...]) -> tuple[Key, Counter]:
    namespace, key, *rest = row
    return Key(namespace, key), Counter(*rest)


def _understood(error: psycopg.Error) -> LedgerUnavailable:
    """What a database error means to whoever waits for the change."""
    if isinstance(error, pg.DiskFull):
        return LedgerFull("the database's disk is full")
    if isinstance(error, (pg.TooManyConnections, pg.LockNotAvailable, pg.ReadOnlySqlTransaction, pg.AdminShutdown)):
        return LedgerBusy("the database is not ready to write")
    return LedgerFailed(f"the database failed: {' '.join(str(error).split())}")
