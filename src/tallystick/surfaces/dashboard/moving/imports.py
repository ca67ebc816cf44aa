"""Imports into a site: ``/sites/{site}/imports``."""

import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, NotThere, StoreBusy
from tallystick.model.aggregates import AggregateImport
from tallystick.model.period import date_of
from tallystick.model.site import Site
from tallystick.services.imports.aggregates import AggregateImports
from tallystick.services.imports.logs import LOG_FORMATS
from tallystick.services.imports.running import BOTS
from tallystick.services.imports.upload_folder import Upload, UploadKind, UploadOptions
from tallystick.services.imports.uploads import Arriving, SentFile, Uploads
from tallystick.surfaces.dashboard.analytics.viewer import Viewers, address_of
from tallystick.surfaces.dashboard.moving.access import site_of_admin
from tallystick.surfaces.dashboard.moving.import_form import (
    KINDS,
    NAMES,
    OWN_FORMAT,
    read_options,
    shown_name,
    typed_fields,
    usual_fields,
)
from tallystick.surfaces.dashboard.moving.receiving import Write, receive_form
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json, twin, wants_json
from tallystick.surfaces.dashboard.support.forms import Form, refuse_foreign
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.bodies import SMALL_BODY, announced_length

TOO_LARGE: Problems = MappingProxyType({"file": [N_("is larger than this server accepts")]})

_id = re.compile(r"[0-9a-f]{16}")


class Received:
    """What has arrived of the form that sends a file.

    Attributes:
        problems: why the file is not kept; what arrives of it is thrown away, so that the browser gets to see this.
    """

    def __init__(self) -> None:
        self.form = Form()
        self.problems: Problems = {"file": [N_("must be chosen")]}
        self.kind: UploadKind | None = None
        self.options = UploadOptions()
        self.name = ""
        self.file: Arriving | None = None


class ShownFigures(Struct, frozen=True):
    """An import of figures as the page shows it."""

    id: int
    name: str
    rows: int
    first: str
    last: str


