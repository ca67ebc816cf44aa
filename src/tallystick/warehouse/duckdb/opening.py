"""Compares the two files of a warehouse with each other and with the ledger, before it is used."""

import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import structlog
from msgspec.structs import astuple, replace

from tallystick.errors import DatabaseUnreachable, StoresDisagree
from tallystick.warehouse.duckdb.journal import Journal, journal_of
from tallystick.warehouse.duckdb.marks import (
    HITS_PASSED_OVER,
    ColumnsMarks,
    JournalMarks,
    boot,
    losses,
    way_out,
)
from tallystick.warehouse.duckdb.migrations import all_steps, recorded, refuse_newer
from tallystick.warehouse.duckdb.queried import QuerySession, named_queries
from tallystick.warehouse.duckdb.store import Store, transaction
from tallystick.warehouse.types import LedgerMarks, Loss, NewestIds

NAME_BYTES = 8

log = structlog.get_logger()


def settle(
    journal: Journal, store: Store, ledger: LedgerMarks | None, *, relaxed: bool, accept_loss: bool
) -> list[Loss]:
    """Compare the stores, and write the marks from which both files of the warehouse continue.

    Args:
        ledger: None for no comparison with a ledger.
        relaxed: whether commits of the journal are acknowledged before they are synced.
        accept_loss: whether to start although something is missing.

    Returns:
        The accepted losses. If there are any, the ledger must be raised above the marks of the warehouse.

    Raises:
        StoresDisagree: something is missing, and that was not accepted.
    """
    with store.session() as session:
        journal_marks, columns = journal.marks(), columns_marks(session)
        lost = losses(journal_marks, columns, ledger)
        if lost and not _accepted(lost, columns, accept_loss=accept_loss):
            raise StoresDisagree(way_out(lost, store.file.parent))
        for loss in lost:
            log.warning("going on without what is lost", lost=loss.what)
        settled = _settled(journal_marks, columns, ledger, lost)
        of_columns = ColumnsMarks(
            warehouse=settled.warehouse,
            complete=False,
            relaxed=boot() if relaxed else "",
            last_id=columns.last_id,
            changes=settled.changes,
            commits=settled.commits,
            newest=settled.newest,
        )
        # The journal first: after a kill in between, DuckDB's file still needs no journal, or still has a loss.
        if settled != journal_marks:
            journal.note(settled)
        if of_columns != columns:
            with transaction(session.connection):
                session.queries.set_marks(session.connection, **_by_name(of_columns))
    return lost


def _accepted(lost: Sequence[Loss], columns: ColumnsMarks, *, accept_loss: bool) -> bool:
    lost = [loss for loss in lost if not loss.of_old]
    if any(loss.foreign for loss in lost):
        return False
    # The machine has restarted since the server last ran: a power cut may have lost data that was not synced.
    unsynced = bool(columns.relaxed) and columns.relaxed != boot()
    return accept_loss or all(unsynced and loss.of_last_seconds for loss in lost)


def _settled(
    journal: JournalMarks, columns: ColumnsMarks, ledger: LedgerMarks | None, lost: Sequence[Loss]
) -> JournalMarks:
    name = columns.warehouse or journal.warehouse or secrets.token_hex(NAME_BYTES)
    last_id, changes = max(journal.last_id, columns.last_id), max(journal.changes, columns.changes)
    if any(not loss.of_old for loss in lost):
        noted = [*ledger.warehouses.values(), (0, 0)] if ledger else [(0, 0)]
        last_id = max(last_id, *(hit for hit, _ in noted)) + HITS_PASSED_OVER
        changes = max(changes, *(change for _, change in noted))
    return JournalMarks(
        warehouse=name,
        last_id=last_id,
        moved=min(journal.moved, columns.last_id),
        changes=changes,
        commits=max(journal.commits, columns.commits),
        newest=journal.newest.and_those_of(columns.newest),
    )


def columns_marks(session: QuerySession) -> ColumnsMarks:
    """The marks of DuckDB's file."""
    name, complete, relaxed, last_id, changes, commits, *newest = session.queries.marks(session.connection)
    return ColumnsMarks(name, complete, relaxed, last_id, changes, commits, NewestIds(*newest))


def seal(session: QuerySession) -> None:
    """Mark a copy with all batches of its journal as complete without one; in an open transaction."""
    marks = replace(columns_marks(session), warehouse="", complete=True, relaxed="")
    session.queries.set_marks(session.connection, **_by_name(marks))


def disagreements(file: Path, ledger: LedgerMarks | None) -> list[Loss]:
    """The losses in a directory that no server uses; changes no byte.

    Raises:
        DatabaseUnreachable, DatabaseSchemaRefused: a file cannot be read.
    """
    return losses(journal_of(file).marks, marks_in(file), ledger)


def marks_in(file: Path) -> ColumnsMarks:
    """The marks of DuckDB's file, which no process has open; changes no byte.

    Raises:
        DatabaseUnreachable, DatabaseSchemaRefused: it cannot be read.
    """
    if not file.exists():
        return ColumnsMarks()
    try:
        with closing(duckdb.connect(str(file), read_only=True)) as connection:
            schema = len(recorded(connection))
            refuse_newer(schema, len(all_steps()), f"the warehouse {file}")
            if schema < len(all_steps()):
                # Written by a version without marks; they are set when the file is migrated.
                return ColumnsMarks()
            return columns_marks(QuerySession(connection, named_queries()))
    except duckdb.Error as error:
        msg = f"cannot open the warehouse {file}: {' '.join(str(error).split())}"
        raise DatabaseUnreachable(msg) from error


def _by_name(marks: ColumnsMarks) -> dict[str, object]:
    *flat, newest = astuple(marks)
    return dict(zip(ColumnsMarks.__struct_fields__, flat, strict=False)) | dict(
        zip(NewestIds.__struct_fields__, astuple(newest), strict=True)
    )
