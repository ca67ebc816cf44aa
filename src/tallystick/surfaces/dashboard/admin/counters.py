"""Files of public counters, for superusers: ``/admin/counters``, also as JSON. What ``tallystick counter`` does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, BinaryIO

from msgspec import to_builtins
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from tallystick.errors import InputRefused, StoreBusy
from tallystick.services.counting.counter_files import Format
from tallystick.services.counting.counter_uploads import FORMATS, CounterUpload, CounterUploads
from tallystick.surfaces.dashboard.admin.access import require_superuser
from tallystick.surfaces.dashboard.moving.import_form import shown_name
from tallystick.surfaces.dashboard.moving.receiving import Write, receive_form
from tallystick.surfaces.dashboard.support.data import HEADERS, as_json
from tallystick.surfaces.dashboard.support.forms import Form, refuse_foreign
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.bodies import SMALL_BODY, announced_length

ADDRESS = "/admin/counters"
FORMAT_NAMES = MappingProxyType({"": N_("by the name of the file"), "csv": "CSV", "jsonl": N_("JSON lines")})
CONTENT_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}

TOO_LARGE: Problems = MappingProxyType({"file": [N_("is larger than this server accepts")]})
NO_FILE: Problems = MappingProxyType({"file": [N_("must be chosen")]})
EMPTY: Problems = MappingProxyType({"file": [N_("is empty")]})
NO_FORMAT: Problems = MappingProxyType({"format": [N_("must be chosen, as the name of the file does not say it")]})


class ReceivedCounters:
    """What has arrived of the form that sends a file.

    Attributes:
        problems: why the file is not kept; what arrives of it is thrown away, so that the browser gets to see this.
    """

    def __init__(self) -> None:
        self.form = Form()
        self.problems: Problems = NO_FILE
        self.name, self.size = "", 0
        self.format: Format | None = None
        self.file: BinaryIO | None = None


class CounterFilePages:
    """The handlers. They answer 404 to anyone but superusers.

    Args:
        most: bytes of a file.
    """

    def __init__(self, services: PageServices, uploads: CounterUploads, most: int) -> None:
        self._services, self._uploads, self._most = services, uploads, most

    async def page(self, request: PageRequest) -> Response:
        """A form for a file, what the last one has brought, and the export."""
        require_superuser(request)
        return await self._show(request)

    async def as_json(self, request: PageRequest) -> Response:
        """How far the newest file is, as data."""
        require_superuser(request)
        newest = await self._uploads.newest()
        return as_json({"import": None if newest is None else _plain(newest)})

    async def send(self, request: PageRequest) -> Response:
        """Take a file, and check it."""
        require_superuser(request)
        if announced_length(request.http.scope) > self._most + SMALL_BODY:
            return await self._show(request, TOO_LARGE)
        received = ReceivedCounters()
        with ExitStack() as stack:

            async def accept(form: Form, name: str) -> Write:
                refuse_foreign(request.http, form, request.secret)
                return await self._accept(received, stack, request, form, name)

            form = await receive_form(request.http, accept)
            if received.file is None and not received.form.names():  # no file came, so nothing has checked the form
                refuse_foreign(request.http, form, request.secret)
                received.form = form
            if not received.problems and not received.size:
                received.problems = EMPTY
            if not received.problems:
                await self._check(received, request, stack)
        if received.problems:
            return await self._show(replace(request, form=received.form), received.problems)
        return see_other(ADDRESS)

    async def begin(self, request: PageRequest) -> Response:
        """Import the file that was checked."""
        require_superuser(request)
        try:
            await self._uploads.begin()
        except InputRefused as error:
            return await self._show(request, problems_of(error))
        return see_other(ADDRESS)

    async def discard(self, request: PageRequest) -> Response:
        """Forget the file that was checked."""
        require_superuser(request)
        await self._uploads.discard()
        return see_other(ADDRESS)

    async def as_csv(self, request: PageRequest) -> Response:
        """All public counters as CSV."""
        return await self._export(request, "csv")

    async def as_jsonl(self, request: PageRequest) -> Response:
        """All public counters as JSON lines."""
        return await self._export(request, "jsonl")

    async def _export(self, request: PageRequest, form: Format) -> Response:
        require_superuser(request)
        parts = self._uploads.exported(form)
        try:
            first = await anext(parts, b"")  # what cannot be read is refused before anything is sent
        except OSError as error:
            raise HTTPException(507) from error

        async def content() -> AsyncIterator[bytes]:
            yield first
            async for part in parts:
                yield part

        headers = {**HEADERS, "content-disposition": f'attachment; filename="counters.{form}"'}
        return StreamingResponse(content(), 200, headers, CONTENT_TYPES[form])

    async def _accept(
        self, received: ReceivedCounters, stack: ExitStack, request: PageRequest, form: Form, name: str
    ) -> Write:
        received.form, received.name, received.problems = form, shown_name(name), NO_PROBLEMS
        chosen = form.text("format")
        received.format = FORMATS.get(f".{chosen}") or FORMATS.get(PurePath(name).suffix.lower())
        if not name:
            received.problems = NO_FILE
        elif received.format is None:
            received.problems = NO_FORMAT
        if received.problems:
            return _thrown_away
        try:
            file = await asyncio.to_thread(self._uploads.arriving, announced_length(request.http.scope))
        except InputRefused as error:
            received.problems = problems_of(error)
            return _thrown_away
        received.file = stack.enter_context(file)

        async def write(part: bytes) -> None:
            received.size += len(part)
            if received.size > self._most:
                received.problems = TOO_LARGE
            if not received.problems:
                try:
                    await asyncio.to_thread(file.write, part)
                except OSError as error:
                    received.problems = {"": [error.strerror or "the file could not be written"]}

        return write

    async def _check(self, received: ReceivedCounters, request: PageRequest, stack: ExitStack) -> None:
        """Have the file checked, which is open until it is replaced."""
        assert received.file is not None
        assert received.format is not None
        upload = CounterUpload(
            name=received.name,
            form=received.format,
            replaces=received.form.text("existing") == "replace",
            actor=request.account,
            size=received.size,
        )
        try:
            await self._uploads.check(upload, received.file)
        except InputRefused as error:
            received.problems = problems_of(error)
        except StoreBusy as error:
            received.problems = {"": [str(error)]}
        else:
            stack.pop_all()

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        typed = request.form
        values = {
            "upload": await self._uploads.newest(),
            "most": self._most,
            "formats": FORMAT_NAMES,
            "typed": {"format": typed.text("format"), "existing": typed.text("existing") or "keep"},
            "problems": problems,
        }
        return await self._services.show(request, "admin/counters.html", values)


async def _thrown_away(_part: bytes) -> None:
    pass


def _plain(upload: CounterUpload) -> dict[str, Any]:
    """An import as data."""
    return {
        "file": upload.name,
        "format": upload.form,
        "existing": "replace" if upload.replaces else "keep",
        "bytes": upload.size,
        "read": upload.read,
        "state": upload.state,
        "would_be": to_builtins(upload.found),
        "imported": to_builtins(upload.imported),
        "unreadable": [{"line": line, "reason": reason} for line, reason in upload.bad],
        "error": upload.error or None,
        "sent_by": upload.actor.email,
    }
