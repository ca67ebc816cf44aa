"""``tallystick import plausible``, ``list`` and ``remove``: figures by day that another program has counted."""

import asyncio
import sys
from itertools import count
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tallystick.cli.support.aggregate_access import ShownImport, opened_aggregates
from tallystick.cli.support.import_reports import bad_lines_shown
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.progress import ShowProgress, progress
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.cli.transfer import File
from tallystick.errors import InputRefused
from tallystick.model.account import Permission
from tallystick.model.aggregates import AGGREGATES
from tallystick.model.period import DAY_S
from tallystick.services.imports.aggregates import LONGEST_NAME
from tallystick.services.imports.lines import is_stream
from tallystick.services.imports.plausible_zip import BadRow, ExportReport, day_text, digest_of, parts_of, rows_of
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import seconds

Flag = Annotated[bool, Parameter(negative=())]
SiteOption = Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)]
UrlOption = Annotated[str | None, Parameter(metavar="URL", show_default=False)]


def plausible(  # noqa: PLR0913  # one an option
    file: File,
    /,
    *,
    site: SiteOption = None,
    url: UrlOption = None,
    dry_run: Flag = False,
    replace: Flag = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Import the figures of a Plausible export: a ZIP with CSV files of sums by day.

    They are no hits. They are kept apart, and added to answers that ask for them (tallystick query --imported,
    include.imports, with_imported) and that one table of the export can give. Only days before the site's first own
    hit are added, so that no day counts twice.

    The import is there whole or, when it is interrupted, not at all. The same file is imported once. A file that has
    days of the same tables as an earlier one is refused.

    With a URL the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission
    site-update. Without a URL the data directory is used, through its server if that is running.

    Args:
        file: The ZIP, as Plausible has sent it.
        site: The URL of a running server at the site's host; with --url the site's domain, host or code there; or, in
            the data directory, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
        dry_run: Read everything, print what would be imported, and change nothing.
        replace: Remove imports that have days of the same tables, in the moment in which this one is whole.
    """
    if is_stream(file):
        msg = "that is not possible with standard input or a pipe; name a file"
        raise InputRefused(msg)
    report = ExportReport()
    _read(file, report)
    if not report.rows:
        print(f"nothing to import: no row can be used, {report.bad:,} lines could not be read", file=sys.stderr)
        sys.exit(1)
    before = None
    if not dry_run:
        with progress("Importing") as show_progress:
            try:
                before = asyncio.run(_import(file, site, url, settings, report, show_progress, replace=replace))
            except KeyboardInterrupt:
                msg = "interrupted. Nothing was imported"
                raise KeyboardInterrupt(msg) from None
    _print_report(report)
    if before is not None:
        print(f"this file was imported before, as import {before.id}; nothing was changed", file=sys.stderr)
        return
    done = "nothing was changed; it would be" if dry_run else "imported"
    left_out = f", could not read {report.bad:,} lines" if report.bad else ""
    print(f"{done}: {report.rows:,} rows of {len(report.tables)} tables{left_out}", file=sys.stderr)


def list_(*, site: SiteOption = None, url: UrlOption = None, settings: AnalyticsSettings = AnalyticsSettings()) -> None:
    """List the imports of figures that are no hits.

    On a terminal a table, otherwise one import a line, separated by tabs: id, kind, first day, last day, rows, whether
    it is whole, file. A token needs the permission stats.

    Args:
        site: The URL of a running server at the site's host; with --url the site's domain, host or code there; or, in
            the data directory, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
    """

    async def listed() -> list[ShownImport]:
        async with opened_aggregates(site, url, settings, Permission.STATS) as target:
            return list(await target.listed())

    print_rows(
        ("ID", "KIND", "FIRST DAY", "LAST DAY", "ROWS", "STATE", "FILE"),
        [
            (
                str(each.id),
                each.kind,
                each.first_day or "-",
                each.last_day or "-",
                str(each.rows),
                "done" if each.done else "unfinished",
                each.name,
            )
            for each in asyncio.run(listed())
        ],
    )


def remove(
    number: int,
    /,
    *,
    site: SiteOption = None,
    url: UrlOption = None,
    yes: Yes = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Remove an import of figures that are no hits.

    A token needs the permission site-update.

    Args:
        number: The import's id; tallystick import list shows it.
        site: The URL of a running server at the site's host; with --url the site's domain, host or code there; or, in
            the data directory, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
        yes: Do not ask.
    """
    confirm(f"Remove import {number} with all of its figures?", f"import {number} was not removed", yes=yes)

    async def removed() -> None:
        async with opened_aggregates(site, url, settings, Permission.SITE_UPDATE) as target:
            await target.remove(number)

    asyncio.run(removed())
    print(f"removed import {number}", file=sys.stderr)


def _today() -> int:
    return seconds() // DAY_S


def _read(file: Path, report: ExportReport) -> None:
    """Read everything once, and print what is wrong with it."""

    def text_of(bad: BadRow) -> str:
        return f"{bad.file}, line {bad.line}: {bad.reason}"

    with progress("Reading") as show_progress:
        for _ in rows_of(file, _today(), report, bad_lines_shown(text_of), show_progress):
            pass
    for each in report.notes:
        print(each, file=sys.stderr)


async def _import(  # noqa: PLR0913, PLR0917  # what, where and how
    file: Path,
    site: str | None,
    url: str | None,
    settings: AnalyticsSettings,
    report: ExportReport,
    show_progress: ShowProgress,
    *,
    replace: bool,
) -> ShownImport | None:
    """Import the file. Returns the import that it already was, or None."""
    digest = await asyncio.to_thread(digest_of, file)
    spans = {name: each.span for name, each in report.tables.items()}
    async with opened_aggregates(site, url, settings, Permission.SITE_UPDATE) as target:
        begun = await target.begin(file.name[-LONGEST_NAME:], digest, spans, replace=replace)
        if begun.done:
            return begun
        sent = 0
        parts = parts_of(rows_of(file, _today(), ExportReport(), lambda _bad: None))
        for number in count(1):
            rows = await asyncio.to_thread(next, parts, None)
            if rows is None:
                break
            await target.add(begun.id, number, rows)
            sent += sum(map(len, rows.values()))
            show_progress(sent, report.rows, f"{sent:,} rows")
        await target.finish(begun.id, report.rows, replace=replace)
    return None


def _print_report(report: ExportReport) -> None:
    """A table: rows, days and sums of each file."""
    rows = []
    for aggregate in AGGREGATES:
        if (table := report.tables.get(aggregate.name)) is not None:
            sums = ", ".join(f"{name} {table.sums[name]:,}" for name in aggregate.numbers)
            rows.append((aggregate.name, f"{table.rows:,}", day_text(table.first), day_text(table.last), sums))
    print_rows(("TABLE", "ROWS", "FIRST DAY", "LAST DAY", "SUMS"), rows)
