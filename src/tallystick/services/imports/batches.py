"""Batches: a number of hits with their beginning and end in the file, and the interface of sources."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.parsed import BadLine, ExcludedLine, ParsedHit


class ImportBatch(NamedTuple):
    """A part of a file.

    Attributes:
        done: how much of the file is read, in the unit of ``total``.
        total: the size of the file; 0 if unknown.
    """

    start: FileMark
    end: FileMark
    hits: Sequence[ParsedHit]
    bad: Sequence[BadLine]
    excluded: Sequence[ExcludedLine]
    done: int = 0
    total: int = 0


class ImportSource(Protocol):
    """A file that is read once, from ``start`` on."""

    start: FileMark
    """Where reading begins; everything before it is imported already."""

    def next(self, most: int) -> ImportBatch | None:
        """The next lines or rows, at most ``most``; None if there are no more now. Blocks."""

    def renewed(self) -> bool:
        """Whether another file has this file's name now, after a log rotation."""

    def close(self) -> None:
        """Close the file."""
