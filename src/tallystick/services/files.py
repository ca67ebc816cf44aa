"""Files that are whole, or not there."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick.errors import InputRefused

UNFINISHED_RESTORE = "restore.unfinished"
"""Lies in a data directory while its ledger is a restored one and its hits are not yet."""


@contextmanager
def whole_file(file: Path, *, replaces: bool = False, mode: int = 0o666) -> Iterator[Path]:
    """Hand out an empty file beside ``file`` that takes its name when the block ends well.

    What lies under the name is the old file or the whole new one, also after a power cut. A block that
    raises leaves nothing. Behind a symbolic link, the file that it means is written.

    Raises:
        InputRefused: the file exists and is not to be replaced, is no regular file, or is being written by
            another command.
    """
    _refuse_what_is_there(file, replaces=replaces)
    file = followed(file)
    partial = file.with_name(f"{file.name}.partial")
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


def followed(path: Path) -> Path:
    """The file that a symbolic link means; any other path is itself."""
    return path.resolve() if path.is_symlink() else path


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_what_is_there(file: Path, *, replaces: bool) -> None:
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
        raise _taken(file)


def _taken(file: Path) -> InputRefused:
    return InputRefused(f"{file} exists; --force replaces it")


def _take_free_name(partial: Path, file: Path) -> None:
    """Rename, but never over a file that came while this one was written."""
    try:
        os.link(partial, file)
        partial.unlink()
    except FileExistsError as error:
        raise _taken(file) from error
    except OSError:
        # A file system without hard links: an empty file holds the name for the moment before.
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError as error:
            raise _taken(file) from error
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
            raise InputRefused(msg) from error
        # The other command may have finished and renamed the file between our open and our lock.
        with suppress(FileNotFoundError):
            if os.path.samestat(found := os.fstat(descriptor), partial.stat()):
                if found.st_nlink == 1:
                    os.ftruncate(descriptor, 0)
                    return descriptor
                # A command was killed when its file had its name and still this one: the file is whole.
                partial.unlink()
        os.close(descriptor)
