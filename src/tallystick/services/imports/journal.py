"""Records which parts of files were imported, so that imports continue and no file is imported twice."""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

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


class ImportJournal:
    """A folder with one small file for each imported file.

    Args:
        target: where hits are sent: a site of a server or data directory.
    """

    def __init__(self, folder: Path, target: str) -> None:
        self._folder, self._target = folder, target

    def entries(self) -> list[ImportRecord]:
        """The records of this target."""
        return [entry for entry in self._all() if entry.target == self._target]

    def entry_at(self, mark: FileMark, *, run: str = "") -> ImportRecord:
        """The record that an import from ``mark`` on continues; a new one at the beginning of a file."""
        entries = self.entries() if mark.position else []
        existing = next((entry for entry in entries if entry.mark == mark), None)
        return existing or ImportRecord(name=secrets.token_hex(8), target=self._target, mark=mark, run=run)

    def note(self, entry: ImportRecord, mark: FileMark, until: int | None) -> ImportRecord:
        """Store how far an import is, and where the batch ends that is sent next."""
        noted = msgspec.structs.replace(entry, mark=mark, until=until, changed=int(time.time()))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / f"{entry.name}.json"
        partial = file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(noted))
        partial.replace(file)
        return noted

    def tidy(self) -> None:
        """Delete the oldest records if there are too many."""
        for entry in sorted(self._all(), key=lambda entry: entry.changed)[:-ENTRIES_KEPT]:
            (self._folder / f"{entry.name}.json").unlink(missing_ok=True)

    def _all(self) -> Sequence[ImportRecord]:
        records = []
        for file in self._folder.glob("*.json"):
            # A machine that crashed may leave a damaged file; the server still recognises the newest batches.
            with suppress(msgspec.DecodeError, OSError):
                records.append(msgspec.json.decode(file.read_bytes(), type=ImportRecord))
        return records
