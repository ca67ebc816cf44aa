"""The exports of a site: ``/sites/{site}/exports``."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from tallystick.errors import StoreBusy
from tallystick.model.export import KEPT_MS, SPREADSHEET_SUFFIX, SUFFIXES, Export, ExportFormat
from tallystick.model.site import Site
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.exports.exports import Exports
from tallystick.surfaces.dashboard.analytics.viewer import Viewers, address_of
from tallystick.surfaces.dashboard.moving.access import site_of_admin
from tallystick.surfaces.dashboard.moving.export_form import FORMATS, NAMES, read_fields
from tallystick.surfaces.dashboard.support.data import HEADERS, as_json, wants_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_base

CONTENT_TYPES: dict[ExportFormat, str] = {
    "csv": "application/gzip",
    "json": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}
GONE = 410

_id = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class ShownExport(Struct, frozen=True):
    """An export with what lies on the disk of it.

    Attributes:
        size: bytes that are written; None without a file.
    """

    export: Export
    size: int | None

    @property
    def state(self) -> str:
        """``waiting``, ``writing``, ``failed``, ``ready`` or ``deleted``."""
        if self.export.error:
            return "failed"
        if self.export.finished is None:
            return "waiting" if self.size is None else "writing"
        return "deleted" if self.size is None else "ready"


class ExportPages:
    """Starts exports of a site, lists them and sends their files, for its admins."""

    def __init__(self, services: PageServices, exports: Exports) -> None:
        self._services, self._exports = services, exports
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """The newest exports, and the form for another one; ``.json`` has the exports as data."""
        site = await site_of_admin(self._viewers, request)
        if wants_json(request):
            address = own_base(request.http.scope) + _address(site)
            return as_json({"exports": [_plain(address, each) for each in await self._shown(site)]})
        return await self._show(request, site)

    async def create(self, request: PageRequest) -> Response:
        """Start an export."""
        site = await site_of_admin(self._viewers, request)
        fields, problems = read_fields(request.form)
        if fields is None:
            return await self._show(request, site, problems)
        try:
            await self._exports.create(site, fields.form, start_id=fields.start_id, start_day=fields.start_day)
        except StoreBusy as error:
            return await self._show(request, site, {"": [str(error)]})
        subject = f"site {site.id} {site.cname or site.code}"
        await self._services.write(request, note, EventKind.EXPORTED, request.now, subject, fields.form)
        return see_other(f"{_address(site)}?done=started")

    async def download(self, request: PageRequest) -> Response:
        """The file of a finished export; with ``?spreadsheet=1`` that of a CSV with its formulas escaped."""
        site = await site_of_admin(self._viewers, request)
        export = await self._export(site, request.http.path_params["export"])
        spreadsheet = request.http.query_params.get("spreadsheet") == "1" and export.format == "csv"
        if export.finished is None or export.error:
            raise HTTPException(404)
        file = await (self._exports.spreadsheet_file if spreadsheet else self._exports.file)(export)
        if file is None:
            raise HTTPException(GONE)
        name = export.file
        if spreadsheet and not export.spreadsheet:
            name = name.removesuffix(SUFFIXES["csv"]) + SPREADSHEET_SUFFIX
        return FileResponse(file, 200, HEADERS, CONTENT_TYPES[export.format], filename=name)

    async def delete(self, request: PageRequest) -> Response:
        """Delete the file of an export."""
        site = await site_of_admin(self._viewers, request)
        export = await self._export(site, request.form.text("id"))
        if export.finished is None:
            return await self._show(request, site, {"": [N_("The export is still being written. Try again later.")]})
        await self._exports.discard(export)
        return see_other(f"{_address(site)}?done=deleted")

    async def _export(self, site: Site, number: str) -> Export:
        """The export with a number.

        Raises:
            HTTPException: the site has no such export (404).
        """
        export = await self._exports.get(site.id, int(number)) if _id.fullmatch(number) else None
        if export is None:
            raise HTTPException(404)
        return export

    async def _shown(self, site: Site) -> list[ShownExport]:
        sizes = await self._exports.sizes(exports := await self._exports.latest(site.id))
        return [ShownExport(export, sizes.get(export.id)) for export in exports]

    async def _show(self, request: PageRequest, site: Site, problems: Problems = NO_PROBLEMS) -> Response:
        exports, query = await self._shown(site), request.http.query_params
        last, after = _last_hit(exports), query.get("after", "")
        usual = {"format": query.get("format", "csv"), "which": "after" if after else "", "after": after, "since": ""}
        names = ("format", "which", "after", "since")
        values = {
            "site": site,
            "base": _address(site),
            "exports": exports,
            "working": any(each.state in {"waiting", "writing"} for each in exports),
            "last": last,
            "formats": FORMATS,
            "names": NAMES,
            "kept_hours": KEPT_MS // 3_600_000,
            "typed": {name: request.form.text(name) for name in names} if request.form.names() else usual,
            "problems": problems,
        }
        return await self._services.show(request, "moving/exports.html", values)


def _address(site: Site) -> str:
    return f"/sites/{address_of(site)}/exports"


def _last_hit(exports: Sequence[ShownExport]) -> int | None:
    """Where the newest finished export of hits has ended; None without one."""
    ended = (each.export for each in exports if each.export.finished and not each.export.error)
    return next((export.last_hit for export in ended if export.format != "json" and export.last_hit), None)


def _plain(address: str, shown: ShownExport) -> dict[str, Any]:
    """An export as data.

    Args:
        address: of the site's exports.
    """
    export = shown.export
    return {
        "id": export.id,
        "format": export.format,
        "state": shown.state,
        "created_at": _time(export.created),
        "finished_at": _time(export.finished),
        "start_from_hit_id": export.start_id,
        "start_from_day": _time(export.start_day),
        "last_hit_id": export.last_hit,
        "rows": export.num_rows,
        "bytes": shown.size,
        "hash": export.hash,
        "file": export.file,
        "download": f"{address}/{export.id}/file" if shown.state == "ready" else None,
        "error": export.error,
    }


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
