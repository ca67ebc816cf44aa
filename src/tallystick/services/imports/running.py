"""Runs an import: reads a file batch by batch and sends the hits to a site."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from msgspec import Struct, field

from tallystick.services.imports.batches import ImportBatch, ImportSource
from tallystick.services.imports.bounds import refuse_nothing_but_bad
from tallystick.services.imports.cutting import cut
from tallystick.services.imports.journal import ImportJournal, ImportRecord
from tallystick.services.imports.marks import FileMark, batch_key
from tallystick.services.imports.parsed import BadLine
from tallystick.services.ingest.ingest import Arrival

LOOKED_AT_EVERY_S = 5.0
"""Interval at which a followed file is checked for new lines."""


class BatchResult(NamedTuple):
    """The result of sending a batch.

    Attributes:
        refused: messages about invalid hits, by index.
        notes: numbers of dropped hits by reason, and of bots' hits, as far as the sink knows.
    """

    refused: dict[int, str]
    notes: dict[str, int]


class Sink(Protocol):
    """The destination of hits.

    Attributes:
        most: the greatest number of lines in one batch.
    """

    most: int

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> BatchResult:
        """Store a batch of hits; a batch with a key that was used before is not stored again."""


class Report(Struct):
    """What an import has done so far.

    Each line is one of ``sent``, ``bad``, ``excluded`` and ``empty``; each sent hit is one of ``stored``, ``refused``
    and ``dropped``.

    Attributes:
        before: lines imported by earlier runs.
        lines: the number of the last processed line.
        sent: hits sent to the sink.
        refused: of these, invalid hits; ``reasons`` counts the messages.
        bad: lines that cannot be read.
        notes: of the sent hits, dropped ones by reason, and bots' hits, which are stored.
        cut: of the sent hits, those whose title or referrer was too long and was cut.
        excluded: lines left out, by exclude rule.
        visits: of the accepted hits, numbers of different visits in a batch, all added.
        first, last: times of the earliest and latest hit, Unix seconds.
    """

    before: int = 0
    lines: int = 0
    sent: int = 0
    refused: int = 0
    bad: int = 0
    cut: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    visits: int = 0
    first: int | None = None
    last: int | None = None

    @property
    def dropped(self) -> int:
        """Hits that were deliberately not stored."""
        return self.notes.total() - self.notes[BOTS]

    @property
    def stored(self) -> int:
        """Hits that were stored, including bots'."""
        return self.sent - self.refused - self.dropped

    @property
    def empty(self) -> int:
        """Lines without content: comments, headers and empty lines."""
        return self.lines - self.before - self.sent - self.bad - self.excluded.total()

    @property
    def used(self) -> int:
        """Lines that could be used: hits that were stored or dropped, and lines that a rule left out."""
        return self.stored + self.dropped + self.excluded.total()

    @property
    def failed(self) -> bool:
        """Whether all lines were bad or refused."""
        return not self.used and self.bad + self.refused > 0

    def add(self, batch: ImportBatch, result: BatchResult) -> None:
        """Add a batch and its result."""
        self.lines = batch.end.lines
        self.sent += len(batch.hits)
        self.bad += len(batch.bad)
        self.excluded.update(item.rule for item in batch.excluded)
        self.refused += len(result.refused)
        self.reasons.update(" ".join(reason.split()).removesuffix(".") for reason in result.refused.values())
        self.notes.update(result.notes)
        accepted = [hit.arrival for index, hit in enumerate(batch.hits) if index not in result.refused]
        self.visits += len({arrival.session for arrival in accepted if arrival.session})
        times = [arrival.created for arrival in accepted if arrival.created is not None]
        if times:
            self.first = min(times) if self.first is None else min(self.first, *times)
            self.last = max(times) if self.last is None else max(self.last, *times)


BOTS = "bots"
"""The name of bots' hits in ``notes``. They are stored with their bot code, and excluded from statistics."""

Progress = Callable[[Report, ImportBatch], None]
OnBadLine = Callable[[BadLine], None]


class Import:
    """The import of one file into a site.

    Args:
        journal: records how far the import is; None if the file cannot be recognised again (standard input).
        anew: a text that distinguishes this import from earlier ones of the same file; empty to continue them.
        progress: called after each batch.
        on_bad_line: called for each bad line and refused hit.
    """

    def __init__(  # noqa: PLR0913  # who does what
        self,
        source: ImportSource,
        sink: Sink,
        report: Report,
        *,
        journal: ImportJournal | None,
        anew: str = "",
        progress: Progress,
        on_bad_line: OnBadLine,
    ) -> None:
        self._source, self._sink, self._report = source, sink, report
        self._journal, self._anew = journal, anew
        self._progress, self._told_bad = progress, on_bad_line
        self._entry: ImportRecord | None = None

    async def run(self) -> None:
        """Import the present content of the file; call it again when the file has grown.

        Raises:
            InputRefused, StoreUnavailable: everything in the report is stored; a new import continues after it.
        """
        if self._journal and self._entry is None:
            self._entry = await asyncio.to_thread(self._journal.entry_at, self._source.start, run=self._anew)
        async for batch in _read(self._source, self._sink.most):
            await self._note(batch.start, batch.end.position)
            # Cut before they are sent, and counted with the others: a report may be stored while they are being sent.
            too_long = sum(cut(hit.arrival) for hit in batch.hits)
            self._add_to_report(batch, await self._send(batch))
            self._report.cut += too_long
            await self._note(batch.end, None)
            if self._report.failed:
                refuse_nothing_but_bad(self._report.bad + self._report.refused)
            self._progress(self._report, batch)

    async def _send(self, batch: ImportBatch) -> BatchResult:
        if not batch.hits:
            return BatchResult({}, {})
        key = batch_key(self._entry.run if self._entry else self._anew, batch.start, batch.end)
        return await self._sink.send(key, [hit.arrival for hit in batch.hits])

    async def _note(self, mark: FileMark, until: int | None) -> None:
        if self._journal and self._entry:
            self._entry = await asyncio.to_thread(self._journal.note, self._entry, mark, until)

    def _add_to_report(self, batch: ImportBatch, result: BatchResult) -> None:
        self._report.add(batch, result)
        refused = [BadLine(batch.hits[index].number, reason) for index, reason in result.refused.items()]
        for bad in sorted((*batch.bad, *refused)):
            self._told_bad(bad)


async def _read(source: ImportSource, most: int) -> AsyncIterator[ImportBatch]:
    """The batches of a file. The next batch is read while one is being sent."""
    reading = asyncio.create_task(asyncio.to_thread(source.next, most))
    try:
        while batch := await reading:
            reading = asyncio.create_task(asyncio.to_thread(source.next, most))
            yield batch
    finally:
        with suppress(Exception):
            await reading
