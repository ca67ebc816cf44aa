"""Copies a whole ledger: a SQLite file page by page, other databases table by table.

The list of tables is read from the schema, so that tables of later migrations are copied too. A backup is always one
SQLite file in rollback mode, without side files.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
from psycopg import sql

from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.ledger.sqlite import BUSY_TIMEOUT_MS, SqliteDatabase, SqliteSession

WAREHOUSE_TABLE = "backup_warehouse"
"""The table of a backup that holds the warehouse; a ledger has no such table."""

NEVER_COPIED = frozenset({"salt", "change_epoch", "warehouse_mark"})
"""Tables that are not copied: a secret, the name of a numbering that a copy does not continue, and marks of the hits,
which are copied at an earlier moment."""

PAGES_AT_ONCE = 1_000
ROWS_AT_ONCE = 10_000

ReportProgress = Callable[[int, int], None]
"""Called with the amount that is done, and the total."""

Tables = Mapping[str, Sequence[str]]
"""The columns of each table."""


class BackupFile(SqliteDatabase):
    """A ledger file that is only read; not even its header is written."""

    def _connect(self) -> apsw.Connection:
        # Without a WAL beside it the file needs no shared memory either, so it can lie on a read-only disk.
        wal = self.path.with_name(f"{self.path.name}-wal")
        mode = "mode=ro" if wal.exists() else "immutable=1"
        connection = apsw.Connection(
            f"file:{quote(str(self.path.absolute()))}?{mode}",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        return connection


def copy_pages(source: SqliteSession, file: Path, report: ReportProgress) -> None:
    """Copy a SQLite ledger, as the source's open snapshot sees it, into an empty file."""
    # The first read begins the snapshot. Without one, each write would restart the copy.
    source.connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    target = apsw.Connection(str(file))
    try:
        target.pragma("synchronous", "off")
        with target.backup("main", source.connection, "main") as copy:
            while not copy.done:
                copy.step(PAGES_AT_ONCE)
                report(copy.page_count - copy.remaining, copy.page_count)
        _leave_out(target)
        target.pragma("journal_mode", "delete")
    finally:
        target.close()


def _leave_out(copy: apsw.Connection) -> None:
    """Remove the rows that a copy of all pages must not contain."""
    # Neither a journal nor a free page may retain them.
    copy.pragma("journal_mode", "off")
    copy.pragma("secure_delete", True)  # noqa: FBT003  # apsw takes the value in this place
    for table in NEVER_COPIED:
        if copy.table_exists(None, table):
            copy.execute(f"DELETE FROM {table}").fetchall()  # noqa: S608  # ours
    if copy.table_exists(None, WAREHOUSE_TABLE):
        copy.execute(f"DROP TABLE {WAREHOUSE_TABLE}").fetchall()
        copy.execute("VACUUM").fetchall()


def copy_tables(source: PostgresqlSession, file: Path, report: ReportProgress) -> None:
    """Copy a PostgreSQL ledger, as the source's open snapshot sees it, into an empty SQLite file."""
    database = SqliteDatabase(file, "relaxed")
    database.migrate()
    target = database.session()
    source.take_time()
    source.take_pauses()
    try:
        progress = _Progress(source.size(), report)
        with target.transaction():
            for table, columns in tables(target).items():
                if table not in NEVER_COPIED:
                    _fill_sqlite(target, table, columns, progress.through(_rows_of_postgresql(source, table, columns)))
        target.connection.pragma("journal_mode", "delete")
    finally:
        target.close()


def replace_tables(source: SqliteSession, target: PostgresqlSession, report: ReportProgress) -> None:
    """Replace everything in a PostgreSQL ledger by a SQLite one's rows, in the target's open transaction."""
    progress = _Progress(source.size(), report)
    columns_of = tables(source)
    names = sql.SQL(", ").join(map(sql.Identifier, columns_of))
    target.take_time()
    target.take_pauses()
    target.connection.execute(sql.SQL("TRUNCATE {}").format(names))
    for table, columns in columns_of.items():
        if table not in NEVER_COPIED:
            _fill_postgresql(target, table, columns, progress.through(_rows_of_sqlite(source, table, columns)))


def tables(session: SqliteSession) -> Tables:
    """The columns of a ledger's tables, by table, oldest table first; without the table of migrations."""
    rows = session.connection.execute(
        "SELECT name, (SELECT group_concat(name, ' ' ORDER BY cid) FROM pragma_table_info(schema.name))"
        " FROM sqlite_schema AS schema WHERE type = 'table' AND name NOT IN ('migration', ?)"
        " AND name NOT LIKE 'sqlite%' ORDER BY rowid",
        (WAREHOUSE_TABLE,),
    )
    return {str(table): str(columns).split() for table, columns in rows}


def damage(session: SqliteSession) -> str | None:
    """Check the whole file. Returns the first problem that SQLite reports, or None."""
    try:
        report = str(session.connection.execute("PRAGMA integrity_check(1)").get)
    except apsw.Error as error:
        return str(error)
    return None if report == "ok" else " ".join(report.split())


def slight_damage(session: SqliteSession, within: float) -> str | None:
    """Check the file quickly, for at most ``within`` seconds. Returns the first problem reported, or None."""
    deadline = time.monotonic() + within
    session.connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        report = str(session.connection.execute("PRAGMA quick_check(1)").get)
    except apsw.InterruptError:
        return None
    except apsw.Error as error:
        return str(error)
    finally:
        session.connection.set_progress_handler(None)
    return None if report == "ok" else " ".join(report.split())


class _Progress:
    def __init__(self, total: int, report: ReportProgress) -> None:
        self._done, self._total, self._report = 0, total, report

    def through(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        for row in rows:
            yield row
            self._done += 1
            if self._done % ROWS_AT_ONCE == 0:
                self._report(self._done, self._total)


def _rows_of_sqlite(session: SqliteSession, table: str, columns: Sequence[str]) -> Iterable[Sequence[Any]]:
    return session.connection.execute(f"SELECT {_names(columns)} FROM {_names([table])}")  # noqa: S608  # quoted


def _fill_sqlite(session: SqliteSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    places = ", ".join("?" * len(columns))
    session.connection.executemany(
        f"INSERT INTO {_names([table])} ({_names(columns)}) VALUES ({places})",  # noqa: S608  # quoted
        rows,
    )


def _names(identifiers: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in identifiers)


def _rows_of_postgresql(session: PostgresqlSession, table: str, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
    query = sql.SQL("SELECT {} FROM {}").format(_list(columns), sql.Identifier(table))
    with session.connection.cursor(name="copying") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        yield from cursor.execute(query)


def _fill_postgresql(
    session: PostgresqlSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _list(columns))
    with session.connection.cursor().copy(query) as copy:
        for row in rows:
            copy.write_row(row)


def _list(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
