"""The data directory and the lock by which one server holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallystick.errors import DataDirectoryUnusable

LOCK_FILE = "server.lock"


@contextmanager
def held_data_directory(data: Path) -> Iterator[None]:
    """Create the data directory when missing and hold it alone.

    Raises:
        DataDirectoryUnusable: it cannot be written, or another server holds it.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"cannot write to the data directory {data}: {error.strerror}"
        raise DataDirectoryUnusable(msg) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"the data directory {data} is held by another running server"
            raise DataDirectoryUnusable(msg) from error
        yield
    finally:
        os.close(lock)
