"""Exporting counters."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tallystick.ledger import Session
from tallystick.model.counter import alive
from tallystick.model.key import is_public
from tallystick.services.counting.counter_files import CSV_HEADER, CounterRow, Format, row_of, to_csv, to_json

ROWS_AT_ONCE = 5_000


class CounterPage(NamedTuple):
    """A page of counters.

    Attributes:
        stored: rows that were read: ``living`` and expired counters, and numbers of shared counters.
        lines: the living counters, encoded.
    """

    stored: int
    living: int
    lines: bytes


def export(session: Session, form: Format, now: int) -> Iterator[CounterPage]:
    """The living public counters of an open snapshot, in storage order. Only one page is in memory at a time."""
    encode: Callable[[list[CounterRow]], bytes] = to_csv if form == "csv" else to_json
    if form == "csv":
        yield CounterPage(0, 0, CSV_HEADER)
    page = session.page(None, ROWS_AT_ONCE)
    while page:
        rows = [row_of(key, counter) for key, counter in page if is_public(key) and alive(counter, now)]
        yield CounterPage(len(page), len(rows), encode(rows))
        page = session.page(page[-1][0], ROWS_AT_ONCE)
