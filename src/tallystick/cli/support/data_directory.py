"""The data directory, the lock by which one server holds it, and the one that keeps a restore alone."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tallystick.errors import DataDirectoryUnusable, TallystickError
from tallystick.services.accounts.seals import KEY_FILE
from tallystick.services.privacy import tighten

LOCK_FILE = "server.lock"
MADE_BEFORE_A_START = (LOCK_FILE, KEY_FILE)
SECOND_TRY_AFTER_S = 0.1


def make_data_directory(data: Path) -> None:
    """Create the data directory when missing.

    Raises:
        DataDirectoryUnusable
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(data, error) from error


@contextmanager
def nothing_left_behind(data: Path) -> Iterator[None]:
    """Remove a data directory that did not exist before where the start of its first server is refused."""
    missing = [path for path in (data, *data.parents) if not path.exists()]
    try:
        yield
    except TallystickError:
        if data in missing:
            with suppress(OSError):  # what is not empty stays
                for name in MADE_BEFORE_A_START:
                    (data / name).unlink(missing_ok=True)
                for path in missing:
                    path.rmdir()
        raise


@contextmanager
def held_data_directory(data: Path) -> Iterator[None]:
    """Create the data directory when missing and hold it as its only server.

    Raises:
        DataDirectoryUnusable: it cannot be written, or another server holds it.
    """
    make_data_directory(data)
    try:
        lock = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(data, error) from error
    with _locked(lock, fcntl.LOCK_EX, f"the data directory {data} is held by another running server"):
        for file in tighten(data):
            print(f"tallystick: others can read {file}, and it is not ours to change: chmod 600", file=sys.stderr)
        yield


def server_runs(data: Path) -> bool:
    """Whether a server holds the data directory at this moment; leaves nothing behind."""
    try:
        lock = os.open(data / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with _locked(lock, fcntl.LOCK_SH, ""):
            return False
    except DataDirectoryUnusable:
        return True


@contextmanager
def ledger_file_kept(data: Path, *, for_replacing: bool = False) -> Iterator[None]:
    """Keep the ledger's file where it is while commands use it, or keep every command away to replace it.

    A command that had the old file open when a new one takes its name would write its changes, and the
    old file's WAL, beside the new one. The directory itself is what is locked: no file of its own.

    Raises:
        DataDirectoryUnusable: a restore, or for a restore another command, is running.
    """
    try:
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(data, error) from error
    kind = fcntl.LOCK_EX if for_replacing else fcntl.LOCK_SH
    other = "another command uses" if for_replacing else "a restore is replacing"
    with _locked(directory, kind, f"{other} the ledger in {data}; try again when it is done"):
        yield


@contextmanager
def _locked(descriptor: int, kind: int, refusal: str) -> Iterator[None]:
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            # Whoever only looked whether it is held (server_runs) has let go by now.
            time.sleep(SECOND_TRY_AFTER_S)
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except OSError as error:
                raise DataDirectoryUnusable(refusal) from error
        yield
    finally:
        os.close(descriptor)


def _unusable(data: Path, error: OSError) -> DataDirectoryUnusable:
    return DataDirectoryUnusable(f"cannot use the data directory {data}: {error.strerror}")
