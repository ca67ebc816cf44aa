"""``tallystick import``: hits from GoatCounter, from our own exports and from logs."""

import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from tallystick.cli.support.progress import Tell, progress
from tallystick.cli.support.site_access import SiteTarget, Waits, is_url, journal_of, opened_target, token
from tallystick.cli.transfer import File
from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.services.imports import json_zip, parquet
from tallystick.services.imports.batches import ImportBatch, ImportSource
from tallystick.services.imports.csv_v2 import csv_reader
from tallystick.services.imports.directly import DrySink
from tallystick.services.imports.excluding import DEFAULT, rules
from tallystick.services.imports.journal import ImportJournal, ImportRecord
from tallystick.services.imports.lines import LineFile, is_stream
from tallystick.services.imports.log_lines import TIMES
from tallystick.services.imports.logs import LOG_FORMATS, Layouts, log_reader
from tallystick.services.imports.rows import RowFile
from tallystick.services.imports.running import BOTS, LOOKED_AT_EVERY_S, Import, Report, Sink
from tallystick.services.imports.through_api import ApiSink
from tallystick.services.imports.told import BadLine
from tallystick.services.ingest.ingest import Knowledge
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import parquet_row_count, seconds

BAD_LINES_SHOWN = 20
REASONS_SHOWN = 5
CUT = "with a title or referrer that was too long and was cut"
FILE_FORMATS = ("csv", "json", "parquet")
SUFFIXES = {**dict.fromkeys((".csv", ".csv.gz", ".csv.bz2", ".csv.xz"), "csv"), ".zip": "json", ".parquet": "parquet"}

Flag = Annotated[bool, Parameter(negative=())]
Word = Annotated[str | None, Parameter(show_default=False)]


class Given(Struct, frozen=True, kw_only=True):
    """What a person has asked for."""

    file: Path
    form: str
    site: str | None
    exclude: Sequence[str]
    layouts: Layouts
    follow: bool
    anew: bool


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
    """Import hits from a file, each line once.

    What was imported already is passed over, also when the file has grown or has another name; an import that was
    cut short goes on where it was. At the end it says what became of every line; the exit status is 1 where nothing
    could be used.

    Through a server, hits are sent to its API with the token in TALLYSTICK_TOKEN, which needs the permission count.
    Without one they go straight into the data directory.

    Args:
        file: A file, compressed by gzip, bzip2 or xz, or not. - is standard input; of it, and of pipes, nothing is
            remembered.
        site: Where to: the URL of a running server at the site's host; or, in a data directory that no server
            holds, the site's id or Host, which the only site of a server does not need.
        given_format: csv (GoatCounter's version 2), json (its ZIP), parquet (our own), common, common-vhost,
            combined, combined-vhost, bunny, caddy, or log: and a format made of $remote_addr $xff $datetime $date
            $time $method $status $http $path $url $query $referrer $user_agent $host $content_type $size
            $timing_sec $timing_milli $timing_micro $ignore. Needed where the name of the file does not say.
        exclude: Lines of a log to leave out, may be repeated: [!]FIELD:[glob:|re:]PATTERN with the names above;
            without glob: or re: it is a part of the text. static stands for scripts, styles, images and the like,
            redirect and error for their statuses, html for what is not HTML by its $content_type. An empty one
            leaves out nothing. HEAD and OPTIONS never count.
        date: How $date looks, as the moment 2006-01-02 15:04:05 -0700 would look. Also ansic, unix, rfc822,
            rfc822z, rfc850, rfc1123, rfc1123z, rfc3339, rfc3339nano, unix_sec, unix_milli, unix_nano,
            unix_sec_float and unix_milli_float.
        time: How $time looks.
        datetime: How $datetime looks, or the time in a format that has a name, caddy too; as usual there if not
            given.
        follow: Wait for more lines, also in a file that takes this one's name.
        dry_run: Read everything, tell what would be imported, and change nothing.
        anew: Import even what was imported already.
    """
    given = Given(
        file=file,
        form=given_format or _format(file),
        site=site,
        exclude=exclude,
        layouts=Layouts(date or None, time or None, datetime or None),
        follow=follow,
        anew=anew,
    )
    _check(given)
    report = Report()
    with progress("Importing") as tell:
        try:
            asyncio.run(_dry_run(given, settings, report) if dry_run else _import(given, settings, report, tell))
        except (InputRefused, StoreUnavailable) as error:
            msg = f"{error}. {_stored(report, dry_run=dry_run)}"
            raise type(error)(msg) from error
        except KeyboardInterrupt:
            msg = f"interrupted. {_stored(report, dry_run=dry_run)}"
            raise KeyboardInterrupt(msg) from None
    print(_summary(report, given.form, dry_run=dry_run), file=sys.stderr)
    if report.failed:
        sys.exit(1)


