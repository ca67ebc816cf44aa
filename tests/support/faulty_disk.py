"""A disk that fails when told to, and one from which the power can be cut: apsw VFSes around the system's."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Literal, Self

import apsw

SqliteAction = Literal["open", "read", "write", "sync"]
ErrorKind = Literal["full", "broken"]

_numbers = count()
_SECTOR = 512
_MADE_IT = 0.5
"""How likely a sector that was never synced is found after a power cut."""
_RESULTS = {
    ("full", "open"): apsw.SQLITE_FULL,
    ("full", "read"): apsw.SQLITE_FULL,
    ("full", "write"): apsw.SQLITE_FULL,
    ("full", "sync"): apsw.SQLITE_FULL,
    ("broken", "open"): apsw.SQLITE_CANTOPEN,
    ("broken", "read"): apsw.SQLITE_IOERR_READ,
    ("broken", "write"): apsw.SQLITE_IOERR_WRITE,
    ("broken", "sync"): apsw.SQLITE_IOERR_FSYNC,
}


@dataclass
class Fault:
    """What fails: the ``number``-th such action from now on, and with ``lasts`` every one after it."""

    action: SqliteAction
    kind: ErrorKind
    number: int = 1
    lasts: bool = False


class FaultyDisk(apsw.VFS):
    """Fails by one ``Fault`` at a time. A write that fails is torn: half of it reaches the disk.

    Attributes:
        name: what ``SqliteDatabase`` takes as its ``vfs``.
        failures: how often it has failed.
    """

    def __init__(self) -> None:
        self.name = f"faulty-{next(_numbers)}"
        self.failures = 0
        self._fault: Fault | None = None
        self._seen = 0
        self._lock = RLock()
        super().__init__(self.name, "")

    @classmethod
    @contextmanager
    def mounted(cls) -> Iterator[Self]:
        """Usable by name until the end."""
        disk = cls()
        try:
            yield disk
        finally:
            disk.unregister()

    def fail(self, fault: Fault) -> None:
        """Fail from now on."""
        with self._lock:
            self._fault, self._seen, self.failures = fault, 0, 0

    def heal(self) -> None:
        """Work again."""
        with self._lock:
            self._fault = None

    def refusal(self, action: SqliteAction) -> Exception | None:
        """The error of one action, if it must fail."""
        with self._lock:
            fault = self._fault
            if fault is None or fault.action != action:
                return None
            self._seen += 1
            if self._seen != fault.number and not (fault.lasts and self._seen > fault.number):
                return None
            self.failures += 1
            return apsw.exception_for(_RESULTS[fault.kind, action])

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_FaultyFile":  # noqa: N802
        """Open a file."""
        if error := self.refusal("open"):
            raise error
        return _FaultyFile(self, name, flags)


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if error := self._disk.refusal("read"):
            raise error
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if error := self._disk.refusal("write"):
            super().xWrite(data[: len(data) // 2], offset)
            raise error
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if error := self._disk.refusal("sync"):
            raise error
        super().xSync(flags)


@dataclass
class _OneFile:
    """What a disk holds for certain of a file, and what it was told since."""

    synced: bytearray = field(default_factory=bytearray)
    told: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes, and sizes to which it was truncated."""

    def sync(self) -> None:
        """Everything told is certain now."""
        _apply(self.synced, self.told)
        self.told.clear()

    def survived(self, chance: random.Random) -> bytes:
        """What may be found: what is certain, and any part of what is not."""
        found = self.synced.copy()
        sectors: list[tuple[int, bytes | None]] = []
        for offset, data in self.told:
            if data is None:
                sectors.append((offset, None))
            else:
                sectors += [(offset + at, data[at : at + _SECTOR]) for at in range(0, len(data), _SECTOR)]
        _apply(found, [sector for sector in sectors if chance.random() < _MADE_IT])
        return bytes(found)


def _apply(content: bytearray, told: list[tuple[int, bytes | None]]) -> None:
    for offset, data in told:
        if data is None:
            del content[offset:]
        else:
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data


class CuttableDisk(apsw.VFS):
    """Remembers what has been synced, so that a power cut can be imagined before any write or sync.

    Attributes:
        name: what ``SqliteDatabase`` takes as its ``vfs``.
        before_action: called before each write and each sync, on the thread that does it.
        failing_syncs: so many syncs to come fail as they do on Linux: what was written stays readable,
            but counts as clean, so that no later sync brings it to the disk.
    """

    def __init__(self) -> None:
        self.name = f"cuttable-{next(_numbers)}"
        self.before_action: Callable[[], None] = lambda: None
        self.failing_syncs = 0
        self.files: dict[str, _OneFile] = {}
        self.lock = RLock()
        super().__init__(self.name, "")

    @classmethod
    @contextmanager
    def mounted(cls) -> Iterator[Self]:
        """Usable by name until the end."""
        disk = cls()
        try:
            yield disk
        finally:
            disk.unregister()

    def synced(self) -> dict[str, bytes]:
        """The files without anything that was not synced."""
        with self.lock:
            return {name: bytes(file.synced) for name, file in self.files.items()}

    def after_a_power_cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files as they may be found: what was synced, and some sectors of what was written since."""
        with self.lock:
            return {name: file.survived(chance) for name, file in self.files.items()}

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_CuttableFile":  # noqa: N802
        """Open a file."""
        return _CuttableFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802
        """Remove a file."""
        with self.lock:
            self.files.pop(Path(filename).name, None)
            super().xDelete(filename, syncdir)


class _CuttableFile(apsw.VFSFile):
    def __init__(self, disk: CuttableDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        path = name if isinstance(name, str) else name.filename() if name else ""
        super().__init__("", name, flags)
        with disk.lock:
            self._file = disk.files.setdefault(Path(path).name, _OneFile())

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._disk.before_action()
            self._file.told.append((offset, bytes(data)))
            super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._disk.before_action()
            self._file.told.append((newsize, None))
            super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._disk.before_action()
            if self._disk.failing_syncs:
                self._disk.failing_syncs -= 1
                self._file.told.clear()
                raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
            super().xSync(flags)
            self._file.sync()
