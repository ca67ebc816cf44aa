"""The data directory, its server lock, and the lock that a restore takes."""

import fcntl
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tallystick.errors import DataDirectoryUnusable, TallystickError
from tallystick.services.accounts.seals import KEY_FILE
from tallystick.services.privacy import tighten

LOCK_FILE = "server.lock"
MADE_BEFORE_A_START = (LOCK_FILE, KEY_FILE)
SECOND_TRY_AFTER_S = 0.1


def make_data_directory(data: Path) -> None:
    """Create the data directory if it is missing.

    Raises:
        DataDirectoryUnusable: it cannot be created.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(data, error) from error


@contextmanager
def nothing_left_behind(data: Path) -> Iterator[None]:
    """Remove a new data directory again if the first start of its server is refused."""
    missing = [path for path in (data, *data.parents) if not path.exists()]
    try:
        yield
    except TallystickError:
        if data in missing:
            with suppress(OSError):  # a directory that is not empty stays
                for name in MADE_BEFORE_A_START:
                    (data / name).unlink(missing_ok=True)
                for path in missing:
                    path.rmdir()
        raise


@contextmanager
def held_data_directory(data: Path) -> Iterator[None]:
    """Create the data directory if it is missing, and hold its server lock.

    Raises:
        DataDirectoryUnusable: it cannot be written, or another server uses it.
    """
    make_data_directory(data)
    try:
        lock = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(data, error) from error
    with _locked(lock, fcntl.LOCK_EX, f"the data directory {data} is held by another running server"):
        os.ftruncate(lock, 0)
        for file in tighten(data):
            print(f"tallystick: other users can read {file}, which belongs to another user: chmod 600", file=sys.stderr)
        yield


def server_runs(data: Path) -> bool:
    """Whether a server uses the data directory at this moment. Creates no file."""
    try:
        lock = os.open(data / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with _locked(lock, fcntl.LOCK_SH, ""):
            return False
    except DataDirectoryUnusable:
        return True


class Reached(NamedTuple):
    """Where a server is reached on this machine.

    Attributes:
        address: ``HOST:PORT`` or ``unix:PATH``.
        base_path: what all its paths begin with; empty without ``--base-path``.
    """

    address: str
    base_path: str


def tell_addresses(data: Path, addresses: Iterable[str], base_path: str = "") -> None:
    """Write into the lock where the server that holds it listens, for commands on this machine.

    A blank stands between host and port, so that no search of the files for visitors' addresses finds them. The base
    path, if there is one, has the last line.
    """
    lines = [each if each.startswith("unix:") else " ".join(each.rsplit(":", 1)) for each in addresses]
    (data / LOCK_FILE).write_text("".join(f"{line}\n" for line in (*lines, base_path) if line), "utf-8")


def told_address(data: Path) -> Reached | None:
    """Where the server that holds the data directory is reached first; None without one."""
    try:
        lines = (data / LOCK_FILE).read_text("utf-8").splitlines() if server_runs(data) else []
    except OSError:
        return None
    if not lines:
        return None
    address = lines[0] if lines[0].startswith("unix:") else lines[0].replace(" ", ":")
    return Reached(address, lines[-1] if lines[-1].startswith("/") else "")


@contextmanager
def ledger_file_kept(data: Path, *, for_replacing: bool = False) -> Iterator[None]:
    """Lock the ledger's file against replacement, or exclusively, to replace it.

    A command that had the old file open while a new one takes its name would write its changes, and the
    old file's WAL, beside the new one. The lock is on the directory itself, without a lock file.

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
            # server_runs holds the lock for a moment only.
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
