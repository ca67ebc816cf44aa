"""``/export``: a site's hits or statistics as a file, written in the background and kept for a day."""

from datetime import UTC
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta, Struct

from tallystick.model.export import SPREADSHEET_SUFFIX, SUFFIXES, Export, ExportFormat
from tallystick.services.accounts.audit import EventKind, done_by, note
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.surfaces.goatcounter.errors import InvalidValues, NotFound
from tallystick.surfaces.goatcounter.wire.decoding import body_as, moment_of, number_in
from tallystick.web.answers import ApiResponse, FileDownload
from tallystick.web.refusals import ApiRefused

MB = 1_000_000
INT64_MAX = 2**63 - 1
FIRST_YEAR = 2
"""Programs in Go send a time of the year 1 for an empty one."""
CONTENT_TYPES: dict[ExportFormat, bytes] = {
    "csv": b"application/gzip",
    "json": b"application/gzip",  # a ZIP; the contract says so all the same
    "parquet": b"application/vnd.apache.parquet",
}


class ExportRequest(Struct, forbid_unknown_fields=True):
    """The body of a request for an export."""

    format: str | None = None
    start_from_hit_id: Annotated[int, Meta(le=INT64_MAX)] | None = None
    start_from_day: str | None = None


async def create(services: Services, call: SiteCall) -> ApiResponse:
    """Start an export."""
    body = await body_as(ExportRequest, call.body)
    form = _format(body)
    export = await services.exports.create(
        call.site,
        form,
        start_id=_start_id(body, form),
        start_day=_start_day(body, form),
        spreadsheet=_for_spreadsheets(call, form),
    )
    subject = f"site {call.site.id} {call.site.cname or call.site.code}"
    await services.ledger.write(done_by, call.principal, note, EventKind.EXPORTED, call.now, subject, form)
    return ApiResponse(202, wire.json(_written(export)))


async def export(services: Services, call: SiteCall) -> ApiResponse:
    """The state of an export."""
    return ApiResponse(200, wire.json(_written(await _export_of(services, call))))


async def download(services: Services, call: SiteCall) -> ApiResponse | FileDownload:
    """The file of a finished export."""
    export = await _export_of(services, call)
    if export.finished is None:
        return ApiResponse(202, wire.compact({"error": "still being generated"}))
    if export.error:
        raise ApiRefused(export.error)
    spreadsheet = _for_spreadsheets(call, export.format)
    file = await (services.exports.spreadsheet_file if spreadsheet else services.exports.file)(export)
    if file is None:
        msg = "exports are kept for 24 hours; this export file has been deleted"
        raise ApiRefused(msg)
    name = export.file
    if spreadsheet and not export.spreadsheet:
        name = name.removesuffix(SUFFIXES["csv"]) + SPREADSHEET_SUFFIX
    return FileDownload(str(file), name, CONTENT_TYPES[export.format])


def _for_spreadsheets(call: SiteCall, form: ExportFormat) -> bool:
    """Whether cells that look like formulas are to be escaped."""
    text = call.query.get("spreadsheet", "")
    if text not in ("1", "0", ""):
        msg = "spreadsheet: must be 1 or 0"
        raise ApiRefused(msg)
    safe = text == "1"
    if safe and form != "csv":
        msg = "spreadsheet is only valid for CSV exports"
        raise ApiRefused(msg)
    return safe


async def _export_of(services: Services, call: SiteCall) -> Export:
    export = await services.exports.get(call.site.id, number_in(call.place, "id"))
    if export is None:
        raise NotFound
    return export


def _format(body: ExportRequest) -> ExportFormat:
    for export_format in get_args(ExportFormat):
        if (body.format or "csv") == export_format:
            form: ExportFormat = export_format
            return form
    msg = f"unknown format: {msgspec.json.encode(body.format).decode()}"
    raise ApiRefused(msg)


def _start_id(body: ExportRequest, form: ExportFormat) -> int | None:
    if form == "json" and body.start_from_hit_id:
        msg = "start_from_hit_id is only valid for CSV exports"
        raise ApiRefused(msg)
    return None if body.start_from_hit_id is None else max(0, body.start_from_hit_id)


def _start_day(body: ExportRequest, form: ExportFormat) -> int | None:
    if not body.start_from_day:
        return None
    try:
        day = moment_of(body.start_from_day).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValues({"start_from_day": ["must be a date or an RFC 3339 time"]}) from error
    if day.year < FIRST_YEAR:
        return None
    if form != "json":
        msg = "start_from_day is only valid for JSON exports"
        raise ApiRefused(msg)
    return 1_000 * int(day.timestamp())


def _written(export: Export) -> dict[str, Any]:
    """An export in the contract's form. Only a failed one has ``error``: clients take its presence for failure."""
    written = {
        "id": export.id,
        "site_id": export.site,
        "format": export.format,
        "start_from_hit_id": export.start_id or 0,
        "last_hit_id": export.last_hit,
        "path": "",
        "created_at": wire.time(export.created),
        "finished_at": wire.time(export.finished),
        "num_rows": export.num_rows,
        "size": None if export.size is None else f"{max(export.size / MB, 0.1):.1f}",
        "hash": export.hash,
    }
    if export.start_day is not None:
        written["start_from_day"] = wire.time(export.start_day)
    if export.error:
        written["error"] = export.error
    return written