def _format(file: Path) -> str:
    name = file.name.lower()
    if found := next((form for suffix, form in SUFFIXES.items() if name.endswith(suffix)), None):
        return found
    msg = f"{file} does not tell its format; give --format csv, json, parquet, {', '.join(LOG_FORMATS)} or log:FORMAT"
    raise InputRefused(msg)


def _check(given: Given) -> None:
    """Refuse what does not go together, and a file that cannot be read, before anything else is opened."""
    if given.form in FILE_FORMATS:
        if tuple(given.exclude) not in (DEFAULT, ("",)):
            msg = f"--exclude is for logs; a file of the format {given.form} is imported as a whole"
            raise InputRefused(msg)
        if given.follow:
            msg = f"--follow is for logs; a file of the format {given.form} does not grow"
            raise InputRefused(msg)
        for name in TIMES:
            if getattr(given.layouts, name) is not None:
                msg = f"--{name} is for logs; a file of the format {given.form} has its own way to write times"
                raise InputRefused(msg)
    else:
        log_reader(given.form, given.layouts, rules(given.exclude), seconds)
    if is_stream(given.file) and (given.follow or given.form in ("json", "parquet")):
        msg = "that is not possible with standard input or a pipe; name a file"
        raise InputRefused(msg)
    if not is_stream(given.file):
        given.file.open("rb").close()


async def _import(given: Given, settings: AnalyticsSettings, report: Report, tell: Tell) -> None:
    async with opened_target(given.site, settings, _waits(tell)) as target:
        await asyncio.to_thread(target.journal.tidy)
        while True:
            source = await asyncio.to_thread(opened_source, given, target.journal)
            try:
                await _follow(given, source, target, report, tell)
            finally:
                source.close()
            if not given.follow:
                return


async def _follow(given: Given, source: ImportSource, target: SiteTarget, report: Report, tell: Tell) -> None:
    """Import a file; when it is to be followed, until another one takes its name."""
    report.before = report.lines = source.start.lines
    journal = None if is_stream(given.file) else target.journal
    anew = secrets.token_hex(8) if given.anew else ""
    work = _work(source, target.sink, report, journal=journal, anew=anew, tell=tell)
    await work.run()
    while given.follow:
        await asyncio.sleep(LOOKED_AT_EVERY_S)
        renewed = await asyncio.to_thread(source.renewed)
        await work.run()
        if renewed:
            return


async def _dry_run(given: Given, settings: AnalyticsSettings, report: Report) -> None:
    if given.site and is_url(given.site):
        async with ApiSink(given.site, token("count"), waits=_waits(_nothing)):
            pass  # only the server and the token were to be checked
    knowledge = await asyncio.to_thread(Knowledge.load, None, settings.spam_referrers)
    known = given.site is not None and (is_url(given.site) or given.site.isdigit())
    journal = journal_of(given.site, settings) if known and given.site else None
    source = await asyncio.to_thread(opened_source, given, journal)
    report.before = report.lines = source.start.lines
    await _work(source, DrySink(knowledge), report, journal=None, anew="", tell=_nothing).run()
    source.close()


