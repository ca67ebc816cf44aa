"""The hits of a lake for commands that check, copy and replace them.

A copy is a file of the embedded warehouse, so that a backup of one kind can be restored as the other.
"""

# ruff: noqa: S608  # the text consists of constants and names of tables

import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from tallystick.errors import DatabaseUnreachable, StoreFailed, StoresDisagree
from tallystick.warehouse.duckdb import aggregates, rows, visits
from tallystick.warehouse.duckdb.copying import MEMORY_MB, checked, make_portable
from tallystick.warehouse.duckdb.marks import JournalMarks, losses
from tallystick.warehouse.duckdb.mover import set_last_id
from tallystick.warehouse.duckdb.opening import columns_marks, marks_in, seal
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.rebuilding import rebuild
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.sessions import Sessions
from tallystick.warehouse.duckdb.store import Store, quoted, transaction
from tallystick.warehouse.lake.batches import placed
from tallystick.warehouse.lake.catalogue import add_moved, is_created, tables_of
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, connected, translated
from tallystick.warehouse.lake.keeper import LeaseKeeper
from tallystick.warehouse.lake.migrations import migrate
from tallystick.warehouse.lake.restoring import note_restore
from tallystick.warehouse.lake.store import NAME, LakeStore, said_of
from tallystick.warehouse.types import ComparedVisits, IdempotencyRecord, LedgerMarks, Loss

COPY = "copy"
LEASE_WITHIN_S = 15.0
"""How long a restore waits for the lease of a server that was killed."""


class WaitingHits(NamedTuple):
    """What is acknowledged and not in the lake.

    Attributes:
        batches: content and format of each, in their order.
    """

    batches: Sequence[tuple[bytes, int]]
    requests: Sequence[IdempotencyRecord]


