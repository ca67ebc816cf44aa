"""The files of a data directory's hits, for commands that check, copy and replace them."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallystick.errors import StoreFailed, StoresDisagree
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.copying import (
    MEMORY_MB,
    WAL_SUFFIX,
    checked,
    compare_visits,
    copy_files,
    count_hits,
    make_portable,
    read_through,
    refuse_missing,
    visits_add_up,
)
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE
from tallystick.warehouse.duckdb.marks import JournalMarks, losses, way_out
from tallystick.warehouse.duckdb.opening import disagreements, marks_in
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE, Store, transaction
from tallystick.warehouse.types import ComparedVisits, LedgerMarks, Loss


class DuckDbStorage:
    """A ``WarehouseStorage``; see its methods there."""

    def __init__(self, data: Path) -> None:
        self._data, self._file = data, data / WAREHOUSE_FILE

    def describe(self) -> str:
        """Where the hits are stored, for messages."""
        return str(self._file)

    def exists(self) -> bool:
        """Whether there is a file for hits, even an empty one."""
        return self._file.exists()

    def size_bytes(self) -> int:
        """Size of the columns on the disk."""
        return self._file.stat().st_size

    def sqlite_files(self) -> dict[str, Path]:
        """SQLite files among them, by their names in messages."""
        return {"journal": self._data / JOURNAL_FILE}

    def count(self) -> int:
        """The number of hits in columns. No server may have them open; changes no byte."""
        return count_hits(self._file)

    def read_everything(self, *, in_use: bool) -> int:
        """Read all values; changes no byte. Returns the number of hits."""
        with self._readable(in_use=in_use) as file:
            return read_through(file)

    def visits_add_up(self) -> bool:
        """Whether the stored visits have as many hits as there are, or the next start computes them."""
        return visits_add_up(self._file)

    def compare_visits(self, *, in_use: bool) -> ComparedVisits:
        """Compare every stored visit with its hits; changes no byte."""
        with self._readable(in_use=in_use) as file:
            return compare_visits(file)

    def forget_visits(self) -> None:
        """Make the next start compute all visits from the hits."""
        if not self.exists():
            return
        store = Store(self._file, MEMORY_MB)
        try:
            store.open()
            with store.session() as session, transaction(session.connection):
                visits.forget(session.connection)
        finally:
            store.close()

    def disagreement(self, ledger: LedgerMarks | None) -> str | None:
        """Compare the hits with the ledger. Returns a message with a remedy, or None."""
        return self._refusal(disagreements(self._file, ledger))

    def copy_to(self, file: Path, ledger: LedgerMarks | None) -> None:
        """Write a checked copy to one file, for a backup; a server may write meanwhile."""
        copy_files(self._file, file, ledger)
        make_portable(file)

    def refuse_missing(self, ledger: LedgerMarks | None) -> None:
        """Refuse a directory without hits if it had some."""
        refuse_missing(self._file, ledger)

    def refuse_older_ledger(self, copy: Path, ledger: LedgerMarks) -> None:
        """Compare a copy of the ledger with the copy of the hits that was made before."""
        if refusal := self._refusal(losses(JournalMarks(), marks_in(copy), ledger)):
            raise StoresDisagree(refusal)

    def check_copy(self, copy: Path) -> None:
        """Read all values of a copy from a backup, and migrate it to the present schema."""
        checked(copy)

    def note_restore(self, *, unfinished: bool) -> None:
        """Nothing: these are the hits of one server."""

    def replace(self, copy: Path | None) -> None:
        """Replace the hits by a checked copy, or remove them; damaged hits are kept under another name."""
        suffix = f".damaged-{time.strftime('%Y%m%dT%H%M%S')}" if self._is_damaged() else None
        # The journal and the WAL are removed first: they would be replayed into the new file.
        beside = (JOURNAL_FILE, f"{JOURNAL_FILE}-wal", f"{JOURNAL_FILE}-shm", f"{self._file.name}{WAL_SUFFIX}")
        for file in (*map(self._data.joinpath, beside), self._file):
            if suffix and file.exists():
                file.rename(file.with_name(file.name + suffix))
            file.unlink(missing_ok=True)
        if copy is not None:
            copy.replace(self._file)

    @contextmanager
    def _readable(self, *, in_use: bool) -> Iterator[Path]:
        """The file, or a copy of one that a server has open, removed at the end."""
        if not in_use:
            yield self._file
            return
        with tempfile.TemporaryDirectory(prefix="tallystick-") as directory:
            copy = Path(directory) / self._file.name
            copy_files(self._file, copy)
            yield copy

    def _is_damaged(self) -> bool:
        if not self.exists():
            return False
        try:
            count_hits(self._file)
        except StoreFailed:
            return True
        return False

    def _refusal(self, losses_: list[Loss]) -> str | None:
        """The message about losses; None if none is a reason to refuse."""
        serious = [loss for loss in losses_ if not loss.of_old]
        return way_out(serious, self._data) if serious else None