def _work(  # noqa: PLR0913  # who does what
    source: ImportSource, sink: Sink, report: Report, *, journal: ImportJournal | None, anew: str, tell: Tell
) -> Import:
    shown = iter(range(BAD_LINES_SHOWN + 1))

    def told_bad(bad: BadLine) -> None:
        number = next(shown, None)
        if number == BAD_LINES_SHOWN:
            print("more lines like these are only counted", file=sys.stderr)
        elif number is not None:
            print(f"line {bad.number}: {bad.reason}", file=sys.stderr)

    def told(report: Report, batch: ImportBatch) -> None:
        tell(batch.done, batch.total, f"{report.lines:,} lines")

    return Import(source, sink, report, journal=journal, anew=anew, progress=told, told_bad=told_bad)


def opened_source(given: Given, journal: ImportJournal | None) -> ImportSource:
    """The file, from where it has not been imported yet.

    Raises:
        InputRefused: it is not of its format.
    """
    entries: Iterable[ImportRecord] = () if journal is None or given.anew else journal.entries()
    found = {entry.mark: entry.until for entry in entries}
    marks, until = list(found), list(found.values())
    if given.form == "json":
        total = json_zip.visit_count(given.file)
        return RowFile(given.file, json_zip.visits(given.file, seconds), total=total, marks=marks)
    if given.form == "parquet":
        total = parquet_row_count(given.file)
        return RowFile(given.file, parquet.hits(given.file, seconds), total=total, marks=marks)
    if given.form == "csv":
        return LineFile(given.file, csv_reader(seconds), quoted=True, marks=marks, until=until)
    read = log_reader(given.form, given.layouts, rules(given.exclude), seconds)
    return LineFile(given.file, read, marks=marks, until=until, growing=given.follow)


def _waits(tell: Tell) -> Waits:
    def waits(pause: float, reason: str, /) -> None:
        tell(0, 0, f"waiting {pause:.0f} s: {reason}")
        if pause > LOOKED_AT_EVERY_S:
            print(f"waiting {pause:.0f} s: {reason}", file=sys.stderr)

    return waits


def _nothing(_done: int, _total: int, _note: str = "", /) -> None:
    """Nobody watches."""


def _stored(report: Report, *, dry_run: bool) -> str:
    if dry_run or not report.lines:
        return "Nothing was stored"
    return f"Lines 1 to {report.lines} are stored; the same command goes on behind them"


def _summary(report: Report, form: str, *, dry_run: bool) -> str:
    """What was done, in one line."""
    parts = [f"{report.stored:,} hits"]
    if report.stored and report.first is not None and report.last is not None:
        parts[0] += f" from {_day(report.first)} to {_day(report.last)}"
    if kinds := _listed(Counter({BOTS: report.notes[BOTS], CUT: report.cut})):
        parts.append(f"of which {kinds}")
    if report.refused:
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in report.reasons.most_common(REASONS_SHOWN))
        parts.append(f"not accepted {report.refused:,} ({reasons})")
    if report.dropped:
        parts.append(f"not wanted {_listed(Counter({**report.notes, BOTS: 0}))}")
    if report.excluded:
        parts.append(f"left out {_listed(report.excluded)}")
    if report.bad:
        parts.append(f"not understood {report.bad:,} lines")
    if report.empty > 0 and form not in FILE_FORMATS:
        parts.append(f"passed over {report.empty:,} lines without a hit")
    if report.before:
        parts.append(f"imported before {report.before:,} lines")
    return f"{'nothing was changed; it would be: ' if dry_run else 'imported '}{', '.join(parts)}"


def _listed(counts: Counter[str]) -> str:
    return " and ".join(f"{count:,} {name}" for name, count in counts.most_common() if count)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
