"""The files of exports. All methods block."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tallystick.model.export import SUFFIXES, Export
from tallystick.services.file_places import FilePlace
from tallystick.services.files import partial_of


class ExportFolder:
    """The files of exports; each name begins with the id."""

    def __init__(self, place: FilePlace) -> None:
        self._place = place

    def create(self) -> None:
        """Create the folder of this server if it does not exist."""
        self._place.work.mkdir(mode=0o700, parents=True, exist_ok=True)

    def place(self, export: Export) -> Path:
        """Where this server writes the file of an export."""
        return self._place.work / _name(export)

    def spreadsheet_place(self, export: Export) -> Path:
        """Where this server writes the file with the safe form of a CSV export."""
        return self._place.work / f"{export.id}.spreadsheet{SUFFIXES[export.format]}"

    def keep(self, export: Export) -> None:
        """Let all servers have the complete file of an export.

        Raises:
            StoreBusy: the storage does not answer.
        """
        self._place.keep(self.place(export), _name(export))

    def fetch(self, export: Export) -> Path | None:
        """The file of an export, for reading; None if there is none.

        Raises:
            StoreBusy: the storage does not answer, or the disk has no room for a copy.
        """
        with suppress(FileNotFoundError):
            return self._place.fetch(_name(export))
        return None

    def size(self, export: Export) -> int | None:
        """Bytes of an export's file, or of the part that this server has written; None without a file."""
        with suppress(FileNotFoundError):
            return partial_of(self.place(export)).stat().st_size
        return self._place.size(_name(export))

    def ids(self) -> set[int]:
        """The exports that have files, including unfinished files of a killed server."""
        return set(self._files())

    def remove(self, ids: Iterable[int]) -> None:
        """Remove every file of these exports."""
        files = self._files()
        for id_ in ids:
            for name in files.get(id_, ()):
                self._place.remove(name)

    def tidy(self) -> None:
        """Remove parts of files that a killed server has begun to store."""
        self._place.tidy()

    def _files(self) -> dict[int, list[str]]:
        files: dict[int, list[str]] = {}
        for file in self._place.names():
            if (name := file.partition(".")[0]).isdecimal():
                files.setdefault(int(name), []).append(file)
        return files


def _name(export: Export) -> str:
    return f"{export.id}{SUFFIXES[export.format]}"
