"""A source of hits in the order of their visits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from tallystick.model.props import MAX_PROP_VALUE, NO_PROPS, is_too_long, texts_of
from tallystick.services.imports.batches import ImportBatch
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.parsed import BadLine, ParsedHit
from tallystick.services.imports.visit_table import PlacedHit, VisitTable
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.sources import host_of_url

BAD_AT_ONCE = 1_000
"""Bad lines in one batch."""


class VisitFile:
    """Hits from a table of visits. A position is a number of hits, and batches end where visits end.

    Args:
        name: of the program that the hits come from.
        digest: of the whole file and of everything that decides what of it is imported.
        marks: where imports of such files ended; reading continues at the farthest one of this file.
        now: Unix seconds.
    """

    def __init__(  # what to read, and from where
        self,
        name: str,
        table: VisitTable,
        digest: str,
        *,
        marks: Sequence[FileMark],
        now: Callable[[], int],
    ) -> None:
        self._name, self._table, self._now = name, table, now
        own_marks = [mark for mark in marks if mark.digest == digest]
        self.start = max(own_marks, key=lambda mark: mark.position, default=FileMark(0, 0, digest))
        self._mark = self.start
        self._hits: Iterator[PlacedHit] = table.placed(self.start.position)
        # What could not be read was told by the import that is continued.
        self._bad = iter(()) if self.start.position else table.bad()
        self._ahead: list[PlacedHit] = []
        """Hits of a visit that did not fit into the batch before."""

    def next(self, most: int) -> ImportBatch | None:
        """First the bad lines, then the next hits; None at the end of the file."""
        if bad := [BadLine(line, reason) for line, reason in islice(self._bad, BAD_AT_ONCE)]:
            return ImportBatch(self._mark, self._mark, (), bad, (), self._mark.position, self._table.hits)
        hits = [*self._ahead, *islice(self._hits, most + 1 - len(self._ahead))]
        if not hits:
            return None
        end = _visits_end(hits, most)
        self._ahead = hits[end:]
        start, now = self._mark, self._now()
        position = hits[end - 1].place
        self._mark = FileMark(position, position, start.digest)
        parsed = [ParsedHit(hit.line, self._arrival(hit, now)) for hit in hits[:end]]
        return ImportBatch(start, self._mark, parsed, (), (), position, self._table.hits)

    def renewed(self) -> bool:
        """Always False: such files do not grow."""
        return False

    def close(self) -> None:
        """Delete the temporary file."""
        self._table.close()

    def _arrival(self, placed: PlacedHit, now: int) -> Arrival:
        hit, visitor = placed.hit, placed.visitor
        host = hit.host or visitor.host
        internal = bool(host and hit.ref) and host_of_url(hit.ref) == host
        return Arrival(
            path=hit.path,
            title=hit.title,
            event=hit.event,
            ref="" if internal else hit.ref,
            query=hit.query,
            host=host,
            browser=visitor.browser,
            system=visitor.system,
            width=visitor.width,
            device=visitor.device,
            language=visitor.language,
            location=visitor.location,
            page=hit.page,
            props=_within_limits(placed.props),
            session=f"{self._name}/{placed.visit}" if placed.visit else "",
            no_session=not placed.visit,
            sessionless=True,
            created=placed.created,
            filtered=False,
            received=now,
        )


def _within_limits(props: Mapping[str, str]) -> Mapping[str, str]:
    """The properties that can be stored; values that are too long are cut."""
    if not props:
        return NO_PROPS
    cut = {
        name: value.encode("utf-8", "replace")[:MAX_PROP_VALUE].decode("utf-8", "ignore")
        for name, value in props.items()
    }
    return texts_of({name: value for name, value in cut.items() if not is_too_long(name, value)})


def _visits_end(hits: Sequence[PlacedHit], most: int) -> int:
    """How many hits form a batch: at most ``most``, whole visits if possible."""
    if len(hits) <= most:
        return len(hits)
    divided = hits[most].visit
    if not divided:
        return most
    end = most
    while end and hits[end - 1].visit == divided:
        end -= 1
    return end or most
