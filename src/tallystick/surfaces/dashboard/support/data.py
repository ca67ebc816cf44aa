"""Pages as data: the same address with ``.json`` or ``.csv`` behind its last name."""

import datetime as dt
from collections.abc import Sequence
from io import StringIO
from typing import Any

import msgspec
from starlette.responses import Response

from tallystick.model.csv_rows import csv_writer
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import NOT_STORED

FORMS = ("json", "csv")
HEADERS = {
    "cache-control": NOT_STORED,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
"""Data has what strangers have sent, such as paths and titles: no browser is to take it for a page."""

_encode = msgspec.json.Encoder().encode


def twin(name: str) -> tuple[str, str | None]:
    """A name of an address without the form of data that it ends with, and that form; None for a page."""
    for form in FORMS:
        if name.endswith(f".{form}"):
            return name.removesuffix(f".{form}"), form
    return name, None


def wants_json(request: PageRequest) -> bool:
    """Whether a page is asked for as JSON."""
    return twin(request.http.url.path)[1] == "json"


def as_json(value: Any, status: int = 200) -> Response:  # noqa: ANN401  # anything that JSON has
    """A response of JSON, which nobody keeps."""
    return Response(_encode(value), status, HEADERS, "application/json")


def as_csv(rows: Sequence[Sequence[Any]], name: str) -> Response:
    """A response of CSV to download. Rows may be many: not on the event loop."""
    out = StringIO()
    write = csv_writer(out)
    for row in rows:
        write(row)
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue(), 200, headers, "text/csv; charset=utf-8")


def times(kept: Any) -> dict[str, Any]:  # noqa: ANN401  # one of several structs
    """When something that is kept was made and changed last."""
    return {"created": moment_text(kept.created), "updated": moment_text(kept.updated)}


def moment_text(milliseconds: int | None) -> str | None:
    """A time as JSON has it, to the second and in UTC; None for none."""
    if milliseconds is None:
        return None
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).isoformat(timespec="seconds")
