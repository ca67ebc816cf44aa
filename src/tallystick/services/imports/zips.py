"""Opens ZIP files that people import."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallystick.errors import InputRefused


@contextmanager
def opened_zip(file: Path) -> Iterator[zipfile.ZipFile]:
    """An opened ZIP, until the block ends.

    Raises:
        InputRefused: it cannot be read, also later, while the block reads from it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError) as error:
        msg = f"the .zip file cannot be read: {error}"
        raise InputRefused(msg) from error
