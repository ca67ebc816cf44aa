"""What keeps a lake small and quick, and makes deleted rows disappear: done by the server that holds the lease.

Each piece of work is a transaction of its own, under the fence. A round does what is due:

1. Rows in the catalogue are written to files.
2. Files with deleted rows are written anew: those of which a fiftieth is deleted, and all after a change of hits.
3. Many small files become one. Files are merged with others of their size, so that a row is written a few times only.
4. Snapshots older than an hour end, and with them the files that only they had. Reads take at most minutes, so no
   reader's snapshot ends.
5. Once a day, files that no commit has entered (of killed servers) are removed, when they are a day old.
"""

# ruff: noqa: S608  # the text consists of constants and numbers

import time

from tallystick.model.period import DAY_S
from tallystick.warehouse.duckdb import regular
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.store import quoted, transaction
from tallystick.warehouse.lake.catalogue import SCHEMA
from tallystick.warehouse.lake.store import NAME
from tallystick.warehouse.types import ChoreCounts

GRACE_S = 3_600
"""How long a snapshot that was replaced can still be read, and deleted rows are in files."""
ORPHANS_KEPT_S = DAY_S
JUDGED_EVERY_S = 30
TIDIED_EVERY_S = 120
ERASED_EVERY_S = 600
"""The least time between two rounds that write files anew for a single deleted row."""
WORN = 0.02
"""The part of deleted rows at which a file is written anew in any case."""
MANY_FILES = 10
SIZES_MB = (4, 32, 128)
"""Files up to one of these sizes are merged when there are many."""
HIT_TABLES = ("hit", "visit", "irregular_visit", "renamed_visitor", "mark")
"""The tables that change all the time."""


class Chores:
    """Does the chores of a lake that this server may write to; used by the mover's thread.

    Args:
        grace_s: see ``GRACE_S``.

    Attributes:
        counts: since the start of this server.
    """

    def __init__(self, grace_s: int = GRACE_S) -> None:
        self.grace_s = grace_s
        self.counts = ChoreCounts()
        # Not at once: a server that takes over has hits to move.
        began = time.monotonic()
        self._not_before = {"judge": began + JUDGED_EVERY_S, "tidy": began + TIDIED_EVERY_S}
        self._erased = False
        """Whether rows that were deleted are in no current file any more."""

    def deleted(self) -> None:
        """Note that rows may have been deleted, or that this server begins to write to the lake."""
        self._erased = False

    def work(self, connection: Connection) -> None:
        """Do what is due.

        Raises:
            duckdb.Error: a piece of work failed; what was done before it stays.
        """
        began = time.monotonic()
        try:
            self._do_what_is_due(connection)
        except BaseException:
            self.counts.failures += 1
            raise
        finally:
            self.counts.seconds += time.monotonic() - began

    def _do_what_is_due(self, connection: Connection) -> None:
        if self._is_due("judge", JUDGED_EVERY_S):
            with transaction(connection):
                regular.judge(connection)
        if not self._is_due("tidy", TIDIED_EVERY_S):
            return
        self.flush(connection)
        erases = not self._erased and self._is_due("erase", ERASED_EVERY_S)
        self.rewrite(connection, 0.0 if erases else WORN)
        self._erased = self._erased or erases
        self.merge(connection)
        self.expire(connection)
        if self._is_due("orphans", ORPHANS_KEPT_S):
            self.remove_orphans(connection)
        self.look(connection)

    def _is_due(self, name: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._not_before.get(name, 0.0):
            return False
        self._not_before[name] = now + every_s
        return True

    def flush(self, connection: Connection) -> None:
        """Write rows that are in the catalogue to files."""
        self.counts.flushed_rows += _number(
            connection, f"SELECT coalesce(sum(rows_flushed), 0) FROM ducklake_flush_inlined_data({quoted(NAME)})"
        )

    def rewrite(self, connection: Connection, worn: float) -> None:
        """Write files with deleted rows anew, without those.

        Args:
            worn: the part of deleted rows from which on a file is written anew; 0 for any.
        """
        self.counts.rewritten_files += _number(
            connection,
            "SELECT coalesce(sum(files_processed), 0)"
            f" FROM ducklake_rewrite_data_files({quoted(NAME)}, delete_threshold => {worn})",
        )

    def merge(self, connection: Connection) -> None:
        """Merge small files, where there are many of about one size."""
        for table in HIT_TABLES:
            for size in SIZES_MB:
                limit = size * 1_000_000
                small = (
                    f"SELECT count(*) FROM ducklake_list_files({quoted(NAME)}, {quoted(table)})"
                    f" WHERE data_file_size_bytes < {limit}"
                )
                if _number(connection, small) >= MANY_FILES:
                    self.counts.merged_files += _number(
                        connection,
                        "SELECT coalesce(sum(files_processed), 0) FROM"
                        f" ducklake_merge_adjacent_files({quoted(NAME)}, {quoted(table)}, max_file_size => {limit})",
                    )

    def expire(self, connection: Connection) -> None:
        """End snapshots that no read can have any more, and remove the files that only they had."""
        before = f"older_than => now() - to_seconds({self.grace_s})"
        self.counts.expired_snapshots += _number(
            connection, f"SELECT count(*) FROM ducklake_expire_snapshots({quoted(NAME)}, {before})"
        )
        self.counts.removed_files += _number(
            connection, f"SELECT count(*) FROM ducklake_cleanup_old_files({quoted(NAME)}, cleanup_all => true)"
        )

    def remove_orphans(self, connection: Connection, kept_s: int = ORPHANS_KEPT_S) -> None:
        """Remove files that no commit has entered.

        Args:
            kept_s: how old they are at least: those of a commit in flight are younger.
        """
        before = f"older_than => now() - to_seconds({kept_s})"
        self.counts.removed_files += _number(
            connection, f"SELECT count(*) FROM ducklake_delete_orphaned_files({quoted(NAME)}, {before})"
        )

    def look(self, connection: Connection) -> None:
        """Note what the lake consists of; asks the catalogue only."""
        metadata = f"__ducklake_metadata_{NAME}.{SCHEMA}"
        row = connection.execute(
            "SELECT coalesce(sum(file_count), 0), coalesce(sum(file_size_bytes), 0),"
            f" (SELECT count(*) FROM {metadata}.ducklake_snapshot),"
            f" (SELECT count(*) FROM {metadata}.ducklake_files_scheduled_for_deletion)"
            f" FROM ducklake_table_info({quoted(NAME)})"
        ).fetchone()
        assert row is not None
        counts = self.counts
        counts.files, counts.bytes, counts.snapshots, counts.scheduled = map(int, row)


def _number(connection: Connection, query: str) -> int:
    [(number,)] = connection.execute(query).fetchall()
    return int(number)
