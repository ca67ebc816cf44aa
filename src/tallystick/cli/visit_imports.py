"""``tallystick import umami`` and ``tallystick import ga4``: import hits with their visits from other programs."""

import asyncio
import secrets
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from tallystick.cli.support.garbage_collector import collect_rarely
from tallystick.cli.support.import_reports import WOULD_BE, bad_lines_shown, nothing, waits_shown
from tallystick.cli.support.progress import ShowProgress, progress
from tallystick.cli.support.site_access import is_url, journal_of, opened_target, server_url, token
from tallystick.cli.transfer import File
from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.services.imports.api_sink import ApiSink
from tallystick.services.imports.batches import ImportBatch
from tallystick.services.imports.direct_sink import DrySink
from tallystick.services.imports.export_files import ExportFiles, ExportReader
from tallystick.services.imports.ga4 import Ga4Reader
from tallystick.services.imports.ga4_report import Ga4ReportReader
from tallystick.services.imports.journal import ImportJournal
from tallystick.services.imports.lines import is_stream
from tallystick.services.imports.parsed import BadLine
from tallystick.services.imports.running import Import, OnBadLine, Report, Sink
from tallystick.services.imports.sorting import sorted_visits
from tallystick.services.imports.summaries import PROGRAMS, annotation_of, summary_parts
from tallystick.services.imports.umami import UmamiReader
from tallystick.services.imports.visit_file import VisitFile
from tallystick.services.ingest.ingest import Knowledge
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import seconds

Flag = Annotated[bool, Parameter(negative=())]
SiteOfImport = Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)]


class VisitOptions(Struct, frozen=True, kw_only=True):
    """The options that both commands have.

    Attributes:
        program: the name of the other program.
        site: a URL, or a site of the data directory.
        host: of the site, if the URL is of a server and not of the site.
    """

    program: str
    file: Path
    site: str | None
    host: str | None
    dry_run: bool
    anew: bool


