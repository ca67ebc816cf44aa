"""``tallystick import``: imports hits from GoatCounter, from Tallystick's exports and from logs."""

import asyncio
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from msgspec import Struct

from tallystick.cli.aggregate_imports import list_, plausible, remove
from tallystick.cli.support.garbage_collector import collect_rarely
from tallystick.cli.support.import_reports import WOULD_BE, bad_lines_shown, nothing, waits_shown
from tallystick.cli.support.progress import ShowProgress, progress
from tallystick.cli.support.site_access import SiteTarget, is_url, journal_of, opened_target, server_url, token
from tallystick.cli.transfer import File
from tallystick.cli.visit_imports import ga4, umami
from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.services.imports.api_sink import ApiSink
from tallystick.services.imports.batches import ImportBatch, ImportSource
from tallystick.services.imports.direct_sink import DrySink
from tallystick.services.imports.exclude_rules import DEFAULT, rules
from tallystick.services.imports.journal import ImportJournal, ImportRecord
from tallystick.services.imports.lines import is_stream
from tallystick.services.imports.log_lines import TIMES
from tallystick.services.imports.logs import LOG_FORMATS, Layouts, log_reader
from tallystick.services.imports.parsed import BadLine
from tallystick.services.imports.running import LOOKED_AT_EVERY_S, Import, Report, Sink
from tallystick.services.imports.sources import FILE_FORMATS, source_of
from tallystick.services.imports.summaries import FILE_KINDS, annotation_of, summary_parts
from tallystick.services.ingest.ingest import Knowledge
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import seconds

SUFFIXES = {**dict.fromkeys((".csv", ".csv.gz", ".csv.bz2", ".csv.xz"), "csv"), ".zip": "json", ".parquet": "parquet"}

Flag = Annotated[bool, Parameter(negative=())]
Word = Annotated[str | None, Parameter(show_default=False)]


app = App(name="import")
"""Without the name of another program after it, the command reads formats of GoatCounter, Tallystick and logs."""
app.command(umami, sort_key=1)
app.command(ga4, sort_key=2)
app.command(plausible, sort_key=3)
app.command(list_, name="list", sort_key=4)
app.command(remove, sort_key=5)


class ImportOptions(Struct, frozen=True, kw_only=True):
    """The options of the command."""

    file: Path
    form: str
    site: str | None
    exclude: Sequence[str]
    layouts: Layouts
    follow: bool
    anew: bool


