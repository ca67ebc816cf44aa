"""Files that are no lines: their rows come in an order that never changes, and are counted."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from tallystick.services.imports.batches import ImportBatch
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.told import BadLine, Told
from tallystick.services.ingest.ingest import Arrival


class RowFile:
    """Hits told by rows.

    Args:
        rows: every row of the file, always in the same order.
        total: how many there are; 0 when nobody knows.
        marks: places up to which such files have been imported; the farthest of this file is gone on from.
    """

    def __init__(
        self, path: Path, rows: Iterator[Arrival | str], *, total: int = 0, marks: Sequence[FileMark] = ()
    ) -> None:
        with path.open("rb") as stream:
            self._digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._rows, self._total = rows, total
        known = [mark for mark in marks if mark.digest == self._digest]
        self.start = max(known, key=lambda mark: mark.position, default=FileMark(0, 0, self._digest))
        self._mark = self.start
        self._skip = self.start.position

    def next(self, most: int) -> ImportBatch | None:
        """The next rows; None when there are no more."""
        for _ in islice(self._rows, self._skip):
            pass
        self._skip, start = 0, self._mark
        told: list[Told] = []
        bad: list[BadLine] = []
        number = start.position
        for row in islice(self._rows, most):
            number += 1
            if isinstance(row, str):
                bad.append(BadLine(number, row))
            else:
                told.append(Told(number, row))
        if number == start.position:
            return None
        self._mark = FileMark(number, number, self._digest)
        return ImportBatch(start, self._mark, told, bad, (), number, self._total)

    def renewed(self) -> bool:
        """Such a file is whole from the beginning."""
        return False

    def close(self) -> None:
        """Let go of the rows, and with them of the file."""
        self._rows = iter(())
