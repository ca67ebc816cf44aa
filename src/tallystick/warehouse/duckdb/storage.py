"""The files of a data directory, looked at, copied and put back by commands."""

import tempfile
import time
from pathlib import Path

from tallystick.errors import StoreFailed, StoresDisagree
from tallystick.warehouse.duckdb.copying import (
    WAL_SUFFIX,
    checked,
    copy_files,
    count_hits,
    read_through,
    refuse_missing,
)
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE
from tallystick.warehouse.duckdb.marks import JournalMarks, losses, way_out
from tallystick.warehouse.duckdb.opening import disagreements, marks_in
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.types import LedgerMarks, Loss


class DuckDbStorage:
    """A ``WarehouseStorage``; what each method promises stands there."""

    def __init__(self, data: Path) -> None:
        self._data, self._file = data, data / WAREHOUSE_FILE

    def describe(self) -> str:
        """Where the hits lie, for a person."""
        return str(self._file)

    def exists(self) -> bool:
        """Whether there are any, or the empty place for them."""
        return self._file.exists()

    def size_bytes(self) -> int:
        """How much the columns take on the disk."""
        return self._file.stat().st_size

    def sqlite_files(self) -> dict[str, Path]:
        """SQLite files among them, by what they are called for a person."""
        return {"journal": self._data / JOURNAL_FILE}

    def count(self) -> int:
        """How many hits lie in columns, while no server has them open; changes no byte."""
        return count_hits(self._file)

    def read_everything(self, *, in_use: bool) -> int:
        """Read every value, and return how many hits there are; changes no byte."""
        if not in_use:
            return read_through(self._file)
        with tempfile.TemporaryDirectory(prefix="tallystick-") as directory:
            copy = Path(directory) / self._file.name
            copy_files(self._file, copy)
            return read_through(copy)

    def disagreement(self, ledger: LedgerMarks | None) -> str | None:
        """What does not fit between the hits and the ledger, and the way out."""
        return self._refusal(disagreements(self._file, ledger))

    def copy_to(self, file: Path, ledger: LedgerMarks | None) -> None:
        """Make a checked copy in one file, for a backup; a server may write meanwhile."""
        copy_files(self._file, file, ledger)

    def refuse_missing(self, ledger: LedgerMarks | None) -> None:
        """For a directory without hits: refuse one that had some."""
        refuse_missing(self._file, ledger)

    def refuse_older_ledger(self, copy: Path, ledger: LedgerMarks) -> None:
        """Compare a ledger's copy with the copy of the hits that was made before it."""
        if refusal := self._refusal(losses(JournalMarks(), marks_in(copy), ledger)):
            raise StoresDisagree(refusal)

    def check_copy(self, copy: Path) -> None:
        """Read every value of a copy that a backup held, and bring it to this program's schema."""
        checked(copy)

    def replace(self, copy: Path | None) -> None:
        """Put a checked copy in the place of the hits, or nothing; damaged hits are kept under another name."""
        suffix = f".damaged-{time.strftime('%Y%m%dT%H%M%S')}" if self._is_damaged() else None
        # What would be played back goes first: the journal and the WAL.
        beside = (JOURNAL_FILE, f"{JOURNAL_FILE}-wal", f"{JOURNAL_FILE}-shm", f"{self._file.name}{WAL_SUFFIX}")
        for file in (*map(self._data.joinpath, beside), self._file):
            if suffix and file.exists():
                file.rename(file.with_name(file.name + suffix))
            file.unlink(missing_ok=True)
        if copy is not None:
            copy.replace(self._file)

    def _is_damaged(self) -> bool:
        if not self.exists():
            return False
        try:
            count_hits(self._file)
        except StoreFailed:
            return True
        return False

    def _refusal(self, losses_: list[Loss]) -> str | None:
        """The message for losses; None where they are no reason to refuse."""
        serious = [loss for loss in losses_ if not loss.of_old]
        return way_out(serious, self._data) if serious else None