class LakeStorage:
    """A ``WarehouseStorage``; see its methods there. Servers may use the lake meanwhile, unless a method writes.

    Args:
        connect: opens a connection to PostgreSQL.
        catalogue, files: as of ``LakeStore``.
    """

    def __init__(self, connect: Connect, catalogue: str, files: str) -> None:
        self._connect, self._catalogue, self._files = connect, catalogue, files

    def describe(self) -> str:
        """Where the hits are stored, for messages."""
        return f"the lake {self._files}"

    def exists(self) -> bool:
        """Whether there is a lake, even an empty one."""
        return is_created(self._catalogue)

    def size_bytes(self) -> int:
        """Size of the files of hits."""
        with self._reading() as session:
            sizes = f"SELECT coalesce(sum(file_size_bytes), 0) FROM ducklake_table_info({quoted(NAME)})"
            return _number(session.connection, sizes)

    def sqlite_files(self) -> dict[str, Path]:
        """None."""
        return {}

    def count(self) -> int:
        """The number of hits in the lake."""
        with self._reading() as session:
            return _number(session.connection, "SELECT count(*) FROM hit")

    def read_everything(self, *, in_use: bool) -> int:  # noqa: ARG002  # reads of a lake are in no one's way
        """Read all values. Returns the number of hits."""
        with self._reading() as session, transaction(session.connection):
            hits, _ = session.queries.read_everything(session.connection)
            aggregates.read_aggregates(session)
        return int(hits)

    def visits_add_up(self) -> bool:
        """Whether the stored visits have as many hits as there are, or the next mover computes them."""
        with self._reading() as session, transaction(session.connection):
            return not visits.are_computed(session.connection) or visits.add_up(session.connection)

    def compare_visits(self, *, in_use: bool) -> ComparedVisits:  # noqa: ARG002  # as above
        """Compare every stored visit with its hits."""
        with self._reading() as session, transaction(session.connection):
            if not visits.are_computed(session.connection):
                return ComparedVisits(0, 0)
            return visits.compare(session.connection)

    def forget_visits(self) -> None:
        """Make the next mover compute all visits from the hits."""
        if not self.exists():
            return
        with self.writing() as session, transaction(session.connection):
            visits.forget(session.connection)

    def disagreement(self, ledger: LedgerMarks | None) -> str | None:
        """Compare the hits with the ledger. Returns a message with a remedy, or None."""
        with self._reading() as session:
            return _refusal(losses(JournalMarks(), columns_marks(session), ledger))

    def copy_to(self, file: Path, ledger: LedgerMarks | None) -> None:
        """Write a checked copy to one file of the embedded warehouse, with everything that is acknowledged."""
        with _embedded(file):
            pass
        with self._reading(file.parent) as session, self._cut(session) as waiting:
            connection = session.connection
            connection.execute(f"ATTACH {quoted(str(file))} AS {COPY}")
            columns = _columns(connection, COPY)
            for table, names in columns.items():
                connection.execute(f"DELETE FROM {COPY}.{table}")
                connection.execute(f"INSERT INTO {COPY}.{table} ({names}) SELECT {names} FROM {NAME}.{table}")
        with _embedded(file) as session:
            _bring_in(session, waiting)
            refusal = _refusal(losses(JournalMarks(), columns_marks(session), ledger))
        if refusal:
            raise StoresDisagree(refusal)
        checked(file)
        make_portable(file)

    def refuse_missing(self, ledger: LedgerMarks | None) -> None:
        """Nothing: hits and their marks are in the ledger's database."""

    def refuse_older_ledger(self, copy: Path, ledger: LedgerMarks) -> None:
        """Compare a copy of the ledger with the copy of the hits that was made before."""
        if refusal := _refusal(losses(JournalMarks(), marks_in(copy), ledger)):
            raise StoresDisagree(refusal)

    def check_copy(self, copy: Path) -> None:
        """Read all values of a copy from a backup, and migrate it to the present schema."""
        checked(copy)

    def note_restore(self, *, unfinished: bool) -> bool:
        """Note in PostgreSQL that the ledger is replaced and the hits are not yet, or both."""
        return note_restore(self._connect, unfinished=unfinished)

    def replace(self, copy: Path | None) -> None:
        """Replace the hits by a checked copy, or remove them, in one transaction of the lake."""
        if copy is None:
            with tempfile.TemporaryDirectory(prefix="tallystick-") as directory:
                empty = Path(directory) / COPY
                with _embedded(empty):
                    pass
                self.replace(empty)
            return
        with self.writing(copy.parent) as session, connected(self._connect) as opened:
            connection = session.connection
            connection.execute(f"ATTACH {quoted(str(copy))} AS {COPY} (READ_ONLY)")
            moves = _forget_waiting(opened, connection)
            with transaction(connection):
                _replace_tables(connection, moves)
            connection.execute(f"DETACH {COPY}")

    @contextmanager
    def _reading(self, *reach: Path) -> Iterator[DuckDbSession]:
        with self._opened(None, reach) as session:
            yield session

    @contextmanager
    def writing(self, *reach: Path) -> Iterator[DuckDbSession]:
        """The lake under its lease.

        Raises:
            DatabaseUnreachable: a server has the lease.
        """
        migrate(self._connect)
        keeper = LeaseKeeper(self._connect, f"command-{secrets.token_hex(4)}", lambda: None)
        keeper.start()
        try:
            deadline = time.monotonic() + LEASE_WITHIN_S
            while keeper.epoch is None:
                if time.monotonic() > deadline:
                    msg = f"a server uses {self.describe()}; stop all servers on it and try again"
                    raise DatabaseUnreachable(msg)
                time.sleep(0.05)
            with self._opened(keeper.epoch, reach) as session:
                yield session
        finally:
            keeper.close()

    @contextmanager
    def _opened(self, epoch: int | None, reach: Sequence[Path]) -> Iterator[DuckDbSession]:
        with tempfile.TemporaryDirectory(prefix="tallystick-") as work:
            store = LakeStore(
                self._catalogue, self._files, MEMORY_MB, work=Path(work), epoch=epoch, reach=reach, of_command=True
            )
            try:
                store.open()
                with store.session() as session:
                    yield session
            except duckdb.Error as error:
                msg = f"{self.describe()} cannot be used, or is damaged: {said_of(error)}"
                raise StoreFailed(msg) from error
            finally:
                store.close()

    @contextmanager
    def _cut(self, session: DuckDbSession) -> Iterator[WaitingHits]:
        """One snapshot of the lake until the block ends, and what was acknowledged by then and is not in it."""
        connection = session.connection
        with connected(self._connect) as opened, opened.transaction(), translated(opened):
            # No commit of the lake ends meanwhile.
            opened.connection.execute("SELECT epoch FROM tallystick_hits.fence FOR UPDATE")
            connection.execute("BEGIN TRANSACTION")
            moved = _number(connection, "SELECT moved FROM mark")
            batches = opened.connection.execute(
                "SELECT content, format FROM tallystick_hits.batch WHERE seq NOT IN"
                " (SELECT unnest(seqs) FROM tallystick_hits.move WHERE number <= %s) ORDER BY seq",
                [moved],
            ).fetchall()
            requests = opened.connection.execute(
                "SELECT key, fingerprint, answer, created FROM tallystick_hits.request"
            ).fetchall()
        yield WaitingHits(
            [(bytes(content), format_) for content, format_ in batches],
            [IdempotencyRecord(*request) for request in requests],
        )
        connection.execute("COMMIT")


