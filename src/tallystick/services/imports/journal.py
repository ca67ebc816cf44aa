"""Records which parts of files were imported, so that imports continue and no file is imported twice."""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from tallystick.services.imports.marks import FileMark

ENTRIES_KEPT = 1_000


class ImportRecord(Struct, frozen=True, kw_only=True):
    """The record of one file.

    Attributes:
        target: where the hits were sent.
        mark: everything before it is stored.
        until: where the batch ends that was being sent; None if none was.
        run: see ``marks.batch_key``.
        changed: Unix seconds.
    """

    name: str
    target: str
    mark: FileMark
    until: int | None = None
    run: str = ""
    changed: int = 0


class ImportRecords(Protocol):
    """Where records are kept. All methods block."""

    def all(self) -> Sequence[ImportRecord]:
        """All records, in any order."""
        ...

    def save(self, record: ImportRecord) -> None:
        """Store a record in place of the one with its name."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove records."""
        ...


class ImportRecordFiles:
    """A folder with one small file for each imported file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> Sequence[ImportRecord]:
        """All records that can be read."""
        records = []
        for file in self._folder.glob("*.json"):
            # A machine that crashed may leave a damaged file; the server still recognises the newest batches.
            with suppress(msgspec.DecodeError, OSError):
                records.append(msgspec.json.decode(file.read_bytes(), type=ImportRecord))
        return records

    def save(self, record: ImportRecord) -> None:
        """Write the file of a record."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / f"{record.name}.json"
        partial = file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(record))
        partial.replace(file)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files of records."""
        for name in names:
            (self._folder / f"{name}.json").unlink(missing_ok=True)


class ImportJournal:
    """The records of imports into one target. All methods block.

    Args:
        target: where hits are sent: a site of a server or data directory.
    """

    def __init__(self, records: ImportRecords, target: str) -> None:
        self._records, self._target = records, target

    def entries(self) -> list[ImportRecord]:
        """The records of this target."""
        return [entry for entry in self._records.all() if entry.target == self._target]

    def entry_at(self, mark: FileMark, *, run: str = "") -> ImportRecord:
        """The record that an import from ``mark`` on continues; a new one at the beginning of a file."""
        entries = self.entries() if mark.position else []
        existing = next((entry for entry in entries if entry.mark == mark), None)
        return existing or ImportRecord(name=secrets.token_hex(8), target=self._target, mark=mark, run=run)

    def note(self, entry: ImportRecord, mark: FileMark, until: int | None) -> ImportRecord:
        """Store how far an import is, and where the batch ends that is sent next."""
        noted = msgspec.structs.replace(entry, mark=mark, until=until, changed=int(time.time()))
        self._records.save(noted)
        return noted

    def tidy(self) -> None:
        """Delete the oldest records if there are too many."""
        forget_old(self._records)


def forget_old(records: ImportRecords) -> None:
    """Delete the oldest records of all targets if there are too many. Blocks."""
    oldest = sorted(records.all(), key=lambda entry: entry.changed)[:-ENTRIES_KEPT]
    records.remove([entry.name for entry in oldest])
