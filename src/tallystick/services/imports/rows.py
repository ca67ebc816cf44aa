"""Sources of rows instead of lines (JSON, Parquet). A position in such a file is a number of rows."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from tallystick.services.imports.batches import ImportBatch
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.parsed import BadLine, ParsedHit
from tallystick.services.ingest.ingest import Arrival


class RowFile:
    """Hits from the rows of a file.

    Args:
        rows: all rows of the file, always in the same order; a text is the reason of a bad row.
        total: the number of rows; 0 if unknown.
        marks: where imports of such files ended; reading continues at the farthest one of this file.
    """

    def __init__(
        self, path: Path, rows: Iterator[Arrival | str], *, total: int = 0, marks: Sequence[FileMark] = ()
    ) -> None:
        with path.open("rb") as stream:
            self._digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._rows, self._total = rows, total
        own_marks = [mark for mark in marks if mark.digest == self._digest]
        self.start = max(own_marks, key=lambda mark: mark.position, default=FileMark(0, 0, self._digest))
        self._mark = self.start
        self._skip = self.start.position

    def next(self, most: int) -> ImportBatch | None:
        """The next rows; None at the end of the file."""
        for _ in islice(self._rows, self._skip):
            pass
        self._skip, start = 0, self._mark
        hits: list[ParsedHit] = []
        bad: list[BadLine] = []
        number = start.position
        for row in islice(self._rows, most):
            number += 1
            if isinstance(row, str):
                bad.append(BadLine(number, row))
            else:
                hits.append(ParsedHit(number, row))
        if number == start.position:
            return None
        self._mark = FileMark(number, number, self._digest)
        return ImportBatch(start, self._mark, hits, bad, (), number, self._total)

    def renewed(self) -> bool:
        """Always False: such files do not grow."""
        return False

    def close(self) -> None:
        """Release the rows, which closes the file."""
        self._rows = iter(())
