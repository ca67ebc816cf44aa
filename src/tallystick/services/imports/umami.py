"""Reads the tables of Umami as CSV (docs/moving-from-umami-and-ga4.md): hits, sessions and properties of events.

Umami's own export has one table of hits, in which the columns of sessions are repeated; the tables of its database are
understood, too, since version 1. What a file is follows from its columns.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode

from tallystick.errors import InputRefused
from tallystick.model.hit import WEB_BEGAN
from tallystick.model.moments import unix_seconds
from tallystick.model.product import named_version
from tallystick.model.screen import width_of
from tallystick.model.text import ESCAPES
from tallystick.services.imports.cells import cells_of, columns_of
from tallystick.services.imports.export_files import Gathered
from tallystick.services.imports.lines import ReadLine
from tallystick.services.imports.parsed import BadLine, ParsedLine
from tallystick.services.imports.texts import without_padding
from tallystick.services.imports.visit_table import HitRow, ImportedHit, ImportedVisitor, VisitTable, hashed
from tallystick.services.ingest.sources import host_of_url

OTHER_WEBSITES = "hits of other websites"
SHOWN = 50
"""Characters of a cell in a message."""

PAGEVIEW, EVENT = "1", "2"
"""Types of hits. What else Umami records has other numbers."""
_TYPES = {"3": "clicks of links", "4": "pixels", "5": "measurements of speed"}
NO_VALUE = frozenset({"", "\\N", "NULL", "00000000-0000-0000-0000-000000000000"})
"""Empty cells, as databases write them."""
_FORMULAS = tuple("'" + sign for sign in "=+-@\t\r")
"""Umami's export puts a quotation mark before what a spreadsheet would take for a formula."""
_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")

_BROWSERS = {
    "android": "Android Browser",
    "bb10": "BlackBerry Browser",
    "chromium-webview": "Android WebView",
    "crios": "Chrome",
    "edge-chromium": "Edge",
    "edge-ios": "Edge",
    "fxios": "Firefox",
    "ios": "Safari",
    "ios-webview": "Safari",
    "miui": "Mi Browser",
    "opera-mini": "Opera Mini",
    "samsung": "Samsung Internet",
    "yandexbrowser": "Yandex Browser",
}
"""Names of Umami's that ``known_browser`` does not know."""
_SYSTEMS = {
    "Android OS": "Android",
    "Open BSD": "OpenBSD",
    "Sun OS": "SunOS",
    "Windows Server 2003": "Windows",
}
_DEVICES = {"desktop": "Desktop", "laptop": "Desktop", "mobile": "Mobile", "tablet": "Tablet"}

_NUMBER = "2"
"""The type of a property that is a number."""

_OF_VISITORS = ("browser", "os", "hostname", "country", "region", "subdivision1", "device", "screen", "language")
VISITORS_CACHED = 20_000


class _Row:
    """A row of a table."""

    __slots__ = ("_cells", "_columns")

    def __init__(self, columns: Mapping[str, int], cells: Sequence[str]) -> None:
        self._columns, self._cells = columns, cells

    def __call__(self, column: str) -> str:
        """The content of a column; empty if there is no such column or value."""
        index = self._columns.get(column)
        if index is None:
            return ""
        text = self._cells[index]
        if text in NO_VALUE:
            return ""
        return text[1:] if text[0] == "'" and text.startswith(_FORMULAS) else text


class _Table(NamedTuple):
    """A table, and how its rows are added.

    Attributes:
        columns: their indexes.
        width: the number of columns.
    """

    columns: Mapping[str, int]
    width: int
    add: Callable[[int, _Row, Gathered], None]


