"""``tallystick export``: writes a site's hits or statistics to a file."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec import Struct

from tallystick.cli.support.progress import ShowProgress, progress
from tallystick.cli.support.site_access import is_url, opened_site, server_url, token
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
    """The options of the command.

    Attributes:
        start_day: Unix milliseconds.
    """

    form: ExportFormat
    start_id: int | None
    start_day: int | None
    spreadsheet: bool


class Exported(Struct, frozen=True):
    """The number of rows in the file, and the last hit's id."""

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
    """Write a site's hits or statistics to a file, and print the id of the last hit.

    With a URL the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission
    export. Without a URL the data directory is read.

    Args:
        file: The file; it appears when it is complete.
        site: The URL of a running server at the site's host; or, in a data directory that no server uses, the
            site's id or host, not needed if there is only one site.
        given_format: csv (GoatCounter's version 2, compressed by gzip), json (its ZIP of statistics) or parquet
            (all stored fields of each hit); needed if the file's name does not end in the format's suffix.
        after: For csv and parquet, only hits with a greater id, as printed by an earlier export.
        since: For json, only statistics from this day on.
        spreadsheet: Write csv for a spreadsheet: paths, titles and referrers that it would run as formulas (= + - @)
            get an apostrophe in front. Such a file should not be imported again.
        force: Replace the file if it exists.
    """
    options = _options(given_format or _format(file), after, since, spreadsheet=spreadsheet)
    with progress("Exporting") as show_progress, whole_file(file, replaces=force) as partial:
        if site and is_url(site):
            done = asyncio.run(_fetch(site, options, partial, show_progress))
        else:
            done = asyncio.run(_write(site, settings, options, partial))
        if options.spreadsheet:
            make_safe(partial)
    print(f"{done.rows:,} {'statistics' if options.form == 'json' else 'hits'} exported", file=sys.stderr)
    if done.last_id is not None:
        print(done.last_id)


def _format(file: Path) -> ExportFormat:
    for form, suffix in SUFFIXES.items():
        if file.name.lower().endswith(suffix):
            return form
    msg = f"the name {file} has no suffix of a format; end it in {', '.join(SUFFIXES.values())}, or give --format"
    raise InputRefused(msg)


def _options(form: ExportFormat, after: int | None, since: str | None, *, spreadsheet: bool) -> ExportOptions:
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


async def _fetch(url: str, options: ExportOptions, file: Path, show_progress: ShowProgress) -> Exported:
    body: dict[str, Any] = {"format": options.form}
    if options.start_id is not None:
        body["start_from_hit_id"] = options.start_id
    if options.start_day is not None:
        body["start_from_day"] = datetime.fromtimestamp(options.start_day // 1000, UTC).strftime("%Y-%m-%d")
    async with ExportClient(server_url(url), token("export")) as client:
        export = await client.written(body)
        await client.save(export, file, show_progress)
    return Exported(export.num_rows or 0, None if options.form == "json" else export.last_hit_id)


async def _write(site: str | None, settings: AnalyticsSettings, options: ExportOptions, file: Path) -> Exported:
    async with opened_site(site, settings) as (opened, ledger, warehouse):
        export = Export(
            id=0,
            site=opened.id,
            format=options.form,
            start_id=options.start_id,
            start_day=options.start_day,
            file=file.name,
            created=milliseconds(),
        )
        folder = warehouse.exports
        folder.mkdir(mode=0o700, exist_ok=True)
        made = folder / f"command{SUFFIXES[options.form]}"
        try:
            written = await write_export(ledger, warehouse, export, made)
            _move(made, file)
            await ledger.write(
                done_by, COMMAND_LINE, note, EventKind.EXPORTED, export.created, f"site {opened.id}", options.form
            )
        finally:
            made.unlink(missing_ok=True)
    return Exported(written.rows, None if options.form == "json" else written.last_id or options.start_id or 0)


def _move(made: Path, file: Path) -> None:
    """Copy the content: the target may be on another disk, and its file is open in the caller."""
    with made.open("rb") as source, file.open("wb") as target:
        while part := source.read(1_048_576):
            target.write(part)
