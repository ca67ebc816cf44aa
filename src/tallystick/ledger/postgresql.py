"""The ledger in PostgreSQL, through psycopg."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
import psycopg
from msgspec import Struct
from psycopg import IsolationLevel
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from tallystick.errors import (
    DatabaseAway,
    DatabaseSchemaRefused,
    DatabaseUnreachable,
    DatabaseUnsuitable,
    InvalidSetting,
    StoreAway,
    StoreBusy,
    StoreFailed,
    StoreFull,
    StoreUnavailable,
)
from tallystick.ledger.announcing import Announcing
from tallystick.ledger.database import CreationRaced, Durability, Held
from tallystick.ledger.history import HistoryChanges
from tallystick.ledger.migrations import Applied, Migration, all_migrations, migrate
from tallystick.ledger.queried import QueriedSession, from_row, named_queries
from tallystick.model.counter import Counter
from tallystick.model.key import Key, lane_of

OLDEST_POSTGRESQL = 150_000
APPLICATION_NAME = "tallystick"
CONNECTION: Mapping[str, str | int] = {
    "connect_timeout": 10,
    "fallback_application_name": APPLICATION_NAME,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""How we connect, unless the URL says otherwise: a peer that is gone is noticed within half a minute."""
SILENCE_S = 1.0
"""An attempt to connect that fails later than this was not refused: nothing was answered. For as long after it no other
one is made, so that requests which wait for a connection are refused with it, and not one by one."""
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 15_000
"""How long a statement may take, and wait for a lock; see ``PostgresqlSession.take_time``."""
IDLE_TIMEOUT_MS = 5_000
"""How long a transaction of ours may wait for our next statement. A server that is frozen, or cut off, in the middle
of one holds locks that all servers need: PostgreSQL ends it then. Ours pause for microseconds."""
SERVER_KEEPALIVES = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""The same from PostgreSQL's side: where our machine is gone, its default would keep our locks for two hours."""
CONNECTIONS = 10
"""A server holds at most so many: for writing 4, for reading 3, for looking at locks 1, for announcements 2."""
POOLED_LOOKED_AT = 3
"""A pooler in transaction mode gives out again what is idle before it opens another connection."""
MIGRATION_LOCK = 0x7A11_571C
"""Advisory lock that keeps two starting servers from migrating at once."""

_AWAY = (pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow, pg.IdleInTransactionSessionTimeout)
"""PostgreSQL ends our connection: it stops, was promoted or restarts, or we did not go on in time."""

_OWN = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
    pg.InFailedSqlTransaction,
)
"""Errors of a statement alone, as is class 54 (it exceeds a limit of PostgreSQL's): the database is in order."""

_encode = msgspec.json.Encoder().encode
_queries = named_queries("postgresql", "psycopg")


