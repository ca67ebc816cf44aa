"""Files that are whole, or not there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick.errors import InputRefused


@contextmanager
def whole_file(file: Path, *, replaces: bool = False, mode: int = 0o666) -> Iterator[Path]:
    """Hand out an empty file beside ``file`` that takes its name when the block ends well.

    What lies under the name is the old file or the whole new one, also after a power cut. A block that
    raises leaves nothing.

    Raises:
        InputRefused: the file exists and is not to be replaced, or is being written by another command.
    """
    if file.is_dir():
        msg = f"{file} is a directory; a file name is needed"
        raise InputRefused(msg)
    if file.exists() and not replaces:
        msg = f"{file} exists; --force replaces it"
        raise InputRefused(msg)
    partial = file.with_name(f"{file.name}.partial")
    lock = _claim(partial, mode)
    try:
        yield partial
        sync(partial)
        partial.replace(file)
        sync(file.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim(partial: Path, mode: int) -> int:
    """Create the file, or empty what a killed command left; the lock tells that from a running one."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            msg = f"{partial} is being written by another command"
            raise InputRefused(msg) from error
        # The other command may have finished and renamed the file between our open and our lock.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), partial.stat()):
                os.ftruncate(descriptor, 0)
                return descriptor
        os.close(descriptor)
