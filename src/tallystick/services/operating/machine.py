"""The machine as this process sees it: memory, disk, files and versions. Everything here blocks."""

import platform
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

from tallystick import __version__
from tallystick.services.privacy import OURS

OWN_MEMORY, MEMORY_OF_MACHINE = Path("/proc/self/status"), Path("/proc/meminfo")
PARTS = ("apsw", "duckdb", "uvicorn", "starlette")
"""Packages whose versions matter when something is wrong."""


class Space(Struct, frozen=True):
    """Bytes of the disk that has the data directory."""

    total: int
    free: int


class Memory(Struct, frozen=True):
    """Bytes.

    Attributes:
        used: by this process.
        peak: the most that this process has used.
        available: what the machine could still give; None if the system does not say it.
    """

    used: int
    peak: int
    available: int | None


class Machine(Struct, frozen=True):
    """A look at the machine.

    Attributes:
        files: bytes of Tallystick's files, by name; those of a folder together.
        space: None if the system does not say it.
        memory: None if the system does not say it.
    """

    files: Mapping[str, int]
    space: Space | None
    memory: Memory | None

    @property
    def data(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())

    @property
    def wal(self) -> int:
        """Bytes of the write-ahead logs: changes that the databases have not yet put where they belong."""
        return sum(size for name, size in self.files.items() if name.endswith("wal"))


def look_at_machine(data: Path) -> Machine:
    """Look at the machine and at the files of a data directory."""
    return Machine(_files(data), _space(data), _memory())


def running_versions() -> dict[str, str]:
    """The versions of what runs here, by name."""
    found = {"Tallystick": __version__, "Python": platform.python_version()}
    for part in PARTS:
        with suppress(PackageNotFoundError):
            found[part] = version(part)
    return found


def _files(data: Path) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for file in {file for pattern in OURS for file in data.glob(pattern)}:
        with suppress(OSError):  # it was removed meanwhile
            if file.is_file():
                sizes[file.relative_to(data).parts[0]] += file.stat().st_size
    return dict(sorted(sizes.items()))


def _space(data: Path) -> Space | None:
    try:
        usage = shutil.disk_usage(data)
    except OSError:
        return None
    return Space(usage.total, usage.free)


def _memory() -> Memory | None:
    try:
        own, machine = _kilobytes(OWN_MEMORY), _kilobytes(MEMORY_OF_MACHINE)
        return Memory(own["VmRSS"], own["VmHWM"], machine.get("MemAvailable"))
    except (OSError, KeyError):
        return None  # a system other than Linux


def _kilobytes(file: Path) -> dict[str, int]:
    """The lines ``Name: 123 kB`` of a file, in bytes."""
    rows = (line.replace(":", " ").split() for line in file.read_text("ascii", "replace").splitlines())
    return {row[0]: int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}  # noqa: PLR2004  # see above
