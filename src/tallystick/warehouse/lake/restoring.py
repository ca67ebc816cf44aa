"""The mark of a restore into a lake: it is there while the ledger is replaced and the hits are not yet.

In PostgreSQL, so that no server on any machine serves half of a restore that was killed.
"""

from tallystick.errors import StoresDisagree
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, connected, translated
from tallystick.warehouse.lake.migrations import migrate

TABLE = "tallystick_hits.unfinished_restore"


def note_restore(connect: Connect, *, unfinished: bool) -> bool:
    """Set or remove the mark; durable when it returns. Returns whether there was one.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    migrate(connect)
    statement = f"INSERT INTO {TABLE} DEFAULT VALUES ON CONFLICT DO NOTHING" if unfinished else f"DELETE FROM {TABLE}"  # noqa: S608  # a constant
    with connected(connect) as opened, opened.transaction(), translated(opened):
        changed = opened.connection.execute(statement.encode()).rowcount > 0
    return changed is not unfinished


def refuse_unfinished_restore(connect: Connect) -> None:
    """Refuse a lake whose ledger was replaced and whose hits were not.

    Raises:
        StoresDisagree: a restore was interrupted, or runs.
        StoreUnavailable: PostgreSQL does not answer.
    """
    with connected(connect) as opened, translated(opened):
        if _is_marked(opened):
            msg = (
                "a restore into the lake was interrupted between the ledger and the hits, or still runs; if none runs,"
                " run it again with --force"
            )
            raise StoresDisagree(msg)


def _is_marked(opened: LakeConnection) -> bool:
    # Where no server of this version has started yet, there is no table.
    if opened.connection.execute("SELECT to_regclass(%s) IS NOT NULL", [TABLE]).fetchone() != (True,):
        return False
    row = opened.connection.execute(f"SELECT EXISTS (SELECT FROM {TABLE})".encode()).fetchone()  # noqa: S608  # a constant
    return row == (True,)
