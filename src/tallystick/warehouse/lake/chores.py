"""What keeps a lake small and quick, and makes deleted rows disappear: done by the server that holds the lease.

Each call does one piece of work, a few seconds at most, so that hits are moved between two of them: each piece handles
a limited number of rows, files or snapshots. It is a transaction of its own, under the fence. What is due every two
minutes:

1. Rows in the catalogue are written to files.
2. Files with deleted rows are written anew: those of which a fiftieth is deleted, and all after a change of hits.
3. Many small files become one. Files are merged with others of their size, so that a row is written a few times only.
4. Snapshots older than an hour end, and files that are in none any more are removed an hour later. Reads take at
   most minutes, so no reader's snapshot ends.
5. Once a day, files that no commit has entered (of killed servers) are removed, when they are a day old.
"""

# ruff: noqa: S608  # the text consists of constants, numbers, and names that DuckLake made

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from tallystick.model.period import DAY_S
from tallystick.warehouse.duckdb import regular
from tallystick.warehouse.duckdb.mover import JUDGES_ONE_IN
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.store import quoted, transaction
from tallystick.warehouse.lake.catalogue import SCHEMA
from tallystick.warehouse.lake.store import NAME
from tallystick.warehouse.types import ChoreCounts, ChoreRuns

GRACE_S = 3_600
"""How long a snapshot that was replaced can still be read, and then how long a file stays that is in no snapshot: a
read, for example a backup, may have it on its list. Merged files are replaced in all snapshots at once."""
ORPHANS_KEPT_S = DAY_S
JUDGED_EVERY_S = 30
TIDIED_EVERY_S = 120
ERASED_EVERY_S = 600
"""The least time between two rounds that write files anew for a single deleted row."""
WORN = 0.02
"""The part of deleted rows at which a file is written anew in any case."""
ROWS_AT_ONCE = 400_000
"""Rows of the files that are written anew together, unless a single file has more: a second for two processors."""
MANY_FILES = 10
SIZES_MB = (1, 3)
"""Files up to one of these sizes are merged when there are many. At most half of what a merged file may have
(``target_file_size``): of larger ones, DuckLake may find no two to merge, and stop."""
SNAPSHOTS_AT_ONCE = 200
HIT_TABLES = ("hit", "visit", "irregular_visit", "renamed_visitor", "mark")
"""The tables that change all the time."""
IN_ORDER_OF = {"hit": "id", "visit": "started", "irregular_visit": "started", "renamed_visitor": "created"}
"""The columns in whose order rows are stored, about: by their limits DuckLake skips files without opening them."""

NAMES = ("judge", "flush", "rewrite", "merge", "expire", "orphans", "look")

METADATA = f"__ducklake_metadata_{NAME}.{SCHEMA}"

Piece = Callable[[Connection], bool]
"""A piece of work. Returns whether there is more of the same."""


