"""How far a file has been imported."""

from hashlib import blake2b

from msgspec import Struct

DIGEST_BYTES = 16


class FileMark(Struct, frozen=True):
    """A place in a file, recognised by what stands before it: so a renamed or grown file goes on where it was left.

    Attributes:
        position: bytes (uncompressed) of lines; rows of a file that is no lines.
        lines: lines or rows before it.
        digest: of everything before it; of the whole file where that is no lines.
    """

    position: int
    lines: int
    digest: str


def batch_key(run: str, start: FileMark, end: FileMark) -> str:
    """What a server recognises a repeated batch by: the same for the same part of a file with the same beginning.

    Args:
        run: sets apart what is meant to be imported once more.
    """
    text = f"{run}/{start.position}/{end.position}/{end.digest}"
    return f"import-{blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()}"
