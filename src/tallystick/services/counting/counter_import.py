"""Importing counters."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from msgspec import Struct

from tallystick.ledger import Database, Session
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import Counter, Outcome, Put, alive, apply
from tallystick.model.key import LANES, Key
from tallystick.services.counting.counter_files import BadCounterLine, Line

ROWS_AT_ONCE = 1_000
"""Counters in one transaction."""

Store = Callable[[Sequence[CounterWrite], int], Sequence[Outcome]]


class Imported(Struct):
    """Progress of an import.

    Attributes:
        through: the number of the last processed line.
        expired: lines with an expired counter; they are skipped.
    """

    through: int = 0
    created: int = 0
    replaced: int = 0
    kept: int = 0
    expired: int = 0
    bad: int = 0

    def add(self, batch: Sequence[Line], outcomes: Sequence[Outcome]) -> None:
        """Add lines, and what became of those that have not expired."""
        kept = sum(outcome.refused is not None for outcome in outcomes)
        created = sum(outcome.created for outcome in outcomes)
        self.created += created
        self.kept += kept
        self.replaced += len(outcomes) - created - kept
        self.expired += len(batch) - len(outcomes)
        if batch:
            self.through = batch[-1].number


def rows_at_once(database: Database) -> int:
    """How many counters to gather: one transaction's; where each lane has its own transaction, one for every lane."""
    return ROWS_AT_ONCE * (LANES if database.lanes_alone else 1)


def ledger_store(database: Database, session: Session) -> Store:
    """Make a store that applies the same rules as counting does."""
    return partial(operate, database, session)


def dry_run_store(session: Session) -> Store:
    """Make a store that predicts the outcome and changes nothing.

    A name in two batches is predicted as created twice: remembering all names would take memory in proportion to the
    file's length.
    """

    def store(batch: Sequence[CounterWrite], now: int) -> Sequence[Outcome]:
        with session.snapshot():
            return predicted(session, batch, now)

    return store


def predicted(session: Session, batch: Sequence[CounterWrite], now: int) -> Sequence[Outcome]:
    """What operations would do, in a snapshot of the ledger."""
    counters: dict[Key, Counter | None] = dict(session.find({item.key for item in batch}))
    outcomes = []
    for item in batch:
        counters[item.key], outcome = apply(counters.get(item.key), item.operation, now)
        outcomes.append(outcome)
    return outcomes


def import_counters(  # noqa: PLR0913  # keyword arguments
    lines: Iterable[Line | BadCounterLine],
    store: Store,
    now: int,
    *,
    rows_at_once: int = ROWS_AT_ONCE,
    replaces: bool = False,
    on_bad_line: Callable[[BadCounterLine], None],
) -> Iterator[Imported]:
    """Store counters in the ledger, a few transactions at a time; yields the totals so far after each.

    Args:
        replaces: whether existing counters are replaced. Otherwise they are kept, so that a file can be imported twice.
        on_bad_line: called with each bad line after all lines before it are stored; may raise to stop the import.
    """
    done = Imported()
    batch: list[Line] = []

    def flush() -> Imported:
        done.add(batch, store(writes_of(batch, now, replaces=replaces), now))
        batch.clear()
        return done

    for line in lines:
        if isinstance(line, Line):
            batch.append(line)
            if len(batch) >= rows_at_once:
                yield flush()
        else:
            yield flush()
            done.bad += 1
            on_bad_line(line)
    yield flush()


def writes_of(batch: Sequence[Line], now: int, *, replaces: bool) -> list[CounterWrite]:
    """What stores the counters of lines; those that have expired are skipped."""
    return [CounterWrite(line.key, Put(line.counter, replaces)) for line in batch if alive(line.counter, now)]