class UmamiReader:
    """Understands Umami's tables.

    Args:
        website: the id of the website whose hits are imported; None for the only one.
    """

    suffixes = (".csv", ".csv.gz")
    quoted = True

    def __init__(self, website: str | None = None) -> None:
        self._website = website and website.strip().lower()
        self._only: str | None = None
        """The website of the hits so far."""
        self._tables = 0
        """Tables of hits."""
        self.options = f"umami {self._website or ''}"

    def begin(self, name: str, before: int, gathered: Gathered) -> ReadLine:
        """A function that reads the rows of a table."""
        table: _Table | None = None

        def item(number: int, raw: bytes) -> ParsedLine | None:
            nonlocal table
            text = without_padding(raw).decode("utf-8", ESCAPES)
            try:
                cells = cells_of(text)
            except ValueError as error:
                return BadLine(number, str(error), torn=True)
            if table is None:
                table = self._table(name, [cell.strip().lower() for cell in cells])
                return None
            if not cells:
                return None
            if len(cells) != table.width:
                return BadLine(number, f"wrong number of fields: {len(cells)} (want: {table.width})", torn=True)
            try:
                table.add(before + number, _Row(table.columns, cells), gathered)
            except ValueError as error:
                return BadLine(number, str(error))
            return None

        return item

    def check(self, table: VisitTable) -> None:
        """Check that there were hits of the website."""
        if not self._tables:
            msg = "no file has the columns of Umami's hits: created_at, and url_path or url"
            raise InputRefused(msg)
        if not table.hits and table.skipped[OTHER_WEBSITES]:
            msg = f"there is no hit of the website {self._website!r}, only {table.skipped[OTHER_WEBSITES]:,} of others"
            raise InputRefused(msg)

    def _table(self, name: str, header: Sequence[str]) -> _Table:
        """What a table is, by its columns.

        Raises:
            InputRefused: it can be none of Umami's tables.
        """
        columns = columns_of(header)
        file = name or "the file"
        is_props = not columns.keys().isdisjoint(("data_key", "event_key"))
        if is_props and not columns.keys().isdisjoint(("event_id", "website_event_id")):
            return _Table(columns, len(header), _add_props)
        if is_props:
            return _Table(columns, len(header), _add_nothing)  # of sessions
        if not columns.keys().isdisjoint(("url_path", "url")):
            _require(file, columns, "created_at")
            if self._website:
                _require(file, columns, "website_id")
            self._tables += 1
            return _Table(columns, len(header), self._add_hit)
        if {"session_id", "browser"} <= columns.keys():
            return _Table(columns, len(header), _add_visitor)
        if name:
            return _Table(columns, len(header), _add_nothing)
        msg = (
            f"the first line must name the columns of Umami's hits, at least created_at and url_path; it begins with"
            f" {','.join(header)[:SHOWN]!r}"
        )
        raise InputRefused(msg)

    def _add_hit(self, line: int, cell: _Row, gathered: Gathered) -> None:
        if not self._is_wanted(cell("website_id").lower()):
            gathered.skipped[OTHER_WEBSITES] += 1
            return
        event, kind = cell("event_name") or cell("event_value"), cell("event_type")
        if kind.isdigit() and kind not in (PAGEVIEW, EVENT):
            gathered.skipped[_TYPES.get(kind, "hits of other types")] += 1
            return
        is_event = bool(event) if not kind.isdigit() else kind == EVENT
        if is_event and not event:
            msg = "event_name is empty"
            raise ValueError(msg)
        session = cell("session_id")
        visit = cell("visit_id") or session
        number = cell("event_id")
        visitor = _visitor(cell)
        gathered.add_hit(
            HitRow(
                line=line,
                visit=hashed("visit", visit) if visit else hashed("line", str(line)),
                event=hashed(number) if number else None,
                visitor=hashed(session) if session and visitor is None else None,
                created=_moment(cell("created_at")),
                hit=_hit(cell, event if is_event else "", visitor, followed=bool(visit)),
            )
        )

    def _is_wanted(self, website: str) -> bool:
        if self._website:
            return website == self._website
        if self._only is None:
            self._only = website
        elif website != self._only:
            msg = (
                f"there are hits of several websites, for example {self._only[:SHOWN]!r} and {website[:SHOWN]!r};"
                " choose one by --website"
            )
            raise InputRefused(msg)
        return True