class PostgresqlDatabase:
    """A ledger on a PostgreSQL server, possibly shared with other Tallystick servers.

    Args:
        url: a ``postgresql://`` URL as libpq reads it.
        durability: ``relaxed`` answers before PostgreSQL has synced its WAL (``synchronous_commit``).
        most_keys: see ``Session``.

    Raises:
        InvalidSetting: libpq cannot read the URL.
    """

    name: Literal["sqlite", "postgresql"] = "postgresql"
    lanes_alone = True
    writers = 4

    def __init__(self, url: str, durability: Durability = "full", most_keys: int | None = None) -> None:
        self.url = url
        self.most_keys = most_keys
        self.durability = durability
        self._parts = _parts_of(url)
        self._sessions_are_ours = False
        """Whether it was checked that settings of a connection stay in force."""
        self._silent = (float("-inf"), "")
        """When an attempt to connect last failed without an answer, and what its error said."""

    def describe(self) -> str:
        """Host and database name, without user and password."""
        host, port = str(self._parts.get("host", "/")), self._parts.get("port")
        where = "the local socket" if host.startswith("/") else host
        return f"PostgreSQL at {where}{f':{port}' if port else ''}, database {self._parts.get('dbname', '(default)')}"

    def session(self, *, writes: bool = False) -> "PostgresqlSession":  # noqa: ARG002  # sessions are alike
        """Open a connection.

        Raises:
            DatabaseAway: the server does not answer, or refuses the connection.
            DatabaseUnsuitable: a pooler gives each transaction another connection to PostgreSQL.
        """
        failed, msg = self._silent
        began = time.monotonic()
        if began < failed + SILENCE_S:
            raise DatabaseAway(msg)
        try:
            connection = self._connect()
            try:
                self._prepare(connection)
                self._refuse_shared_sessions(connection)
            except BaseException:
                connection.close()
                raise
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            msg = f"cannot reach {self.describe()}: {reason}"
            if (ended := time.monotonic()) > began + SILENCE_S:
                self._silent = ended, msg
            raise DatabaseAway(msg) from error
        return PostgresqlSession(connection, self.most_keys)

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        defaults = {name: value for name, value in CONNECTION.items() if name not in self._parts}
        return psycopg.connect(self.url, autocommit=True, **defaults)  # type: ignore[arg-type]  # libpq's own

    def _refuse_shared_sessions(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        """Check once whether a pooler in transaction mode is in between, such as PgBouncer's ``pool_mode``.

        With one, each transaction of our connection runs on another connection to PostgreSQL: the settings of
        ``_prepare`` apply to one of them only, and LISTEN receives nothing.

        Raises:
            DatabaseUnsuitable
        """
        if self._sessions_are_ours:
            return
        backend = _backend_of(connection)
        # A pooler reports an invented process id when a client connects.
        if backend != connection.info.backend_pid and self._is_given_away(connection, backend):
            msg = (
                f"{self.describe()} is reached through a connection pooler in transaction mode (PgBouncer: pool_mode),"
                " which loses the settings that counting exactly rests on: connect to PostgreSQL itself, or to a pool"
                f" with pool_mode = session and at least {CONNECTIONS} connections"
            )
            raise DatabaseUnsuitable(msg)
        self._sessions_are_ours = True

    def _is_given_away(self, connection: "psycopg.Connection[tuple[Any, ...]]", backend: int) -> bool:
        """Whether the server process of an idle connection serves another connection meanwhile."""
        with ExitStack() as others:
            for _ in range(POOLED_LOOKED_AT):
                other = others.enter_context(closing(self._connect()))
                try:
                    other.execute("BEGIN")  # keeps its server process until it is closed
                except pg.ProtocolViolation:
                    return True  # PgBouncer in statement mode allows no transactions
                if _backend_of(other) == backend:
                    return True
            return _backend_of(connection) != backend

    def _prepare(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        """Set what our promises depend on, whatever the defaults of the server, the database or the role are."""
        # Under a stricter level a counter that another server has changed could not be locked and read.
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        if self.durability == "relaxed":
            durability = "SET synchronous_commit = off"
        else:
            # Only raised: an operator may want more than the local disk.
            durability = (
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        # A read-only default stays in force: hosts set it to save a database whose disk is nearly full.
        limits = {
            "lock_timeout": LOCK_TIMEOUT_MS,
            "statement_timeout": STATEMENT_TIMEOUT_MS,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
            **SERVER_KEEPALIVES,
        }
        settings = "; ".join([*(f"SET {name} = {value}" for name, value in limits.items()), durability])
        connection.execute(settings.encode())

    def announcer(self, on_notification: Callable[[], None]) -> Announcing:
        """Exchange notifications with other servers, on two connections."""
        return Announcing(lambda: self.session().connection, on_notification)

    def schema(self) -> int | None:
        """The number of the newest applied migration; None if there is no ledger. Creates nothing."""
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
        except StoreUnavailable as error:
            msg = f"cannot prepare {self.describe()}: {error}"
            raise DatabaseUnreachable(msg) from error
        finally:
            session.close()


class PostgresqlSession(QueriedSession):
    """One connection to the server."""

    connection: "psycopg.Connection[tuple[Any, ...]]"
    shared = True
    lanes_alone = True
    queries = _queries
    common = named_queries("common", "psycopg")

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]", most_keys: int | None = None) -> None:
        self.connection = connection
        self.most_keys = most_keys
        self.changed: set[str] = set()
        self.joined: dict[Key, Counter | None] = {}
        self.kept: dict[str, Any] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A writing transaction: durable when the block ends, undone when it raises."""
        self.kept.clear()  # another server may have written meanwhile
        try:
            with self.connection.transaction():
                yield
                self._refuse_a_lost_transaction()
        except psycopg.Error as error:
            raise self.store_error(error) from error

    def take_time(self) -> None:
        """Lift the timeouts until the open transaction ends: for work that grows with the ledger."""
        self.connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")

    def take_pauses(self) -> None:
        """Lift the idle timeout of the open transaction: for work that runs elsewhere meanwhile."""
        self.connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")

    def store_error(self, error: psycopg.Error) -> StoreUnavailable:
        """Translate a database error into ours."""
        return _store_error(error, lost=self.connection.closed)

    def _refuse_a_lost_transaction(self) -> None:
        # psycopg leaves the block without an error when the connection is gone, and PostgreSQL rolls back on the COMMIT
        # of a failed transaction: both would look like a success.
        if self.connection.closed:
            msg = "the connection was lost in the middle of a transaction"
            raise StoreAway(msg)
        if self.connection.info.transaction_status is not TransactionStatus.INTRANS:
            msg = "the database undid the transaction"
            raise StoreFailed(msg)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction; only it is undone when it raises."""
        try:
            with self.connection.transaction():
                yield
        except psycopg.Error as error:
            self.kept.clear()
            if self._is_own(error):
                raise
            # Not the part's fault: the whole transaction is lost.
            raise self.store_error(error) from error
        except BaseException:
            self.kept.clear()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A reading transaction that sees one state of the database. A statement's own error passes as it is."""
        try:
            with self.connection.transaction():
                self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield
        except psycopg.Error as error:
            if self._is_own(error):
                raise
            raise self.store_error(error) from error

    def _is_own(self, error: psycopg.Error) -> bool:
        """Whether the error is of the statement alone; otherwise the storage failed."""
        return not self.connection.closed and (isinstance(error, _OWN) or (error.sqlstate or "").startswith("54"))

    def load(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """The counters of one lane's batch, locked until the transaction ends."""
        unique = list(dict.fromkeys(keys))
        rows = _queries.load(self.connection, lane=lane_of(unique[0]), keys=_named(unique))
        return dict(map(from_row, rows))

    def save(
        self,
        changed: Mapping[Key, Counter | None],
        loaded: Mapping[Key, Counter],
        whole: Collection[Key] | None = None,
    ) -> None:
        """Store the changes of one lane's batch; None removes."""
        lane, whole = lane_of(next(iter(changed))), changed.keys() if whole is None else whole
        counted = [
            _CountedRow(*key, counter.value, counter.expires, counter.version)
            for key, counter in changed.items()
            if counter is not None and key not in whole
        ]
        if counted:
            _queries.save_counted(self.connection, lane=lane, rows=_encode(counted).decode())
        if len(counted) < len(changed):
            self._save_whole(lane, {key: counter for key, counter in changed.items() if key in whole}, loaded)

    def _save_whole(self, lane: int, changed: Mapping[Key, Counter | None], loaded: Mapping[Key, Counter]) -> None:
        kept = [_to_row(key, counter, key in loaded) for key, counter in changed.items() if counter is not None]
        if kept and _queries.save(self.connection, lane=lane, rows=_encode(kept).decode()) < len(kept):
            raise CreationRaced
        # A counter that the batch made and deleted again is not locked: another server's must stay.
        if deleted := [key for key, counter in changed.items() if counter is None and key in loaded]:
            _queries.remove(self.connection, lane=lane, keys=_named(deleted))

    def keep_history(self, history: HistoryChanges) -> None:
        """Store what a batch changes in the history of its counters, which are all of one lane."""
        if history.forgotten:
            lane, keys = lane_of(history.forgotten[0]), _named(history.forgotten)
            _queries.forget_hours(self.connection, lane=lane, keys=keys)
            _queries.forget_milestones(self.connection, lane=lane, keys=keys)
        if history.hours:
            hours = [{**past.key._asdict(), "hour": past.hour, "base": past.base} for past in history.hours]
            _queries.keep_hours(self.connection, lane=lane_of(history.hours[0].key), rows=_encode(hours).decode())
        if history.milestones:
            rows = [{**passed.key._asdict(), "value": passed.value, "at": passed.at} for passed in history.milestones]
            _queries.keep_milestones(
                self.connection, lane=lane_of(history.milestones[0].key), rows=_encode(rows).decode()
            )

    def find(self, keys: Iterable[Key]) -> dict[Key, Counter]:
        """Read counters without locking them."""
        rows = [{"lane": lane_of(key), **key._asdict()} for key in keys]
        try:
            return dict(map(from_row, _queries.find(self.connection, keys=_encode(rows).decode())))
        except psycopg.OperationalError as error:
            # The one statement that may run outside of a transaction.
            raise self.store_error(error) from error

    def held(self, refused: Iterable[Key]) -> set[Held]:
        """The rows needed for counting that other transactions lock at this moment; never waits for a lock.

        Raises:
            StoreUnavailable: the database cannot be reached, or takes no changes.
        """
        keys = _encode([{"lane": lane_of(key), **key._asdict()} for key in refused]).decode()
        try:
            with self.connection.transaction(force_rollback=True):
                return set(map(Held._make, _queries.held(self.connection, keys=keys)))
        except psycopg.Error as error:
            raise self.store_error(error) from error

    def applied(self) -> list[Applied]:
        """The migrations applied to this database; waits for a server that is migrating."""
        self.take_time()
        self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
        )
        return self.recorded()

    def recorded(self) -> list[Applied]:
        """The applied migrations, read without creating anything; empty if the database is not a ledger."""
        table = self.connection.execute("SELECT to_regclass('migration')").fetchone()
        if table is None or table[0] is None:
            return []
        rows = self.connection.execute("SELECT number, checksum FROM migration ORDER BY number")
        return [Applied(*row) for row in rows]

    def others(self) -> int:
        """The number of other connections of Tallystick servers and commands to the database."""
        row = self.connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s AND pid <> pg_backend_pid()",
            (APPLICATION_NAME,),
        ).fetchone()
        return int(row[0]) if row else 0

    def risks(self) -> list[str]:
        """The server's settings with which a power cut could lose or damage committed data."""
        rows = self.connection.execute(
            "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name"
        )
        return [str(name) for (name,) in rows]

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


class ConcurrentChange(CreationRaced, StoreBusy):
    """PostgreSQL undid the transaction in favour of another one; it may succeed when it is run again."""


def _backend_of(connection: "psycopg.Connection[tuple[Any, ...]]") -> int:
    """The process of PostgreSQL that serves a connection now."""
    [backend] = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    return int(backend)


def _parts_of(url: str) -> Mapping[str, Any]:
    """The parts of a URL, as libpq reads them.

    Raises:
        InvalidSetting: it cannot be read, or a part of a password was read as another part.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        parts = None
    if parts is not None and not _misread(parts):
        return parts
    # libpq's message may repeat the URL and the password in it: it must not appear, not even as a cause.
    msg = (
        "--database accepts a postgresql:// URL, for example postgresql://user@host/tallystick: libpq cannot read it;"
        " characters such as % @ / # in a password must be written %25 %40 %2F %23"
    )
    raise InvalidSetting(msg)


def _misread(parts: Mapping[str, Any]) -> bool:
    """Whether a part of a password was parsed as a host, a port or the database, which error messages contain."""
    hosts, ports = str(parts.get("host", "")).split(","), str(parts.get("port", "")).split(",")
    return (
        any("@" in host or (":" in host and not _is_path_or_ipv6(host)) for host in hosts)
        or any(port and not (port.isascii() and port.isdigit()) for port in ports)
        or any(mark in str(parts.get("dbname", "")) for mark in "@:")
    )


def _is_path_or_ipv6(host: str) -> bool:
    try:
        return host.startswith("/") or ip_address(host).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _named(keys: Iterable[Key]) -> str:
    return _encode([key._asdict() for key in keys]).decode()


class _CountedRow(Struct):
    """A counter that exists, and differs in value, expiry and version alone."""

    namespace: str
    key: str
    value: int
    expires: int
    version: int


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
        "hour": counter.hour,
        "base": counter.base,
        "flags": counter.flags,
    }


def _store_error(error: psycopg.Error, *, lost: bool) -> StoreUnavailable:
    """Translate a database error into ours.

    Args:
        lost: whether the connection is closed.
    """
    if isinstance(error, pg.DiskFull):
        return StoreFull("the database's disk is full")
    if isinstance(error, (pg.SerializationFailure, pg.DeadlockDetected)):
        return ConcurrentChange("the database undid the transaction in favour of another one")
    if isinstance(error, (pg.LockNotAvailable, pg.QueryCanceled)):
        return StoreBusy("the database is slow")
    if isinstance(error, (pg.TooManyConnections, pg.ReadOnlySqlTransaction)):
        return StoreBusy("the database is not ready to write")
    reason = " ".join(str(error).split())
    if lost or isinstance(error, _AWAY):
        return StoreAway(reason)
    return StoreFailed(f"the database failed: {reason}")
