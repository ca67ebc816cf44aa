"""Marks how far a file has been imported."""

from hashlib import blake2b

from msgspec import Struct

DIGEST_BYTES = 16


class FileMark(Struct, frozen=True):
    """A place in a file, identified by the content before it, so that an import of a renamed or grown file continues.

    Attributes:
        position: uncompressed bytes before the place; rows for a file of rows.
        lines: lines or rows before the place.
        digest: of everything before the place; of the whole file for a file of rows.
    """

    position: int
    lines: int
    digest: str


def batch_key(run: str, start: FileMark, end: FileMark) -> str:
    """The idempotency key of a batch: the same for the same part of a file with the same beginning.

    Args:
        run: a text that makes the keys of a repeated import differ.
    """
    text = f"{run}/{start.position}/{end.position}/{end.digest}"
    return f"import-{blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()}"
