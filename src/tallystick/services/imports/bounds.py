"""Bounds that keep a small file from being much work: how large it may become, how many lines may be empty or bad."""

from tallystick.errors import InputRefused

PLAUSIBLE_SIZE, PLAUSIBLE_FACTOR = 268_435_456, 250
"""Bytes that a compressed file may become, and how many times its size; beyond both it is no export and no log."""
MOST_EMPTY = 1_000_000
"""Lines without content that may follow one another."""
MOST_BAD = 1_000_000
"""Lines that cannot be used, while there is none that can."""

_NOTHING = b"\0 \t\r\n\x0b\x0c"


def check_size(name: str, compressed: int, size: int) -> None:
    """Refuse a file that a few bytes make huge.

    Args:
        name: of the file, for the message.
        compressed: bytes on the disk; 0 if unknown.
        size: bytes that it has become so far.

    Raises:
        InputRefused: it is no export and no log.
    """
    if compressed and size > max(PLAUSIBLE_SIZE, PLAUSIBLE_FACTOR * compressed):
        msg = f"{name} becomes more than {PLAUSIBLE_FACTOR} times its size when it is uncompressed: it is no export"
        raise InputRefused(msg)


class EmptyLines:
    """Counts lines without content that follow one another.

    Args:
        name: of the file, for the message.
        comments: whether lines that begin with # have no content.
    """

    def __init__(self, name: str = "the file", *, comments: bool = False) -> None:
        self._name, self._comments = name, comments
        self._count = 0

    def note(self, line: bytes) -> None:
        """Take the next line.

        Raises:
            InputRefused: there have been too many.
        """
        if line[:1] not in _NOTHING and not (self._comments and line[:1] == b"#"):
            self._count = 0
            return
        content = line.strip(_NOTHING)
        if content and not (self._comments and content[:1] == b"#"):
            self._count = 0
            return
        self._count += 1
        if self._count > MOST_EMPTY:
            most = MOST_EMPTY
            msg = f"{self._name} has more than {most:,} empty lines in a row: it is damaged, or no export and no log"
            raise InputRefused(msg)


def refuse_nothing_but_bad(bad: int) -> None:
    """Refuse a file of which nothing could be used so far.

    Args:
        bad: lines that could not be used.

    Raises:
        InputRefused: there have been too many.
    """
    if bad >= MOST_BAD:
        msg = f"none of the first {bad:,} lines can be used; the file has another format than the chosen one"
        raise InputRefused(msg)
