"""The note of the last backup: a small file in the data directory, which a running server reads."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from tallystick.services.files import whole_file

NOTE_FILE = "last-backup.json"


class BackupNote(Struct, frozen=True):
    """The last backup of a data directory.

    Attributes:
        at: when it was complete, Unix ms.
        bytes: its size.
        hits: whether it has the hits; otherwise it has the ledger alone.
    """

    at: int
    bytes: int
    hits: bool


def note_backup(data: Path, note: BackupNote) -> None:
    """Replace the note.

    Raises:
        OSError, InputRefused: it cannot be written.
    """
    with whole_file(data / NOTE_FILE, replaces=True, mode=0o600) as partial:
        partial.write_bytes(msgspec.json.encode(note))
        with suppress(OSError):  # only root may give a file to the server's user
            owner = data.stat()
            os.chown(partial, owner.st_uid, owner.st_gid)


def last_backup(data: Path) -> BackupNote | None:
    """The note; None without one, or if it cannot be read."""
    try:
        return msgspec.json.decode((data / NOTE_FILE).read_bytes(), type=BackupNote)
    except (OSError, msgspec.DecodeError):
        return None
