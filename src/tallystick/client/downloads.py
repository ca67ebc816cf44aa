"""Saves a response body as a file."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes received and the total, which is None where the server does not say."""


class FileSink:
    """Writes to ``NAME.part`` and renames it at the end, so that an interrupted download leaves no file.

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
        """Start a file, also when the download is retried."""
        self._file = self._part.open("wb")
        self._written, self._length = 0, length

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        self._file.write(piece)
        self._written += len(piece)
        if self._progress is not None:
            self._progress(self._written, self._length)

    def end(self, *, complete: bool) -> None:
        """Rename the file if it is complete, else remove it."""
        self._file.close()
        if complete:
            self._part.replace(self._path)
        else:
            self._part.unlink()
