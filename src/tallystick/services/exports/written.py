"""The result of writing an export."""

from typing import NamedTuple


class WrittenExport(NamedTuple):
    """How much a file holds.

    Attributes:
        rows: hits, or statistics.
        last_id: the greatest id of a hit in it; None when it holds none, or statistics.
    """

    rows: int
    last_id: int | None
