"""Folds the WAL into the database file, at moments that the mover chooses.

Between two checkpoints the used parts of the database file do not change, and the WAL only grows: backups rely on
that. A lock on a file beside the database excludes checkpoints during a backup.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import structlog

from tallystick.warehouse.duckdb.store import Store

WAL_BYTES = 16_000_000
"""Bytes in the WAL after which a checkpoint is due, about 100,000 hits."""

TRIED_AGAIN_AFTER_S = 60.0
LOCK_SUFFIX = ".lock"

log = structlog.get_logger()


class Checkpoints:
    """Makes checkpoints. Used by the mover's thread only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._not_before = 0.0

    @property
    def due(self) -> bool:
        """Whether a checkpoint is due."""
        return self._store.wal_bytes > WAL_BYTES and time.monotonic() >= self._not_before

    def take(self) -> bool:
        """Fold the WAL into the file, unless a backup is running. Returns False if the instance has failed."""
        try:
            with unchanging(self._store.file, fcntl.LOCK_EX | fcntl.LOCK_NB), self._store.session() as session:
                session.connection.execute("CHECKPOINT")
        except BlockingIOError:
            self._not_before = time.monotonic() + 1
        except (duckdb.Error, OSError) as error:
            # Nothing is lost: the WAL holds what the file does not.
            log.warning("a checkpoint of the warehouse failed", reason=str(error))
            self._not_before = time.monotonic() + TRIED_AGAIN_AFTER_S
            return False
        return True


@contextmanager
def unchanging(file: Path, kind: int = fcntl.LOCK_SH) -> Iterator[None]:
    """Hold the lock that excludes checkpoints and copies of a database file from each other.

    Raises:
        BlockingIOError: it is held and ``kind`` does not wait.
    """
    descriptor = os.open(file.with_name(file.name + LOCK_SUFFIX), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
