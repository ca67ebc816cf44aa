"""``tallystick export``: a site's hits or statistics in a file."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec import Struct

from tallystick.cli.support.progress import Tell, progress
from tallystick.cli.support.site_access import is_url, opened_site, token
from tallystick.cli.transfer import File
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.export import SUFFIXES, Export, ExportFormat
from tallystick.services.accounts.audit import COMMAND_LINE, EventKind, done_by, note
from tallystick.services.exports.fetching import ExportClient
from tallystick.services.exports.spreadsheet import make_safe
from tallystick.services.exports.writing import write_export
from tallystick.services.files import whole_file
from tallystick.settings import AnalyticsSettings, whole_number

LAST_ID = 2**53 - 1


class ExportOptions(Struct, frozen=True):
    """What a person has asked for.

    Attributes:
        start_day: Unix milliseconds.
    """

    form: ExportFormat
    start_id: int | None
    start_day: int | None
    spreadsheet: bool


class Exported(Struct, frozen=True):
    """What is in the file."""

    rows: int
    last_id: int | None


def export(  # noqa: PLR0913  # one an option
    file: File,
    /,
    *,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    given_format: Annotated[ExportFormat | None, Parameter(name="--format", show_default=False)] = None,
    after: Annotated[int | None, whole_number(0, LAST_ID), Parameter(metavar="ID", show_default=False)] = None,
    since: Annotated[str | None, Parameter(metavar="YYYY-MM-DD", show_default=False)] = None,
    spreadsheet: Annotated[bool, Parameter(negative=())] = False,
    force: Annotated[bool, Parameter(negative=())] = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Write a site's hits or statistics to a file, and the id of the last hit to standard output.

    Through a server, its API is asked with the token in TALLYSTICK_TOKEN, which needs the permission export.
    Without one the data directory is read.

    Args:
        file: The file; it appears when it is whole.
        site: The URL of a running server at the site's host; or, in a data directory that no server holds, the
            site's id or Host, which the only site of a server does not need.
        given_format: csv (GoatCounter's version 2, compressed by gzip), json (its ZIP of statistics) or parquet
            (everything that is kept of each hit), where the name of the file does not say.
        after: Only hits with a greater id, of csv and parquet: what an earlier export printed.
        since: Only statistics from this day on, of json.
        spreadsheet: Write csv for a spreadsheet: an apostrophe stands before paths, titles and referrers that it
            would run as formulas (= + - @). Such a file is not meant to be imported again.
        force: Replace the file if it exists.
    """
    wanted = _wanted(given_format or _format(file), after, since, spreadsheet=spreadsheet)
    with progress("Exporting") as tell, whole_file(file, replaces=force) as partial:
        if site and is_url(site):
            done = asyncio.run(_fetch(site, wanted, partial, tell))
        else:
            done = asyncio.run(_write(site, settings, wanted, partial))
        if wanted.spreadsheet:
            make_safe(partial)
    print(f"{done.rows:,} {'statistics' if wanted.form == 'json' else 'hits'} exported", file=sys.stderr)
    if done.last_id is not None:
        print(done.last_id)


def _format(file: Path) -> ExportFormat:
    for form, suffix in SUFFIXES.items():
        if file.name.lower().endswith(suffix):
            return form
    msg = f"the name {file} does not tell the format; end it in {', '.join(SUFFIXES.values())}, or give --format"
    raise InputRefused(msg)


def _wanted(form: ExportFormat, after: int | None, since: str | None, *, spreadsheet: bool) -> ExportOptions:
    if form != "csv" and spreadsheet:
        msg = f"--spreadsheet is for csv; {form} has no formulas"
        raise InputRefused(msg)
    if form == "json" and after is not None:
        msg = "--after is for csv and parquet; statistics have --since"
        raise InputRefused(msg)
    if form != "json" and since is not None:
        msg = f"--since is for json; {form} has --after"
        raise InputRefused(msg)
    return ExportOptions(form, after, None if since is None else _milliseconds(since), spreadsheet)


def _milliseconds(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError as error:
        msg = f"--since accepts a day such as 2026-01-31, not {day!r}"
        raise InputRefused(msg) from error


async def _fetch(url: str, wanted: ExportOptions, file: Path, tell: Tell) -> Exported:
    body: dict[str, Any] = {"format": wanted.form}
    if wanted.start_id is not None:
        body["start_from_hit_id"] = wanted.start_id
    if wanted.start_day is not None:
        body["start_from_day"] = datetime.fromtimestamp(wanted.start_day // 1000, UTC).strftime("%Y-%m-%d")
    async with ExportClient(url, token("export")) as client:
        export = await client.written(body)
        await client.save(export, file, tell)
    return Exported(export.num_rows or 0, None if wanted.form == "json" else export.last_hit_id)


async def _write(site: str | None, settings: AnalyticsSettings, wanted: ExportOptions, file: Path) -> Exported:
    async with opened_site(site, settings) as (found, ledger, warehouse):
        export = Export(
            id=0,
            site=found.id,
            format=wanted.form,
            start_id=wanted.start_id,
            start_day=wanted.start_day,
            file=file.name,
            created=milliseconds(),
        )
        folder = warehouse.exports
        folder.mkdir(mode=0o700, exist_ok=True)
        made = folder / f"command{SUFFIXES[wanted.form]}"
        try:
            written = await write_export(ledger, warehouse, export, made)
            _move(made, file)
            await ledger.write(
                done_by, COMMAND_LINE, note, EventKind.EXPORTED, export.created, f"site {found.id}", wanted.form
            )
        finally:
            made.unlink(missing_ok=True)
    return Exported(written.rows, None if wanted.form == "json" else written.last_id or wanted.start_id or 0)


def _move(made: Path, file: Path) -> None:
    """Copy, since the file may lie on another disk and is held open by who asked for it."""
    with made.open("rb") as source, file.open("wb") as target:
        while part := source.read(1_048_576):
            target.write(part)
