"""Reads reports of Google Analytics 4 as CSV, if they have a row for each day and page.

A report has numbers, no hits: each view becomes a hit without a visit, at noon of its day.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tallystick.errors import InputRefused
from tallystick.model.hit import HOUR_S, WEB_BEGAN
from tallystick.model.text import ESCAPES
from tallystick.services.imports.cells import cells_of, columns_of
from tallystick.services.imports.export_files import Gathered
from tallystick.services.imports.ga4 import country_code
from tallystick.services.imports.lines import ReadLine
from tallystick.services.imports.parsed import BadLine, ParsedLine
from tallystick.services.imports.texts import without_padding
from tallystick.services.imports.visit_table import HitRow, ImportedHit, ImportedVisitor, VisitTable, hashed
from tallystick.services.ingest.sources import host_of_url

DATES = ("date", "date + hour (yyyymmddhh)")
PAGES = (
    "page path",
    "page path and screen class",
    "page path + query string",
    "page path + query string and screen class",
)
VIEWS = "views"
COUNTRY, HOST = "country", "hostname"
MOST_VIEWS = 1_000_000
"""Views in one row."""
TOTALS = "rows of totals"
HOW = (
    "in Google Analytics make an exploration with the rows Date and Page path and the value Views, and export it as"
    " CSV; single hits are in BigQuery's export"
)

_NOON_S = 12 * HOUR_S
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(\d{2})?", re.ASCII)


class Ga4ReportReader:
    """Understands reports with the columns Date, Page path and Views; country and hostname are read, too."""

    suffixes = (".csv", ".csv.gz")
    quoted = True
    options = "ga4 report"

    def __init__(self) -> None:
        self._tables = 0
        self._header: Sequence[str] = ()
        """The first row that is no comment."""

    def begin(self, _name: str, before: int, gathered: Gathered) -> ReadLine:
        """A function that reads the rows of a report."""
        columns: dict[str, int] | None = None

        def item(number: int, raw: bytes) -> ParsedLine | None:
            nonlocal columns
            text = without_padding(raw).decode("utf-8", ESCAPES)
            if text.startswith("#") or not text.strip():
                columns = None if text.startswith("#") else columns
                return None
            try:
                cells = cells_of(text)
            except ValueError as error:
                return BadLine(number, str(error), torn=True)
            if columns is None:
                columns = self._columns([cell.strip().lower() for cell in cells])
                return None
            try:
                _add(before + number, columns, cells, gathered)
            except ValueError as error:
                return BadLine(number, str(error))
            return None

        return item

    def check(self, _table: VisitTable | None = None) -> None:
        """Check that there was a report by day and page."""
        if not self._tables:
            msg = f"the file has no table; {HOW}"
            raise InputRefused(msg)

    def _columns(self, header: Sequence[str]) -> dict[str, int]:
        columns = columns_of(header)
        for needed, names in (("Date", DATES), ("Page path", PAGES), ("Views", (VIEWS,))):
            if columns.keys().isdisjoint(names):
                msg = f"the report has no column {needed}, only {', '.join(header)[:500]}; {HOW}"
                raise InputRefused(msg)
        self._tables += 1
        return columns


def _add(line: int, columns: dict[str, int], cells: Sequence[str], gathered: Gathered) -> None:
    def cell(*names: str) -> str:
        index = next((columns[name] for name in names if name in columns), len(cells))
        return cells[index].strip() if index < len(cells) else ""

    date, page, views = cell(*DATES), cell(*PAGES), cell(VIEWS)
    if not date:
        gathered.skipped[TOTALS] += 1
        return
    created, number = _moment(date), _views(views)
    host, country = cell(HOST), country_code(cell(COUNTRY))
    hit = ImportedHit(
        path=page.partition("?")[0] or "/",
        visitor=ImportedVisitor(host=host_of_url(f"//{host}") if host else "", location=country),
        followed=False,
    )
    row = HitRow(line, hashed("line", str(line)), None, None, created, hit)
    for _ in range(number):
        gathered.add_hit(row)


def _moment(text: str) -> int:
    match = _DAY.fullmatch(text)
    try:
        if match is None:
            raise ValueError  # noqa: TRY301  # the same message
        year, month, day, hour = (int(part) if part else None for part in match.groups())
        moment = datetime(year or 0, month or 0, day or 0, hour or 0, tzinfo=UTC)
    except ValueError:
        msg = f"Date must be a day such as 20260131, not {text[:50]!r}"
        raise ValueError(msg) from None
    seconds = int(moment.timestamp()) + (_NOON_S if hour is None else 0)
    if seconds < WEB_BEGAN:
        msg = f"Date must be after 1991-08-06, not {text[:50]!r}"
        raise ValueError(msg)
    return seconds


def _views(text: str) -> int:
    digits = text.removesuffix(".0").replace(",", "")
    views = int(digits) if re.fullmatch(r"[0-9]{1,12}", digits) else -1
    if not 0 <= views <= MOST_VIEWS:
        msg = f"Views must be a number up to {MOST_VIEWS:,}, not {text[:50]!r}"
        raise ValueError(msg)
    return views
