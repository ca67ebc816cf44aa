"""Exports: a site's hits or statistics in a file that is kept for a day (GoatCounter contract, 1.5)."""

from typing import Literal

from msgspec import Struct

ExportFormat = Literal["csv", "json", "parquet"]
KEPT_MS = 24 * 3_600_000
"""How long a finished file is kept."""

SUFFIXES: dict[ExportFormat, str] = {"csv": ".csv.gz", "json": ".zip", "parquet": ".parquet"}

SPREADSHEET_SUFFIX = ".spreadsheet.csv.gz"
"""Ends the file name of a CSV export for spreadsheets."""


class Export(Struct, frozen=True, kw_only=True):
    """One export. Times are Unix milliseconds.

    Attributes:
        start_id: the export has only hits with a greater id (csv, parquet).
        start_day: the export has only statistics from this UTC day on (json).
        last_hit: the greatest id in the file, for the next export's ``start_id``; ``start_id`` when there are no rows.
        file: the file name for the download.
        finished: when the export succeeded or failed; None while it runs.
        size: bytes.
        hash: ``sha256-`` and the file's digest in hex.
        error: the message of a failed export.
    """

    id: int
    site: int
    format: ExportFormat
    start_id: int | None
    start_day: int | None
    last_hit: int | None = None
    file: str
    created: int
    finished: int | None = None
    num_rows: int | None = None
    size: int | None = None
    hash: str | None = None
    error: str | None = None

    @property
    def spreadsheet(self) -> bool:
        """Whether cells that a spreadsheet would read as formulas are escaped."""
        return self.file.endswith(SPREADSHEET_SUFFIX)

    def expired(self, now: int) -> bool:
        """Whether the file's time is over and it may be deleted."""
        return self.finished is not None and self.finished + KEPT_MS <= now
