"""``/api/v2/sites/{domain}/imports``: figures by day that another program has counted.

An import is begun, filled part by part and finished; before that, no answer has it.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from tallystick.errors import NotThere
from tallystick.model.account import Permission
from tallystick.model.aggregates import BY_NAME, PLAUSIBLE, AggregateImport, TableSpan, day_number
from tallystick.model.period import date_of
from tallystick.services.imports.aggregates import LONGEST_NAME, SentTable, rows_in
from tallystick.services.services import Services
from tallystick.surfaces.plausible.errors import NOT_CHANGING
from tallystick.surfaces.plausible.judging import StatsCall, as_json
from tallystick.surfaces.plausible.misfits import body_as
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import ApiRefused, Unauthorized

LARGEST_PART = 4 * 1024 * 1024
"""Bytes of a body with rows."""
DIGEST_LENGTH = 64
LONGEST_ID = 9


class SentSpan(Struct, frozen=True, forbid_unknown_fields=True):
    """What an import will have of a table."""

    rows: int
    first_day: str
    last_day: str


class BeginBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An import that is begun."""

    name: str
    digest: str
    tables: dict[str, SentSpan]
    replace: bool = False


class PartBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of an import."""

    part: int
    tables: dict[str, SentTable]


class FinishBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The end of an import."""

    rows: int
    replace: bool = False


async def listed(services: Services, call: StatsCall) -> ApiResponse:
    """List the imports of a site."""
    return as_json({"imports": [described(each) for each in await services.aggregates.listed(call.site.id)]})


async def one(services: Services, call: StatsCall) -> ApiResponse:
    """One import."""
    number = _number(call)
    found = next((each for each in await services.aggregates.listed(call.site.id) if each.id == number), None)
    if found is None:
        msg = "the site has no import of this number"
        raise NotThere(msg)
    return as_json(described(found))


async def begin(services: Services, call: StatsCall) -> ApiResponse:
    """Begin an import; 200 and the finished one where the same file was imported before."""
    _require_admin(call)
    body = body_as(BeginBody, call.body)
    if len(body.digest) != DIGEST_LENGTH or not 0 < len(body.name) <= LONGEST_NAME:
        msg = f"name: 1 to {LONGEST_NAME} characters; digest: the SHA-256 of the file, {DIGEST_LENGTH} characters"
        raise ApiRefused(msg)
    tables = {name: _span(name, each, services.aggregates.latest_day) for name, each in body.tables.items()}
    begun = await services.aggregates.begin(
        call.site.id, PLAUSIBLE, body.name, body.digest, tables, replace=body.replace
    )
    return as_json(described(begun), 200 if begun.done else 201)


async def add(services: Services, call: StatsCall) -> ApiResponse:
    """Add a part; one that has arrived before is not added again."""
    _require_admin(call)
    body = await asyncio.to_thread(body_as, PartBody, call.body)
    if body.part < 1:
        msg = "part: parts are numbered from 1"
        raise ApiRefused(msg)
    rows = await asyncio.to_thread(rows_in, body.tables, services.aggregates.latest_day)
    await services.aggregates.add(call.site.id, _number(call), body.part, rows)
    return as_json({"part": body.part})


async def finish(services: Services, call: StatsCall) -> ApiResponse:
    """Make an import one that answers have."""
    _require_admin(call)
    body = body_as(FinishBody, call.body)
    finished = await services.aggregates.finish(
        call.principal, call.site.id, _number(call), body.rows, replace=body.replace
    )
    return as_json(described(finished))


async def remove(services: Services, call: StatsCall) -> ApiResponse:
    """Remove an import."""
    _require_admin(call)
    await services.aggregates.remove(call.site.id, _number(call))
    return ApiResponse(204, b"")


def _require_admin(call: StatsCall) -> None:
    """Refuse a key that may change a site's objects, but not its settings: an import changes all figures.

    Raises:
        Unauthorized
    """
    if not call.may(Permission.SITE_UPDATE):
        raise Unauthorized(NOT_CHANGING)


def described(found: AggregateImport) -> dict[str, Any]:
    """An import as it is sent."""
    return {
        "id": found.id,
        "kind": found.kind,
        "name": found.name,
        "done": found.done,
        "created_at": datetime.fromtimestamp(found.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "rows": found.rows,
        "first_day": _day(found.first),
        "last_day": _day(found.last),
        "tables": {
            name: {"rows": span.rows, "first_day": _day(span.first), "last_day": _day(span.last)}
            for name, span in found.tables.items()
        },
    }


def _day(day: int | None) -> str | None:
    return None if day is None else date_of(day).isoformat()


def _span(name: str, sent: SentSpan, last: int) -> TableSpan:
    if name not in BY_NAME:
        msg = f"tables: there is no table {name[:100]!r}; there are {', '.join(BY_NAME)}"
        raise ApiRefused(msg)
    try:
        return TableSpan(sent.rows, day_number(sent.first_day, last), day_number(sent.last_day, last))
    except ValueError as error:
        msg = f"tables: {name}: {error}"
        raise ApiRefused(msg) from error


def _number(call: StatsCall) -> int:
    text = call.place["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID):
        msg = "the site has no import of this number"
        raise NotThere(msg)
    return int(text)
