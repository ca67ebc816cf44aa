"""Writes files atomically: they are complete, or do not exist."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick.errors import Conflicting, InputRefused

UNFINISHED_RESTORE = "restore.unfinished"
"""Exists in a data directory while its ledger is restored and its hits are not yet."""


@contextmanager
def whole_file(file: Path, *, replaces: bool = False, mode: int = 0o666) -> Iterator[Path]:
    """Yield an empty file beside ``file`` that is renamed to it when the block succeeds.

    Under the name is either the old file or the complete new one, also after a power cut. If the block raises, nothing
    is left. For a symbolic link, its target is written.

    Raises:
        Conflicting: it is being written by another command, or server.
        InputRefused: the file exists and is not to be replaced, or is not a regular file.
    """
    _refuse_existing(file, replaces=replaces)
    file = followed(file)
    partial = partial_of(file)
    lock = _claim(partial, mode)
    try:
        yield partial
        sync(partial)
        if replaces:
            partial.replace(file)
        else:
            _take_free_name(partial, file)
        sync(file.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def partial_of(file: Path) -> Path:
    """The file that ``whole_file`` writes before it has its name."""
    return file.with_name(f"{file.name}.partial")


def followed(path: Path) -> Path:
    """The target of a symbolic link; any other path unchanged."""
    return path.resolve() if path.is_symlink() else path


def sync(path: Path) -> None:
    """Sync a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_existing(file: Path, *, replaces: bool) -> None:
    try:
        kind = file.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(kind):
        msg = f"{file} is a directory; a file name is needed"
        raise InputRefused(msg)
    if not stat.S_ISREG(kind):
        msg = f"{file} is a device, a pipe or a socket; a file name is needed"
        raise InputRefused(msg)
    if not replaces:
        raise _exists(file)


def _exists(file: Path) -> InputRefused:
    return InputRefused(f"{file} exists; --force replaces it")


def _take_free_name(partial: Path, file: Path) -> None:
    """Rename, but never replace a file that was created meanwhile."""
    try:
        os.link(partial, file)
        partial.unlink()
    except FileExistsError as error:
        raise _exists(file) from error
    except OSError:
        # A file system without hard links: an empty file reserves the name.
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError as error:
            raise _exists(file) from error
        partial.replace(file)


def _claim(partial: Path, mode: int) -> int:
    """Create the file, or empty one left by a killed command; a running command holds its lock."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            msg = f"{partial} is being written by another command"
            raise Conflicting(msg) from error
        # The other command may have finished and renamed the file between our open and our lock.
        with suppress(FileNotFoundError):
            if os.path.samestat(status := os.fstat(descriptor), partial.stat()):
                if status.st_nlink == 1:
                    os.ftruncate(descriptor, 0)
                    return descriptor
                # A command was killed when its file had both names: the file is complete.
                partial.unlink()
        os.close(descriptor)
