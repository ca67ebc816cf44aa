"""Backing a ledger up and restoring it."""

import os
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw

from tallystick.errors import (
    DatabaseSchemaRefused,
    DatabaseUnreachable,
    InputRefused,
    StoreFailed,
    StoreUnavailable,
)
from tallystick.ledger import Database
from tallystick.ledger.copying import BackupFile, ReportProgress, copy_pages, copy_tables, damage, replace_tables
from tallystick.ledger.migrations import all_migrations, outstanding
from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.ledger.sqlite import SqliteDatabase, SqliteSession
from tallystick.services.files import followed, whole_file

ACCOUNTS_SINCE = 2
"""The first schema with accounts."""

CLOSING_WITHIN_S = 2.0
SIDE_FILES = ("-wal", "-shm", "-journal")
"""Suffixes of files that SQLite may leave beside a database file."""


def back_up(database: Database, file: Path, report: ReportProgress) -> None:
    """Write one snapshot of the ledger into an empty file, also while servers use it.

    Raises:
        StoreFailed: the copy is damaged, and so the ledger is.
    """
    _remove_side_files(file)
    try:
        with closing(database.session()) as session, session.snapshot():
            if isinstance(session, SqliteSession):
                copy_pages(session, file, report)
            else:
                assert isinstance(session, PostgresqlSession)
                copy_tables(session, file, report)
        with closing(BackupFile(file).session()) as written:
            if problem := damage(written):
                msg = f"{database.describe()} is damaged: {problem}"
                raise StoreFailed(msg)
    finally:
        _remove_side_files(file)


def checked(file: Path) -> BackupFile:
    """A backup that can be restored.

    Raises:
        InputRefused: the file is not a ledger, damaged, or written by a newer program.
    """
    if not file.is_file():
        msg = f"{file} is no file"
        raise InputRefused(msg)
    backup = BackupFile(file)
    try:
        with closing(backup.session()) as session:
            problem = damage(session)
            applied = None if problem else session.recorded()
        if not applied:
            msg = f"{file} is no Tallystick backup, or damaged: {problem or 'it has no tables of ours'}"
            raise InputRefused(msg)
        outstanding(all_migrations("sqlite"), applied)
    except (DatabaseSchemaRefused, DatabaseUnreachable) as error:
        msg = f"{file} cannot be restored: {error}"
        raise InputRefused(msg) from error
    return backup


class Contents(NamedTuple):
    """The numbers of counters, public and shared, and of accounts in a ledger."""

    counters: int
    accounts: int


def contents(database: Database) -> Contents | None:
    """The contents of a database: zeros without a ledger, None if it is damaged."""
    if isinstance(database, SqliteDatabase):
        # Read-only: closing an ordinary session would write the WAL into a damaged file.
        database = BackupFile(database.path)
    try:
        schema = database.schema()
        if schema is None:
            return Contents(0, 0)
        with closing(database.session()) as session, session.snapshot():
            accounts = session.common.count_accounts(session.connection) if schema >= ACCOUNTS_SINCE else 0
            return Contents(session.size(), accounts)
    except (DatabaseUnreachable, StoreUnavailable) as error:
        if isinstance(error.__cause__, (apsw.CorruptError, apsw.NotADBError)):
            return None
        raise


def others_on(database: Database) -> int:
    """The number of other connections of servers and commands to a PostgreSQL ledger."""
    with closing(database.session()) as session:
        assert isinstance(session, PostgresqlSession)
        deadline = time.monotonic() + CLOSING_WITHIN_S
        # PostgreSQL lists a closed connection, such as our own last one, for a moment longer.
        while (others := session.others()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return others


def restore_into_sqlite(backup: BackupFile, target: SqliteDatabase, report: ReportProgress) -> int:
    """Replace a ledger file by a backup. Returns the number of counters.

    If it is killed, either the old ledger or the new one remains.

    Raises:
        DatabaseUnreachable: another program has the old ledger open.
    """
    # SQLite keeps the WAL beside the file itself, not beside a symbolic link to it.
    target = SqliteDatabase(followed(target.path))
    with whole_file(target.path, replaces=True, mode=0o600) as new:
        _remove_side_files(new)
        try:
            with closing(backup.session()) as session, session.snapshot():
                copy_pages(session, new, report)
            counters = _migrated(SqliteDatabase(new))
        finally:
            _remove_side_files(new)
        _keep_owner(new)
        _fold_wal_of(target)
    return counters


def restore_into_postgresql(backup: BackupFile, target: Database, spare: Path, report: ReportProgress) -> int:
    """Replace the contents of a PostgreSQL ledger by a backup, in one transaction. Returns the number of counters.

    Args:
        spare: a path for a temporary file in which an older backup is migrated.
    """
    with closing(backup.session()) as source, source.snapshot():
        older = outstanding(all_migrations("sqlite"), source.recorded() or [])
        if older:
            copy_pages(source, spare, report)
    if older:
        _migrated(SqliteDatabase(spare))
        backup = BackupFile(spare)
    target.migrate()
    with closing(backup.session()) as source, closing(target.session()) as session:
        assert isinstance(session, PostgresqlSession)
        with source.snapshot(), session.transaction():
            replace_tables(source, session, report)
        with session.snapshot():
            return session.size()


def _migrated(database: SqliteDatabase) -> int:
    database.migrate()
    # A writing session folds the WAL into the file when it closes.
    with closing(database.session(writes=True)) as session, session.snapshot():
        return session.size()


def _keep_owner(new: Path) -> None:
    """Give the file to the directory's owner: a restore by root must not lock out the account of the server."""
    if os.geteuid() == 0:
        owner = new.parent.stat()
        os.chown(new, owner.st_uid, owner.st_gid)


def _fold_wal_of(old: SqliteDatabase) -> None:
    """Fold in the old ledger's WAL before a new file takes its name: SQLite would replay it into the new file."""
    if not old.path.exists():
        _remove_side_files(old.path)
        return
    if contents(old) is None:
        _set_aside(old.path)
        return
    with closing(old.session(writes=True)) as session, session.snapshot():
        session.size()
    if _beside(old.path, "-wal").exists():
        msg = f"another program has {old.path} open; close it and try again"
        raise DatabaseUnreachable(msg)


def _set_aside(damaged: Path) -> None:
    """Keep a damaged ledger and its WAL under another name, too; the new file replaces it under its own name."""
    kept = damaged.with_name(f"{damaged.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    os.link(damaged, kept)
    for suffix in SIDE_FILES:
        if (file := _beside(damaged, suffix)).exists():
            file.rename(_beside(kept, suffix))


def _remove_side_files(file: Path) -> None:
    for suffix in SIDE_FILES:
        _beside(file, suffix).unlink(missing_ok=True)


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)
