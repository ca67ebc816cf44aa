"""An export: a site's hits, or its statistics, in a file that is kept for a day (GoatCounter contract, 1.5)."""

from typing import Literal

from msgspec import Struct

ExportFormat = Literal["csv", "json", "parquet"]
KEPT_MS = 24 * 3_600_000
"""How long a finished file is kept."""

SUFFIXES: dict[ExportFormat, str] = {"csv": ".csv.gz", "json": ".zip", "parquet": ".parquet"}

SPREADSHEET_SUFFIX = ".spreadsheet.csv.gz"
"""Of the name of an export in CSV that is meant for spreadsheets."""


class Export(Struct, frozen=True, kw_only=True):
    """Times are Unix milliseconds.

    Attributes:
        start_id: only hits with a greater id (csv, parquet).
        start_day: only statistics from this UTC day on (json).
        last_hit: the greatest id in the file, the next export's ``start_id``; the old one when no rows came out.
        file: the name it is downloaded as.
        finished: None until the file is whole, or given up.
        size: bytes.
        hash: ``sha256-`` and the file's digest in hex.
        error: why it was given up, for a person.
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
        """Whether cells that a spreadsheet would take for formulas are written in a safe form."""
        return self.file.endswith(SPREADSHEET_SUFFIX)

    def expired(self, now: int) -> bool:
        """Whether the file has been kept long enough."""
        return self.finished is not None and self.finished + KEPT_MS <= now