class ImportPages:
    """Takes files to import into a site, and shows how far they are, for its admins.

    Args:
        most: bytes of a file.
    """

    def __init__(self, services: PageServices, uploads: Uploads, aggregates: AggregateImports, most: int) -> None:
        self._services, self._uploads, self._aggregates = services, uploads, aggregates
        self._most = most
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """The form, and the newest imports; ``.json`` has the imports as data."""
        site = await site_of_admin(self._viewers, request)
        if wants_json(request):
            figures = [_plain_figures(each) for each in await self._figures(site)]
            uploads = [_plain(each) for each in await self._uploads.latest(site.id)]
            return as_json({"imports": uploads, "figures": figures})
        return await self._show(request, site)

    async def one(self, request: PageRequest) -> Response:
        """How far one import is, and what it has brought; with ``.json`` behind its id as data."""
        site = await site_of_admin(self._viewers, request)
        id_, form = twin(request.http.path_params["upload"])
        upload = await self._upload(site, id_ if form != "csv" else "")
        if form == "json":
            return as_json(_plain(upload))
        values = {
            **self._about(site),
            "upload": upload,
            "dropped": _dropped(upload),
            "left_out": _left_out(upload),
            "bots": BOTS,
            "waits": self._uploads.waits,
        }
        return await self._services.show(request, "moving/import.html", values)

    async def send(self, request: PageRequest) -> Response:
        """Take a file, and queue its import."""
        site = await site_of_admin(self._viewers, request)
        received = Received()
        if announced_length(request.http.scope) > self._most + SMALL_BODY:
            received.problems = TOO_LARGE
            return await self._show(request, site, received.problems)
        async with AsyncExitStack() as stack:

            async def accept(form: Form, name: str) -> Write:
                refuse_foreign(request.http, form, request.secret)
                return await self._accept(received, stack, request, site, form, name)

            form = await receive_form(request.http, accept)
            if received.file is None and not received.form.names():  # no file came, so nothing has checked the form
                refuse_foreign(request.http, form, request.secret)
                received.form = form
            upload = await self._kept(received, request, site)
        if upload is None:
            return await self._show(replace(request, form=received.form), site, received.problems)
        return see_other(f"{_address(site)}/{upload.id}")

    async def _accept(  # noqa: PLR0913, PLR0917  # everything about a file
        self, received: Received, stack: AsyncExitStack, request: PageRequest, site: Site, form: Form, name: str
    ) -> Write:
        received.form, received.name = form, shown_name(name)
        received.kind, received.options, received.problems = read_options(form)
        if not name:
            received.problems = {**received.problems, "file": [N_("must be chosen")]}
        if received.problems:
            return _thrown_away
        try:
            arriving = await self._uploads.arriving(site.id, announced_length(request.http.scope))
        except (InputRefused, StoreBusy) as error:
            received.problems = {"": [str(error)]}
            return _thrown_away
        received.file = file = await stack.enter_async_context(arriving)

        async def write(part: bytes) -> None:
            if file.size + len(part) > self._most:
                received.problems = TOO_LARGE
            if received.problems:
                return
            try:
                await file.write(part)
            except InputRefused as error:
                received.problems = {"": [str(error)]}
            except OSError as error:
                received.problems = {"": [error.strerror or "the file could not be written"]}

        return write

    async def _kept(self, received: Received, request: PageRequest, site: Site) -> Upload | None:
        """Check and queue the file that has arrived; None with its problems."""
        if received.problems or received.file is None or received.kind is None:
            return None
        if not received.file.size:
            received.problems = {"file": [N_("is empty")]}
            return None
        look = received.form.checked("look")
        sent = SentFile(received.name or received.kind.value, received.kind, received.options, look)
        try:
            return await self._uploads.add(received.file, site, request.account.email, sent)
        except (InputRefused, StoreBusy) as error:
            received.problems = {"": [str(error)]}
            return None

    async def begin(self, request: PageRequest) -> Response:
        """Import a file that was looked at."""
        site = await site_of_admin(self._viewers, request)
        upload = await self._upload(site, request.form.text("id"))
        await self._uploads.begin(upload, site, request.account.email)
        return see_other(f"{_address(site)}/{upload.id}")

    async def stop(self, request: PageRequest) -> Response:
        """Stop an import. What it has brought stays."""
        site = await site_of_admin(self._viewers, request)
        upload = await self._upload(site, request.form.text("id"))
        await self._uploads.stop(upload)
        return see_other(f"{_address(site)}/{upload.id}")

    async def remove(self, request: PageRequest) -> Response:
        """Remove an import of figures. The form must have its name, typed."""
        site = await site_of_admin(self._viewers, request)
        for number in request.form.numbers("id"):
            found = next((each for each in await self._figures(site) if each.id == number), None)
            if found is None:
                raise HTTPException(404)
            if not confirmed(request, found.name):
                return await self._show(request, site, NOT_CONFIRMED)
            try:
                await self._aggregates.remove(site.id, number)
            except NotThere as error:
                raise HTTPException(404) from error
            except InputRefused as error:
                return await self._show(request, site, problems_of(error))
        return see_other(f"{_address(site)}?done=removed")

    async def _upload(self, site: Site, id_: str) -> Upload:
        """The import with an id.

        Raises:
            HTTPException: the site has no such import (404).
        """
        upload = await self._uploads.get(site.id, id_) if _id.fullmatch(id_) else None
        if upload is None:
            raise HTTPException(404)
        return upload

    async def _figures(self, site: Site) -> list[AggregateImport]:
        return [each for each in await self._aggregates.listed(site.id) if each.done]

    def _about(self, site: Site, problems: Problems = NO_PROBLEMS) -> dict[str, Any]:
        """Values of every page here."""
        return {
            "site": site,
            "base": _address(site),
            "names": NAMES,
            "problems": problems,
        }

    async def _show(self, request: PageRequest, site: Site, problems: Problems = NO_PROBLEMS) -> Response:
        uploads = await self._uploads.latest(site.id)
        values = {
            **self._about(site, problems),
            "uploads": uploads,
            "working": any(upload.pending for upload in uploads),
            "figures": [_shown_figures(each) for each in await self._figures(site)],
            "to_remove": request.form.numbers("id"),
            "kinds": KINDS,
            "formats": (*LOG_FORMATS, OWN_FORMAT),
            "own_format": OWN_FORMAT,
            "most": self._most,
            "typed": typed_fields(request.form) if request.form.checked("format") else usual_fields(),
        }
        return await self._services.show(request, "moving/imports.html", values)


async def _thrown_away(_part: bytes) -> None:
    pass


def _address(site: Site) -> str:
    return f"/sites/{address_of(site)}/imports"


def _shown_figures(found: AggregateImport) -> ShownFigures:
    return ShownFigures(found.id, found.name, found.rows, _day(found.first) or "", _day(found.last) or "")


def _plain_figures(found: AggregateImport) -> dict[str, Any]:
    """An import of figures as data."""
    return {
        "id": found.id,
        "kind": found.kind,
        "name": found.name,
        "rows": found.rows,
        "first_day": _day(found.first),
        "last_day": _day(found.last),
    }


def _plain(upload: Upload) -> dict[str, Any]:
    """An import as data."""
    report = upload.report
    return {
        "id": upload.id,
        "file": upload.name,
        "kind": upload.kind.value,
        "bytes": upload.size,
        "state": upload.state,
        "looks": upload.looks,
        "created_at": _time(upload.created),
        "finished_at": _time(upload.finished),
        "done": upload.done,
        "total": upload.total,
        "lines": report.lines,
        "stored": report.stored,
        "bots": report.notes[BOTS],
        "imported_before": report.before,
        "not_accepted": dict(report.reasons),
        "dropped": _dropped(upload),
        "left_out": _left_out(upload),
        "unreadable_lines": report.bad,
        "examples": [{"where": where, "reason": reason} for where, reason in upload.bad],
        "figures_import": upload.aggregate,
        "rows": upload.rows,
        "error": upload.error or None,
    }


def _dropped(upload: Upload) -> dict[str, int]:
    return {name: count for name, count in upload.report.notes.items() if name != BOTS}


def _left_out(upload: Upload) -> dict[str, int]:
    return {**upload.skipped, **upload.report.excluded}


def _day(day: int | None) -> str | None:
    return None if day is None else date_of(day).isoformat()


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
