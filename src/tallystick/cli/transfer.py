"""``tallystick counter import`` and ``export``: counters in files."""

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
    foretelling,
    import_counters,
    rows_at_once,
    storing,
)
from tallystick.services.files import whole_file
from tallystick.settings import CounterSettings, StorageSettings

STANDARD = Path("-")
FORMATS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def _no_option(_type: Any, file: Path) -> None:  # noqa: ANN401  # cyclopts hands the type in
    if file != STANDARD and str(file).startswith("-"):
        msg = f"there is no option {file}; a file of that name is ./{file}"
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
    """Write all public counters, as they are at one instant, to a file.

    Columns: namespace, key, value, update_lowerbound, update_upperbound, enable_reset, and created and expires in
    Unix milliseconds. Counters whose lifetime is over are left out.

    Args:
        file: A .csv or .jsonl file; it appears when it is whole. - is standard output.
        given_format: How to write it, where the name of the file does not say; csv on standard output.
        force: Replace the file if it exists.
    """
    form, now, written, through = _format(file, given_format), milliseconds(), 0, 0
    with (
        opened_ledger(settings) as (_, session),
        _destination(file, force=force) as stream,
        progress("Exporting") as tell,
        session.snapshot(),
    ):
        total = session.size()
        for page in counter_export.export(session, form, now):
            stream.write(page.lines)
            written += page.living
            through += page.stored
            tell(through, total, f"{through:,} counters")
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
    those of export, in any order. Only key (or name) and value must be there. What is brought back so can only be
    counted up, by one at a time, unless update_lowerbound and update_upperbound say otherwise.

    The file is worked through in batches. At the first line that makes no sense the import stops: what comes before
    that line is stored, and the file can be imported again when the line is corrected.

    Args:
        file: A .csv or .jsonl file. - is standard input.
        given_format: How to read it, where the name of the file does not say; csv on standard input.
        existing: What happens to a counter that exists already.
        dry_run: Check every line, tell what would happen, and change nothing. A name that the file has twice, far
            apart, is told as created twice.
    """
    form, now = _format(file, given_format), milliseconds()
    read = from_csv if form == "csv" else from_json
    done = Imported()

    def told(bad: BadCounterLine) -> None:
        if not dry_run:
            msg = f"line {bad.number}: {bad.reason}"
            raise InputRefused(msg)
        print(f"line {bad.number}: {bad.reason}", file=sys.stderr)

    with _source(file) as stream, _store(settings, foretold=dry_run) as (store, at_once), progress("Importing") as tell:
        size = _size(stream)
        lines = read(stream, now, settings.counter_lifetime)
        try:
            for done in import_counters(
                lines, store, now, rows_at_once=at_once, replaces=existing == "replace", told=told
            ):
                tell(stream.tell() if size else 0, size, f"{done.through:,} lines")
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
    if found := given or FORMATS.get(file.suffix.lower()) or ("csv" if file == STANDARD else None):
        return found
    msg = f"the name {file} does not tell the format; give --format csv or --format jsonl"
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
def _store(settings: StorageSettings, *, foretold: bool) -> Iterator[tuple[Store, int]]:
    with opened_ledger(settings) as (database, session):
        store = foretelling(session) if foretold else storing(database, session)
        yield _considerate(store) if server_runs(settings.data) else store, rows_at_once(database)


def _considerate(store: Store) -> Store:
    """Leave as much time to a running server as is taken from it; SQLite lets one write at a time."""

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
        counts.append(f"left out {done.expired:,} whose lifetime is over")
    if done.bad:
        counts.append(f"not understood {done.bad:,} lines")
    return f"{'nothing was changed; it would be: ' if dry_run else ''}{', '.join(counts)}"