def umami(  # noqa: PLR0913  # one an option
    file: File,
    /,
    *,
    site: SiteOfImport = None,
    url: Annotated[str | None, Parameter(metavar="URL", show_default=False)] = None,
    website: Annotated[str | None, Parameter(metavar="ID", show_default=False)] = None,
    dry_run: Flag = False,
    anew: Flag = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Import page views and events of Umami, with their visits, each once.

    Hits that were imported before from the same file are skipped; an interrupted import continues where it stopped.
    At the end a summary is printed. The exit status is 1 if no line could be used.

    With a URL, hits are sent to the API of the running server with the token in TALLYSTICK_TOKEN, which needs the
    permission count. Without a URL they are written directly into the data directory.

    Args:
        file: The ZIP of Umami's export, or a table of hits as CSV, also compressed by gzip, bzip2 or xz. A ZIP may
            have the tables website_event, session and event_data of a database. Standard input is -.
        site: The URL of a running server at the site's host; with --url the site's host there; or, in a data
            directory that no server uses, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
        website: The id of the website in Umami whose hits are imported, needed if there are several.
        dry_run: Read everything, print what would be imported, and change nothing.
        anew: Import all hits, even those that were imported before.
    """
    options = _options("umami", file, site, url, dry_run=dry_run, anew=anew)
    _run(options, UmamiReader(website), settings)


def ga4(  # noqa: PLR0913  # one an option
    file: File,
    /,
    *,
    site: SiteOfImport = None,
    url: Annotated[str | None, Parameter(metavar="URL", show_default=False)] = None,
    dry_run: Flag = False,
    anew: Flag = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Import page views and events of Google Analytics 4, each once.

    BigQuery's export has single hits, which keep their visits; a report as CSV has numbers of views by day and page.
    Hits that were imported before from the same file are skipped; an interrupted import continues where it stopped.
    At the end a summary is printed. The exit status is 1 if no line could be used.

    With a URL, hits are sent to the API of the running server with the token in TALLYSTICK_TOKEN, which needs the
    permission count. Without a URL they are written directly into the data directory.

    Args:
        file: Tables events_YYYYMMDD of BigQuery as newline-delimited JSON, also compressed by gzip, bzip2 or xz or as
            several files in a ZIP; or a report with the columns Date, Page path and Views, whose name ends in .csv.
            Standard input, which is -, must be JSON.
        site: The URL of a running server at the site's host; with --url the site's host there; or, in a data
            directory that no server uses, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
        dry_run: Read everything, print what would be imported, and change nothing.
        anew: Import all hits, even those that were imported before.
    """
    options = _options("ga4", file, site, url, dry_run=dry_run, anew=anew)
    is_report = file.name.lower().endswith(Ga4ReportReader.suffixes)
    _run(options, Ga4ReportReader() if is_report else Ga4Reader(), settings)


def _options(  # noqa: PLR0913  # one an option
    program: str, file: Path, site: str | None, url: str | None, *, dry_run: bool, anew: bool
) -> VisitOptions:
    if url is not None:
        if not is_url(url):
            msg = f"--url must begin with http:// or https://, not {url[:50]!r}"
            raise InputRefused(msg)
        if site is not None and is_url(site):
            msg = "with --url, --site is the host of a site"
            raise InputRefused(msg)
    host = None if url is None else site
    return VisitOptions(program=program, file=file, site=url or site, host=host, dry_run=dry_run, anew=anew)


def _run(options: VisitOptions, reader: ExportReader, settings: AnalyticsSettings) -> None:
    if not is_stream(options.file):
        options.file.open("rb").close()
    with progress("Importing") as show_progress:
        work = VisitImport(options, reader, settings, show_progress)
        try:
            asyncio.run(work.dry_run() if options.dry_run else work.run())
        except (InputRefused, StoreUnavailable) as error:
            msg = f"{error}. {work.stored()}"
            raise type(error)(msg) from error
        except KeyboardInterrupt:
            msg = f"interrupted. {work.stored()}"
            raise KeyboardInterrupt(msg) from None
    print(work.summary(), file=sys.stderr)
    if work.failed:
        sys.exit(1)


class VisitImport:
    """The work of a command."""

    def __init__(
        self, options: VisitOptions, reader: ExportReader, settings: AnalyticsSettings, show_progress: ShowProgress
    ) -> None:
        self._options, self._reader, self._settings = options, reader, settings
        self._show_progress = show_progress
        self._report = Report()
        self._skipped = Counter[str]()

    @property
    def failed(self) -> bool:
        """Whether no line could be used."""
        return self._report.failed and not self._skipped.total()

    async def run(self) -> None:
        """Import the file."""
        options = self._options
        async with opened_target(
            options.site, self._settings, waits_shown(self._show_progress), host=options.host
        ) as target:
            collect_rarely()
            await asyncio.to_thread(target.journal.tidy)
            await self._read_and_send(target.sink, None if is_stream(options.file) else target.journal)
            if text := annotation_of(self._report, f"an export of {PROGRAMS.get(options.program, options.program)}"):
                await target.annotate(text)

    async def dry_run(self) -> None:
        """Read the file, and check everything."""
        site, host = self._options.site, self._options.host
        if site and is_url(site):
            async with ApiSink(server_url(site), token("count"), waits=waits_shown(nothing), host=host):
                pass  # only checks the server and the token
        has_journal = site and (is_url(site) or site.isdigit()) and not is_stream(self._options.file)
        journal = journal_of(site, self._settings, host=host) if site and has_journal else None
        knowledge = await asyncio.to_thread(Knowledge.load, None, self._settings.spam_referrers)
        await self._read_and_send(DrySink(knowledge), journal)

    def stored(self) -> str:
        """How far an import came that was cut short."""
        if self._options.dry_run or not self._report.lines:
            return "Nothing was stored"
        return f"The first {self._report.lines:,} hits are stored; the same command continues after them"

    def summary(self) -> str:
        """What was imported, in one line."""
        parts = summary_parts(self._report, self._skipped, "hits")
        if self._report.visits:
            parts[0] = parts[0].replace("hits", f"hits in {self._report.visits:,} visits", 1)
        return f"{WOULD_BE if self._options.dry_run else 'imported '}{', '.join(parts)}"

    async def _read_and_send(self, sink: Sink, journal: ImportJournal | None) -> None:
        options, report = self._options, self._report

        def on_read(done: int, total: int, hits: int) -> None:
            self._show_progress(done, total, f"reading, {hits:,} hits")

        async with sorted_visits(options.file, self._reader, on_read) as (files, table):
            entries = await asyncio.to_thread(journal.entries) if journal and not options.anew else ()
            marks = [entry.mark for entry in entries]
            source = VisitFile(options.program, table, files.digest, marks=marks, now=seconds)
            report.before = report.lines = source.start.lines
            if not source.start.position:
                self._skipped.update(table.skipped)

            def on_batch(report: Report, batch: ImportBatch) -> None:
                self._show_progress(batch.done, batch.total, f"{report.lines:,} of {table.hits:,} hits")

            await Import(
                source,
                sink,
                report,
                journal=None if options.dry_run else journal,
                anew=secrets.token_hex(8) if options.anew else "",
                progress=on_batch,
                on_bad_line=_shown(files),
            ).run()


def _shown(files: ExportFiles) -> OnBadLine:
    def text_of(bad: BadLine) -> str:
        return f"{files.where(bad.number)}: {bad.reason}"

    return bad_lines_shown(text_of)
