"""Access to a site's imports of aggregates: through the API of a running server, or in a data directory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from msgspec import UNSET, Struct

from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.site_access import api_client, is_url, opened_site, running_server
from tallystick.client import GoatCounter
from tallystick.client.calls import Call, Repeat, json_as
from tallystick.errors import InputRefused
from tallystick.model.account import Permission
from tallystick.model.aggregates import BY_NAME, PLAUSIBLE, AggregateImport, Row, TableSpan
from tallystick.model.period import date_of
from tallystick.services.accounts.audit import COMMAND_LINE
from tallystick.services.imports.aggregates import AggregateImports
from tallystick.settings import AnalyticsSettings

Result = TypeVar("Result")


class ShownImport(Struct, frozen=True, kw_only=True):
    """An import as commands show it."""

    id: int
    kind: str
    name: str
    done: bool
    rows: int
    first_day: str | None
    last_day: str | None


class AggregateTarget(Protocol):
    """A site whose imports are changed."""

    async def listed(self) -> Sequence[ShownImport]:
        """Its imports."""

    async def begin(self, name: str, digest: str, tables: Mapping[str, TableSpan], *, replace: bool) -> ShownImport:
        """Begin an import; see ``AggregateImports.begin``."""

    async def add(self, number: int, part: int, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add a part."""

    async def finish(self, number: int, rows: int, *, replace: bool) -> None:
        """Make an import one that answers have."""

    async def remove(self, number: int) -> None:
        """Remove an import."""


@asynccontextmanager
async def opened_aggregates(
    site: str | None, url: str | None, settings: AnalyticsSettings, permission: Permission
) -> AsyncIterator[AggregateTarget]:
    """Open the imports of a site until the block ends.

    Args:
        site: id, code, domain or host, None for the only site; or the URL of a running server at the site's host.
        url: of a running server.

    Raises:
        InputRefused: it cannot be reached, or there is no such site.
    """
    if site and is_url(site):
        if url:
            msg = "the URL of the server is given twice, in --url and in --site"
            raise InputRefused(msg)
        site, url = urlsplit(site).hostname, site
    if url:
        if not site:
            msg = "--url needs --site: the site's domain, host or code on that server"
            raise InputRefused(msg)
        with api_client(url, permission.label) as api:
            yield _ApiTarget(api, site)
    elif server_runs(settings.data):
        with running_server(site, settings, permission) as (api, found):
            yield _ApiTarget(api, found.address_name)
    else:
        async with opened_site(site, settings) as (opened, ledger, warehouse):
            yield _DirectTarget(AggregateImports(ledger, warehouse, warehouse.clock), opened.id)


class _DirectTarget:
    """In a data directory that no server uses."""

    def __init__(self, imports: AggregateImports, site: int) -> None:
        self._imports, self._site = imports, site

    async def listed(self) -> Sequence[ShownImport]:
        return [_shown(each) for each in await self._imports.listed(self._site)]

    async def begin(self, name: str, digest: str, tables: Mapping[str, TableSpan], *, replace: bool) -> ShownImport:
        return _shown(await self._imports.begin(self._site, PLAUSIBLE, name, digest, tables, replace=replace))

    async def add(self, number: int, part: int, rows: Mapping[str, Sequence[Row]]) -> None:
        await self._imports.add(self._site, number, part, rows)

    async def finish(self, number: int, rows: int, *, replace: bool) -> None:
        await self._imports.finish(COMMAND_LINE, self._site, number, rows, replace=replace)

    async def remove(self, number: int) -> None:
        await self._imports.remove(self._site, number)


class _ApiTarget:
    """Through the API of a running server."""

    def __init__(self, api: GoatCounter, site: str) -> None:
        self._api, self._path = api, f"/api/v2/sites/{quote(site, safe='')}/imports"

    async def listed(self) -> Sequence[ShownImport]:
        found = await self._call("GET", "", json_as(dict[str, list[ShownImport]]))
        return found["imports"]

    async def begin(self, name: str, digest: str, tables: Mapping[str, TableSpan], *, replace: bool) -> ShownImport:
        spans = {
            table: {"rows": span.rows, "first_day": _day(span.first), "last_day": _day(span.last)}
            for table, span in tables.items()
        }
        body = {"name": name, "digest": digest, "tables": spans, "replace": replace}
        return await self._call("POST", "", json_as(ShownImport), body)

    async def add(self, number: int, part: int, rows: Mapping[str, Sequence[Row]]) -> None:
        tables = {
            name: {"columns": BY_NAME[name].columns, "rows": [(_day(int(row[0])), *row[1:]) for row in of_table]}
            for name, of_table in rows.items()
        }
        await self._call("POST", f"/{number}/rows", json_as(dict[str, int]), {"part": part, "tables": tables})

    async def finish(self, number: int, rows: int, *, replace: bool) -> None:
        body = {"rows": rows, "replace": replace}
        await self._call("POST", f"/{number}/finish", json_as(ShownImport), body)

    async def remove(self, number: int) -> None:
        await self._call("DELETE", f"/{number}", _nothing)

    async def _call(
        self, method: str, path: str, read: Callable[[httpx.Response], Result], body: Mapping[str, Any] | None = None
    ) -> Result:
        """Send a request; each can safely be repeated."""
        sent = UNSET if body is None else body
        call = Call(method=method, path=f"{self._path}{path}", read=read, repeat=Repeat.SAFE, body=sent)
        return await asyncio.to_thread(self._api.carry_out, call)


def _shown(found: AggregateImport) -> ShownImport:
    return ShownImport(
        id=found.id,
        kind=found.kind,
        name=found.name,
        done=found.done,
        rows=found.rows,
        first_day=None if found.first is None else _day(found.first),
        last_day=None if found.last is None else _day(found.last),
    )


def _day(day: int) -> str:
    return date_of(day).isoformat()


def _nothing(_response: httpx.Response) -> None:
    """Read nothing."""
