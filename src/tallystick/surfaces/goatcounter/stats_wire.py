"""Statistics in GoatCounter's shapes (1.7 to 1.12). Keys beyond the contract come last, and only when asked for."""

from collections.abc import Callable, Mapping
from typing import Any

from tallystick.model.selection import SIZES, UNKNOWN, Dimension
from tallystick.services.analytics.display_names import country_name, language_name
from tallystick.services.analytics.names import Path
from tallystick.services.analytics.reporting import PathDays, ReportRow, Rows, TopPaths, Total
from tallystick.warehouse.duckdb.reports import Position


def path(path: Path) -> dict[str, Any]:
    """A path, as ``/paths`` lists it."""
    return {"id": path.id, "path": path.path, "title": path.title, "event": path.event}


def total(total: Total) -> dict[str, Any]:
    """The answer of ``/stats/total``."""
    return {
        "total": total.visits,
        "total_events": total.events,
        "total_utc": total.day_visits,
        "stats": total.days,
        **total.figures,
    }


def top_paths(found: TopPaths) -> dict[str, Any]:
    """The answer of ``/stats/hits``."""
    hits = [_hit(path, days) for path, days in found.rows]
    body = {"hits": hits, "total": sum(hit["count"] for hit in hits), "more": found.next is not None}
    return body | ({"next": cursor(found.next)} if found.next else {})


def _hit(path: Path, days: PathDays) -> dict[str, Any]:
    return {
        "count": days.visits,
        "path_id": path.id,
        "path": path.path,
        "event": path.event,
        "title": path.title,
        "max": days.peak,
        "stats": days.days,
        **days.figures,
    }


def cursor(position: Position) -> str:
    """A position as clients send it back."""
    return f"{position.visits}-{position.path}"


def position(cursor: str) -> Position | None:
    """What a cursor stands for; None when it is none."""
    visits, _, path = cursor.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= len(str(2**62)) for part in (visits, path)):
        return None
    return Position(int(visits), int(path))


def referrers_of_path(found: Rows) -> dict[str, Any]:
    """The answer of ``/stats/hits/{path_id}``."""
    refs = [{"name": row.name, "count": row.visits, "ref_scheme": row.scheme, **row.figures} for row in found.rows]
    return {"refs": refs, "more": found.more}


def referrers(found: Rows) -> dict[str, Any]:
    """The answer of ``/stats/toprefs``."""
    return {"stats": [_row(row.name, row.name, row) for row in found.rows], "more": found.more}


def page(dimension: Dimension, found: Rows) -> dict[str, Any]:
    """The answer of ``/stats/{page}``."""
    if dimension is Dimension.SIZE:
        return {"stats": _sizes(found), "more": False}
    return {"stats": [_row(*_PAGE_NAMES[dimension](row), row) for row in found.rows], "more": found.more}


def details(dimension: Dimension, found: Rows) -> dict[str, Any]:
    """The answer of ``/stats/{page}/{id}``."""
    name = _DETAIL_NAMES.get(dimension, _own_name)
    rows = [{"name": name(row), "count": row.visits, **row.figures} for row in found.rows]
    if dimension is Dimension.PATH:
        # Equal counts come by id from the warehouse, which knows no names.
        rows.sort(key=lambda row: (-int(row["count"] or 0), str(row["name"])))
    return {"stats": rows, "more": found.more}


def _row(id_: str, name: str, row: ReportRow) -> dict[str, Any]:
    """A row of a page; an empty id is left out, and so is the scheme of what is no referrer."""
    body: dict[str, Any] = {"id": id_} if id_ else {}
    body |= {"name": name, "count": row.visits}
    if row.scheme is not None:
        body["ref_scheme"] = row.scheme
    return body | row.figures


def _sizes(found: Rows) -> list[dict[str, Any]]:
    """Always all of them, in their own order."""
    known = {row.value: row for row in found.rows}
    rows = [(size, known.get(size) or ReportRow(size, "", 0, None, {})) for size in SIZES]
    return [_row(size, "", row) for size, row in rows]


def _own_name(row: ReportRow) -> str:
    return row.name


_PAGE_NAMES: Mapping[Dimension, Callable[[ReportRow], tuple[str, str]]] = {
    Dimension.BROWSER: lambda row: (row.name, row.name),
    Dimension.SYSTEM: lambda row: (row.name, row.name),
    Dimension.COUNTRY: lambda row: (row.name or UNKNOWN, country_name(row.name) or UNKNOWN),
    Dimension.LANGUAGE: lambda row: (row.name, language_name(row.name) or UNKNOWN),
    Dimension.CAMPAIGN: lambda row: (str(row.value), row.name),
}
"""Id and name of a row of each page."""

_DETAIL_NAMES: Mapping[Dimension, Callable[[ReportRow], str]] = {
    Dimension.REGION: lambda row: row.name or UNKNOWN,
    Dimension.WIDTH: lambda row: f"↔\N{VARIATION SELECTOR-15} {row.name}px",
}
