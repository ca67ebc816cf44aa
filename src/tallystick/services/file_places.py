"""Places for files that any server may need: in a folder, or in object storage with copies in a folder."""

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tallystick.errors import StoreBusy

ROOM_LEFT = 256_000_000
"""Bytes of the disk that such files leave to everything else."""


class FilePlace(Protocol):
    """Where files of one kind are. All methods block.

    Attributes:
        work: a folder of this server: files are written there, and read from there.
    """

    work: Path

    def keep(self, file: Path, name: str) -> None:
        """Take over a complete file of ``work``: all servers have it under its name, or none.

        Raises:
            StoreBusy: the storage does not answer.
        """
        ...

    def fetch(self, name: str) -> Path:
        """A file in ``work`` with the content.

        Raises:
            FileNotFoundError: there is no file of that name.
            StoreBusy: the storage does not answer, or the disk has no room for it.
        """
        ...

    def let_go(self, name: str) -> None:
        """Remove this server's copy of a file that others keep."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""
        ...

    def names(self) -> Mapping[str, float]:
        """Seconds since the last change of each file, by name, including unfinished ones and copies of this server."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, and its copy here."""
        ...

    def tidy(self) -> None:
        """Remove what a killed server has begun to store and ``names`` does not show."""
        ...


class NoRoom(StoreBusy):
    """The disk of this server has no room for a copy of a file."""


class FolderPlace:
    """A folder that all servers have, or that of a server of its own."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def keep(self, file: Path, name: str) -> None:
        """Give the file its name."""
        file.replace(self.work / name)

    def fetch(self, name: str) -> Path:
        """The file itself."""
        file = self.work / name
        if not file.is_file():
            raise FileNotFoundError(name)
        return file

    def let_go(self, name: str) -> None:
        """Nothing: there are no copies."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""
        with suppress(FileNotFoundError):
            return (self.work / name).stat().st_size
        return None

    def names(self) -> Mapping[str, float]:
        """Seconds since the last change of each file."""
        return _ages(self.work)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.work / name).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Nothing: ``names`` has all files."""


class ObjectFiles(Protocol):
    """Files in object storage: each appears whole. Methods raise StoreBusy if the storage does not answer."""

    def put(self, name: str, file: Path) -> None:
        """Store a file."""
        ...

    def get(self, name: str, file: Path) -> None:
        """Write the content to a file, which appears whole."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""
        ...

    def names(self) -> Mapping[str, float]:
        """Seconds since each file was stored, by name."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...

    def remove_parts(self) -> None:
        """Remove parts of files that a killed server has begun to store."""
        ...


class BucketPlace:
    """Files in object storage; what this server writes or reads of them is also in a folder of its own."""

    def __init__(self, work: Path, files: ObjectFiles) -> None:
        self.work, self._files = work, files

    def keep(self, file: Path, name: str) -> None:
        """Store the file; it stays here as a copy."""
        self._files.put(name, file)
        file.replace(self.work / name)

    def fetch(self, name: str) -> Path:
        """The copy of this server, which is made if it is missing."""
        copy, size = self.work / name, self._files.size(name)
        if size is None:
            copy.unlink(missing_ok=True)
            raise FileNotFoundError(name)
        if not copy.is_file() or copy.stat().st_size != size:
            self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.work).free < ROOM_LEFT + size:
                msg = f"the disk of this server has no room for a copy of the file, {size:,} bytes"
                raise NoRoom(msg)
            self._files.get(name, copy)
        return copy

    def let_go(self, name: str) -> None:
        """Remove this server's copy."""
        (self.work / name).unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        """Bytes in the storage; None if there is no such file."""
        return self._files.size(name)

    def names(self) -> Mapping[str, float]:
        """Seconds since the last change of each file, in the storage or here."""
        return {**_ages(self.work), **self._files.names()}

    def remove(self, name: str) -> None:
        """Remove a file from the storage, and the copy here."""
        self._files.remove(name)
        self.let_go(name)

    def tidy(self) -> None:
        """Remove parts of files."""
        self._files.remove_parts()


def _ages(folder: Path) -> dict[str, float]:
    ages = {}
    for file in folder.glob("*"):
        with suppress(FileNotFoundError):
            ages[file.name] = max(0.0, time.time() - file.stat().st_mtime)
    return ages
