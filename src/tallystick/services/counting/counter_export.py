"""Exporting counters."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tallystick.ledger import Session
from tallystick.model.counter import alive
from tallystick.model.key import is_public
from tallystick.services.counting.counter_files import CSV_HEADER, CounterRow, Format, row_of, to_csv, to_json

ROWS_AT_ONCE = 5_000


class CounterPage(NamedTuple):
    """Some counters.

    Attributes:
        stored: how many the ledger holds in this place: ``living`` and expired ones, and numbers of shared counters.
        lines: the living ones, as they are written.
    """

    stored: int
    living: int
    lines: bytes


def export(session: Session, form: Format, now: int) -> Iterator[CounterPage]:
    """The living public counters of an open snapshot, in storage order. Held in memory at once is one page."""
    encode: Callable[[list[CounterRow]], bytes] = to_csv if form == "csv" else to_json
    if form == "csv":
        yield CounterPage(0, 0, CSV_HEADER)
    page = session.page(None, ROWS_AT_ONCE)
    while page:
        rows = [row_of(key, counter) for key, counter in page if is_public(key) and alive(counter, now)]
        yield CounterPage(len(page), len(rows), encode(rows))
        page = session.page(page[-1][0], ROWS_AT_ONCE)
