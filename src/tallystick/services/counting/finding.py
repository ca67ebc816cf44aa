"""Public counters by name, in pages. A page costs the same however many counters there are."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.counter import Counter, alive
from tallystick.model.key import LANES, Key, legal_name

_INTERNAL = (Key(":", ""), Key(";", ""))
"""Names that begin with a colon stand between others."""
BEFORE_ALL = Key("", "")
_BEYOND = "~"
"""Greater than every legal character."""
_NEXT = " "
"""Less than every legal character: a name with it behind is greater than the name, and than nothing else."""


class FoundCounters(Struct, frozen=True):
    """A page of counters.

    Attributes:
        counters: sorted by name; fewer than asked for where some have expired.
        after: the name after which the next page begins; None on the last one.
    """

    counters: Sequence[tuple[Key, Counter]]
    after: Key | None


def public_counters(session: Session, text: str, after: Key | None, limit: int, now: int) -> FoundCounters:
    """The next public counters whose namespaces begin with a text.

    Args:
        text: where it has a slash, what stands before it is the whole namespace, and keys begin with the rest.
        after: of the page before.
        now: Unix milliseconds.
    """
    span = span_of(text)
    rows = sorted(
        row for lane in range(LANES) for row in counters_of_lane(session, lane, span, after or BEFORE_ALL, limit + 1)
    )
    page = rows[:limit]
    living = [(key, counter) for key, counter in page if alive(counter, now)]
    return FoundCounters(living, page[-1][0] if len(rows) > limit else None)


def span_of(text: str) -> tuple[Key, Key]:
    """From which name on, and before which, the counters are whose names begin with a text; empty where none can."""
    namespace, slash, beginning = text.partition("/")
    if not _may_begin_a_name(namespace) or not _may_begin_a_name(beginning):
        return BEFORE_ALL, BEFORE_ALL
    until = Key(namespace, beginning + _BEYOND) if slash else Key(namespace + _BEYOND, "")
    return Key(namespace, beginning), until


def key_named(text: str) -> Key | None:
    """The counter that ``NAMESPACE/KEY`` names; None where no counter can have that name."""
    namespace, _, name = text.partition("/")
    return Key(namespace, name) if legal_name(namespace) and legal_name(name) else None


def counters_of_lane(
    session: Session, lane: int, span: tuple[Key, Key], after: Key, limit: int
) -> list[tuple[Key, Counter]]:
    """The next counters of a lane, by name; expired ones included.

    Args:
        span: see ``span_of``.
        after: the counter before them; ``BEFORE_ALL`` to begin.
    """
    rows: list[tuple[Key, Counter]] = []
    first, beyond = span
    if after != BEFORE_ALL:
        first = max(first, Key(after.namespace, after.key + _NEXT))
    for start, until in _public(first, beyond):
        if len(rows) < limit:
            rows += session.between(lane, start, until, limit - len(rows))
    return rows


def _public(start: Key, until: Key) -> Iterator[tuple[Key, Key]]:
    """The parts of a span in which no internal names are."""
    first, last = _INTERNAL
    for low, high in ((start, min(until, first)), (max(start, last), until)):
        if low < high:
            yield low, high


def _may_begin_a_name(text: str) -> bool:
    # Shorter than a name may be: a beginning.
    return not text or legal_name(text.rjust(3, "-")) is not None
