"""What files are handed over in: a number of hits, with the places in the file where they begin and end."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.told import BadLine, Excluded, Told


class ImportBatch(NamedTuple):
    """A part of a file.

    Attributes:
        done: how much of the file is read; of ``total`` in the same unit, 0 when nobody knows.
    """

    start: FileMark
    end: FileMark
    told: Sequence[Told]
    bad: Sequence[BadLine]
    excluded: Sequence[Excluded]
    done: int = 0
    total: int = 0


class ImportSource(Protocol):
    """A file that is read once, from a place on."""

    start: FileMark
    """Where it begins; what stands before is imported already."""

    def next(self, most: int) -> ImportBatch | None:
        """The next lines or rows, at most so many; None when there is nothing more. Blocks."""

    def renewed(self) -> bool:
        """Whether another file has taken the name of this one, as logs do when they are rotated."""

    def close(self) -> None:
        """Close the file."""
