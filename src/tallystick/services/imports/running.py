"""Running an import: from a file to a site, batch by batch."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from msgspec import Struct, field

from tallystick.services.imports.batches import ImportBatch, ImportSource
from tallystick.services.imports.cutting import cut
from tallystick.services.imports.journal import ImportJournal, ImportRecord
from tallystick.services.imports.marks import FileMark, batch_key
from tallystick.services.imports.told import BadLine
from tallystick.services.ingest.ingest import Arrival

LOOKED_AT_EVERY_S = 5.0
"""A followed file, for more lines."""


class Taken(NamedTuple):
    """What became of a batch.

    Attributes:
        refused: index -> what was wrong with a hit.
        notes: what else was found -> hits, as far as the place tells: why some were dropped, or are no person's.
    """

    refused: dict[int, str]
    notes: dict[str, int]


class Sink(Protocol):
    """Where hits go.

    Attributes:
        most: lines in one batch.
    """

    most: int

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> Taken:
        """Store hits; a key that was sent before stores nothing."""


class Report(Struct):
    """What an import has done so far.

    Every line is one of ``sent``, ``bad``, ``excluded`` and ``empty``; every hit that was sent one of ``stored``,
    ``refused`` and ``dropped``.

    Attributes:
        before: lines that had been imported by then.
        lines: the last one that is worked through.
        sent: hits that were handed over.
        refused: of these, hits that cannot be accepted; ``reasons`` says why.
        notes: of these, hits that were deliberately not stored, by reason; and bots' hits, which were.
        cut: of these, hits whose title or referrer was too long and was cut.
        first, last: when the earliest and the latest hit happened, Unix seconds.
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
    first: int | None = None
    last: int | None = None

    @property
    def dropped(self) -> int:
        """Hits that were deliberately not stored."""
        return self.notes.total() - self.notes[BOTS]

    @property
    def stored(self) -> int:
        """Hits that were stored, bots' among them."""
        return self.sent - self.refused - self.dropped

    @property
    def empty(self) -> int:
        """Lines that say nothing: comments, headers, and those without text."""
        return self.lines - self.before - self.sent - self.bad - self.excluded.total()

    @property
    def failed(self) -> bool:
        """Whether nothing could be used, although there was something."""
        used = self.stored + self.dropped + self.excluded.total()
        return not used and self.bad + self.refused > 0

    def add(self, batch: ImportBatch, taken: Taken) -> None:
        """Count what was read, and what became of it."""
        self.lines = batch.end.lines
        self.sent += len(batch.told)
        self.bad += len(batch.bad)
        self.excluded.update(item.rule for item in batch.excluded)
        self.refused += len(taken.refused)
        self.reasons.update(" ".join(reason.split()).removesuffix(".") for reason in taken.refused.values())
        self.notes.update(taken.notes)
        accepted = [told.arrival for index, told in enumerate(batch.told) if index not in taken.refused]
        times = [arrival.created for arrival in accepted if arrival.created is not None]
        if times:
            self.first = min(times) if self.first is None else min(self.first, *times)
            self.last = max(times) if self.last is None else max(self.last, *times)


BOTS = "bots"
"""Hits that are kept with the reason why no person sent them, out of every statistic."""

Progress = Callable[[Report, ImportBatch], None]
TellBad = Callable[[BadLine], None]


class Import:
    """One file on its way to a site.

    Args:
        journal: remembers how far the import is; None where a file cannot be recognised (standard input).
        anew: sets this import apart from earlier ones of the same file.
        progress: told after each batch.
        told_bad: hears of lines that are not understood, or refused.
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
        told_bad: TellBad,
    ) -> None:
        self._source, self._sink, self._report = source, sink, report
        self._journal, self._anew = journal, anew
        self._progress, self._told_bad = progress, told_bad
        self._entry: ImportRecord | None = None

    async def run(self) -> None:
        """Import what the file holds now; may be repeated when it has grown.

        Raises:
            InputRefused, StoreUnavailable: what is reported is stored; another import goes on behind it.
        """
        if self._journal and self._entry is None:
            self._entry = await asyncio.to_thread(self._journal.entry_at, self._source.start, run=self._anew)
        async for batch in _read(self._source, self._sink.most):
            await self._note(batch.start, batch.end.position)
            self._report.cut += sum(cut(told.arrival) for told in batch.told)
            self._tell(batch, await self._send(batch))
            await self._note(batch.end, None)
            self._progress(self._report, batch)

    async def _send(self, batch: ImportBatch) -> Taken:
        if not batch.told:
            return Taken({}, {})
        key = batch_key(self._entry.run if self._entry else self._anew, batch.start, batch.end)
        return await self._sink.send(key, [told.arrival for told in batch.told])

    async def _note(self, mark: FileMark, until: int | None) -> None:
        if self._journal and self._entry:
            self._entry = await asyncio.to_thread(self._journal.note, self._entry, mark, until)

    def _tell(self, batch: ImportBatch, taken: Taken) -> None:
        self._report.add(batch, taken)
        refused = [BadLine(batch.told[index].number, reason) for index, reason in taken.refused.items()]
        for bad in sorted((*batch.bad, *refused)):
            self._told_bad(bad)


async def _read(source: ImportSource, most: int) -> AsyncIterator[ImportBatch]:
    """The batches of a file; the next one is read while one is being sent."""
    coming = asyncio.create_task(asyncio.to_thread(source.next, most))
    try:
        while batch := await coming:
            coming = asyncio.create_task(asyncio.to_thread(source.next, most))
            yield batch
    finally:
        with suppress(Exception):
            await coming