def _require(file: str, columns: Mapping[str, int], column: str) -> None:
    if column not in columns:
        msg = f"{file} has no column {column}, only {', '.join(columns)}"
        raise InputRefused(msg[:1_000])


def _hit(cell: _Row, event: str, visitor: ImportedVisitor | None, *, followed: bool) -> ImportedHit:
    address = cell("url_path") or cell("url")
    path, _, query = address.partition("#")[0].partition("?")
    query = cell("url_query") or query
    if "utm_" not in query and (utm := [(name, value) for name in _UTM if (value := cell(name))]):
        query = "&".join(filter(None, (query, urlencode(utm))))
    return ImportedHit(
        path=event or path or "/",
        visitor=visitor,
        followed=followed,
        title="" if event else cell("page_title"),
        event=bool(event),
        page=(path or "/") if event else "",
        ref=_referrer(cell),
        query=query,
        host=_host(cell) if visitor is None else "",
    )


def _referrer(cell: _Row) -> str:
    """The referrer without its query."""
    domain = cell("referrer_domain")
    referrer = f"https://{domain}{cell('referrer_path')}" if domain else cell("referrer")
    return "" if referrer.startswith("/") else referrer


def _visitor(cell: _Row) -> ImportedVisitor | None:
    """The visitor's browser; None if it stands in another table."""
    return _visitor_of(*map(cell, _OF_VISITORS))


@lru_cache(VISITORS_CACHED)
def _visitor_of(  # noqa: PLR0913, PLR0917  # one a column
    browser: str,
    system: str,
    host: str,
    country: str,
    region: str,
    subdivision: str,
    device: str,
    screen: str,
    language: str,
) -> ImportedVisitor | None:
    if not (browser or system or country or device or screen or language):
        return None
    region, system = region or subdivision, _SYSTEMS.get(system, system)
    return ImportedVisitor(
        host=host_of_url(f"//{host}") if host else "",
        browser=(_BROWSERS.get(browser.lower(), browser), ""),
        system=named_version(system) if system else ("", ""),
        device=_DEVICES.get(device.lower(), ""),
        width=width_of(screen),
        language=language,
        location=region if region.startswith(f"{country}-") else f"{country}-{region}".strip("-"),
    )


def _host(cell: _Row) -> str:
    host = cell("hostname")
    return host_of_url(f"//{host}") if host else ""


def _add_visitor(_line: int, cell: _Row, gathered: Gathered) -> None:
    session, visitor = cell("session_id"), _visitor(cell)
    if session and visitor:
        gathered.add_visitor(hashed(session), visitor)


def _add_props(_line: int, cell: _Row, gathered: Gathered) -> None:
    event, name = cell("website_event_id") or cell("event_id"), cell("data_key") or cell("event_key")
    value = cell("string_value") or cell("event_string_value")
    number = cell("number_value") or cell("event_numeric_value")
    if number and (cell("data_type") == _NUMBER or not value):
        value = number.rstrip("0").removesuffix(".") if "." in number else number
    value = value or cell("date_value") or cell("event_date_value")
    if event and name and value:
        gathered.add_prop(hashed(event), name, value)


def _add_nothing(_line: int, _cell: _Row, _gathered: Gathered) -> None:
    """Leave out a row of a table that says nothing of hits."""


def _moment(text: str) -> int:
    try:
        seconds = unix_seconds(text)
    except (ValueError, OverflowError) as error:
        msg = f"created_at must be a time, not {text[:SHOWN]!r}"
        raise ValueError(msg) from error
    if seconds < WEB_BEGAN:
        msg = f"created_at must be a time after 1991-08-06, not {text[:SHOWN]!r}"
        raise ValueError(msg)
    return seconds