@app.default
def import_(  # noqa: PLR0913  # one an option
    file: File,
    /,
    *,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    given_format: Annotated[str | None, Parameter(name="--format", show_default=False)] = None,
    exclude: Annotated[
        tuple[str, ...], Parameter(n_tokens=1, negative=(), metavar="RULE", show_default=" and ".join)
    ] = DEFAULT,
    date: Word = None,
    time: Word = None,
    datetime: Word = None,  # the option's name
    follow: Flag = False,
    dry_run: Flag = False,
    anew: Flag = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Import hits from a file, each line once. Exports of some programs have commands of their own.

    Lines that were imported before are skipped, also when the file has grown or was renamed; an interrupted import
    continues where it stopped. At the end a summary of all lines is printed. The exit status is 1 if no line could be
    used.

    With a URL, hits are sent to the API of the running server with the token in TALLYSTICK_TOKEN, which needs the
    permission count. Without a URL they are written directly into the data directory.

    Args:
        file: A file, uncompressed or compressed by gzip, bzip2 or xz. - is standard input; imports of standard input
            and pipes are not remembered.
        site: The URL of a running server at the site's host; or, in a data directory that no server uses, the
            site's id or host, not needed if there is only one site.
        given_format: The format: csv (GoatCounter's version 2), json (its ZIP), parquet (Tallystick's own), common,
            common-vhost, combined, combined-vhost, bunny, caddy, or log: and a format made of $remote_addr $xff
            $datetime $date $time $method $status $http $path $url $query $referrer $user_agent $host $content_type
            $size $timing_sec $timing_milli $timing_micro $ignore. Needed if the file's name has no suffix of a format.
        exclude: Lines of a log to leave out, may be repeated: [!]FIELD:[glob:|re:]PATTERN with the names above;
            without glob: or re: the field must contain the text. static excludes scripts, styles, images and the
            like, redirect and error their statuses, html what is not HTML by its $content_type. An empty rule
            excludes nothing. HEAD and OPTIONS never count.
        date: The layout of $date: the moment 2006-01-02 15:04:05 -0700 as the log would write it. Also ansic, unix,
            rfc822, rfc822z, rfc850, rfc1123, rfc1123z, rfc3339, rfc3339nano, unix_sec, unix_milli, unix_nano,
            unix_sec_float and unix_milli_float.
        time: The layout of $time.
        datetime: The layout of $datetime, or of the time in a named format, also caddy, if it differs from the usual
            one.
        follow: Wait for more lines, also in a new file of the same name.
        dry_run: Read everything, print what would be imported, and change nothing.
        anew: Import all lines, even those that were imported before.
    """
    options = ImportOptions(
        file=file,
        form=given_format or _format(file),
        site=site,
        exclude=exclude,
        layouts=Layouts(date or None, time or None, datetime or None),
        follow=follow,
        anew=anew,
    )
    _check(options)
    report = Report()
    with progress("Importing") as show_progress:
        try:
            asyncio.run(
                _dry_run(options, settings, report) if dry_run else _import(options, settings, report, show_progress)
            )
        except (InputRefused, StoreUnavailable) as error:
            msg = f"{error}. {_stored(report, dry_run=dry_run)}"
            raise type(error)(msg) from error
        except KeyboardInterrupt:
            msg = f"interrupted. {_stored(report, dry_run=dry_run)}"
            raise KeyboardInterrupt(msg) from None
    print(_summary(report, options.form, dry_run=dry_run), file=sys.stderr)
    if report.failed:
        sys.exit(1)


def _format(file: Path) -> str:
    name = file.name.lower()
    if form := next((form for suffix, form in SUFFIXES.items() if name.endswith(suffix)), None):
        return form
    formats = ", ".join(LOG_FORMATS)
    msg = f"the name {file} has no suffix of a format; give --format csv, json, parquet, {formats} or log:FORMAT"
    raise InputRefused(msg)


def _check(options: ImportOptions) -> None:
    """Check that the options fit together and the file can be read, before anything else is opened."""
    if options.form in FILE_FORMATS:
        if tuple(options.exclude) not in (DEFAULT, ("",)):
            msg = f"--exclude is for logs; a file of the format {options.form} is imported as a whole"
            raise InputRefused(msg)
        if options.follow:
            msg = f"--follow is for logs; a file of the format {options.form} does not grow"
            raise InputRefused(msg)
        for name in TIMES:
            if getattr(options.layouts, name) is not None:
                msg = f"--{name} is for logs; a file of the format {options.form} has its own way to write times"
                raise InputRefused(msg)
    else:
        log_reader(options.form, options.layouts, rules(options.exclude), seconds)
    if is_stream(options.file) and (options.follow or options.form in ("json", "parquet")):
        msg = "that is not possible with standard input or a pipe; name a file"
        raise InputRefused(msg)
    if not is_stream(options.file):
        options.file.open("rb").close()


async def _import(
    options: ImportOptions, settings: AnalyticsSettings, report: Report, show_progress: ShowProgress
) -> None:
    async with opened_target(options.site, settings, waits_shown(show_progress)) as target:
        collect_rarely()
        await asyncio.to_thread(target.journal.tidy)
        while True:
            source = await asyncio.to_thread(opened_source, options, target.journal)
            try:
                await _follow(options, source, target, report, show_progress)
            finally:
                source.close()
            if not options.follow:
                break
        if text := annotation_of(report, FILE_KINDS.get(options.form, "a log")):
            await target.annotate(text)


async def _follow(
    options: ImportOptions, source: ImportSource, target: SiteTarget, report: Report, show_progress: ShowProgress
) -> None:
    """Import a file; with ``follow``, until another file has its name."""
    report.before = report.lines = source.start.lines
    journal = None if is_stream(options.file) else target.journal
    anew = secrets.token_hex(8) if options.anew else ""
    work = _work(source, target.sink, report, journal=journal, anew=anew, show_progress=show_progress)
    await work.run()
    while options.follow:
        await asyncio.sleep(LOOKED_AT_EVERY_S)
        renewed = await asyncio.to_thread(source.renewed)
        await work.run()
        if renewed:
            return


async def _dry_run(options: ImportOptions, settings: AnalyticsSettings, report: Report) -> None:
    if options.site and is_url(options.site):
        async with ApiSink(server_url(options.site), token("count"), waits=waits_shown(nothing)):
            pass  # only checks the server and the token
    knowledge = await asyncio.to_thread(Knowledge.load, None, settings.spam_referrers)
    has_journal = options.site is not None and (is_url(options.site) or options.site.isdigit())
    journal = journal_of(options.site, settings) if has_journal and options.site else None
    source = await asyncio.to_thread(opened_source, options, journal)
    report.before = report.lines = source.start.lines
    await _work(source, DrySink(knowledge), report, journal=None, anew="", show_progress=nothing).run()
    source.close()


def _work(  # noqa: PLR0913  # who does what
    source: ImportSource,
    sink: Sink,
    report: Report,
    *,
    journal: ImportJournal | None,
    anew: str,
    show_progress: ShowProgress,
) -> Import:
    def text_of(bad: BadLine) -> str:
        return f"line {bad.number}: {bad.reason}"

    def on_batch(report: Report, batch: ImportBatch) -> None:
        show_progress(batch.done, batch.total, f"{report.lines:,} lines")

    return Import(
        source, sink, report, journal=journal, anew=anew, progress=on_batch, on_bad_line=bad_lines_shown(text_of)
    )


def opened_source(options: ImportOptions, journal: ImportJournal | None) -> ImportSource:
    """Open the file at the first line that has not been imported yet.

    Raises:
        InputRefused: the file is not of its format.
    """
    entries: Iterable[ImportRecord] = () if journal is None or options.anew else journal.entries()
    return source_of(
        options.file,
        options.form,
        until_by_mark={entry.mark: entry.until for entry in entries},
        exclude=options.exclude,
        layouts=options.layouts,
        growing=options.follow,
    )


def _stored(report: Report, *, dry_run: bool) -> str:
    if dry_run or not report.lines:
        return "Nothing was stored"
    return f"Lines 1 to {report.lines} are stored; the same command continues after them"


def _summary(report: Report, form: str, *, dry_run: bool) -> str:
    """The summary of an import of lines."""
    empty = report.empty if form not in FILE_FORMATS else 0
    parts = summary_parts(report, report.excluded, "lines")
    if empty > 0:
        parts.insert(len(parts) - bool(report.before), f"skipped {empty:,} lines without a hit")
    return f"{WOULD_BE if dry_run else 'imported '}{', '.join(parts)}"
