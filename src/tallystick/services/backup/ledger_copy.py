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
from tallystick.ledger.copying import BackupFile, Tell, copy_pages, copy_tables, damage, replace_tables
from tallystick.ledger.migrations import all_migrations, outstanding
from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.ledger.sqlite import SqliteDatabase, SqliteSession
from tallystick.services.files import followed, whole_file

ACCOUNTS_SINCE = 2
"""The schema that brought accounts."""

CLOSING_WITHIN_S = 2.0
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite may leave beside a database file."""


def back_up(database: Database, file: Path, tell: Tell) -> None:
    """Write the ledger as it is at one instant into an empty file, while others count on.

    Raises:
        StoreFailed: what was written is damaged, and so the ledger is.
    """
    _remove_side_files(file)
    try:
        with closing(database.session()) as session, session.snapshot():
            if isinstance(session, SqliteSession):
                copy_pages(session, file, tell)
            else:
                assert isinstance(session, PostgresqlSession)
                copy_tables(session, file, tell)
        with closing(BackupFile(file).session()) as written:
            if wrong := damage(written):
                msg = f"{database.describe()} is damaged: {wrong}"
                raise StoreFailed(msg)
    finally:
        _remove_side_files(file)


def checked(file: Path) -> BackupFile:
    """A file that can be restored.

    Raises:
        InputRefused: it is no ledger, damaged, or written by a newer program.
    """
    if not file.is_file():
        msg = f"{file} is no file"
        raise InputRefused(msg)
    backup = BackupFile(file)
    try:
        with closing(backup.session()) as session:
            wrong = damage(session)
            applied = None if wrong else session.recorded()
        if not applied:
            msg = f"{file} is no Tallystick backup, or damaged: {wrong or 'it has no tables of ours'}"
            raise InputRefused(msg)
        outstanding(all_migrations("sqlite"), applied)
    except (DatabaseSchemaRefused, DatabaseUnreachable) as error:
        msg = f"{file} cannot be restored: {error}"
        raise InputRefused(msg) from error
    return backup


class Contents(NamedTuple):
    """How much a ledger holds; counters are public and shared ones."""

    counters: int
    accounts: int


def contents(database: Database) -> Contents | None:
    """What a database holds: nothing when there is no ledger, None when it is damaged."""
    if isinstance(database, SqliteDatabase):
        # Only read: closing an ordinary session would write the WAL into a damaged file.
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
    """How many servers' and commands' connections a PostgreSQL ledger has, ours excepted."""
    with closing(database.session()) as session:
        assert isinstance(session, PostgresqlSession)
        deadline = time.monotonic() + CLOSING_WITHIN_S
        # PostgreSQL lists a closed connection, such as our own last one, for a moment longer.
        while (others := session.others()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return others


def restore_into_sqlite(backup: BackupFile, target: SqliteDatabase, tell: Tell) -> int:
    """Replace a ledger file by a backup. Returns how many counters it holds.

    Killed at any moment, this leaves the old ledger or the new one.

    Raises:
        DatabaseUnreachable: another program has the old ledger open.
    """
    # SQLite keeps the WAL beside the file itself, not beside a symbolic link to it.
    target = SqliteDatabase(followed(target.path))
    with whole_file(target.path, replaces=True, mode=0o600) as new:
        _remove_side_files(new)
        try:
            with closing(backup.session()) as session, session.snapshot():
                copy_pages(session, new, tell)
            counters = _brought_up_to_date(SqliteDatabase(new))
        finally:
            _remove_side_files(new)
        _keep_owner(new)
        _fold_wal_of(target)
    return counters


def restore_into_postgresql(backup: BackupFile, target: Database, spare: Path, tell: Tell) -> int:
    """Replace what a PostgreSQL ledger holds, in one transaction; answers how many counters it holds then.

    Args:
        spare: a file in which an older backup may be brought up to date.
    """
    with closing(backup.session()) as source, source.snapshot():
        older = outstanding(all_migrations("sqlite"), source.recorded() or [])
        if older:
            copy_pages(source, spare, tell)
    if older:
        _brought_up_to_date(SqliteDatabase(spare))
        backup = BackupFile(spare)
    target.migrate()
    with closing(backup.session()) as source, closing(target.session()) as session:
        assert isinstance(session, PostgresqlSession)
        with source.snapshot(), session.transaction():
            replace_tables(source, session, tell)
        with session.snapshot():
            return session.size()


def _brought_up_to_date(database: SqliteDatabase) -> int:
    database.migrate()
    # A writing session folds the WAL into the file when it closes.
    with closing(database.session(writes=True)) as session, session.snapshot():
        return session.size()


def _keep_owner(new: Path) -> None:
    """A restore by root must not take the ledger away from the account that serves it."""
    if os.geteuid() == 0:
        owner = new.parent.stat()
        os.chown(new, owner.st_uid, owner.st_gid)


def _fold_wal_of(old: SqliteDatabase) -> None:
    """Have the old ledger's WAL gone before a new file takes its name: SQLite would play it back into that."""
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
    """Keep a damaged ledger under another name, with its WAL; its own name stays taken until the new one comes."""
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