@contextmanager
def _embedded(file: Path) -> Iterator[DuckDbSession]:
    """A file of the embedded warehouse; made if it is missing."""
    store = Store(file, MEMORY_MB)
    try:
        store.open()
        with store.session() as session:
            yield session
            session.connection.execute("CHECKPOINT")
    finally:
        store.close()


def _bring_in(session: DuckDbSession, waiting: WaitingHits) -> None:
    """Add what is not in the lake yet to a copy, as the mover would, and mark it as complete without a journal."""
    connection = session.connection
    rows.prepare(connection)
    visits.prepare(connection)
    sessions, last_id = Sessions(), int(session.queries.highest_id(connection))
    with transaction(connection):
        sessions.rebuild(*rebuild(session, round(time.time())))
        contents = []
        for content, format_ in waiting.batches:
            contents.append(placed(content, format_, last_id, sessions))
            last_id += len(contents[-1].hits.id)
        if contents:
            contents[-1].renamed = list(sessions.new_keys)
            rows.insert(connection, contents)
            visits.follow(connection, contents)
            set_last_id(session, last_id, contents, 0)
        for request in waiting.requests:
            session.queries.add_request(
                connection,
                key=request.key,
                fingerprint=request.fingerprint,
                answer=request.answer,
                created=request.created,
            )
        seal(session)


def _columns(connection: Connection, database: str) -> dict[str, str]:
    """The columns of each table with hits or what belongs to them."""
    found = connection.execute(
        "SELECT table_name, string_agg(column_name, ', ' ORDER BY column_index) FROM duckdb_columns()"
        " WHERE database_name = ? AND NOT internal AND table_name <> 'migration' GROUP BY table_name",
        [database],
    ).fetchall()
    return dict(found)


def _forget_waiting(opened: LakeConnection, connection: Connection) -> int:
    """Remove what waits to be moved or imported, and take the copy's idempotency records.

    Returns:
        The newest number of a move.
    """
    requests = connection.execute(f"SELECT key, fingerprint, answer, created FROM {COPY}.request").fetchall()
    with opened.transaction(), translated(opened):
        for table in ("batch", "move", "request", "upload", "imported_file"):
            opened.connection.execute(f"DELETE FROM tallystick_hits.{table}".encode())
        with opened.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO tallystick_hits.request (key, fingerprint, answer, created) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (key) DO NOTHING",
                requests,
            )
        row = opened.connection.execute("SELECT moves FROM tallystick_hits.lease").fetchone()
    assert row is not None
    return int(row[0])


def _replace_tables(connection: Connection, moves: int) -> None:
    """Replace the lake's tables by those of the copy; in an open transaction."""
    connection.execute(f"USE {COPY}")
    tables = tables_of(connection)
    connection.execute(f"USE {NAME}")
    columns = _columns(connection, COPY)
    for table, definition in tables.items():
        connection.execute(f"DROP TABLE {NAME}.{table}")
        connection.execute(definition)
        names = columns[table]
        connection.execute(f"INSERT INTO {NAME}.{table} ({names}) SELECT {names} FROM {COPY}.{table}")
    connection.execute("DELETE FROM request")  # they are in PostgreSQL
    add_moved(connection)
    connection.execute("UPDATE mark SET moved = ?", [moves])


def _refusal(lost: Sequence[Loss]) -> str | None:
    """The message about losses; None if none is a reason to refuse."""
    serious = [loss.what for loss in lost if not loss.of_old]
    if not serious:
        return None
    return (
        f"the ledger and the lake do not fit together: {'; '.join(serious)}. Restore a backup (tallystick restore FILE)"
    )


def _number(connection: Connection, query: str) -> int:
    [(number,)] = connection.execute(query).fetchall()
    return int(number)
