"""The result of writing an export."""

from typing import NamedTuple


class WrittenExport(NamedTuple):
    """The content of a written file.

    Attributes:
        rows: number of hits, or of statistics.
        last_id: the greatest id of a hit; None without hits.
    """

    rows: int
    last_id: int | None
