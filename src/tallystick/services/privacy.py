"""Makes files of a data directory accessible to their owner only, whatever the mode of the directory is."""

import stat
from collections.abc import Iterator
from pathlib import Path

from tallystick.warehouse import OWN_FILES

OURS = (
    "ledger.sqlite3*",
    "secret.key*",
    "server.lock",
    "server-id",
    "setup*",
    "restore.unfinished",
    "last-backup.json*",
    "disk-history.json*",
    "imports/*",
    "uploads/*",
    *OWN_FILES,
)
"""Files that Tallystick writes into its data directory; other files are not touched."""

FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_to_others(data: Path) -> Iterator[Path]:
    """Our files that other users may read or write."""
    for pattern in OURS:
        for file in sorted(data.glob(pattern)):
            try:
                mode = file.stat().st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode) and mode & FOR_OTHERS:
                yield file


def tighten(data: Path) -> list[Path]:
    """Remove other users' access to our files. Returns the files where that failed."""
    return [file for file in open_to_others(data) if not _tightened(file)]


def _tightened(file: Path) -> bool:
    try:
        file.chmod(file.stat().st_mode & stat.S_IRWXU)
    except OSError:
        return False
    return True
