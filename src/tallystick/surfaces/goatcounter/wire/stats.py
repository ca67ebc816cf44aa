"""Statistics in GoatCounter's shapes (1.7 to 1.12). Keys beyond the contract come last, and only when requested."""

from typing import Any

from tallystick.model.dimensions import CAMPAIGN, COUNTRY, LANGUAGE, PATH, REGION, UNKNOWN, WIDTH, Dimension
from tallystick.services.analytics.display_names import display_name
from tallystick.services.analytics.names import Path
from tallystick.services.analytics.reporting import PathDays, Position, ReportRow, Rows, TopPaths, Total

_UNKNOWN_NAMED = frozenset({COUNTRY.name, LANGUAGE.name, REGION.name})
"""Dimensions whose unknown value has a name in the contract; that of the others is empty."""


def path(path: Path) -> dict[str, Any]:
    """A path, as ``/paths`` lists it."""
    return {"id": path.id, "path": path.path, "title": path.title, "event": path.event}


def total(total: Total) -> dict[str, Any]:
    """The body of ``/stats/total``."""
    return {
        "total": total.visits,
        "total_events": total.events,
        "total_utc": total.day_visits,
        "stats": total.days,
        **total.figures,
    }


def top_paths(top: TopPaths) -> dict[str, Any]:
    """The body of ``/stats/hits``."""
    hits = [_hit(path, days) for path, days in top.rows]
    body = {"hits": hits, "total": sum(hit["count"] for hit in hits), "more": top.next is not None}
    return body | ({"next": cursor(top.next)} if top.next else {})


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
    """Parse a cursor; None if it is not valid."""
    visits, _, path = cursor.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= len(str(2**62)) for part in (visits, path)):
        return None
    return Position(int(visits), int(path))


def referrers_of_path(rows: Rows) -> dict[str, Any]:
    """The body of ``/stats/hits/{path_id}``."""
    refs = [{"name": row.name, "count": row.visits, "ref_scheme": row.scheme, **row.figures} for row in rows.rows]
    return {"refs": refs, "more": rows.more}


def page(dimension: Dimension, rows: Rows) -> dict[str, Any]:
    """The body of ``/stats/{page}``."""
    if dimension.ranges:
        return {"stats": _every_range(dimension, rows), "more": False}
    return {"stats": [_row(_id(dimension, row), _name(dimension, row), row) for row in rows.rows], "more": rows.more}


def details(dimension: Dimension, rows: Rows) -> dict[str, Any]:
    """The body of ``/stats/{page}/{id}``, whose rows are by ``dimension``."""
    body = [{"name": _detail_name(dimension, row), "count": row.visits, **row.figures} for row in rows.rows]
    if dimension is PATH:
        # The warehouse has no names: it sorts rows with equal counts by id.
        body.sort(key=lambda row: (-int(row["count"] or 0), str(row["name"])))
    return {"stats": body, "more": rows.more}


def _row(id_: str, name: str, row: ReportRow) -> dict[str, Any]:
    """A row of a page, without an id if it is empty, and without a scheme if it is not a referrer."""
    body: dict[str, Any] = {"id": id_} if id_ else {}
    body |= {"name": name, "count": row.visits}
    if row.scheme is not None:
        body["ref_scheme"] = row.scheme
    return body | row.figures


def _every_range(dimension: Dimension, rows: Rows) -> list[dict[str, Any]]:
    """All ranges in their own order, also those without visits."""
    by_name = {row.value: row for row in rows.rows}
    names = [range_.name for range_ in dimension.ranges]
    return [_row(name, "", by_name.get(name) or ReportRow(name, "", 0, None, {})) for name in names]


def _id(dimension: Dimension, row: ReportRow) -> str:
    if dimension is CAMPAIGN:
        return str(row.value)
    return row.name or (UNKNOWN if dimension is COUNTRY else "")


def _name(dimension: Dimension, row: ReportRow) -> str:
    unknown = UNKNOWN if dimension.name in _UNKNOWN_NAMED else ""
    return display_name(dimension, row.name) or unknown


def _detail_name(dimension: Dimension, row: ReportRow) -> str:
    return f"↔\N{VARIATION SELECTOR-15} {row.name}px" if dimension is WIDTH else _name(dimension, row)