class Chores:
    """Does the chores of a lake that this server may write to; used by the mover's thread.

    Args:
        grace_s: see ``GRACE_S``.

    Attributes:
        counts: since the start of this server.
        newest: the chore of the newest piece.
    """

    def __init__(self, grace_s: int = GRACE_S) -> None:
        self.grace_s = grace_s
        self.counts = ChoreCounts(runs={name: ChoreRuns() for name in NAMES})
        # Not at once: a server that takes over has hits to move.
        began = time.monotonic()
        self._not_before = {"judge": began + JUDGED_EVERY_S, "tidy": began + TIDIED_EVERY_S}
        self._pieces: deque[tuple[str, Piece]] = deque()
        self._erased = False
        """Whether rows that were deleted are in no current file any more."""
        self.newest = ""

    def deleted(self) -> None:
        """Note that rows may have been deleted, or that this server begins to write to the lake."""
        self._erased = False

    @property
    def due(self) -> bool:
        """Whether there is more to do at once."""
        return bool(self._pieces)

    def work(self, connection: Connection) -> None:
        """Do the next piece of what is due.

        Raises:
            duckdb.Error: it failed; the next call goes on with another chore.
        """
        self._add_what_is_due(connection)
        if not self._pieces:
            return
        name, piece = self._pieces.popleft()
        if self._run(name, piece, connection):
            self._pieces.appendleft((name, piece))
        if name == "judge":
            took = self.counts.runs[name].last_seconds
            self._not_before[name] = time.monotonic() + max(JUDGED_EVERY_S, JUDGES_ONE_IN * took)

    def _run(self, name: str, piece: Piece, connection: Connection) -> bool:
        began, run, self.newest = time.monotonic(), self.counts.runs[name], name
        try:
            more = piece(connection)
        except BaseException:
            run.failures += 1
            if name in {"flush", "rewrite"}:
                self._erased = False
            raise
        finally:
            run.last_seconds = time.monotonic() - began
            run.seconds += run.last_seconds
            run.longest = max(run.longest, run.last_seconds)
        run.count += 1
        run.succeeded = time.time()
        return more

    def _add_what_is_due(self, connection: Connection) -> None:
        if self._is_due("judge", JUDGED_EVERY_S):
            self._pieces.appendleft(("judge", _judge))
        if any(name != "judge" for name, _ in self._pieces) or not self._is_due("tidy", TIDIED_EVERY_S):
            return
        erases = not self._erased and self._is_due("erase", ERASED_EVERY_S)
        self._erased = self._erased or erases
        tables = all_tables(connection) if erases else HIT_TABLES
        self._pieces.extend(("flush", partial(self.flush, table=table)) for table in tables)
        for table in tables:
            self._pieces.append(("rewrite", partial(self.rewrite, table=table, worn=0.0 if erases else WORN)))
        self._pieces.extend(
            ("merge", partial(self.merge, table=table, size_mb=size)) for table in HIT_TABLES for size in SIZES_MB
        )
        self._pieces.append(("expire", self.expire))
        if self._is_due("orphans", ORPHANS_KEPT_S):
            self._pieces.append(("orphans", self.remove_orphans))
        self._pieces.append(("look", self.look))

    def _is_due(self, name: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._not_before.get(name, 0.0):
            return False
        self._not_before[name] = now + every_s
        return True

    def flush(self, connection: Connection, table: str) -> bool:
        """Write rows of a table that are in the catalogue to files, and end files of which all rows are deleted."""
        self.counts.flushed_rows += _number(
            connection,
            "SELECT coalesce(sum(rows_flushed), 0)"
            f" FROM ducklake_flush_inlined_data({quoted(NAME)}, table_name => {quoted(table)})",
        )
        connection.execute(
            f"CALL ducklake_rewrite_data_files({quoted(NAME)}, {quoted(table)}, delete_threshold => 1.0)"
        )
        return False

    def rewrite(self, connection: Connection, table: str, worn: float) -> bool:
        """Write some files with deleted rows anew, without those.

        DuckLake's own function writes all such files at once.

        Args:
            worn: the part of deleted rows from which on a file is written anew; 0 for any.
        """
        files = self._worn_files(connection, table, worn)
        if not files:
            return False
        those = f"filename IN ({', '.join(quoted(file) for file, *_ in files)})"
        if table in IN_ORDER_OF:
            lowest, highest = min(file[1] for file in files), max(file[2] for file in files)
            those += f" AND {IN_ORDER_OF[table]} BETWEEN {lowest} AND {highest}"
        with transaction(connection):
            connection.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE {those}")
            replaced = _number(connection, f"DELETE FROM {table} WHERE {those}")
        self.counts.rewritten_files += len(files)
        # The deletion of few rows is noted in the catalogue only, and the file would stay.
        self.flush(connection, table)
        # Without progress there would be no end.
        return replaced > 0

    @staticmethod
    def _worn_files(connection: Connection, table: str, worn: float) -> list[tuple[str, int, int]]:
        """Files that are written anew next, with the limits of the column in whose order rows are stored."""
        limit = (
            "(SELECT CAST({0}_value AS BIGINT) FROM {1}.ducklake_file_column_stats AS stats"
            " JOIN {1}.ducklake_column AS named USING (table_id, column_id)"
            " WHERE stats.data_file_id = file.data_file_id AND named.end_snapshot IS NULL AND column_name = {2})"
        )
        limits = [limit.format(end, METADATA, quoted(IN_ORDER_OF.get(table, ""))) for end in ("min", "max")]
        rows = connection.execute(
            f"SELECT listed.data_file, {', '.join(limits)}, record_count"
            f" FROM ducklake_list_files({quoted(NAME)}, {quoted(table)}) AS listed"
            f" JOIN {METADATA}.ducklake_data_file AS file"
            " ON parse_filename(file.path) = parse_filename(listed.data_file)"
            f" JOIN {METADATA}.ducklake_delete_file AS deleted"
            " ON deleted.data_file_id = file.data_file_id AND deleted.end_snapshot IS NULL"
            f" WHERE delete_count < record_count AND delete_count >= {worn} * record_count ORDER BY file.data_file_id"
        ).fetchall()
        files: list[tuple[str, int, int]] = []
        size = 0
        for file, lowest, highest, count in rows:
            size += count
            if files and size > ROWS_AT_ONCE:
                break
            files.append((file, lowest, highest))
        return files

    def merge(self, connection: Connection, table: str, size_mb: int) -> bool:
        """Make one file of small files, where there are many of about one size."""
        limit = size_mb * 1_000_000
        small = (
            f"SELECT count(*) FROM ducklake_list_files({quoted(NAME)}, {quoted(table)})"
            f" WHERE data_file_size_bytes < {limit} AND delete_file IS NULL"
        )
        if _number(connection, small) < MANY_FILES:
            return False
        merged = _number(
            connection,
            f"SELECT coalesce(sum(files_processed), 0) FROM ducklake_merge_adjacent_files({quoted(NAME)},"
            f" {quoted(table)}, max_file_size => {limit}, max_compacted_files => 1)",
        )
        self.counts.merged_files += merged
        return merged > 0

    def expire(self, connection: Connection) -> bool:
        """End snapshots that no read can have any more, and remove files that are in none."""
        old = f"now() - to_seconds({self.grace_s})"
        [(before, more)] = connection.execute(
            f"SELECT CAST(least({old}, max(snapshot_time)) AS VARCHAR), coalesce(max(snapshot_time) < {old}, false)"
            f" FROM (SELECT snapshot_time FROM {METADATA}.ducklake_snapshot ORDER BY snapshot_id"
            f" LIMIT 1 OFFSET {SNAPSHOTS_AT_ONCE})"
        ).fetchall()
        self.counts.expired_snapshots += _number(
            connection,
            f"SELECT count(*) FROM ducklake_expire_snapshots({quoted(NAME)}, older_than => {quoted(before)})",
        )
        unused = f"older_than => now() - to_seconds({self.grace_s})"
        self.counts.removed_files += _number(
            connection, f"SELECT count(*) FROM ducklake_cleanup_old_files({quoted(NAME)}, {unused})"
        )
        return bool(more)

    def remove_orphans(self, connection: Connection, kept_s: int = ORPHANS_KEPT_S) -> bool:
        """Remove files that no commit has entered.

        Args:
            kept_s: how old they are at least: those of a commit in flight are younger.
        """
        before = f"older_than => now() - to_seconds({kept_s})"
        self.counts.removed_files += _number(
            connection, f"SELECT count(*) FROM ducklake_delete_orphaned_files({quoted(NAME)}, {before})"
        )
        return False

    def look(self, connection: Connection) -> bool:
        """Note what the lake consists of; asks the catalogue only."""
        row = connection.execute(
            "SELECT coalesce(sum(file_count), 0), coalesce(sum(file_size_bytes), 0),"
            f" (SELECT count(*) FROM {METADATA}.ducklake_snapshot),"
            f" (SELECT count(*) FROM {METADATA}.ducklake_files_scheduled_for_deletion)"
            f" FROM ducklake_table_info({quoted(NAME)})"
        ).fetchone()
        assert row is not None
        counts = self.counts
        counts.files, counts.bytes, counts.snapshots, counts.scheduled = map(int, row)
        return False


def _judge(connection: Connection) -> bool:
    with transaction(connection):
        regular.judge(connection)
    return False


def all_tables(connection: Connection) -> list[str]:
    """All tables, the ones that change most first."""
    rows = connection.execute(f"SELECT table_name FROM ducklake_table_info({quoted(NAME)})").fetchall()
    return [*HIT_TABLES, *(name for (name,) in rows if name not in HIT_TABLES)]


def _number(connection: Connection, query: str) -> int:
    [(number,)] = connection.execute(query).fetchall()
    return int(number)
