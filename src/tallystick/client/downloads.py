"""A body that becomes a file."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

Progress: TypeAlias = Callable[[int, int | None], None]
"""Hears how many bytes have come, of how many; the latter is None where the server does not say."""


class FileSink:
    """Writes beside the file and takes its name at the end: a download that is cut short leaves nothing under it.

    Args:
        progress: called after each piece; on an async client, from another thread.
    """

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        self._progress = progress
        self._file: BinaryIO
        self._written = 0
        self._length: int | None = None

    def begin(self, length: int | None) -> None:
        """A body begins, for the first time or anew."""
        self._file = self._part.open("wb")
        self._written, self._length = 0, length

    def write(self, piece: bytes) -> None:
        """The next piece of it."""
        self._file.write(piece)
        self._written += len(piece)
        if self._progress is not None:
            self._progress(self._written, self._length)

    def end(self, *, complete: bool) -> None:
        """It was complete, or was cut short."""
        self._file.close()
        if complete:
            self._part.replace(self._path)
        else:
            self._part.unlink()
