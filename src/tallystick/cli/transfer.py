"""``tallystick counter import`` and ``tallystick counter export``."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from cyclopts import Parameter

from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.progress import progress
from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.ledger.folding import CounterWrite
from tallystick.ledger.ledger import milliseconds
from tallystick.model.counter import Outcome
from tallystick.services.counting import counter_export
from tallystick.services.counting.counter_files import BadCounterLine, Format, from_csv, from_json
from tallystick.services.counting.counter_import import (
    Imported,
    Store,
    dry_run_store,
    import_counters,
    ledger_store,
    rows_at_once,
)
from tallystick.services.files import whole_file
from tallystick.settings import CounterSettings, StorageSettings

STANDARD = Path("-")
FORMATS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def _no_option(_type: Any, file: Path) -> None:  # noqa: ANN401  # cyclopts hands the type in
    if file != STANDARD and str(file).startswith("-"):
        msg = f"there is no option {file}; for a file of that name write ./{file}"
        raise ValueError(msg)


File = Annotated[Path, Parameter(allow_leading_hyphen=True, validator=_no_option)]
GivenFormat = Annotated[Format | None, Parameter(name="--format")]


def export(
    file: File,
    /,
    *,
    given_format: GivenFormat = None,
    force: Annotated[bool, Parameter(negative=())] = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Write a consistent snapshot of all public counters to a file.

    Columns: namespace, key, value, update_lowerbound, update_upperbound, enable_reset, and created and expires in
    Unix milliseconds. Expired counters are left out.

    Args:
        file: A .csv or .jsonl file; it appears when it is complete. - is standard output.
        given_format: Needed if the file's name has another suffix; csv by default on standard output.
        force: Replace the file if it exists.
    """
    form, now, written, through = _format(file, given_format), milliseconds(), 0, 0
    with (
        opened_ledger(settings) as (_, session),
        _destination(file, force=force) as stream,
        progress("Exporting") as show_progress,
        session.snapshot(),
    ):
        total = session.size()
        for page in counter_export.export(session, form, now):
            stream.write(page.lines)
            written += page.living
            through += page.stored
            show_progress(through, total, f"{through:,} counters")
    print(f"{written:,} counters exported", file=sys.stderr)


def import_(
    file: File,
    /,
    *,
    given_format: GivenFormat = None,
    existing: Literal["keep", "replace"] = "keep",
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    settings: CounterSettings = CounterSettings(),
) -> None:
    """Create counters from a file.

    One counter a line: mysite.com/visits,136 is enough. The first line of CSV may name the columns: name,value, or
    those of export, in any order. Only key (or name) and value are required. Without update_lowerbound and
    update_upperbound, an imported counter can only be incremented by one.

    Numbers of busuanzi and Vercount have the page's address first: https://blog.example.com/post/,page_pv,1204.

    The file is imported in batches. At the first invalid line the import stops: all lines before it are stored, and the
    file can be imported again when the line is corrected.

    Args:
        file: A .csv or .jsonl file. - is standard input.
        given_format: Needed if the file's name has another suffix; csv by default on standard input.
        existing: What to do with a counter that exists already.
        dry_run: Check every line, print what would happen, and change nothing. A name that the file has twice, far
            apart, is counted as created twice.
    """
    form, now = _format(file, given_format), milliseconds()
    read = from_csv if form == "csv" else from_json
    done = Imported()

    def on_bad_line(bad: BadCounterLine) -> None:
        if not dry_run:
            msg = f"line {bad.number}: {bad.reason}"
            raise InputRefused(msg)
        print(f"line {bad.number}: {bad.reason}", file=sys.stderr)

    with (
        _source(file) as stream,
        _store(settings, dry_run=dry_run) as (store, at_once),
        progress("Importing") as show_progress,
    ):
        size = _size(stream)
        lines = read(stream, now, settings.counter_lifetime)
        try:
            for done in import_counters(
                lines, store, now, rows_at_once=at_once, replaces=existing == "replace", on_bad_line=on_bad_line
            ):
                show_progress(stream.tell() if size else 0, size, f"{done.through:,} lines")
        except (InputRefused, StoreUnavailable) as error:
            msg = f"{error}. {_stored(done, dry_run=dry_run)}"
            raise type(error)(msg) from error
        except KeyboardInterrupt:
            msg = f"interrupted. {_stored(done, dry_run=dry_run)}"
            raise KeyboardInterrupt(msg) from None
    print(_summary(done, dry_run=dry_run), file=sys.stderr)
    if done.bad:
        sys.exit(1)


def _format(file: Path, given: Format | None) -> Format:
    if form := given or FORMATS.get(file.suffix.lower()) or ("csv" if file == STANDARD else None):
        return form
    msg = f"the name {file} has no suffix of a format; give --format csv or --format jsonl"
    raise InputRefused(msg)


@contextmanager
def _destination(file: Path, *, force: bool) -> Iterator[BinaryIO]:
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    with whole_file(file, replaces=force) as partial, partial.open("wb") as stream:
        yield stream


@contextmanager
def _source(file: Path) -> Iterator[BinaryIO]:
    if file == STANDARD:
        yield sys.stdin.buffer
        return
    with file.open("rb") as stream:
        yield stream


def _size(stream: BinaryIO) -> int:
    if not stream.seekable():
        return 0
    here = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    stream.seek(here)
    return size


@contextmanager
def _store(settings: StorageSettings, *, dry_run: bool) -> Iterator[tuple[Store, int]]:
    with opened_ledger(settings) as (database, session):
        store = dry_run_store(session) if dry_run else ledger_store(database, session)
        yield _considerate(store) if server_runs(settings.data) else store, rows_at_once(database)


def _considerate(store: Store) -> Store:
    """Pause after each batch for as long as it took, so that a running server can write in between (SQLite)."""

    def stored(batch: Sequence[CounterWrite], now: int) -> Sequence[Outcome]:
        started = time.monotonic()
        outcomes = store(batch, now)
        time.sleep(time.monotonic() - started)
        return outcomes

    return stored


def _stored(done: Imported, *, dry_run: bool) -> str:
    if dry_run or not done.through:
        return "Nothing was stored"
    return f"Lines 1 to {done.through} are stored; the whole file can be imported again"


def _summary(done: Imported, *, dry_run: bool) -> str:
    counts = [f"created {done.created:,}", f"replaced {done.replaced:,}", f"kept {done.kept:,}"]
    if done.expired:
        counts.append(f"left out {done.expired:,} expired")
    if done.bad:
        counts.append(f"could not read {done.bad:,} lines")
    return f"{'nothing was changed; it would be: ' if dry_run else ''}{', '.join(counts)}"
