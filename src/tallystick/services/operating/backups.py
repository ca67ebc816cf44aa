"""The note of the last backup, which running servers read.

It is a small file in the data directory; where several servers share their hits, it is in their database.
"""

import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.ledger import Database
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


class BackupNotes(Protocol):
    """Where the note is. All methods block."""

    def write(self, note: BackupNote) -> None:
        """Replace the note.

        Raises:
            OSError, InputRefused, StoreUnavailable: it cannot be written.
        """
        ...

    def read(self) -> BackupNote | None:
        """The note; None without one, or if it is damaged.

        Raises:
            StoreUnavailable, StartRefused: the database cannot be read.
        """
        ...


class BackupNoteFile:
    """The note in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, note: BackupNote) -> None:
        """Replace the file, if there is the folder."""
        if self._folder.is_dir():
            note_backup(self._folder, note)

    def read(self) -> BackupNote | None:
        """What the file says."""
        return last_backup(self._folder)


class SharedBackupNote:
    """The note of servers on one lake."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, note: BackupNote) -> None:
        """Replace the note.

        Raises:
            InputRefused: the servers are of a version that has none.
            StoreUnavailable
        """
        with closing(self._database.session(writes=True)) as session, session.transaction():
            if not session.queries.keeps_backup_note(session.connection):
                msg = "the servers on this lake are of an older version"
                raise InputRefused(msg)
            session.queries.note_backup(session.connection, note=msgspec.json.encode(note).decode())

    def read(self) -> BackupNote | None:
        """What the database says.

        Raises:
            StoreUnavailable, StartRefused: it cannot be read.
        """
        with closing(self._database.session()) as session, session.snapshot():
            keeps = session.queries.keeps_backup_note(session.connection)
            note = session.queries.backup_note(session.connection) if keeps else None
        with suppress(msgspec.DecodeError):
            return None if note is None else msgspec.json.decode(note, type=BackupNote)
        return None
