"""The folder of exports' files. All methods block."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tallystick.model.export import SUFFIXES, Export
from tallystick.services.files import partial_of


class ExportFolder:
    """A folder with the files of exports; each name begins with the id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self) -> None:
        """Create the folder if it does not exist."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def place(self, export: Export) -> Path:
        """The file of an export."""
        return self._folder / f"{export.id}{SUFFIXES[export.format]}"

    def spreadsheet_place(self, export: Export) -> Path:
        """The file with the safe form of a CSV export."""
        return self._folder / f"{export.id}.spreadsheet{SUFFIXES[export.format]}"

    def size(self, export: Export) -> int | None:
        """Bytes of an export's file, or of the part that is written; None without a file."""
        place = self.place(export)
        for file in (place, partial_of(place)):
            with suppress(FileNotFoundError):
                return file.stat().st_size
        return None

    def ids(self) -> set[int]:
        """The exports that have files, including unfinished files of a killed server."""
        return set(self._files())

    def remove(self, ids: Iterable[int]) -> None:
        """Remove every file of these exports."""
        files = self._files()
        for id_ in ids:
            for file in files.get(id_, ()):
                file.unlink(missing_ok=True)

    def _files(self) -> dict[int, list[Path]]:
        files: dict[int, list[Path]] = {}
        for file in self._folder.glob("*") if self._folder.is_dir() else ():
            if (name := file.name.partition(".")[0]).isdecimal():
                files.setdefault(int(name), []).append(file)
        return files
