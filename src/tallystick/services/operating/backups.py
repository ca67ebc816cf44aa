"""The note of the last backup: a small file, which running servers read.

It is in the data directory; where several servers have their hits in one directory, it is there.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from tallystick.services.files import whole_file

NOTE_FILE = "last-backup.json"


class BackupNote(Struct, frozen=True):
    """The last backup.

    Attributes:
        at: when it was complete, Unix ms.
        bytes: its size.
        hits: whether it has the hits; otherwise it has the ledger alone.
    """

    at: int
    bytes: int
    hits: bool


def note_backup(folder: Path, note: BackupNote) -> None:
    """Replace the note.

    Raises:
        OSError, InputRefused: it cannot be written.
    """
    with whole_file(folder / NOTE_FILE, replaces=True, mode=0o600) as partial:
        partial.write_bytes(msgspec.json.encode(note))
        with suppress(OSError):  # only root may give a file to the server's user
            owner = folder.stat()
            os.chown(partial, owner.st_uid, owner.st_gid)


def last_backup(folder: Path) -> BackupNote | None:
    """The note; None without one, or if it cannot be read."""
    try:
        return msgspec.json.decode((folder / NOTE_FILE).read_bytes(), type=BackupNote)
    except (OSError, msgspec.DecodeError):
        return None
